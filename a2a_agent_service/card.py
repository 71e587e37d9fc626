"""The research agent's card."""

from a2a.types import AgentCard

from a2a_agent_service.settings import Settings
from shared import cards
from shared.cards import Skill

RESEARCH = "research"
ANALYSIS = "analysis"

_SKILLS = (
    Skill(
        RESEARCH,
        "Research",
        "Finds what documents, web pages and the web say about a question, and answers with numbered citations. "
        "It quotes the sources and makes nothing up.",
        (
            "research",
            "search",
            "find",
            "documents",
            "docs",
            "folder",
            "question",
            "answer",
            "citations",
            "sources",
            "web",
        ),
        (
            "Find what the docs say about retries.",
            "What is the refund period? Search the documents and cite them.",
            "Research https://example.org/page about its licence.",
        ),
    ),
    Skill(
        ANALYSIS,
        "Analysis of sources",
        "Compares and weighs what several documents or pages say about a question, source by source or side by side, "
        "with numbered citations.",
        ("analysis", "compare", "contrast", "weigh", "differences", "documents", "sources", "citations"),
        (
            "Compare the refund policy and the shipping policy in the documents.",
            "Weigh what the sources say about PostgreSQL versus SQLite.",
        ),
    ),
)


def build(settings: Settings) -> AgentCard:
    """Return the card of the research agent."""
    return cards.build(
        settings,
        "research",
        name="Research agent",
        description="Researches questions in a folder of documents, in pages and on the web; answers with citations.",
        skills=_SKILLS,
        input_modes=("text/plain", "text/markdown", "text/html", "application/pdf"),
        output_modes=("text/plain", "application/json"),
    )
