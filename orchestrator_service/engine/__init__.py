"""Durable execution of plans on DBOS."""
