"""A2A 1.0 over JSON-RPC, the short way: well-formed calls of what agents are asked all the time.

Everything else (0.3, other methods, what is malformed) goes the SDK's way, which says what is wrong. The SDK's own way
costs a multiple: it reads every call twice, walks through every message, and starts four tasks for a stream.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic
from typing import Final, TypeAlias, cast

import orjson
from a2a.server.context import ServerCallContext
from a2a.server.jsonrpc_models import JSONParseError
from a2a.server.request_handlers.response_helpers import build_error_response
from a2a.server.routes import ServerCallContextBuilder
from a2a.types import (
    CancelTaskRequest,
    ContentTypeNotSupportedError,
    GetTaskRequest,
    InternalError,
    Message,
    SendMessageRequest,
    SubscribeToTaskRequest,
    Task,
    TaskArtifactUpdateEvent,
)
from a2a.utils.constants import PROTOCOL_VERSION_1_0, VERSION_HEADER
from a2a.utils.errors import A2AError
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from shared import agent_bodies, agent_sequence
from shared.agent import JsonObject
from shared.agent_handler import AgentHandler
from shared.agent_messages import Event
from shared.agent_sequence import Told

_Request: TypeAlias = SendMessageRequest | GetTaskRequest | CancelTaskRequest | SubscribeToTaskRequest
_Batches: TypeAlias = AsyncGenerator[Sequence[Told]]

_METHODS: Final[dict[str, type[_Request]]] = {
    "SendMessage": SendMessageRequest,
    "SendStreamingMessage": SendMessageRequest,
    "SubscribeToTask": SubscribeToTaskRequest,
    "GetTask": GetTaskRequest,
    "CancelTask": CancelTaskRequest,
}
_VERSION: Final = VERSION_HEADER.lower()
_RETRY_AFTER_S: Final = "2"
_PING_S: Final = 10.0
_STREAM_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True)
class Rpc:
    """The JSON-RPC endpoint. `sdk` is the SDK's own, for what is not answered here."""

    handler: AgentHandler
    contexts: ServerCallContextBuilder
    sdk: Callable[[Request], Awaitable[Response]]

    async def answer(self, request: Request) -> Response:
        """Answer one call."""
        try:
            body = cast("JsonValue", orjson.loads(await request.body()))
        except orjson.JSONDecodeError:  # half characters and NaN too: what they become cannot be answered
            wrong = JSONParseError(message="The body is not valid JSON.") if is_json(request) else not_json()
            return JSONResponse(build_error_response(None, wrong))
        call = body if isinstance(body, dict) else {}
        request.state.rpc_method = method = str(call.get("method", ""))
        call_id, params = call.get("id"), _read(method, call)
        try:
            _check(method, call.get("params"))
            if params is None or not isinstance(call_id, str | int) or isinstance(call_id, bool):
                return await self.sdk(request)
            context = self.contexts.build(request)
            if cast("dict[str, str]", context.state["headers"])[_VERSION] != PROTOCOL_VERSION_1_0:
                return await self.sdk(request)
            context.tenant = params.tenant
            return await self._answer(method, params, context, call_id)
        except A2AError as error:
            return _refuse(error, call_id if isinstance(call_id, str | int) else None)

    async def _answer(self, method: str, params: _Request, context: ServerCallContext, call_id: str | int) -> Response:
        match params:
            case SendMessageRequest() if method == "SendStreamingMessage":
                return await _begin_stream(self.handler.send_stream(params, context), context, call_id)
            case SendMessageRequest():
                return _result(_to_json(await self.handler.on_message_send(params, context)), call_id)
            case SubscribeToTaskRequest():
                return await _begin_stream(self.handler.subscribe(params, context), context, call_id)
            case GetTaskRequest():
                return _result(MessageToDict(await self.handler.on_get_task(params, context)), call_id)
            case CancelTaskRequest():
                return _result(MessageToDict(await self.handler.on_cancel_task(params, context)), call_id)


def is_json(request: Request) -> bool:
    """Tell whether a request's body is said to be JSON."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type.endswith(("/json", "+json"))


def not_json() -> ContentTypeNotSupportedError:
    """Return the refusal of a body that is something else."""
    return ContentTypeNotSupportedError("Send the body as application/json or application/a2a+json.")


def _read(method: str, call: JsonObject) -> _Request | None:
    """Return a call's parameters; None when the SDK has to look at it."""
    kind, given = _METHODS.get(method), call.get("params")
    if kind is None or call.get("jsonrpc") != "2.0" or not isinstance(given, dict):
        return None
    try:
        return ParseDict(given, kind(), ignore_unknown_fields=True)
    except ParseError:
        return None


def _check(method: str, given: JsonValue) -> None:
    agent_bodies.check_files(given)
    if method == "ListTasks" and isinstance(given, dict):
        agent_bodies.check_state(given.get("status"))
    match given:
        case {"historyLength": int(length)} | {"configuration": {"historyLength": int(length)}}:
            agent_bodies.check_history_length(length)
        case _:
            pass


async def _begin_stream(batches: _Batches, context: ServerCallContext, call_id: str | int) -> Response:
    """Return the stream once its first events are there: before them a call can still be refused as a whole."""
    return _EventStream(batches, await anext(batches), call_id, is_numbered=agent_sequence.is_asked(context))


def _result(result: object, call_id: str | int) -> Response:
    content = orjson.dumps({"jsonrpc": "2.0", "id": call_id, "result": result})
    return Response(content, media_type="application/json")


def _refuse(error: A2AError, call_id: str | int | None) -> Response:
    """Return the answer for an error; what passes by itself is a status that every client knows to wait for."""
    facts = cast("JsonObject", error.data or {})  # pyright: ignore[reportUnknownMemberType] - the SDK's has no types
    passes = isinstance(error, InternalError) and facts.get("retryable") is True
    headers = {"Retry-After": _RETRY_AFTER_S} if passes else None
    return JSONResponse(build_error_response(call_id, error), 503 if passes else 200, headers)


class _EventStream(StreamingResponse):
    """Server-sent events: each an answer to the call. It ends when the events do, or soon after the client is gone."""

    def __init__(
        self, batches: _Batches, first: Sequence[Told], call_id: str | int, *, is_numbered: bool = False
    ) -> None:
        super().__init__((), media_type="text/event-stream", headers=_STREAM_HEADERS)
        self._batches = batches
        self._first = first
        self._call_id = call_id
        self._is_numbered = is_numbered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events as they come."""
        del scope
        gone: asyncio.Task[None] | None = None
        try:
            async with aclosing(self._batches):
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                sent_at = monotonic()
                async for chunk in self._chunks():
                    if not chunk:
                        if gone is None:  # most streams end before anyone need ask
                            gone = asyncio.create_task(_until_gone(receive))
                            await asyncio.sleep(0)
                        if gone.done():
                            return
                    if chunk or monotonic() - sent_at > _PING_S:
                        body = chunk or b": waiting\r\n\r\n"
                        await send({"type": "http.response.body", "body": body, "more_body": True})
                        sent_at = monotonic()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if gone is not None:
                gone.cancel()

    async def _chunks(self) -> AsyncGenerator[bytes]:
        """Yield what is to be sent; nothing, now and then, when there is nothing."""
        try:
            yield self._write(self._first)
            async for batch in self._batches:
                yield self._write(batch)
        except A2AError as error:
            yield b"event: error\r\ndata: " + orjson.dumps(build_error_response(self._call_id, error)) + b"\r\n\r\n"

    def _write(self, batch: Sequence[Told]) -> bytes:
        return b"".join(
            b"data: " + orjson.dumps({"jsonrpc": "2.0", "id": self._call_id, "result": self._tell(told)}) + b"\r\n\r\n"
            for told in batch
        )

    def _tell(self, told: Told) -> JsonObject:
        return _to_json(agent_sequence.number(told) if self._is_numbered else told[1])


def _to_json(each: Task | Message | Event) -> JsonObject:
    match each:
        case Task():
            name = "task"
        case TaskArtifactUpdateEvent():
            name = "artifactUpdate"
        case Message():
            name = "message"
        case _:
            name = "statusUpdate"
    return {name: cast("JsonObject", MessageToDict(each))}


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
