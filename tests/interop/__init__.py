"""Interoperability: A2A servers and clients that others wrote, and replays of what was seen of them."""
