"""The research agent: finds, reads and cites."""
