"""The research agent as a process of its own. Its arguments: DATA_DIR PORT MODEL_URL DATABASE_URL."""

import sys
from pathlib import Path

from a2a_agent_service import main as research
from shared import service
from tests.research_agent.asking import make_settings


def main() -> None:
    """Serve until told to stop, or killed."""
    folder, port, model_url, database_url = sys.argv[1:]
    settings = make_settings(
        Path(folder),
        research_agent_port=int(port),
        llm_base_url=model_url,
        llm_model="m",
        database_url=database_url or None,
    )
    service.run(lambda: research.create(settings), settings, "research")
