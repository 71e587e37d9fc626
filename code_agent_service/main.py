"""Serves the code agent."""

from fastapi import FastAPI

from code_agent_service import card
from code_agent_service.agent import open_agent
from code_agent_service.settings import Settings
from shared import agent_server, service


def create(settings: Settings | None = None) -> FastAPI:
    """Return the code agent's app."""
    settings = settings or Settings()
    return agent_server.create(settings, "code", card.build(settings), lambda: open_agent(settings))


def main() -> None:
    """Run the code agent on its port."""
    settings = service.read_settings(Settings, "code")
    service.run(lambda: create(settings), settings, "code")


if __name__ == "__main__":
    main()
