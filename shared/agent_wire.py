"""Speaks A2A to one endpoint: JSON-RPC 1.0 and 0.3, and HTTP+JSON 1.0; what comes back has the 1.0 form in each case.

Every answer is bounded in size and time and read as strict JSON, and its failures become our errors
(`shared.agent_refusals`).
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, TypeAlias
from urllib.parse import quote

import httpx
import orjson

from shared import agent_compat, agent_refusals, agent_sequence, strict_json, telemetry
from shared.agent import JsonObject
from shared.agent_auth import AgentAuth
from shared.agent_events import Limits
from shared.ahead import may_call
from shared.errors import AgentProtocolError, AgentUnavailableError, InvalidRequestError, TimedOutError
from shared.event_stream import EventReader
from shared.http import Answer, Client

Operation: TypeAlias = Literal["send", "stream", "get", "cancel", "subscribe", "pushes"]
Binding: TypeAlias = Literal["JSONRPC 1.0", "HTTP+JSON 1.0", "JSONRPC 0.3"]

Tap: TypeAlias = Callable[[Literal["sent", "received"], str, bytes], None]
"""Told of every message on the wire: which way it goes, the operation, its bytes. Never of headers."""

_METHODS: dict[Operation, str] = {
    "send": "SendMessage",
    "stream": "SendStreamingMessage",
    "get": "GetTask",
    "cancel": "CancelTask",
    "subscribe": "SubscribeToTask",
    "pushes": "ListTaskPushNotificationConfigs",
}
_METHODS_0_3: dict[Operation, str] = {
    "send": "message/send",
    "stream": "message/stream",
    "get": "tasks/get",
    "cancel": "tasks/cancel",
    "subscribe": "tasks/resubscribe",
    "pushes": "tasks/pushNotificationConfig/list",
}
HIDDEN: Final = "(not shown)"
_ACCEPTED = {"send": "application/json", "stream": "text/event-stream, application/json"}
_STREAM_BYTES = 64 * 1024 * 1024
_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how an agent is called. `auth` shows it who we are, as it asks.

    `numbers_events`: its card declares the extension of `shared.agent_sequence`.
    """

    url: str
    binding: Binding
    tenant: str = ""
    auth: AgentAuth | None = None
    numbers_events: bool = False


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long an agent may take, in seconds.

    `connect_s`: until there is a connection. `first_byte_s`: from the call until its answer begins; only a message sent
    without a stream has `total_s` for that, since it may be answered when the work is done. `gap_s`: the longest
    silence in a stream, in which a comment is a sign of life. `total_s`: for all calls of one `send` or `follow`.
    """

    connect_s: float = 5.0
    first_byte_s: float = 30.0
    gap_s: float = 120.0
    total_s: float = 600.0


class Clock:
    """The time that one conversation with an agent has. Made when it begins."""

    __slots__ = ("_now", "deadlines", "end")

    def __init__(self, deadlines: Deadlines) -> None:
        self._now = asyncio.get_running_loop().time
        self.deadlines = deadlines
        self.end = self._now() + deadlines.total_s

    @property
    def left_s(self) -> float:
        """How much is left; 0 when the end has come."""
        return max(self.end - self._now(), 0.0)

    def within(self, seconds: float) -> float:
        """Return the time of the loop that is so far away, or the end if that is nearer."""
        return min(self.end, self._now() + seconds)

    def overdue(self, otherwise: str = "") -> TimedOutError:
        """Return the error for a wait that was too long, which `otherwise` describes if the end has not come."""
        if otherwise and self.left_s:
            return TimedOutError(otherwise, reached=None)
        return TimedOutError(f"The agent did not finish within {self.deadlines.total_s:g} s.", reached=None)


@dataclass(frozen=True, slots=True)
class ShownCall:
    """A call as people may see it: `headers` name what shows who we are, and hide what it is; `content` is its JSON.

    Only the id of a JSON-RPC request is another one.
    """

    method: str
    url: str
    headers: dict[str, str]
    content: JsonObject


@dataclass(frozen=True, slots=True)
class _Call:
    operation: Operation
    binding: Binding
    verb: str
    url: str
    content: bytes | None
    rpc_id: str | None

    def unwrap(self, content: bytes) -> JsonObject:
        """Return the result in an answer to this call. Raises: AgentProtocolError, AgentFailedError."""
        try:
            answer = strict_json.parse(content)
        except strict_json.JsonError as error:
            raise AgentProtocolError(f"The agent's answer {error}.") from error
        if not isinstance(answer, dict):
            raise AgentProtocolError("The agent's answer is not a JSON object.")
        if answer.get("error") is not None:
            if self.rpc_id is not None and answer.get("id") not in (self.rpc_id, None):
                raise AgentProtocolError("The agent answered another request than the one it was sent.")
            raise agent_refusals.told(answer["error"])
        if self.rpc_id is None:
            return answer
        if answer.get("id") != self.rpc_id:
            raise AgentProtocolError("The agent answered another request than the one it was sent.")
        result = answer.get("result")
        if not isinstance(result, dict):
            raise AgentProtocolError("The agent's answer has neither a result nor an error.")
        if self.binding != "JSONRPC 0.3":
            return result
        is_task = self.operation in {"get", "cancel"}
        return agent_compat.task_to_1_0(result) if is_task else agent_compat.event_to_1_0(result)


class EventStream:
    """The events that an agent sends. Close it, or let it go once the agent has said all that matters."""

    __slots__ = ("_answer", "_call", "_clock", "_events", "_is_read", "_reader", "_tap")

    def __init__(self, call: _Call, answer: Answer, clock: Clock, max_event_bytes: int, tap: Tap | None = None) -> None:
        is_stream = answer.headers.get("content-type", "").lower().startswith("text/event-stream")
        self._call = call
        self._answer = answer
        self._clock = clock
        self._reader = EventReader(max_event_bytes) if is_stream else None
        self._events: Iterator[bytes] = iter(())
        self._is_read = False
        self._tap = tap

    async def next_event(self) -> JsonObject | None:
        """Return the next event, or None at the end. Raises: as `AgentWire.call`, and TooLargeError."""
        while (event := next(self._events, None)) is None:
            if self._is_read:
                return None
            await self._read_on()
        if self._tap is not None:
            self._tap("received", self._call.operation, event)
        return self._call.unwrap(event)

    async def _read_on(self) -> None:
        clock = self._clock
        if self._reader is None:
            self._events = iter((await _read(self._answer, clock, clock.end),))
            self._is_read = True
            return
        gap_s = clock.deadlines.gap_s
        chunk = await _read_some(self._answer, clock, clock.within(gap_s), f"The agent was silent for {gap_s:g} s.")
        self._events = self._reader.feed(chunk)
        self._is_read = not chunk

    def let_go(self) -> None:
        """Want no more of it, and leave it to the agent to end it."""
        self._answer.let_go()

    def close(self) -> None:
        """End it, so that the agent sees it."""
        self._answer.close()


class AgentWire:
    """One endpoint of one agent."""

    def __init__(self, client: Client, endpoint: Endpoint, limits: Limits, tap: Tap | None = None) -> None:
        self._calls = client.calls
        self._tap = tap
        self._endpoint = endpoint
        self._limits = limits
        version = "0.3" if endpoint.binding == "JSONRPC 0.3" else "1.0"
        self._headers = {"A2A-Version": version}
        asks = endpoint.numbers_events and version != "0.3"
        self._stream_headers = {**self._headers, "A2A-Extensions": agent_sequence.URI} if asks else self._headers
        self._ids = itertools.count(1)

    async def call(self, operation: Operation, params: JsonObject, clock: Clock) -> JsonObject:
        """Return the result. Raises: AgentUnavailableError, AgentProtocolError, AgentFailedError, TimedOutError."""
        call = self._prepare(operation, params)
        await may_call()
        deadlines = clock.deadlines
        until = clock.within(deadlines.total_s if operation == "send" else deadlines.first_byte_s)
        headers = {**self._headers, "Accept": _ACCEPTED["send"]}
        answer = await self._begin(call, headers, clock, until, max(self._limits.rpc_bytes, _echo_bytes(call)))
        try:
            content = await _read(answer, clock, until)
        finally:
            answer.close()
        if self._tap is not None:
            self._tap("received", operation, content)
        return call.unwrap(content)

    async def stream(
        self, operation: Operation, params: JsonObject, clock: Clock, *, after: int | None = None
    ) -> EventStream:
        """Begin a stream of events. An agent that does not stream gives its one answer. Raises: as `call`.

        `after`: the number of the last event that was seen, for an agent that numbers them.
        """
        call = self._prepare(operation, params)
        await may_call()
        until = clock.within(clock.deadlines.first_byte_s)
        headers = {**self._stream_headers, "Accept": _ACCEPTED["stream"]}
        if after is not None:
            headers["Last-Event-ID"] = str(after)
        answer = await self._begin(call, headers, clock, until, _STREAM_BYTES)
        return EventStream(call, answer, clock, max(self._limits.event_bytes, _echo_bytes(call)), self._tap)

    def show(self, operation: Literal["send", "stream"], params: JsonObject) -> ShownCall:
        """Return what `call` or `stream` would send, without sending it."""
        call = self._prepare(operation, params, "(another number)")
        own = self._headers if operation == "send" else self._stream_headers
        secret = () if self._endpoint.auth is None else self._endpoint.auth.header_names
        headers = {**dict.fromkeys(secret, HIDDEN), **own, "Accept": _ACCEPTED[operation]}
        content: JsonObject = orjson.loads(call.content or b"{}")
        return ShownCall(call.verb, call.url, headers | {"Content-Type": "application/json"}, content)

    def _prepare(self, operation: Operation, params: JsonObject, shown_id: str | None = None) -> _Call:
        tenant, binding = self._endpoint.tenant, self._endpoint.binding
        if binding == "HTTP+JSON 1.0":
            return _Call(operation, binding, *_rest_call(self._endpoint.url, tenant, operation, params), rpc_id=None)
        rpc_id = shown_id or str(next(self._ids))
        older = binding == "JSONRPC 0.3"
        if operation == "pushes" and not older:
            params = {"taskId": params["id"]}
        payload: JsonObject = {
            "jsonrpc": "2.0",
            "id": rpc_id,
            "method": (_METHODS_0_3 if older else _METHODS)[operation],
            "params": agent_compat.to_0_3(params) if older else params | ({"tenant": tenant} if tenant else {}),
        }
        return _Call(operation, binding, "POST", self._endpoint.url, _to_json(payload), rpc_id)

    async def _begin(self, call: _Call, headers: dict[str, str], clock: Clock, until: float, max_bytes: int) -> Answer:
        if call.content is not None:
            headers["Content-Type"] = "application/json"
        if trace := telemetry.traceparent():
            headers["traceparent"] = trace
        if self._tap is not None:
            self._tap("sent", call.operation, call.content or f"{call.verb} {call.url}".encode())
        deadlines = clock.deadlines
        try:
            async with asyncio.timeout_at(until):
                answer = await self._call(call, headers, deadlines, max_bytes)
        except httpx.ConnectTimeout as error:
            detail = f"The agent did not accept a connection within {deadlines.connect_s:g} s."
            raise AgentUnavailableError(detail, reached=False) from error
        except httpx.HTTPError as error:
            raise agent_refusals.lost(error) from error
        except TimeoutError as error:
            raise clock.overdue(f"The agent did not begin to answer within {deadlines.first_byte_s:g} s.") from error
        if 200 <= answer.status < 300:
            return answer
        try:
            content = await _read(answer, clock, until)
        finally:
            answer.close()
        if self._tap is not None:
            self._tap("received", call.operation, content)
        raise agent_refusals.refused(
            answer.status,
            answer.headers.get("retry-after"),
            content,
            asks_for_task=call.rpc_id is None and call.operation in {"get", "cancel", "subscribe", "pushes"},
        )

    def _call(
        self, call: _Call, headers: dict[str, str], deadlines: Deadlines, max_bytes: int
    ) -> Coroutine[None, None, Answer]:
        begin = partial(
            self._calls.begin, call.verb, content=call.content, connect_s=deadlines.connect_s, max_bytes=max_bytes
        )
        auth = self._endpoint.auth
        return begin(call.url, headers=headers) if auth is None else _call_as(auth, begin, call.url, headers)


async def _call_as(
    auth: AgentAuth, begin: Callable[..., Awaitable[Answer]], url: str, headers: dict[str, str]
) -> Answer:
    """Make the call as who we are; once more, if what shows it can be had anew and the agent does not take it."""
    proof = await auth.prove(url)
    answer = await begin(proof.url, headers={**proof.headers, **headers}, certificate=proof.certificate)
    if answer.status != _UNAUTHORIZED or not auth.can_renew(proof):
        return answer
    answer.close()
    proof = await auth.prove(url)
    return await begin(proof.url, headers={**proof.headers, **headers}, certificate=proof.certificate)


def _echo_bytes(call: _Call) -> int:
    """Return how large an answer to a large message may be: a task's history has that message, files and all."""
    return 2 * len(call.content or b"")


def _rest_call(base: str, tenant: str, operation: Operation, params: JsonObject) -> tuple[str, str, bytes | None]:
    root = f"{base.rstrip('/')}/{quote(tenant, safe='')}" if tenant else base.rstrip("/")
    if operation in {"send", "stream"}:
        return "POST", f"{root}/message:{operation}", _to_json(params)
    task = f"{root}/tasks/{quote(str(params['id']), safe='')}"
    if operation == "get":
        return "GET", f"{task}?historyLength={params.get('historyLength', 0)}", None
    if operation == "pushes":
        return "GET", f"{task}/pushNotificationConfigs", None
    return "POST", f"{task}:{operation}", _to_json({})


def _to_json(value: JsonObject) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise InvalidRequestError(f"The message cannot be sent: {error}.") from error


async def _read(answer: Answer, clock: Clock, until: float) -> bytes:
    body = bytearray()
    while chunk := await _read_some(answer, clock, until, "The agent began to answer, and did not end in time."):
        body += chunk
    return bytes(body)


async def _read_some(answer: Answer, clock: Clock, until: float, too_slow: str) -> bytes:
    try:
        return await answer.read_some(until)
    except httpx.HTTPError as error:
        raise agent_refusals.lost(error) from error
    except TimeoutError as error:
        raise clock.overdue(too_slow) from error
