"""Starts the browser service."""

from fastapi import FastAPI

from browser_service import card
from browser_service.agent import open_agent
from browser_service.settings import Settings
from shared import agent_server, service


def create(settings: Settings | None = None) -> FastAPI:
    """Return the whole service."""
    settings = settings or Settings()  # pyright: ignore[reportCallIssue] - read from the environment
    return agent_server.create(settings, "browser", card.build(settings), lambda: open_agent(settings))


def main() -> None:
    """Serve until told to stop."""
    settings = Settings()  # pyright: ignore[reportCallIssue] - read from the environment
    service.run(lambda: create(settings), settings, "browser")


if __name__ == "__main__":
    main()
