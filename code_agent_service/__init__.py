"""The code agent: writes and runs code in a sandbox."""
