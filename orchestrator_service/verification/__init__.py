"""Judges agents before and while they are registered: their cards, signatures, names, and what they really speak."""
