"""Every guard against bad agents, cards, streams and webhooks, where it is, and the test that fails without it."""
