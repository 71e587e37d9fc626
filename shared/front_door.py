"""ASGI middleware before every route: who may call from where, how much they may send, and which trace it is.

Plain ASGI, so that streams stay streams and mounted apps are behind it too.
"""

import asyncio
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import telemetry
from shared.errors import FederationError, TooLargeError
from shared.settings import FederationSettings, ServiceName

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_DRAIN_S: Final = 5.0
_DRAIN_TIMES: Final = 8
_BODY_S = 60.0
_BODY_BYTES_PER_S: Final = 1_024
_SERVICES: Final[tuple[ServiceName, ...]] = ("orchestrator", "research", "api", "browser", "code")


class HostRefusedError(FederationError):
    """The Host header names no host of this service: a misrouted request, or DNS rebinding."""

    slug = "host-refused"
    title = "Not a host of this service"
    status = 421


class OriginRefusedError(FederationError):
    """A browser page of another site tries to change something here."""

    slug = "origin-refused"
    title = "Not a trusted web origin"
    status = 403


class EncodingRefusedError(FederationError):
    """The request's body is compressed."""

    slug = "encoding-refused"
    title = "Compressed requests are not accepted"
    status = 415


class BodySlowError(FederationError):
    """The request's body does not come, or only in drips."""

    slug = "body-slow"
    title = "The body did not come in time"
    status = 408
    retryable = True


def hosts_of(settings: FederationSettings, service: ServiceName, origins: Sequence[str]) -> frozenset[str] | None:
    """Return the names that a Host header may hold; None (any) if `service` is open to the network and none are set."""
    if not (settings.federation_hosts or is_loopback(settings.federation_host)):
        return None
    urls = [settings.url_of(service), *(settings.url_of(other) for other in _SERVICES), *origins]
    names = {urlsplit(url).hostname for url in urls} | {settings.federation_host, *settings.federation_hosts}
    return frozenset({"localhost", "127.0.0.1", "::1"} | {name.lower() for name in names if name})


def answer_headers() -> dict[str, str]:
    """Return what every answer says: which trace it belongs to, and that its type is to be believed."""
    traceparent = telemetry.traceparent()
    return {"x-content-type-options": "nosniff", **({"traceparent": traceparent} if traceparent else {})}


class Traced:
    """Continues the caller's trace or begins one, and says in the answer which it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        telemetry.adopt_trace(Headers(scope=scope).get("traceparent"))
        every = answer_headers()

        async def send_traced(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in every.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_traced)


class KnownCallers:
    """Refuses hosts that are not this service's, and changes that pages of other web origins ask for."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None, origins: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        refusal = self._refuse(scope) if scope["type"] in {"http", "websocket"} else None
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.title})
        else:
            await _problem(refusal)(scope, receive, send)

    def _refuse(self, scope: Scope) -> FederationError | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._hosts is not None and _name_of(host) not in self._hosts:
            return HostRefusedError(
                f"'{host[:200]}' is not a host of this service. To make it one, set its ..._URL, or FEDERATION_HOSTS."
            )
        origin = headers.get("origin")
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        if origin is None or not changes or origin in self._origins or origin.partition("://")[2] == host:
            return None
        return OriginRefusedError(f"Pages of '{origin[:200]}' may not call this service.")


class Heads:
    """Answers HEAD as GET is answered, without the body; who would go on sending is told that the caller is gone.

    Source: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        requests: Iterator[Message] = iter([{"type": "http.request", "body": b"", "more_body": False}])
        answered = asyncio.Event()

        async def receive_nothing() -> Message:
            if (request := next(requests, None)) is not None:
                return request
            await answered.wait()
            return {"type": "http.disconnect"}

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                answered.set()

        await self._app({**scope, "method": "GET"}, receive_nothing, send_head)


class BodyLimit:
    """Refuses bodies that are too large, as soon as that shows, compressed ones, and those that do not come.

    A body has 60 s, and a second more for each KiB that has come.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        if headers.get("content-encoding", "identity").lower() != "identity":
            await self._drain(receive)
            await _problem(EncodingRefusedError("Send the body without Content-Encoding."))(scope, receive, send)
        elif length.isdecimal() and int(length) > self._max_bytes:
            if "expect" not in headers:  # who asks before sending has not sent anything
                await self._drain(receive)
            await self._too_large()(scope, receive, send)
        else:
            await self._serve_counted(scope, receive, send)

    async def _serve_counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = 0
        is_whole = refused = answered = False
        begun = asyncio.get_running_loop().time()

        async def refuse(problem: JSONResponse) -> Message:
            nonlocal refused
            refused = True  # for the app the caller is gone; what it still says is not sent
            if not answered:
                await problem(scope, receive, send)
            return {"type": "http.disconnect"}

        async def receive_counted() -> Message:
            nonlocal received, is_whole
            if refused:
                return {"type": "http.disconnect"}
            if is_whole:
                return await receive()
            try:
                async with asyncio.timeout_at(begun + _BODY_S + received / _BODY_BYTES_PER_S):
                    message = await receive()
            except TimeoutError:
                return await refuse(_problem(BodySlowError("The rest of the body did not come; send it again.")))
            is_whole = not message.get("more_body", False)
            received += len(message.get("body", b""))
            if received <= self._max_bytes:
                return message
            if not is_whole and not answered:
                await self._drain(receive)
            return await refuse(self._too_large())

        async def send_unless_refused(message: Message) -> None:
            nonlocal answered
            if not refused:
                answered = True
                await send(message)

        await self._app(scope, receive_counted, send_unless_refused)

    async def _drain(self, receive: Receive) -> None:
        """Drop a refused body, within limits: many callers do not look for an answer before they have sent it all."""
        dropped = 0
        try:
            async with asyncio.timeout(_DRAIN_S):
                more = True
                while more and dropped < _DRAIN_TIMES * self._max_bytes:
                    message = await receive()
                    dropped += len(message.get("body", b""))
                    more = message.get("more_body", False)
        except TimeoutError:
            pass

    def _too_large(self) -> JSONResponse:
        return _problem(
            TooLargeError(
                f"The body is larger than {self._max_bytes} bytes. Send less, or a URL; MAX_BODY_BYTES is the limit.",
                max_bytes=self._max_bytes,
            )
        )


def _problem(error: FederationError) -> JSONResponse:
    """Return the response for a refusal: the connection is closed, for its body was not read."""
    return JSONResponse(error.to_problem(), error.status, {"connection": "close"}, "application/problem+json")


def _name_of(host: str) -> str:
    """Return the name in a Host header: lower case, without port and brackets."""
    name = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
    return name.strip("[]").rstrip(".").lower()


def is_loopback(host: str) -> bool:
    """Tell whether `host`, a name or an address, is this machine and nothing else."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
