"""Serves the research agent."""

from fastapi import FastAPI

from a2a_agent_service import card
from a2a_agent_service.agent import open_agent
from a2a_agent_service.settings import Settings
from shared import agent_server, service


def create(settings: Settings | None = None) -> FastAPI:
    """Return the research agent's app."""
    settings = settings or Settings()
    return agent_server.create(settings, "research", card.build(settings), lambda: open_agent(settings), resumable=True)


def main() -> None:
    """Run the research agent on its port."""
    settings = service.read_settings(Settings, "research")
    service.run(lambda: create(settings), settings, "research")


if __name__ == "__main__":
    main()
