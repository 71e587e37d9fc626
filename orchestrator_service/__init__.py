"""The orchestrator: registry, memory, planner, executor and synthesizer."""
