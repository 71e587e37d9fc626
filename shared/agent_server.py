"""Serves an agent over A2A 1.0 and 0.3: JSON-RPC and HTTP+JSON, streams, cancel, tasks that outlive the process.

`create` makes a whole service out of an agent. An app that has routes of its own installs an `AgentServer`.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, cast

from a2a.compat.v0_3.extension_headers import LEGACY_HTTP_EXTENSION_HEADER
from a2a.extensions.common import get_requested_extensions
from a2a.server.context import ServerCallContext
from a2a.server.routes import (
    DefaultServerCallContextBuilder,
    add_a2a_routes_to_fastapi,
    create_jsonrpc_routes,
    create_rest_routes,
)
from a2a.types import AgentCard, ExtensionSupportRequiredError, VersionNotSupportedError
from a2a.utils.constants import PROTOCOL_VERSION_0_3, PROTOCOL_VERSION_1_0, VERSION_HEADER
from a2a.utils.errors import MethodNotFoundError
from fastapi import FastAPI
from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from shared import agent_conformance, agent_mixed_dialect, agent_openapi, agent_rest, card_routes
from shared.agent import OpenAgent
from shared.agent_conformance import ConformingHandler
from shared.agent_handler import AgentHandler
from shared.agent_rpc import Rpc, is_json, not_json
from shared.agent_runs import Runs
from shared.db import Database, database_url, open_engine
from shared.db_migration import migrate
from shared.errors import UnavailableError
from shared.registration import keep_registered
from shared.service import create_app, on_stop
from shared.settings import FederationSettings, ServiceName

_MIGRATIONS: Final = Path(__file__).parent / "migrations" / "a2a"
_VERSION: Final = VERSION_HEADER.lower()
_VERSIONS: Final = (PROTOCOL_VERSION_1_0, PROTOCOL_VERSION_0_3)
_V0_3_PATH: Final = "/v1/"


class AgentServer:
    """The A2A side of a service, for an app that also has other routes.

    `install` it after the app's own routes and keep `working` open in the app's lifespan. `resumable`: the agent may
    be asked the same again after a restart, because what it does is found again by the task's id. The extended card is
    the public one.
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
        self._key = card_routes.read_key(settings, service)
        agent_conformance.check(settings)
        self._open_agent = agent_conformance.conforming(open_agent) if settings.a2a_conformance else open_agent
        self._resumable = resumable
        self._agent: OpenAgent | None = None
        self._runs: Runs | None = None

    def install(self, app: FastAPI) -> None:
        """Add the card at its well-known path, JSON-RPC at `/`, and HTTP+JSON beside it; all of it in the docs."""
        on_stop(app, self.end_streams)
        handler_type = ConformingHandler if self._settings.a2a_conformance else AgentHandler
        handler = handler_type(self._service, self._open_runs, card_routes.sign(self._card, self._key))
        contexts = _Contexts(self._card)
        [rpc] = create_jsonrpc_routes(handler, "/", contexts, enable_v0_3_compat=True)
        the_sdks_way = agent_mixed_dialect.understanding(rpc.endpoint)
        rest = [
            agent_rest.deletion(handler, contexts),
            *create_rest_routes(handler, contexts, enable_v0_3_compat=True),
        ]
        cards = card_routes.build(self._card, self._key, only_1_0=self._settings.a2a_conformance)
        add_a2a_routes_to_fastapi(
            app,
            agent_card_routes=cards,
            jsonrpc_routes=[Route("/", Rpc(handler, contexts, the_sdks_way).answer, methods=["POST"])],
            # The mount for tenants in paths would swallow everything below it, and our cards name no tenants.
            rest_routes=[agent_rest.mended(route) for route in rest if isinstance(route, Route)],
        )
        agent_openapi.describe(app)
        card_routes.add_keys(app, self._key)

    @asynccontextmanager
    async def working(self) -> AsyncGenerator[None]:
        """Open the agent and its tasks; work until the end."""
        database = Database(open_engine(database_url(self._settings, f"a2a-{self._service}"), durable=False))
        try:
            await make_tables(database)
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

    def is_busy(self) -> bool:
        """Tell whether the agent works on a task in this process."""
        return self._runs is not None and bool(self._runs.live)

    def _open_runs(self) -> Runs:
        if self._runs is None:
            raise UnavailableError("The service is starting or stopping. Try again in a moment.")
        return self._runs


async def make_tables(database: Database) -> None:
    """Make the tables of an agent's tasks, or bring them up to date."""
    await migrate(database, _MIGRATIONS, "a2a_version", "0002")


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
    """Builds the context of a call: says which protocol version is meant, and refuses what cannot be understood.

    The version is the one of the header, or of the request parameter; without them the method's name or path tells.
    """

    def __init__(self, card: AgentCard) -> None:
        self._required = {each.uri for each in card.capabilities.extensions if each.required}

    def build(self, request: Request) -> ServerCallContext:
        """Return the context.

        Raises: the SDK's ContentTypeNotSupportedError for a body that is not JSON, VersionNotSupportedError,
        MethodNotFoundError for a name of 0.3 in 1.0, ExtensionSupportRequiredError.
        """
        if request.method == "POST" and not is_json(request):
            has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
            if has_body:
                raise not_json()
        context = super().build(request)
        context.tenant = getattr(request.state, "tenant", "")
        headers = cast("dict[str, str]", context.state["headers"])
        headers[_VERSION] = _find_version(request, headers.get(_VERSION, ""))
        method: str = getattr(request.state, "rpc_method", "")
        if "/" in method and headers[_VERSION] == PROTOCOL_VERSION_1_0:
            raise MethodNotFoundError(f"A2A 1.0, which A2A-Version names, has no method {method[:64]}.")
        if self._required:
            older = get_requested_extensions(request.headers.getlist(LEGACY_HTTP_EXTENSION_HEADER))
            if missing := self._required - context.requested_extensions - older:
                uris = ", ".join(sorted(missing))
                raise ExtensionSupportRequiredError(f"Say in A2A-Extensions that you support what is required: {uris}.")
        return context


def _find_version(request: Request, named: str) -> str:
    """Return the version that a call is made in: major and minor, for nothing else may matter."""
    named = named or request.query_params.get(VERSION_HEADER, "")
    if named in _VERSIONS:
        return named
    if not named:  # proxies strip it, and curl users forget it
        method: str = getattr(request.state, "rpc_method", "")
        is_old = "/" in method or request.url.path.startswith(_V0_3_PATH)
        return PROTOCOL_VERSION_0_3 if is_old else PROTOCOL_VERSION_1_0
    short = ".".join(named.split(".")[:2])
    if short in _VERSIONS and all(each.isascii() and each.isdigit() for each in named.split(".")[:3]):
        return short
    raise VersionNotSupportedError(f"A2A {named[:16]} is not spoken here; the versions are {' and '.join(_VERSIONS)}.")
