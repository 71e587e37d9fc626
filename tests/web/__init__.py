"""The web UI in a real Chromium, against the real orchestrator and agents."""
