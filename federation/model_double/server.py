"""Serves the scripted model: OpenAI's `/v1/chat/completions`, Groq's `/openai/v1/…`, Anthropic's `/v1/messages`."""

import asyncio
import json
import re
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

from pydantic import JsonValue
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from federation.model_double import dialects
from federation.model_double.replies import (
    Cut,
    Dialect,
    Failure,
    Fixed,
    Hang,
    JsonObject,
    ModelRequest,
    Raw,
    Reply,
    Slow,
    Text,
    ToolCall,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """An answer to whatever fits all of these patterns (regular expressions, found anywhere, in any case)."""

    reply: Reply
    prompt: str = ""
    system: str = ""
    model: str = ""

    def fits(self, asked: ModelRequest) -> bool:
        """Tell whether a call fits."""
        looked_at = ((self.prompt, asked.prompt), (self.system, asked.system), (self.model, asked.model))
        return all(re.search(pattern, text, re.IGNORECASE) for pattern, text in looked_at)


@dataclass(slots=True)
class ModelDouble:
    """What is answered: the first rule that fits; else the first of `replies`, once; else `otherwise`; else 400.

    `models` is what GET /models answers. `json_schema` and `tools` say whether those are taken, as some servers do not.
    """

    replies: deque[Reply] = field(default_factory=deque[Reply])
    otherwise: Reply | None = None
    models: Sequence[str] = ("scripted",)
    json_schema: bool = True
    tools: bool = True
    rules: Sequence[Rule] = ()
    requests: list[ModelRequest] = field(default_factory=list[ModelRequest])
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> Starlette:
        """Return the server."""
        routes = [Route("/v1/messages", self._messages, methods=["POST"])]
        for prefix in ("/v1", "/openai/v1"):
            routes.append(Route(f"{prefix}/chat/completions", self._completions, methods=["POST"]))
            routes.append(Route(f"{prefix}/models", self._models, methods=["GET"]))
        return Starlette(routes=routes)

    async def _completions(self, request: Request) -> Response:
        return await self._answer(request, "openai")

    async def _messages(self, request: Request) -> Response:
        return await self._answer(request, "anthropic")

    async def _models(self, _request: Request) -> Response:
        listed = [{"id": name, "object": "model", "type": "model"} for name in self.models]
        return JSONResponse({"object": "list", "data": listed, "has_more": False})

    async def _answer(self, request: Request, dialect: Dialect) -> Response:
        try:
            body = cast("JsonObject", await request.json())
        except ValueError:
            return _error(dialect, Failure(400, message="The body is not JSON."))
        asked = ModelRequest(body, dict(request.headers), dialect)
        self.requests.append(asked)
        if not self.json_schema and asked.wants_schema:
            return _error(dialect, Failure(400, message="This model does not support response_format json_schema."))
        if not self.tools and "tools" in asked.body:
            return _error(dialect, Failure(400, message="This model does not support tools."))
        reply = self._reply(asked)
        if reply is None:
            return _error(dialect, Failure(400, message="The scripted model has no reply left."))
        return await self._perform(asked, reply)

    def _reply(self, asked: ModelRequest) -> Fixed | None:
        fitting = next((rule.reply for rule in self.rules if rule.fits(asked)), None)
        reply = fitting or (self.replies.popleft() if self.replies else self.otherwise)
        return reply(asked) if callable(reply) else reply

    async def _perform(self, asked: ModelRequest, reply: Fixed) -> Response:
        match reply:
            case Failure():
                return _error(asked.dialect, reply)
            case Hang(seconds):
                await self._wait(seconds)
                return _error(asked.dialect, Failure(503, message="The scripted model hung."))
            case Raw(raw, media_type):
                return PlainTextResponse(raw, media_type=media_type)
            case Cut():
                return StreamingResponse(dialects.stream(asked, reply), media_type="text/event-stream")
            case Slow(text, first_s):
                await self._wait(first_s)
                return _told(asked, Text(text), reply)
            case _:
                return _told(asked, reply)

    async def _wait(self, seconds: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.closing.wait()


def _told(
    asked: ModelRequest, said: str | JsonObject | list[JsonValue] | Text | ToolCall, slow: Slow | None = None
) -> Response:
    """Return an answer as it was asked for: where a tool must be called, a JSON object becomes its arguments."""
    answer = said if isinstance(said, Text | ToolCall) else Text(said if isinstance(said, str) else json.dumps(said))
    if asked.forced_tool is not None and isinstance(answer, Text):
        with suppress(ValueError):
            arguments: object = json.loads(answer.text)
            if isinstance(arguments, dict):
                answer = ToolCall(asked.forced_tool, cast("JsonObject", arguments))
    if asked.streamed:
        return StreamingResponse(dialects.stream(asked, answer, slow), media_type="text/event-stream")
    return JSONResponse(dialects.body(asked, answer))


def _error(dialect: Dialect, failure: Failure) -> Response:
    headers = {} if failure.retry_after_s is None else {"Retry-After": f"{failure.retry_after_s:g}"}
    return JSONResponse(dialects.error(dialect, failure), failure.status, headers)
