"""Speaks A2A to one endpoint: JSON-RPC 1.0 and 0.3, and HTTP+JSON 1.0; what comes back has the 1.0 form in each case.

Every answer is bounded in size and time and read as strict JSON, and its failures become our errors. An error's facts:
`reached` is False when the agent cannot have begun (None: unknown), `rpc_code` is its JSON-RPC code, `retry_after_s`
the pause it asks for.
"""

import asyncio
import itertools
import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal, TypeAlias, cast
from urllib.parse import quote

import httpx
import orjson
from pydantic import JsonValue

from shared import agent_compat, strict_json, telemetry
from shared.agent import JsonObject
from shared.agent_events import Limits
from shared.errors import (
    AgentFailedError,
    AgentProtocolError,
    AgentUnavailableError,
    FederationError,
    InvalidRequestError,
    TimedOutError,
)
from shared.event_stream import EventReader
from shared.http import MAX_BYTES
from shared.remote_task import clean_note

Operation: TypeAlias = Literal["send", "stream", "get", "cancel", "subscribe"]
Binding: TypeAlias = Literal["JSONRPC 1.0", "HTTP+JSON 1.0", "JSONRPC 0.3"]

TASK_NOT_FOUND = -32001
TASK_NOT_CANCELABLE = -32002
UNSUPPORTED = frozenset({-32601, -32004})

_METHODS: dict[Operation, str] = {
    "send": "SendMessage",
    "stream": "SendStreamingMessage",
    "get": "GetTask",
    "cancel": "CancelTask",
    "subscribe": "SubscribeToTask",
}
_METHODS_0_3: dict[Operation, str] = {
    "send": "message/send",
    "stream": "message/stream",
    "get": "tasks/get",
    "cancel": "tasks/cancel",
    "subscribe": "tasks/resubscribe",
}
_CODES = {
    "TASK_NOT_FOUND": TASK_NOT_FOUND,
    "TASK_NOT_CANCELABLE": TASK_NOT_CANCELABLE,
    "UNSUPPORTED_OPERATION": -32004,
    "CONTENT_TYPE_NOT_SUPPORTED": -32005,
    "VERSION_NOT_SUPPORTED": -32009,
    "INVALID_PARAMS": -32602,
    "METHOD_NOT_FOUND": -32601,
}
_STREAM_BYTES = 64 * 1024 * 1024
_MAX_RETRY_AFTER_S = 60.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how an agent is called. `headers` are the credentials that it asks for."""

    url: str
    binding: Binding
    tenant: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long an agent may take: to accept a connection, to begin an answer, between two events, for all."""

    connect_s: float = 5.0
    first_byte_s: float = 30.0
    gap_s: float = 120.0
    total_s: float = 600.0


@dataclass(frozen=True, slots=True)
class _Call:
    operation: Operation
    method: str
    url: str
    content: bytes | None
    rpc_id: str | None


class AgentWire:
    """One endpoint of one agent. A `deadline` is a time of the running loop."""

    def __init__(self, client: httpx.AsyncClient, endpoint: Endpoint, deadlines: Deadlines, limits: Limits) -> None:
        self._client = client
        self._endpoint = endpoint
        self._deadlines = deadlines
        self._limits = limits
        self._timeout = httpx.Timeout(None, connect=deadlines.connect_s, pool=deadlines.connect_s)
        self._ids = itertools.count(1)

    async def call(self, operation: Operation, params: JsonObject, deadline: float) -> JsonObject:
        """Return the result. Raises: AgentUnavailableError, AgentProtocolError, AgentFailedError, TimedOutError."""
        call = self._prepare(operation, params)
        response = await self._begin(call, "application/json", deadline, self._limits.rpc_bytes)
        try:
            return self._unwrap(call, await _read(response, deadline))
        finally:
            await response.aclose()

    async def stream(self, operation: Operation, params: JsonObject, deadline: float) -> AsyncGenerator[JsonObject]:
        """Yield each event until the agent closes the stream. An agent that does not stream gives its one answer.

        Raises what `call` raises, and TooLargeError for an event that is too large.
        """
        call = self._prepare(operation, params)
        now = asyncio.get_running_loop().time
        first_byte = min(deadline, now() + self._deadlines.first_byte_s)
        response = await self._begin(call, "text/event-stream, application/json", first_byte, _STREAM_BYTES)
        try:
            if not response.headers.get("content-type", "").lower().startswith("text/event-stream"):
                yield self._unwrap(call, await _read(response, deadline))
                return
            reader = EventReader(self._limits.event_bytes)
            gap_end = now() + self._deadlines.gap_s
            async with aclosing(cast("AsyncGenerator[bytes]", response.aiter_raw())) as chunks:
                while (chunk := await _next(chunks, min(deadline, gap_end))) is not None:
                    for data in reader.feed(chunk):
                        yield self._unwrap(call, data)
                        gap_end = now() + self._deadlines.gap_s
        finally:
            await response.aclose()

    def _prepare(self, operation: Operation, params: JsonObject) -> _Call:
        tenant = self._endpoint.tenant
        if self._endpoint.binding == "HTTP+JSON 1.0":
            return _Call(operation, *_rest_call(self._endpoint.url, tenant, operation, params), rpc_id=None)
        rpc_id = str(next(self._ids))
        older = self._endpoint.binding == "JSONRPC 0.3"
        payload: JsonObject = {
            "jsonrpc": "2.0",
            "id": rpc_id,
            "method": (_METHODS_0_3 if older else _METHODS)[operation],
            "params": agent_compat.to_0_3(params) if older else params | ({"tenant": tenant} if tenant else {}),
        }
        return _Call(operation, "POST", self._endpoint.url, _to_json(payload), rpc_id)

    async def _begin(self, call: _Call, accept: str, deadline: float, max_bytes: int) -> httpx.Response:
        headers = {
            **self._endpoint.headers,
            "Accept": accept,
            "A2A-Version": "0.3" if self._endpoint.binding == "JSONRPC 0.3" else "1.0",
        }
        if call.content is not None:
            headers["Content-Type"] = "application/json"
        if trace := telemetry.traceparent():
            headers["traceparent"] = trace
        request = self._client.build_request(
            call.method,
            call.url,
            content=call.content,
            headers=headers,
            timeout=self._timeout,
            extensions={MAX_BYTES: max_bytes},
        )
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise _lost(error) from error
        except TimeoutError as error:
            raise TimedOutError("The agent did not begin to answer in time.", reached=None) from error
        if response.is_success:
            return response
        try:
            raise _refusal(response, call, await _read(response, deadline))
        finally:
            await response.aclose()

    def _unwrap(self, call: _Call, content: bytes) -> JsonObject:
        try:
            answer = strict_json.parse(content)
        except strict_json.JsonError as error:
            raise AgentProtocolError(f"The agent's answer {error}.") from error
        if not isinstance(answer, dict):
            raise AgentProtocolError("The agent's answer is not a JSON object.")
        if "error" in answer:
            if call.rpc_id is not None and answer.get("id") not in {call.rpc_id, None}:
                raise AgentProtocolError("The agent answered another request than the one it was sent.")
            raise _told(answer["error"])
        if call.rpc_id is None:
            return answer
        if answer.get("id") != call.rpc_id:
            raise AgentProtocolError("The agent answered another request than the one it was sent.")
        result = answer.get("result")
        if not isinstance(result, dict):
            raise AgentProtocolError("The agent's answer has neither a result nor an error.")
        if self._endpoint.binding != "JSONRPC 0.3":
            return result
        is_task = call.operation in {"get", "cancel"}
        return agent_compat.task_to_1_0(result) if is_task else agent_compat.event_to_1_0(result)


def _rest_call(base: str, tenant: str, operation: Operation, params: JsonObject) -> tuple[str, str, bytes | None]:
    root = f"{base.rstrip('/')}/{quote(tenant, safe='')}" if tenant else base.rstrip("/")
    if operation in {"send", "stream"}:
        return "POST", f"{root}/message:{operation}", _to_json(params)
    task = f"{root}/tasks/{quote(str(params['id']), safe='')}"
    if operation == "get":
        return "GET", f"{task}?historyLength={params.get('historyLength', 0)}", None
    return "POST", f"{task}:{operation}", _to_json({})


def _to_json(value: JsonObject) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise InvalidRequestError(f"The message cannot be sent: {error}.") from error


async def _read(response: httpx.Response, deadline: float) -> bytes:
    body = bytearray()
    async with aclosing(cast("AsyncGenerator[bytes]", response.aiter_raw())) as chunks:
        while (chunk := await _next(chunks, deadline)) is not None:
            body += chunk
    return bytes(body)


async def _next(chunks: AsyncGenerator[bytes], deadline: float) -> bytes | None:
    try:
        async with asyncio.timeout_at(deadline):
            return await anext(chunks, None)
    except httpx.HTTPError as error:
        raise _lost(error) from error
    except TimeoutError as error:
        raise TimedOutError("The agent began to answer, and then sent nothing more in time.", reached=None) from error


def _lost(error: httpx.HTTPError) -> FederationError:
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return AgentUnavailableError(f"Cannot connect to the agent: {error}.", reached=False)
        case httpx.DecodingError():
            return AgentProtocolError("The agent answered in an encoding that it was not asked for.")
        case httpx.RemoteProtocolError():
            return AgentProtocolError("The agent answered something that is not HTTP.")
        case _:
            return AgentUnavailableError(
                "The connection to the agent broke before its answer was complete.", reached=None
            )


def _refusal(response: httpx.Response, call: _Call, content: bytes) -> FederationError:
    """Return what an HTTP status that is not a success means, with the agent's own reason if it gives one."""
    status = response.status_code
    if status in {429, 503}:
        facts: JsonObject = {"reached": False}
        if (pause_s := _retry_after_s(response.headers.get("retry-after"))) is not None:
            facts["retry_after_s"] = pause_s
        return AgentUnavailableError(f"The agent is overloaded: HTTP {status}.", **facts)
    try:
        answer = strict_json.parse(content)
    except strict_json.JsonError:
        answer = None
    if isinstance(answer, dict) and isinstance(answer.get("error"), dict):
        return _told(answer["error"])
    if status >= 500:
        return AgentUnavailableError(f"The agent failed with HTTP {status}.", reached=None)
    if status in {401, 403}:
        return AgentFailedError(f"The agent refused the call: HTTP {status}; it asks for credentials.", reached=False)
    if status == 404 and call.rpc_id is None and call.operation in {"get", "cancel", "subscribe"}:
        return AgentFailedError("The agent does not know this task.", rpc_code=TASK_NOT_FOUND)
    meaning = "redirects are not followed" if 300 <= status < 400 else "it does not answer A2A at this address"
    return AgentProtocolError(f"The agent answered HTTP {status}: {meaning}.", reached=False)


def _told(error: JsonValue) -> FederationError:
    """Return the error that the agent tells, by JSON-RPC or as HTTP+JSON's google.rpc.Status."""
    told = error if isinstance(error, dict) else {}
    details = told.get("details")
    reasons = [item.get("reason") for item in details if isinstance(item, dict)] if isinstance(details, list) else []
    code = next((_CODES[str(reason)] for reason in reasons if str(reason) in _CODES), told.get("code"))
    message = told.get("message")
    text = clean_note(message if isinstance(message, str) else "").rstrip(".") or "no reason given"
    facts: JsonObject = {"rpc_code": code} if isinstance(code, int) else {}
    if code in UNSUPPORTED or code == -32009:
        return AgentProtocolError(f"The agent does not offer what was asked: {text}.", **facts)
    return AgentFailedError(f"The agent refused the request: {text}.", **facts)


def _retry_after_s(header: str | None) -> float | None:
    if header is None:
        return None
    try:
        wait_s = float(header)
    except ValueError:
        try:
            wait_s = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):  # TypeError: a date without a zone
            return None
    return min(max(wait_s, 0.0), _MAX_RETRY_AFTER_S) if math.isfinite(wait_s) else None
