"""Serves the API agent."""

from fastapi import FastAPI

from api_agent_service import card
from api_agent_service.agent import open_agent
from api_agent_service.settings import Settings
from shared import agent_server, service


def create(settings: Settings | None = None) -> FastAPI:
    """Return the API agent's app."""
    settings = settings or Settings()  # pyright: ignore[reportCallIssue] - read from the environment
    return agent_server.create(settings, "api", card.build(settings), lambda: open_agent(settings))


def main() -> None:
    """Run the API agent on its port."""
    settings = service.read_settings(Settings, "api")
    service.run(lambda: create(settings), settings, "api")


if __name__ == "__main__":
    main()
