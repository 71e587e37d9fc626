"""The door for clients of MCP: each skill that agents offer is a tool, and so is the federation itself.

Streamable HTTP, by the protocol's own library, which is loaded when the first client comes.
Source: https://modelcontextprotocol.io/specification
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI
from starlette.requests import HTTPConnection
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from orchestrator_service.api.parts import Parts, opened
from shared import service
from shared.background import background
from shared.errors import FederationError, UnavailableError

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

PATH: Final = "/mcp"


class McpDoor:
    """An ASGI app that serves MCP while it is `open`."""

    def __init__(self) -> None:
        self._wanted = asyncio.Event()
        self._manager: asyncio.Future[StreamableHTTPSessionManager] | None = None
        self._stopped = asyncio.Event()

    def install(self, app: FastAPI) -> None:
        """Let `app` serve it."""
        app.router.routes.append(Route(PATH, endpoint=self, methods=["GET", "POST", "DELETE"], include_in_schema=False))
        service.on_stop(app, self._stopped.set)

    @asynccontextmanager
    async def open(self, parts: Parts) -> AsyncGenerator[None]:
        """Serve with these parts."""
        self._manager = asyncio.get_running_loop().create_future()
        async with background("door for MCP", self._serve(parts, self._manager)):
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            await opened(HTTPConnection(scope))
            if self._stopped.is_set():
                raise UnavailableError("The orchestrator is stopping; try again in a moment.")
        except FederationError as error:
            await service.problem(error)(scope, receive, send)
            return
        self._wanted.set()
        assert self._manager is not None  # noqa: S101 - the parts are opened before
        manager = await asyncio.shield(self._manager)
        await manager.handle_request(scope, receive, send)

    async def _serve(self, parts: Parts, ready: "asyncio.Future[StreamableHTTPSessionManager]") -> None:
        await self._wanted.wait()
        manager = await asyncio.to_thread(_make_manager, parts)
        async with manager.run():
            ready.set_result(manager)
            await self._stopped.wait()


def _make_manager(parts: Parts) -> "StreamableHTTPSessionManager":
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager  # noqa: PLC0415

    from orchestrator_service.mcp_tools import McpTools  # noqa: PLC0415

    return StreamableHTTPSessionManager(McpTools(parts).server(), max_request_body_size=parts.settings.max_body_bytes)
