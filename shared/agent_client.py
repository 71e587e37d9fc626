"""Calls other agents over A2A: sends a message, follows the task it becomes, and never sends the same thing twice.

    connection = agent_client.connect(client, card)
    async with aclosing(connection.send(OutgoingMessage("m-1", "Summarize this."))) as events:
        async for event in events: ...

The events end with one `Ended`, or a `FederationError` is raised. Its fact `remote_task_id` says that the agent has
begun: `follow` finds that task again, `cancel` stops it. Without it, the message may be sent again under the same id;
its fact `reached` is False when the agent cannot have begun, None when that is unknown.
"""

import asyncio
import base64
import itertools
import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Literal, cast

import httpx
from a2a.types import AgentCard, AgentInterface
from pydantic import JsonValue

from shared import agent_wire, http
from shared.agent import METADATA_KEY, File, JsonObject
from shared.agent_card import MAX_CARD_BYTES, FetchedCard, fetch_card, parse_card
from shared.agent_events import (
    Artifact,
    ArtifactChunk,
    DataPart,
    Ended,
    Failure,
    Limits,
    Part,
    RemoteEvent,
    Started,
    State,
    StatusChanged,
    TextPart,
)
from shared.agent_wire import AgentWire, Binding, Deadlines, Endpoint
from shared.errors import (
    AgentFailedError,
    AgentProtocolError,
    AgentUnavailableError,
    FederationError,
    InvalidRequestError,
    NotFoundError,
    TimedOutError,
    TooLargeError,
)
from shared.remote_task import RemoteTask

__all__ = [
    "MAX_CARD_BYTES",
    "AgentConnection",
    "Artifact",
    "ArtifactChunk",
    "DataPart",
    "Deadlines",
    "Ended",
    "Failure",
    "FetchedCard",
    "Limits",
    "OutgoingMessage",
    "Part",
    "RemoteEvent",
    "Started",
    "State",
    "StatusChanged",
    "TextPart",
    "connect",
    "fetch_card",
    "parse_card",
]

_HISTORY_LENGTH = 20
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 5.0
_MOST_LOST_CALLS = 5
_LOST_CALL_PAUSE_S = 0.2
_STALE_STATUS_S = 2.0
_DRAIN_S = 0.02


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message for an agent. Make `message_id` once, before the first attempt, and keep it over retries.

    `task_id` and `context_id`, both, answer a task that waits for input. `metadata` and `skill` are the federation's
    own, under `METADATA_KEY`.
    """

    message_id: str
    text: str = ""
    data: tuple[JsonValue, ...] = ()
    files: tuple[File, ...] = ()
    skill: str | None = None
    task_id: str | None = None
    context_id: str | None = None
    metadata: JsonObject = field(default_factory=dict[str, JsonValue])


def connect(
    client: httpx.AsyncClient,
    card: AgentCard,
    *,
    headers: Mapping[str, str] | None = None,
    deadlines: Deadlines | None = None,
    limits: Limits | None = None,
) -> "AgentConnection":
    """Choose how to call the agent: JSON-RPC 1.0, else HTTP+JSON 1.0, else JSON-RPC 0.3. Opens nothing yet.

    `headers` (credentials) go with every call.
    Raises: AgentProtocolError when the card offers none of them, InvalidRequestError when its URL is not one.
    """
    offered = {
        binding: interface for interface in reversed(card.supported_interfaces) if (binding := _binding(interface))
    }
    preferred: tuple[Binding, ...] = ("JSONRPC 1.0", "HTTP+JSON 1.0", "JSONRPC 0.3")
    for binding in preferred:
        if binding in offered:
            http.parse_url(offered[binding].url)
            endpoint = Endpoint(offered[binding].url, binding, offered[binding].tenant, headers or {})
            return AgentConnection(
                client, endpoint, streaming=card.capabilities.streaming, deadlines=deadlines, limits=limits
            )
    spoken = ", ".join(f"{each.protocol_binding} {each.protocol_version}" for each in card.supported_interfaces)
    raise AgentProtocolError(f"The agent speaks only {spoken[:200]}; it must offer JSONRPC or HTTP+JSON of A2A 1.0.")


class AgentConnection:
    """One agent, ready to be called. Holds no connection of its own: it can be kept and used by many tasks at once."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        endpoint: Endpoint,
        *,
        streaming: bool,
        deadlines: Deadlines | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._streaming = streaming
        self._deadlines = deadlines or Deadlines()
        self._limits = limits or Limits()
        self._wire = AgentWire(client, endpoint, self._deadlines, self._limits)

    async def send(self, message: OutgoingMessage) -> AsyncGenerator[RemoteEvent]:
        """Send `message` once, and yield what the agent does until the task ends or waits for input.

        When a stream breaks, the agent is asked how the task stands. Closing this does not cancel the remote task.
        Raises: AgentUnavailableError, AgentProtocolError, AgentFailedError (the agent refused the message),
        TimedOutError, TooLargeError, AddressRefusedError, NotFoundError (`message.task_id`).
        """
        deadline = self._now() + self._deadlines.total_s
        task = RemoteTask(message.task_id, self._limits)
        if message.task_id is not None:
            task.expect_answer_after(await self._get(message.task_id, deadline))
        try:
            async with aclosing(self._deliver(message, task, deadline)) as events:
                async for event in events:
                    yield event
            if task.ended is None:
                async with aclosing(self._watch(task, deadline)) as events:
                    async for event in events:
                        yield event
        except FederationError as error:
            if task.begun:
                error.facts["remote_task_id"] = task.id
            raise

    async def follow(self, remote_task_id: str) -> AsyncGenerator[RemoteEvent]:
        """Attach to a task that the agent has, and yield what is known of it and what it does, as `send` does."""
        task = RemoteTask(remote_task_id, self._limits)
        try:
            async with aclosing(self._watch(task, self._now() + self._deadlines.total_s)) as events:
                async for event in events:
                    yield event
        except FederationError as error:
            error.facts["remote_task_id"] = remote_task_id
            raise

    async def get_task(self, remote_task_id: str) -> Ended:
        """Return how the task stands; its state may be one in which it still works. Raises: NotFoundError."""
        task = RemoteTask(remote_task_id, self._limits)
        task.read_task(await self._get(remote_task_id, self._now() + self._deadlines.total_s))
        return task.outcome()

    async def cancel(self, remote_task_id: str) -> Ended:
        """Ask the agent to cancel the task, and return how it stands then. Raises: NotFoundError."""
        task = RemoteTask(remote_task_id, self._limits)
        deadline = self._now() + self._deadlines.first_byte_s
        try:
            found = await self._wire.call("cancel", {"id": remote_task_id}, deadline)
        except FederationError as error:
            match error.facts.get("rpc_code"):
                case agent_wire.TASK_NOT_FOUND:
                    raise NotFoundError(f"The agent has no task {remote_task_id}.") from error
                case agent_wire.TASK_NOT_CANCELABLE:
                    found = await self._get(remote_task_id, deadline)
                case _:
                    raise
        task.read_task(found)
        return task.outcome()

    async def _deliver(
        self, message: OutgoingMessage, task: RemoteTask, deadline: float
    ) -> AsyncGenerator[RemoteEvent]:
        """Send the message; return when the task ended, or when the agent must be asked how it stands."""
        params: JsonObject = {"message": _to_json(message)}
        if self._streaming:
            try:
                async with aclosing(self._listen("stream", params, task, deadline)) as events:
                    async for event in events:
                        yield event
            except FederationError as error:
                if task.begun or error.facts.get("rpc_code") not in agent_wire.UNSUPPORTED:
                    raise
                self._streaming = False  # its card is wrong; it has refused the message, so it may be sent otherwise
            else:
                return
        params["configuration"] = {"returnImmediately": True}
        for event in task.read(await self._wire.call("send", params, deadline)):
            yield event

    async def _listen(
        self, operation: Literal["stream", "subscribe"], params: JsonObject, task: RemoteTask, deadline: float
    ) -> AsyncGenerator[RemoteEvent]:
        """Yield what a stream brings. One that breaks after its first event just ends, as if it had been closed."""
        received = False
        async with aclosing(self._wire.stream(operation, params, deadline)) as answers:
            while task.ended is None:
                try:
                    answer = await anext(answers, None)
                except (AgentUnavailableError, TimedOutError, TooLargeError):
                    if not received:
                        raise
                    return
                if answer is None:
                    break
                received = True
                for event in task.read(answer):
                    yield event
            if task.ended is not None:
                await _drain(answers)
        if not received:
            raise AgentUnavailableError("The agent closed the stream without an answer.", reached=None)

    async def _watch(self, task: RemoteTask, deadline: float) -> AsyncGenerator[RemoteEvent]:
        """Ask how the task stands, then listen or ask again, until it ended. `task.id` is known."""
        task_id = cast("str", task.id)
        subscribing, pause_s, stale_at = self._streaming, _FIRST_PAUSE_S, self._now() + _STALE_STATUS_S
        while True:
            events = task.read_task(await self._ask(task_id, deadline))
            for event in events:
                yield event
            if task.repeats_itself and self._now() > stale_at:
                yield task.settle()
            if task.ended is None and subscribing:
                subscribing = False  # unless it brings something
                try:
                    async with aclosing(self._listen("subscribe", {"id": task_id}, task, deadline)) as news:
                        async for event in news:
                            subscribing = True
                            yield event
                except (AgentUnavailableError, AgentFailedError, TimedOutError, TooLargeError):
                    pass  # it can still be asked
                except AgentProtocolError as error:
                    if not error.facts:  # what it sent was wrong, not that it cannot be subscribed to
                        raise
            if task.ended is not None:
                return
            if self._now() >= deadline:
                raise self._overdue()
            pause_s = _FIRST_PAUSE_S if events or subscribing else min(pause_s * 1.6, _LONGEST_PAUSE_S)
            await asyncio.sleep(min(pause_s * random.uniform(0.8, 1.2), max(deadline - self._now(), 0)))

    async def _ask(self, task_id: str, deadline: float) -> JsonObject:
        """Get a task that the agent is known to have begun; calls that are lost are repeated a few times."""
        pause_s = _LOST_CALL_PAUSE_S
        for attempt in itertools.count(1):
            try:
                return await self._get(task_id, deadline)
            except NotFoundError as error:
                detail = "The agent no longer knows the task that it had begun."
                raise AgentUnavailableError(detail, reached=True, task_lost=True) from error
            except (AgentUnavailableError, TimedOutError) as error:
                if self._now() >= deadline:
                    raise self._overdue() from error
                if attempt == _MOST_LOST_CALLS:
                    raise
                asked_s = error.facts.get("retry_after_s")
                wait_s = max(pause_s, asked_s) if isinstance(asked_s, float) else pause_s
                await asyncio.sleep(min(wait_s, max(deadline - self._now(), 0)))
                pause_s *= 2
        raise AssertionError("unreachable: the loop has no end")

    async def _get(self, task_id: str, deadline: float) -> JsonObject:
        params: JsonObject = {"id": task_id, "historyLength": _HISTORY_LENGTH}
        try:
            return await self._wire.call("get", params, min(deadline, self._now() + self._deadlines.first_byte_s))
        except FederationError as error:
            if error.facts.get("rpc_code") != agent_wire.TASK_NOT_FOUND:
                raise
            raise NotFoundError(f"The agent has no task {task_id}.") from error

    def _overdue(self) -> TimedOutError:
        return TimedOutError(f"The agent did not finish within {self._deadlines.total_s:g} s.")

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


async def _drain(answers: AsyncGenerator[JsonObject]) -> None:
    """Read the end of a stream that is over, so that its connection can be used again."""
    with suppress(FederationError, TimeoutError):
        async with asyncio.timeout(_DRAIN_S):
            await anext(answers, None)


def _binding(interface: AgentInterface) -> Binding | None:
    version = interface.protocol_version or "1.0"
    match interface.protocol_binding.upper():
        case "JSONRPC" if version.startswith("1."):
            return "JSONRPC 1.0"
        case "HTTP+JSON" if version.startswith("1."):
            return "HTTP+JSON 1.0"
        case "JSONRPC" if version.startswith(("0.2", "0.3")):
            return "JSONRPC 0.3"
        case _:
            return None


def _to_json(message: OutgoingMessage) -> JsonObject:
    parts: list[JsonValue] = [{"text": message.text}] if message.text else []
    parts.extend({"data": data, "mediaType": "application/json"} for data in message.data)
    for file in message.files:
        place: JsonObject = (
            {"url": file.url} if file.content is None else {"raw": base64.b64encode(file.content).decode()}
        )
        parts.append({**place, "filename": file.name, "mediaType": file.media_type})
    if not parts:
        raise InvalidRequestError("A message to an agent needs text, data or a file.")
    sent: JsonObject = {"messageId": message.message_id, "role": "ROLE_USER", "parts": parts}
    if message.task_id:
        sent["taskId"] = message.task_id
    if message.context_id:
        sent["contextId"] = message.context_id
    call = message.metadata | ({"skill": message.skill} if message.skill else {})
    if call:
        sent["metadata"] = {METADATA_KEY: call}
    return sent
