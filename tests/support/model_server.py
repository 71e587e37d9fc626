"""A scripted OpenAI-compatible model over real HTTP: what it answers is written by the test.

    async with model_server("Paris.", Failure(429, retry_after_s=0), {"steps": []}) as model:
        settings = Settings(llm_base_url=model.base_url, llm_model="scripted")
        ...
        assert model.requests[0].prompt == "What is the capital of France?"

Replies are taken from the front of `model.replies`; when it is empty, `model.otherwise` answers, and without that the
call is refused (400). It runs on a thread of its own, so other processes and blocked event loops can be served too.
Groq's path (`/openai/v1/…`) is served as well: its base URL is `model.origin`.
"""

import asyncio
import json
import socket
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias, cast

import uvicorn
from pydantic import JsonValue
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

JsonObject: TypeAlias = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call as it arrived."""

    body: JsonObject
    headers: Mapping[str, str]

    @property
    def messages(self) -> list[dict[str, str]]:
        """The messages, each with `role` and `content`."""
        return cast("list[dict[str, str]]", self.body["messages"])

    @property
    def prompt(self) -> str:
        """The last user message."""
        return next(message["content"] for message in reversed(self.messages) if message["role"] == "user")

    @property
    def system(self) -> str:
        """The system message, or nothing."""
        return next((message["content"] for message in self.messages if message["role"] == "system"), "")

    @property
    def model(self) -> str:
        """The model that was asked for."""
        return str(self.body["model"])

    @property
    def streamed(self) -> bool:
        """Whether the answer was asked for as a stream."""
        return self.body.get("stream") is True


@dataclass(frozen=True, slots=True)
class Failure:
    """An HTTP error, with `Retry-After` if given."""

    status: int
    retry_after_s: float | None = None
    message: str = "scripted failure"
    code: str = "scripted"


@dataclass(frozen=True, slots=True)
class Hang:
    """Nothing at all, until the server is closed."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The beginning of a stream, then its end: `clean`, as if it were complete, or by a lost connection."""

    text: str = "The beginning of an"
    clean: bool = True


@dataclass(frozen=True, slots=True)
class Raw:
    """Any body with status 200: rubbish, HTML, another JSON."""

    body: str
    media_type: str = "application/json"


Fixed: TypeAlias = str | JsonObject | list[JsonValue] | Failure | Hang | Cut | Raw
"""What is answered: a text, JSON as text, or something that goes wrong."""

Reply: TypeAlias = Fixed | Callable[[ModelRequest], Fixed]


@dataclass(slots=True)
class ModelServer:
    """The running server: what it will answer and what it was asked."""

    origin: str
    replies: deque[Reply]
    otherwise: Reply | None = None
    models: Sequence[str] = ("scripted",)
    json_schema: bool = True
    requests: list[ModelRequest] = field(default_factory=list[ModelRequest])
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def base_url(self) -> str:
        """What goes into LLM_BASE_URL."""
        return f"{self.origin}/v1"

    async def requested(self, count: int = 1, *, timeout_s: float = 10.0) -> None:
        """Return once at least `count` calls have arrived. Raises: TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while len(self.requests) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.requests)} of {count} calls arrived within {timeout_s} s.")
            await asyncio.sleep(0.005)

    async def complete(self, request: Request) -> Response:
        """Answer a chat completion by the script."""
        asked = ModelRequest(cast("JsonObject", await request.json()), dict(request.headers))
        self.requests.append(asked)
        response_format = asked.body.get("response_format")
        if not self.json_schema and isinstance(response_format, dict) and response_format.get("type") == "json_schema":
            return _error(Failure(400, message="This model does not support response_format json_schema."))
        reply: Reply | None = self.replies.popleft() if self.replies else self.otherwise
        if callable(reply):
            reply = reply(asked)
        if reply is None:
            return _error(Failure(400, message="The scripted model has no reply left."))
        if isinstance(reply, Hang):
            await self.closing.wait()
        return _answer(asked, reply)

    async def list_models(self, _request: Request) -> Response:
        """Answer which models there are."""
        return JSONResponse({"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]})


@asynccontextmanager
async def model_server(
    *replies: Reply,
    otherwise: Reply | None = None,
    models: Sequence[str] = ("scripted",),
    json_schema: bool = True,
) -> AsyncGenerator[ModelServer]:
    """Run a scripted model on a free port of 127.0.0.1.

    `models`: what GET /models answers. `json_schema=False`: refuse `response_format` with a schema, as some servers do.
    """
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # asyncio sets TCP_NODELAY only where it sees the protocol
    listener.bind(("127.0.0.1", 0))
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    model = ModelServer(origin, deque(replies), otherwise, models, json_schema)
    paths = [("/chat/completions", model.complete, "POST"), ("/models", model.list_models, "GET")]
    routes = [
        Route(prefix + path, endpoint, methods=[method])
        for prefix in ("/v1", "/openai/v1")
        for path, endpoint, method in paths
    ]
    config = uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve(sockets=[listener])

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="model server", daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("The scripted model server did not start.")
            await asyncio.sleep(0.005)
        yield model
    finally:
        server.should_exit = True
        if loops and thread.is_alive():
            loops[0].call_soon_threadsafe(model.closing.set)
        await asyncio.to_thread(thread.join, 10)
        listener.close()


def tokens(text: str) -> int:
    """Return how many tokens the scripted model counts for a text: its words."""
    return len(text.split())


def _answer(asked: ModelRequest, reply: Fixed) -> Response:
    match reply:
        case Failure():
            return _error(reply)
        case Hang():
            return _error(Failure(503, message="The scripted model was closed."))
        case Raw(body, media_type):
            return PlainTextResponse(body, media_type=media_type)
        case Cut():
            return StreamingResponse(_cut(asked, reply), media_type="text/event-stream")
        case _:
            text = reply if isinstance(reply, str) else json.dumps(reply)
            if asked.streamed:
                return StreamingResponse(_chunks(asked, text), media_type="text/event-stream")
            return JSONResponse(_completion(asked, text))


def _usage(asked: ModelRequest, text: str) -> JsonObject:
    read = sum(tokens(message["content"]) for message in asked.messages)
    written = tokens(text)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _completion(asked: ModelRequest, text: str) -> JsonObject:
    choice: JsonObject = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 1,
        "model": asked.model,
        "choices": [choice],
        "usage": _usage(asked, text),
    }


def _event(asked: ModelRequest, choices: list[JsonValue], usage: JsonObject | None = None) -> str:
    chunk: JsonObject = {
        "id": "chatcmpl-scripted",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": asked.model,
        "choices": choices,
        "usage": usage,
    }
    return f"data: {json.dumps(chunk)}\n\n"


def _pieces(text: str) -> Iterator[JsonValue]:
    size = max(1, min(8, len(text) // 3))
    for start in range(0, len(text), size):
        yield {"index": 0, "delta": {"content": text[start : start + size]}, "finish_reason": None}


async def _chunks(asked: ModelRequest, text: str) -> AsyncGenerator[str]:
    yield _event(asked, [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
    for piece in _pieces(text):
        yield _event(asked, [piece])
    yield _event(asked, [{"index": 0, "delta": {}, "finish_reason": "stop"}])
    options = asked.body.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage"):
        yield _event(asked, [], _usage(asked, text))
    yield "data: [DONE]\n\n"


async def _cut(asked: ModelRequest, cut: Cut) -> AsyncGenerator[str]:
    for piece in _pieces(cut.text):
        yield _event(asked, [piece])
    if not cut.clean:
        raise ConnectionAbortedError("as scripted")


def _error(failure: Failure) -> Response:
    headers = {} if failure.retry_after_s is None else {"Retry-After": f"{failure.retry_after_s:g}"}
    body = {"error": {"message": failure.message, "type": "scripted", "code": failure.code}}
    return JSONResponse(body, failure.status, headers)
