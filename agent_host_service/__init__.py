"""The agent host: runs agents that are written as templates, each as an A2A agent of its own, while they are needed."""
