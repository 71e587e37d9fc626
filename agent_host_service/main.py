"""Serves the agents that are made from templates."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from agent_host_service.agent import Resources
from agent_host_service.host import Host
from agent_host_service.settings import Settings
from agent_host_service.templates import SHIPPED, Templates
from shared import http, mcp_tools, service
from shared.agent import JsonObject
from shared.background import background
from shared.errors import UnavailableError
from shared.federation_skills import FederationSkills
from shared.llm import open_models

_TITLE = "Agent host"
_DESCRIPTION = "Runs agents that are written as templates, while they are needed."


def create(settings: Settings | None = None) -> FastAPI:
    """Return the agent host's app."""
    settings = settings or Settings()
    templates = Templates(SHIPPED, settings.agent_templates)
    servers = mcp_tools.read_servers(settings.mcp_servers)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with (
            http.open_client(settings) as client,
            open_models(settings) as models,
            mcp_tools.open_tools(settings, servers) as tools,
            asyncio.TaskGroup() as group,
        ):
            resources = Resources(settings, models, tools, FederationSkills(settings, client))
            host = app.state.host = Host(settings, templates, resources, group)
            async with background("templates", host.keep_up()):
                try:
                    yield
                finally:
                    app.state.host = None
                    await host.close()

    def problems() -> list[str]:
        return [f"{problem.file}, {problem.fault}" for problem in templates.problems]

    app = service.create_app(settings, "host", _TITLE, _DESCRIPTION, lifespan, problems=problems)
    app.state.host = None
    service.on_stop(app, lambda: _end_streams(app))

    @app.get("/ready", tags=["health"], summary="Whether agents can be begun")
    async def ready() -> JSONResponse:  # pyright: ignore[reportUnusedFunction] - the decorator keeps it
        is_open = app.state.host is not None
        return JSONResponse({"ready": is_open, "problems": [*problems()]}, 200 if is_open else 503)

    @app.get("/templates", tags=["templates"], summary="The templates, which of them run, and what is wrong with files")
    async def show(request: Request) -> JsonObject:  # pyright: ignore[reportUnusedFunction] - the decorator keeps it
        return _host(request.app).show()

    @app.post("/templates/{name}/start", tags=["templates"], summary="Begin the agent that a template makes")
    async def start(name: str, request: Request) -> JsonObject:  # pyright: ignore[reportUnusedFunction]
        await _host(request.app).start(name)
        return {"endpoint": f"{settings.url_of('host')}/agents/{name}"}

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await _host(app).answer(scope, receive, send)

    app.mount("/agents", answer)
    return app


def main() -> None:
    """Run the agent host on its port."""
    settings = service.read_settings(Settings, "host")
    service.run(lambda: create(settings), settings, "host")


def _host(app: FastAPI) -> Host:
    host: Host | None = app.state.host
    if host is None:
        raise UnavailableError("The agent host is starting or stopping; try again in a moment.")
    return host


def _end_streams(app: FastAPI) -> None:
    host: Host | None = app.state.host
    if host is not None:
        host.end_streams()


if __name__ == "__main__":
    main()
