"""Programs that run inside the sandbox only: their texts are given to its interpreter, nothing here is imported."""
