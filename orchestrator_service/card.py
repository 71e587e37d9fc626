"""The orchestrator's own agent card: to an A2A client the whole federation is one agent."""

from a2a.types import AgentCard

from orchestrator_service.settings import Settings
from shared import cards


def build(settings: Settings) -> AgentCard:
    """Return the card."""
    return cards.build(
        settings,
        "orchestrator",
        name="Agent Federation",
        description=(
            "Plans a goal into steps, finds an agent for each by what it can do, runs them, and answers with the "
            "results and where each came from."
        ),
        skills=[
            cards.Skill(
                id="orchestrate",
                name="Orchestrate agents",
                description="Reaches a goal that takes one or more of the federation's agents.",
                tags=("orchestration", "planning", "multi-agent"),
                examples=(
                    "Open http://127.0.0.1:9000 and get the main heading, then summarize it.",
                    "Profile sales.csv and compute 17 * 23 in Python.",
                ),
            )
        ],
        input_modes=("text/plain", "application/json", "application/octet-stream"),
        output_modes=("text/plain", "application/json", "application/octet-stream"),
    )
