"""Wires the orchestrator: opens its parts in order, and serves them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from fastapi import FastAPI

from orchestrator_service import card
from orchestrator_service.agent import OrchestratorAgent
from orchestrator_service.api import agents, sessions, status, tasks
from orchestrator_service.api.parts import Parts
from orchestrator_service.engine.engine import Engine
from orchestrator_service.engine.execute import Runner
from orchestrator_service.engine.perform import Performer
from orchestrator_service.engine.settle import Settler
from orchestrator_service.events import EventLog
from orchestrator_service.intake import Intake
from orchestrator_service.keys import open_keys
from orchestrator_service.registrar import Registrar
from orchestrator_service.settings import Settings
from orchestrator_service.sole import sole_owner
from shared import http, llm, service
from shared.agent import OpenAgent
from shared.agent_server import AgentServer
from shared.db import database_url, migrate, open_database

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_TITLE: Final = "Agent Federation"


def create(settings: Settings | None = None) -> FastAPI:
    """Return the orchestrator's app."""
    settings = settings or Settings()
    agent_card = card.build(settings)
    server = AgentServer(settings, "orchestrator", agent_card, lambda: _open_agent(app), resumable=True)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with _open_parts(settings) as parts:
            app.state.parts = parts
            try:
                async with server.working():
                    yield
            finally:
                app.state.parts = None

    origins = () if settings.frontend_url is None else (settings.frontend_url.rstrip("/"),)
    app = service.create_app(settings, "orchestrator", _TITLE, agent_card.description, lifespan, origins=origins)
    for router in (status.router, tasks.router, tasks.execute_router, sessions.router, agents.router):
        app.include_router(router)
    server.install(app)
    return app


def main() -> None:
    """Serve until told to stop."""
    settings = Settings()
    service.run(lambda: create(settings), settings, "orchestrator")


@asynccontextmanager
async def _open_parts(settings: Settings) -> AsyncGenerator[Parts]:
    url = database_url(settings, "orchestrator")
    async with open_database(url) as database, sole_owner(settings, database):
        await asyncio.to_thread(migrate, database, _MIGRATIONS, "federation_version", "0002")
        keys = open_keys(settings)
        log = EventLog(database)
        async with http.open_client(settings) as client, llm.open_model(settings) as model:
            performer = Performer(settings, log, keys, client)
            runner = Runner(Settler(settings, log, model), performer)
            engine = Engine(settings, database, runner, performer)
            registrar = Registrar(settings, database, client, keys)
            async with registrar.open(), engine.open():
                yield Parts(settings, database, log, Intake(settings, log, engine, keys), registrar, keys, client)


@asynccontextmanager
async def _open_agent(app: FastAPI) -> AsyncGenerator[OpenAgent]:
    parts: Parts = app.state.parts
    yield OrchestratorAgent(parts.intake, parts.log).opened()


if __name__ == "__main__":
    main()
