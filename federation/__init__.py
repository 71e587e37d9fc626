"""What users import and type: the Python client, the command line, the process runner."""
