"""Starts the browser service."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from browser_service import automation, card, held_routes, session_routes
from browser_service.agent import open_agent
from browser_service.automation import Automation
from browser_service.credentials import Credentials
from browser_service.held_sessions import HeldSessions
from browser_service.sessions import Sessions
from browser_service.settings import Settings
from shared import agent_server, service
from shared.agent import OpenAgent


def create(settings: Settings | None = None) -> FastAPI:
    """Return the whole service."""
    settings = settings or Settings()  # pyright: ignore[reportCallIssue] - read from the environment
    sessions, runs, held = Sessions(settings), Automation(settings), HeldSessions(settings)

    @asynccontextmanager
    async def open_watched() -> AsyncGenerator[OpenAgent]:
        async with sessions.working(), open_agent(settings, (sessions,), held) as agent:
            runs.agent = agent
            try:
                yield agent
            finally:
                await runs.stop()

    app = agent_server.create(settings, "browser", card.build(settings), open_watched)
    app.state.sessions, app.state.automation, app.state.credentials = sessions, runs, Credentials(settings)
    app.state.held_sessions = held
    for routes in (session_routes, held_routes, automation):
        app.include_router(routes.router)
    return app


def main() -> None:
    """Serve until told to stop."""
    settings = service.read_settings(Settings, "browser")
    service.run(lambda: create(settings), settings, "browser")


if __name__ == "__main__":
    main()
