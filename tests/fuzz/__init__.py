"""Every route of every service is asked for what no client would: see `test_routes`."""
