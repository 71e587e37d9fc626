"""Reads from an agent what becomes of a task: by a stream of its events, or by asking how it stands."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from typing import Final, cast

from shared import agent_refusals
from shared.agent import JsonObject
from shared.agent_events import Ended, RemoteEvent
from shared.agent_wire import AgentWire, Clock
from shared.errors import AgentUnavailableError, FederationError, NotFoundError, TimedOutError, TooLargeError
from shared.remote_task import RemoteTask

MOST_LOST_CALLS: Final = 5
_LOST_CALL_PAUSE_S: Final = 0.2


async def hear_once(
    wire: AgentWire, params: JsonObject, task: RemoteTask, clock: Clock
) -> AsyncGenerator[list[RemoteEvent]]:
    """Send a message without a stream, and yield what the one answer says. Raises: as `AgentWire.call`."""
    events = task.read(await wire.call("send", params, clock))
    if task.says_nothing:
        yield events[:-1]
        events = await ask_about(task, wire, clock)
    yield events


async def listen(
    wire: AgentWire,
    params: JsonObject,
    task: RemoteTask,
    clock: Clock,
    *,
    subscribes: bool = False,
    resumes: bool = False,
) -> AsyncGenerator[list[RemoteEvent]]:
    """Yield what each event of a stream tells. One that breaks after its first just ends, as if it had been closed.

    `subscribes`: it is that of a task which the agent has, else the one that a message begins. `resumes`: it is to
    begin after the last event of `task` that is known by its number, and what counts is news. If it leaves events out,
    it ends.
    Raises: as `AgentWire.stream`; AgentUnavailableError if it ends without an event.
    """
    received = False
    operation = "subscribe" if subscribes else "stream"
    stream = await wire.stream(operation, params, clock, after=task.seq if resumes else None)
    try:
        while task.ended is None:
            try:
                answer = await stream.next_event()
            except (AgentUnavailableError, TimedOutError, TooLargeError):
                if not received:
                    raise
                return
            if answer is None:
                break
            if task.has_missed_one_before(answer):
                return
            events = task.read(answer, resumed=resumes)
            received = received or not resumes or bool(events)
            if task.says_nothing:
                yield events[:-1]
                events = await ask_about(task, wire, clock)
            yield events
    finally:
        if task.ended is None:
            stream.close()
        else:
            stream.let_go()
    if not received:
        raise AgentUnavailableError("The agent closed the stream without an answer.", reached=None)


async def ask(wire: AgentWire, task_id: str, clock: Clock) -> JsonObject:
    """Get a task; calls that are lost are repeated a few times, later and later. Raises: as `get`."""
    pause_s = _LOST_CALL_PAUSE_S
    for attempt in itertools.count(1):
        try:
            return await get(wire, task_id, clock)
        except (AgentUnavailableError, TimedOutError) as error:
            if not clock.left_s:
                raise clock.overdue() from error
            if attempt == MOST_LOST_CALLS:
                raise
            asked_s = error.facts.get("retry_after_s")
            wait_s = max(pause_s, asked_s) if isinstance(asked_s, float) else pause_s
            await asyncio.sleep(min(wait_s, clock.left_s))
            pause_s *= 2
    raise AssertionError("unreachable: the loop has no end")


async def get(wire: AgentWire, task_id: str, clock: Clock, *, history: int = 0) -> JsonObject:
    """Return the task as the agent has it, with so many of its last messages. Raises: NotFoundError, and as `call`.

    None by default: with files in them, they can be larger than an answer may be. An agent that fails at telling says
    nothing about the task: that is AgentUnavailableError.
    """
    params: JsonObject = {"id": task_id, "historyLength": history}
    try:
        return await wire.call("get", params, clock)
    except FederationError as error:
        match error.facts.get("rpc_code"):
            case agent_refusals.TASK_NOT_FOUND:
                raise NotFoundError(f"The agent has no task {task_id}.") from error
            case agent_refusals.INTERNAL:
                raise AgentUnavailableError(error.detail, reached=None) from error
            case _:
                raise


async def ask_about(task: RemoteTask, wire: AgentWire, clock: Clock) -> list[RemoteEvent]:
    """Ask once about an end without a word: some agents store their answer, and do not send it.

    Others have said it last, and have it in the history and nowhere else.
    """
    try:
        return task.fill_in(await get(wire, cast("str", task.id), clock, history=1))
    except FederationError:
        return [cast("Ended", task.ended)]  # the end itself stands
