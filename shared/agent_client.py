"""Calls agents over A2A: sends a message, yields what the task it becomes does, and never sends the same thing twice.

    connection = agent_client.connect(client, card)
    async with aclosing(connection.send(OutgoingMessage("m-1", "Summarize this."))) as events:
        async for event in events: ...

The events end with one `Ended`, or a `FederationError` is raised. Its fact `remote_task_id` says that the agent has
begun: `follow` finds that task again, `cancel` stops it. Without it, the message may be sent again under the same id;
its fact `reached` is False when the agent cannot have begun, None when that is unknown.
"""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Final, cast

from a2a.types import AgentCard, AgentInterface

from shared import agent_refusals, agent_sequence, http
from shared.agent import JsonObject
from shared.agent_auth import AgentAuth
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
from shared.agent_reading import MOST_LOST_CALLS, ask, ask_about, get, hear_once, listen
from shared.agent_wire import HIDDEN, AgentWire, Binding, Clock, Deadlines, Endpoint, ShownCall, Tap
from shared.errors import (
    AgentFailedError,
    AgentProtocolError,
    AgentUnavailableError,
    FederationError,
    NotFoundError,
    TimedOutError,
    TooLargeError,
)
from shared.outgoing_message import OutgoingMessage, PushConfig, to_params
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
    "PushConfig",
    "RemoteEvent",
    "ShownCall",
    "Started",
    "State",
    "StatusChanged",
    "Tap",
    "TextPart",
    "connect",
    "fetch_card",
    "parse_card",
]

_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 5.0
_LONGEST_PAUSE_WITH_PUSH_S: Final = 60.0
_STALE_STATUS_S: Final = 2.0


def connect(
    client: http.Client,
    card: AgentCard,
    *,
    auth: AgentAuth | None = None,
    deadlines: Deadlines | None = None,
    limits: Limits | None = None,
    tap: Tap | None = None,
) -> "AgentConnection":
    """Choose how to call the agent: by the first interface of A2A 1.0 on its card, else of 0.3. Opens nothing yet.

    `auth` shows the agent who we are with every call; `deadlines` are those of calls that are given none; `tap` is told
    of every message.
    Raises: AgentProtocolError when the card offers none of them, InvalidRequestError when its URL is not one.
    """
    offered: list[tuple[Binding, AgentInterface]] = [
        (binding, each) for each in card.supported_interfaces if (binding := _binding(each))
    ]
    if not offered:
        spoken = ", ".join(f"{each.protocol_binding} {each.protocol_version}" for each in card.supported_interfaces)
        raise AgentProtocolError(
            f"The agent speaks only {spoken[:200]}; it must offer JSONRPC or HTTP+JSON of A2A 1.0."
        )
    binding, interface = min(offered, key=lambda offer: offer[0] == "JSONRPC 0.3")
    http.parse_url(interface.url)
    numbers_events = any(each.uri == agent_sequence.URI for each in card.capabilities.extensions)
    return AgentConnection(
        client,
        Endpoint(interface.url, binding, interface.tenant, auth, numbers_events=numbers_events),
        streaming=card.capabilities.streaming,
        pushing=card.capabilities.push_notifications,
        deadlines=deadlines,
        limits=limits,
        tap=tap,
    )


class AgentConnection:
    """One agent, ready to be called. Holds no connection of its own: it can be kept and used by many tasks at once."""

    def __init__(
        self,
        client: http.Client,
        endpoint: Endpoint,
        *,
        streaming: bool,
        pushing: bool = False,
        deadlines: Deadlines | None = None,
        limits: Limits | None = None,
        tap: Tap | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._streaming = streaming
        self._pushing = pushing
        self._deadlines = deadlines or Deadlines()
        self._limits = limits or Limits()
        self._wire = AgentWire(client, endpoint, self._limits, tap)
        self._watches: dict[str, set[asyncio.Event]] = {}

    @property
    def pushes(self) -> bool:
        """Whether the agent says that it can push, so that a message's `push` may be of use."""
        return self._pushing

    async def send(
        self, message: OutgoingMessage, *, deadlines: Deadlines | None = None
    ) -> AsyncGenerator[RemoteEvent]:
        """Send `message` once, and yield what the agent does until the task ends or waits for input.

        When a stream breaks, or is silent for too long, the agent is asked how the task stands. One that refuses the
        message because it cannot do what its card says has not taken it: it is sent otherwise. Closing this does not
        cancel the remote task.
        Raises: AgentUnavailableError, AgentProtocolError, AgentFailedError (the agent refused the message),
        TimedOutError, TooLargeError, AddressRefusedError, NotFoundError (`message.task_id`).
        """
        clock = Clock(deadlines or self._deadlines)
        task = RemoteTask(message.task_id, self._limits)
        if message.task_id is not None and not task.expect_answer_after(await ask(self._wire, message.task_id, clock)):
            async with aclosing(self.follow(message.task_id, deadlines=deadlines)) as events:
                async for event in events:  # it was answered elsewhere, and goes on without this
                    yield event
            return
        try:
            is_taken = False
            while not is_taken:
                streaming = self._streaming
                push = message.push if self._pushing and not streaming else None
                params = to_params(message, returns_at_once=not streaming, push=push)
                hear = listen if streaming else hear_once
                try:
                    async with aclosing(hear(self._wire, params, task, clock)) as answers:
                        async for events in answers:
                            for event in events:
                                yield event
                    is_taken = True
                except FederationError as error:
                    if task.begun or not self._learns_from(error, streaming=streaming, pushing=push is not None):
                        raise
            if task.ended is None:
                async with aclosing(self._watch(task, clock, pushed=message.push is not None)) as events:
                    async for event in events:
                        yield event
        except FederationError as error:
            if task.begun:
                error.facts["remote_task_id"] = task.id
            raise

    def show(self, message: OutgoingMessage) -> ShownCall:
        """Return the call that `send` makes first for this message, without making it; secrets are not in it."""
        operation = "stream" if self._streaming else "send"
        push = None
        if message.push is not None and self._pushing and not self._streaming:
            push = PushConfig(message.push.url, HIDDEN)
        return self._wire.show(operation, to_params(message, returns_at_once=not self._streaming, push=push))

    async def follow(
        self, remote_task_id: str, *, deadlines: Deadlines | None = None, pushed: bool = False
    ) -> AsyncGenerator[RemoteEvent]:
        """Attach to a task that the agent has, and yield what is known of it and what it does, as `send` does.

        `pushed`: the message had a `push`. An agent that could be told so is not asked as often.
        """
        task, clock = RemoteTask(remote_task_id, self._limits), Clock(deadlines or self._deadlines)
        try:
            async with aclosing(self._watch(task, clock, pushed=pushed)) as events:
                async for event in events:
                    yield event
        except FederationError as error:
            error.facts["remote_task_id"] = remote_task_id
            raise

    def nudge(self, remote_task_id: str) -> bool:
        """Ask the agent now how the task stands, if it is watched here; returns whether it is. For a hint by push."""
        watches = self._watches.get(remote_task_id, set())
        for nudged in watches:
            nudged.set()
        return bool(watches)

    async def get_task(self, remote_task_id: str) -> Ended:
        """Return how the task stands; its state may be one in which it still works. Raises: NotFoundError."""
        task = RemoteTask(remote_task_id, self._limits)
        task.read_task(await get(self._wire, remote_task_id, Clock(self._deadlines)))
        return task.outcome()

    async def cancel(self, remote_task_id: str) -> Ended:
        """Ask the agent to cancel the task, and return how it stands then. Raises: NotFoundError."""
        task = RemoteTask(remote_task_id, self._limits)
        clock = Clock(self._deadlines)
        try:
            found = await self._wire.call("cancel", {"id": remote_task_id}, clock)
        except FederationError as error:
            match error.facts.get("rpc_code"):
                case agent_refusals.TASK_NOT_FOUND:
                    raise NotFoundError(f"The agent has no task {remote_task_id}.") from error
                case agent_refusals.TASK_NOT_CANCELABLE:
                    found = await get(self._wire, remote_task_id, clock)
                case _:
                    raise
        task.read_task(found)
        return task.outcome()

    def _learns_from(self, refusal: FederationError, *, streaming: bool, pushing: bool) -> bool:
        """Note what the agent cannot do though its card says so; return whether it refused the message for that."""
        code = refusal.facts.get("rpc_code")
        if streaming and code in agent_refusals.UNSUPPORTED:
            self._streaming = False
            return True
        if pushing and code == agent_refusals.PUSH_NOT_SUPPORTED:
            self._pushing = False
            return True
        return False

    async def _watch(self, task: RemoteTask, clock: Clock, *, pushed: bool) -> AsyncGenerator[RemoteEvent]:
        """Ask how the task stands, then listen or ask again, until it ended. `task.id` is known."""
        task_id = cast("str", task.id)
        nudged = asyncio.Event()
        self._watches.setdefault(task_id, set()).add(nudged)
        try:
            async with aclosing(self._look_after(task_id, task, clock, nudged, pushed=pushed)) as events:
                async for event in events:
                    yield event
        finally:
            self._watches[task_id].discard(nudged)
            if not self._watches[task_id]:
                del self._watches[task_id]

    async def _look_after(
        self, task_id: str, task: RemoteTask, clock: Clock, nudged: asyncio.Event, *, pushed: bool
    ) -> AsyncGenerator[RemoteEvent]:
        now = asyncio.get_running_loop().time
        subscribing, pause_s, stale_at = self._streaming, _FIRST_PAUSE_S, now() + _STALE_STATUS_S
        pushed = pushed and self._pushing and not self._streaming
        longest_s = _LONGEST_PAUSE_WITH_PUSH_S if pushed else _LONGEST_PAUSE_S
        resuming, lost = True, 0
        while True:
            nudged.clear()
            has_news = False
            if not (resuming and subscribing and task.seq is not None):
                told = task.read_task(await self._ask(task_id, clock))
                if task.says_nothing:
                    told = told[:-1] + await ask_about(task, self._wire, clock)
                for event in told:
                    has_news = True
                    yield event
                if task.repeats_itself and now() > stale_at:
                    yield task.settle()
            if task.ended is None and subscribing:
                began = now()
                subscribing = resuming = False
                try:
                    async with aclosing(self._subscribe(task_id, task, clock)) as news:
                        async for event in news:
                            subscribing = resuming = has_news = True
                            lost = 0
                            yield event
                except AgentUnavailableError:
                    lost += 1
                    subscribing = resuming = lost < MOST_LOST_CALLS
                # One that stayed open, though silent, costs no more than asking now and then.
                subscribing = subscribing or now() - began >= min(_LONGEST_PAUSE_S, clock.deadlines.gap_s)
            if task.ended is not None:
                return
            if not clock.left_s:
                raise clock.overdue()
            at_once = (subscribing and not lost) or (has_news and not pushed)
            pause_s = _FIRST_PAUSE_S if at_once else min(pause_s * 1.6, longest_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(min(pause_s * random.uniform(0.8, 1.2), clock.left_s)):
                    await nudged.wait()

    async def _subscribe(self, task_id: str, task: RemoteTask, clock: Clock) -> AsyncGenerator[RemoteEvent]:
        """Yield what a subscription brings; an agent that does not give one can still be asked.

        Raises: AgentUnavailableError when nothing came.
        """
        try:
            heard = listen(self._wire, {"id": task_id}, task, clock, subscribes=True, resumes=task.seq is not None)
            async with aclosing(heard) as answers:
                async for events in answers:
                    for event in events:
                        yield event
        except (AgentFailedError, TimedOutError):
            return
        except TooLargeError:
            if task.is_too_large:  # else it is one event that is, and the task may be less
                raise
        except AgentProtocolError as error:
            if not error.facts:  # what it sent was wrong, not that it cannot be subscribed to
                raise

    async def _ask(self, task_id: str, clock: Clock) -> JsonObject:
        """Get a task that the agent is known to have begun."""
        try:
            return await ask(self._wire, task_id, clock)
        except NotFoundError as error:
            detail = "The agent no longer knows the task that it had begun."
            raise AgentUnavailableError(detail, reached=True, task_lost=True) from error


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
