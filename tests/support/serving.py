"""Serves an ASGI app over real HTTP on a free port, for as long as a test needs it."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of a server that speaks TLS; with an authority it lets in only who has a certificate of that."""

    key: Path
    certificate: Path
    authority: Path | None = None


@asynccontextmanager
async def serve(app: ASGIApp, *, port: int = 0, tls: Tls | None = None) -> AsyncGenerator[str]:
    """Serve `app` on 127.0.0.1 in this event loop and yield its base URL, once its lifespan has started.

    `port` 0 lets the system choose. At the end open connections are closed after a second, and the lifespan ends.
    """
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=1)
    if tls is not None:
        config.ssl_keyfile, config.ssl_certfile = tls.key, tls.certificate
    if tls is not None and tls.authority is not None:
        config.ssl_ca_certs, config.ssl_cert_reqs = str(tls.authority), ssl.CERT_REQUIRED
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:  # TCP: else no TCP_NODELAY
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        server = _Server(config)
        running = asyncio.create_task(server.serve_on(listener))  # not in a group: a test's failure stays as it is
        try:
            await server.has_started
            yield f"http{'' if tls is None else 's'}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


class _Server(uvicorn.Server):
    """A uvicorn server that says when it has started and leaves the process's signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.has_started = asyncio.get_running_loop().create_future()

    async def serve_on(self, listener: socket.socket) -> None:
        await self._serve([listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit:  # uvicorn's way to say that the lifespan failed; it would end the test run
            self.should_exit = True
            self.has_started.set_exception(RuntimeError("The app's lifespan did not start; the log has the reason."))
        else:
            self.has_started.set_result(None)
