"""Durable execution of plans: a task's rows say how far it is, and any worker goes on from them."""
