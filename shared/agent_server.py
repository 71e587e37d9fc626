"""Serves an agent over A2A 1.0 and 0.3: JSON-RPC and HTTP+JSON, streams, cancel, tasks that outlive the process.

`create` makes a whole service out of an agent. An app that has routes of its own installs an `AgentServer`.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, cast

from a2a.server.context import ServerCallContext
from a2a.server.routes import (
    DefaultServerCallContextBuilder,
    add_a2a_routes_to_fastapi,
    create_agent_card_routes,
    create_jsonrpc_routes,
    create_rest_routes,
)
from a2a.types import AgentCard, ContentTypeNotSupportedError
from a2a.utils.constants import PROTOCOL_VERSION_0_3, PROTOCOL_VERSION_1_0, VERSION_HEADER
from fastapi import FastAPI
from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from shared.agent import OpenAgent
from shared.agent_handler import AgentHandler
from shared.agent_rpc import Rpc
from shared.agent_runs import Runs
from shared.db import Database, database_url, migrate, open_engine
from shared.errors import UnavailableError
from shared.registration import keep_registered
from shared.service import create_app, on_stop
from shared.settings import FederationSettings, ServiceName

_MIGRATIONS: Final = Path(__file__).parent / "migrations" / "a2a"
_VERSION: Final = VERSION_HEADER.lower()
_V0_3_PATH: Final = "/v1/"


class AgentServer:
    """The A2A side of a service, for an app that also has other routes.

    `install` it after the app's own routes and keep `working` open in the app's lifespan. `resumable`: the agent may
    be asked the same again after a restart, because what it does is found again by the task's id.
    """

    def __init__(
        self,
        settings: FederationSettings,
        service: ServiceName,
        card: AgentCard,
        open_agent: Callable[[], AbstractAsyncContextManager[OpenAgent]],
        *,
        resumable: bool = False,
    ) -> None:
        self._settings = settings
        self._service: ServiceName = service
        self._card = card
        self._open_agent = open_agent
        self._resumable = resumable
        self._agent: OpenAgent | None = None
        self._runs: Runs | None = None

    def install(self, app: FastAPI) -> None:
        """Add the card at its well-known path, JSON-RPC at `/`, and HTTP+JSON beside it; all of it in the docs."""
        on_stop(app, self.end_streams)
        handler = AgentHandler(self._service, self._open_runs)
        contexts = _Contexts()
        [rpc] = create_jsonrpc_routes(handler, "/", contexts, enable_v0_3_compat=True)
        rest = create_rest_routes(handler, contexts, enable_v0_3_compat=True)
        add_a2a_routes_to_fastapi(
            app,
            agent_card_routes=create_agent_card_routes(self._card, cache_control="public, max-age=60"),
            jsonrpc_routes=[Route("/", Rpc(handler, contexts, rpc.endpoint).answer, methods=["POST"])],
            # The mount for tenants in paths would swallow everything below it, and our cards name no tenants.
            rest_routes=[route for route in rest if not isinstance(route, Mount)],
        )

    @asynccontextmanager
    async def working(self) -> AsyncGenerator[None]:
        """Open the agent and its tasks; work until the end."""
        database = Database(open_engine(database_url(self._settings, f"a2a-{self._service}"), durable=False))
        try:
            await asyncio.to_thread(migrate, database, _MIGRATIONS, "a2a_version", "0002")
            async with self._open_agent() as agent:
                runs = Runs(self._settings, self._service, database, agent, resumable=self._resumable)
                async with runs.working():
                    self._agent, self._runs = agent, runs
                    try:
                        yield
                    finally:
                        self._agent = self._runs = None
        finally:
            await database.close()

    def end_streams(self) -> None:
        """Let whoever follows a task go: the service is told to stop."""
        if self._runs is not None:
            self._runs.end_streams()

    def problems(self) -> list[str]:
        """Return what is missing now, in sentences; empty when all is well."""
        return ["The service is starting or stopping."] if self._agent is None else self._agent.problems()

    def is_open(self) -> bool:
        """Tell whether the agent takes messages."""
        return self._runs is not None

    def _open_runs(self) -> Runs:
        if self._runs is None:
            raise UnavailableError("The service is starting or stopping. Try again in a moment.")
        return self._runs


def create(
    settings: FederationSettings,
    service: ServiceName,
    card: AgentCard,
    open_agent: Callable[[], AbstractAsyncContextManager[OpenAgent]],
    *,
    resumable: bool = False,
) -> FastAPI:
    """Return the whole service of one agent; it keeps itself registered at the orchestrator while it serves."""
    server = AgentServer(settings, service, card, open_agent, resumable=resumable)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        async with server.working(), keep_registered(settings, service):
            yield

    app = create_app(settings, service, card.name, card.description, lifespan, problems=server.problems)

    @app.get("/ready", tags=["health"], summary="Whether the agent takes messages")
    async def ready() -> JSONResponse:  # pyright: ignore[reportUnusedFunction] - the decorator keeps it
        lacks: list[JsonValue] = [*server.problems()]
        return JSONResponse({"ready": server.is_open(), "problems": lacks}, 200 if server.is_open() else 503)

    server.install(app)
    return app


class _Contexts(DefaultServerCallContextBuilder):
    """Builds the context of a call: says which protocol version a request without the header is meant in."""

    def build(self, request: Request) -> ServerCallContext:
        """Return the context. Raises: the SDK's ContentTypeNotSupportedError for a body that is not JSON."""
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.method == "POST" and not media_type.endswith(("/json", "+json")):
            has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
            if has_body:
                raise ContentTypeNotSupportedError("Send the body as application/json or application/a2a+json.")
        context = super().build(request)
        headers = cast("dict[str, str]", context.state["headers"])
        if not headers.get(_VERSION):  # proxies strip it, and curl users forget it
            method: str = getattr(request.state, "rpc_method", "")
            is_old = "/" in method or request.url.path.startswith(_V0_3_PATH)
            headers[_VERSION] = PROTOCOL_VERSION_0_3 if is_old else PROTOCOL_VERSION_1_0
        return context
