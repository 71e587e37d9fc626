"""Wires the orchestrator: opens its parts in order, and serves them."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from fastapi import FastAPI

from orchestrator_service import card, web_ui
from orchestrator_service.agent import OrchestratorAgent
from orchestrator_service.api import (
    agents,
    browser,
    catalog,
    chat,
    learned_plans,
    live,
    page_tests,
    push,
    sessions,
    status,
    tasks,
    usage,
    wire,
)
from orchestrator_service.api.parts import Parts
from orchestrator_service.core import open_core
from orchestrator_service.intake import Intake
from orchestrator_service.mcp_door import McpDoor
from orchestrator_service.schedules import Schedules
from orchestrator_service.settings import Settings
from shared import service
from shared.agent import OpenAgent
from shared.agent_server import AgentServer
from shared.background import background

_TITLE: Final = "Agent Federation"
_NOUNS: Final = (
    *(status, tasks, live, sessions, agents, learned_plans, page_tests, browser),
    *(wire, push, catalog, usage, chat),
)


def create(settings: Settings | None = None) -> FastAPI:
    """Return the orchestrator's app."""
    settings = settings or Settings()
    agent_card = card.build(settings)
    server = AgentServer(settings, "orchestrator", agent_card, lambda: _open_agent(app), resumable=True)
    mcp_door = McpDoor()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with _open_parts(settings) as parts:
            app.state.parts = parts
            try:
                async with server.working(), mcp_door.open(parts):
                    yield
            finally:
                app.state.parts = None

    origins = () if settings.frontend_url is None else (settings.frontend_url.rstrip("/"),)
    app = service.create_app(settings, "orchestrator", _TITLE, agent_card.description, lifespan, origins=origins)
    for noun in _NOUNS:
        app.include_router(noun.router)
    app.include_router(tasks.more_router)
    server.install(app)
    mcp_door.install(app)
    web_ui.install(app)
    service.on_stop(app, lambda: _drain(app))
    return app


def main() -> None:
    """Serve until told to stop."""
    settings = service.read_settings(Settings, "orchestrator")
    service.run(lambda: create(settings), settings, "orchestrator")


def _drain(app: FastAPI) -> None:
    """Take no new work as soon as the process is told to stop, so that others have it sooner, and answer who waits."""
    parts: Parts | None = getattr(app.state, "parts", None)
    if parts is not None:
        parts.drain()
        parts.log.end_waits()


@asynccontextmanager
async def _open_parts(settings: Settings) -> AsyncGenerator[Parts]:
    async with open_core(settings) as core:
        registrar = core.registrar
        intake = Intake(settings, core.log, core.engine, core.keys, core.deliveries.wake)
        async with AsyncExitStack() as stack:
            if settings.agents_file is not None:
                from orchestrator_service.agents_file import AgentsFile  # noqa: PLC0415 - only for those who have one

                listed = AgentsFile(settings.agents_file, registrar, core.database, settings.agent_check_interval_s)
                await stack.enter_async_context(background("agents of AGENTS_FILE", listed.follow()))
            if core.meaning is not None:
                await stack.enter_async_context(core.meaning.open())
            await stack.enter_async_context(registrar.open())
            await stack.enter_async_context(core.working())
            schedules = Schedules(core.database, intake.submit)
            await stack.enter_async_context(schedules.open())
            yield Parts(
                settings,
                core.database,
                core.log,
                intake,
                registrar,
                core.keys,
                core.client,
                core.credentials,
                nudge=core.engine.nudge,
                drain=core.engine.drain,
                meaning=core.meaning,
                schedules=schedules,
            )


@asynccontextmanager
async def _open_agent(app: FastAPI) -> AsyncGenerator[OpenAgent]:
    parts: Parts = app.state.parts
    settings = parts.settings
    address = settings.url_of("orchestrator")
    yield OrchestratorAgent(parts.intake, parts.log, address=address, max_hops=settings.max_hops).opened()


if __name__ == "__main__":
    main()
