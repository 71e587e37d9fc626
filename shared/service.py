"""What every service's HTTP app has: health, problem details, limits at the front door, and a way to run it."""

import asyncio
import logging
import secrets
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from errno import EADDRINUSE
from http import HTTPStatus
from importlib.metadata import version
from math import ceil
from types import FrameType
from typing import Any, Final, TypeVar, cast

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import JsonValue
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import api_page, configuration, event_response, front_door, garbage, telemetry
from shared.errors import FederationError, InvalidRequestError, InvalidSettingError, UnavailableError
from shared.http_protocol import BoundedHeads
from shared.settings import PORT_SETTINGS, FederationSettings, ServiceName

logger = logging.getLogger(__name__)

_Settings = TypeVar("_Settings", bound=FederationSettings)

INSTANCE: Final = secrets.token_hex(8)
"""Differs in every process: others see by it that a service was started anew."""


def create_app(
    settings: FederationSettings,
    service: ServiceName,
    title: str,
    description: str,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    *,
    problems: Callable[[], list[str]] = list[str],
    origins: Sequence[str] = (),
) -> FastAPI:
    """Return an app with `/health`, `/docs`, problem details for every error, and the front door's limits.

    `problems` says in sentences what is missing now: health is then "degraded". `origins` are the web origins besides
    the service's own (such as `https://example.org`) that browsers may call it from.
    """

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncGenerator[None]:
        async with lifespan(app):
            logger.info("service is up", extra={"url": settings.url_of(service), "version": app.version})
            yield
        logger.info("service is down")

    app = FastAPI(
        title=title,
        description=description,
        version=version("agent-federation"),
        lifespan=living,
        docs_url=None,
        redoc_url=None,
        responses={"4XX": _PROBLEM, "5XX": _PROBLEM},
    )

    app.state.on_stop = []

    @app.get("/health", tags=["health"], summary="Whether the service serves, and what it lacks")
    async def health() -> dict[str, JsonValue]:  # pyright: ignore[reportUnusedFunction] - the decorator keeps it
        lacks: list[JsonValue] = [*problems()]
        state: dict[str, JsonValue] = {"status": "degraded" if lacks else "ok", "version": app.version}
        return {**state, "service": service, "instance": INSTANCE, **({"problems": lacks} if lacks else {})}

    api_page.install(app)
    app.add_exception_handler(FederationError, _answer_foreseen)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(Exception, _answer_unexpected)
    app.add_middleware(front_door.Heads)
    app.add_middleware(front_door.BodyLimit, max_bytes=settings.max_body_bytes)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["Location", "Retry-After", "traceparent"],
        )
    app.add_middleware(
        front_door.KnownCallers, hosts=front_door.hosts_of(settings, service, origins), origins=frozenset(origins)
    )
    app.add_middleware(front_door.Traced)
    return app


_METHODS: Final = ("DELETE", "GET", "PATCH", "POST", "PUT")
# FastAPI takes such objects of OpenAPI as they are.
_PROBLEM: Final[dict[str, Any]] = {
    "description": "What is wrong, as problem details (RFC 9457)",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "errors": {"type": "array", "items": {"type": "object"}},
                },
            }
        }
    },
}


def on_stop(app: FastAPI, callback: Callable[[], None]) -> None:
    """Call `callback` when the service is told to stop: before open requests are waited for, unlike the lifespan."""
    cast("list[Callable[[], None]]", app.state.on_stop).append(callback)


def read_settings(kind: type[_Settings], service: ServiceName) -> _Settings:
    """Return the settings of a service. Those that cannot be used end the process, with a line each and EX_CONFIG."""
    try:
        return configuration.read(kind)
    except FederationError as error:
        sys.stderr.write(f"{service}: {error.detail}\n")
        raise SystemExit(error.exit_code) from None


def run(create: Callable[[], FastAPI], settings: FederationSettings, service: ServiceName) -> None:
    """Serve the app that `create` returns on the service's port until the process is told to stop.

    What was foreseen, such as a port that is taken, ends the process with one line and a code that is not 0: EX_CONFIG
    (78) when another start cannot help before a person has done something.
    """
    telemetry.configure(settings, service)
    try:
        listener, app = _listen(settings, service), create()
    except FederationError as error:
        sys.stderr.write(f"{service}: {error.detail}\n")
        raise SystemExit(error.exit_code) from None
    with listener:
        config = uvicorn.Config(
            starting := _Starting(app),
            loop="uvloop",
            http=BoundedHeads,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            ws_per_message_deflate=False,  # pictures are compressed already, and nothing can be sent that swells
            timeout_graceful_shutdown=settings.shutdown_timeout_s,
        )
        with suppress(KeyboardInterrupt):  # uvicorn raises the signal again once it has stopped
            _Server(config, app, starting).run(sockets=[listener])


class _Server(uvicorn.Server):
    """A server that sleeps: uvicorn's own looks ten times a second whether it is to stop."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, starting: "_Starting") -> None:
        super().__init__(config)
        self._starting = starting
        self._on_stop = cast("list[Callable[[], None]]", app.state.on_stop)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the app until a signal says stop. A foreseen failure ends the process with a code of ours."""
        self._told_to_stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if self.should_exit:
            return
        try:
            await super().startup(sockets)
        except SystemExit:
            if self.should_exit:
                return
            if (failure := self._starting.failure) is None:
                raise
            raise SystemExit(failure.exit_code) from None

    async def main_loop(self) -> None:
        """Refresh the Date header each second until a signal says stop."""
        garbage.leave_alone_what_stays()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._told_to_stop.wait()
        for callback in self._on_stop:
            callback()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take the signal, and wake the loop."""
        super().handle_exit(sig, frame)
        if (loop := getattr(self, "_loop", None)) is not None:
            loop.call_soon_threadsafe(self._told_to_stop.set)
            loop.call_soon_threadsafe(self._starting.stop)
            loop.call_soon_threadsafe(event_response.end_all)


def problem(error: FederationError, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return the RFC 9457 response for `error`, with Retry-After if another try can help."""
    pause_s = error.facts.get("retry_after_s", 2 if error.status == 503 and error.retryable else None)
    waits = {"Retry-After": str(ceil(pause_s))} if isinstance(pause_s, int | float) else {}
    return JSONResponse(error.to_problem(), error.status, {**waits, **(headers or {})}, "application/problem+json")


def _listen(settings: FederationSettings, service: ServiceName) -> socket.socket:
    host, port, setting = settings.federation_host, settings.port_of(service), PORT_SETTINGS[service]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)  # a second process that bound the same free port fails here
    except OSError as error:
        listener.close()
        if error.errno == EADDRINUSE:
            taken = f"Port {port} on {host} is taken. Stop what uses it, or set {setting} to another port."
            raise UnavailableError(taken) from error
        reason = f"{host}:{port} cannot be bound ({error.strerror}). Check FEDERATION_HOST and {setting}."
        raise InvalidSettingError(reason) from error
    return listener


class _Starting:
    """The app, whose foreseen failure to start is logged as its sentence, not as a stack, and kept as `failure`."""

    def __init__(self, app: ASGIApp) -> None:
        self.failure: FederationError | None = None
        self._app = app
        self._start: asyncio.Task[object] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_plainly(message: Message) -> None:
            self._start = None
            error = sys.exc_info()[1]  # what ended the lifespan: the router sends from its except clause
            if message["type"] == "lifespan.startup.failed":
                if isinstance(error, FederationError):
                    self.failure = error
                    message = {**message, "message": error.detail}
                elif isinstance(error, asyncio.CancelledError):
                    message = {**message, "message": "It was told to stop before it was up."}
            await send(message)

        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        self._start = asyncio.current_task()
        await self._app(scope, receive, send_plainly)

    def stop(self) -> None:
        """End the start, if it is under way."""
        if self._start is not None:
            self._start.cancel()


async def _answer_foreseen(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, FederationError)  # noqa: S101 - Starlette's types are wider than what it does
    return problem(error)


def invalid(request: Request, error: RequestValidationError) -> InvalidRequestError:
    """Return what is wrong with a request's form, each fault with its place in `errors`."""
    faults: list[JsonValue] = [
        {"pointer": _pointer(fault["loc"]), "detail": str(fault["msg"])} for fault in error.errors()
    ]
    media_type = request.headers.get("content-type", "")
    if "json" not in media_type and any(str(fault["type"]).endswith("attributes_type") for fault in error.errors()):
        detail = (
            f"The body came as {media_type or 'nothing in particular'}; send it with Content-Type: application/json."
        )
    elif any(fault["type"] == "json_invalid" for fault in error.errors()):
        place = error.errors()[0]["loc"][-1]
        detail = f"The body is not valid JSON: something is wrong at character {place}."
    else:
        detail = "The request does not have the expected form."
    return InvalidRequestError(detail, errors=faults)


async def _answer_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - Starlette's types are wider than what it does
    return problem(invalid(request, error))


async def _answer_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette's types are wider than what it does
    path, headers = request.url.path, {name.lower(): value for name, value in (error.headers or {}).items()}
    match error.status_code:
        case 404:
            detail = f"There is nothing at {path}. /docs lists what there is."
        case 405:
            headers["allow"] = ", ".join(_methods_at(request))
            detail = f"{path} does not take {request.method}. /docs lists what there is."
        case _:
            detail = str(error.detail)
    title = HTTPStatus(error.status_code).phrase
    body = {
        "type": f"urn:agent-federation:error:{title.lower().replace(' ', '-')}",
        "title": title,
        "status": error.status_code,
        "detail": detail,
    }
    return JSONResponse(body, error.status_code, headers, "application/problem+json")


def _methods_at(request: Request) -> list[str]:
    """Return the methods that are taken at the request's path: those of all routes, for each knows only its own."""
    scopes = [{**request.scope, "method": method} for method in _METHODS]
    routes = request.app.routes
    taken = [str(scope["method"]) for scope in scopes if any(each.matches(scope)[0] is Match.FULL for each in routes)]
    return sorted([*taken, "HEAD"]) if "GET" in taken else taken


async def _answer_unexpected(_request: Request, _error: Exception) -> JSONResponse:
    """Say nothing of the error: Starlette raises it again after this, and uvicorn logs it with its stack."""
    trace = telemetry.trace_id()
    detail = f"The service failed unexpectedly; its log has the details under trace {trace}."
    error = FederationError(detail, trace_id=trace)
    return problem(error, front_door.answer_headers())  # it is answered outside of what adds them


def _pointer(location: Sequence[str | int]) -> str:
    """Return the JSON pointer of a fault in the body (as a URI fragment, RFC 9457), else the parameter's place."""
    place, *steps = [str(step).replace("~", "~0").replace("/", "~1") for step in location]
    if place != "body":
        return "/".join([place, *steps])
    return "".join(["#", *(f"/{step}" for step in steps if not step.isdecimal() or len(location) > 2)])
