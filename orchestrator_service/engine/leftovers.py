"""Remote tasks that are to end, and whose agents did not answer when they were told so: they are told again, later.

The task and the step are over then. What is left is kept in the try's row (`stop_at`) until the agent has heard it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from orchestrator_service import choosing
from orchestrator_service.engine.conversations import Conversations
from orchestrator_service.engine.work import OpenAttempt, Remote, StepWork
from orchestrator_service.models import Attempt
from shared.agent_client import Deadlines, Started
from shared.background import foreseen
from shared.db import Database, DatabaseUnavailableError, now
from shared.errors import AgentFailedError, FederationError, NotFoundError

_TELL_S: Final = 1.0
_PAUSE_S: Final = 2.0
_LONGEST_PAUSE: Final = timedelta(minutes=5)
_GIVEN_UP_AFTER: Final = timedelta(days=1)
_ASKED_FOR_S: Final = 60.0
_AT_ONCE: Final = 20


@dataclass(frozen=True, slots=True)
class _Left:
    """A try whose remote task is still to be told."""

    task_id: str
    step_id: str
    attempt: OpenAttempt
    remote: Remote


class Leftovers:
    """Tells remote tasks that they are to end.

    `confirm` returns once it is sure that this process is not taken for dead.
    """

    def __init__(
        self, database: Database, conversations: Conversations, confirm: Callable[[], Awaitable[None]]
    ) -> None:
        self._database = database
        self._conversations = conversations
        self._confirm = confirm
        self._unknown: list[tuple[StepWork, OpenAttempt, Deadlines, float]] = []

    async def tell(
        self, work: StepWork, attempt: OpenAttempt, remote: Remote | None, calls: Deadlines
    ) -> tuple[Remote | None, bool]:
        """Tell the remote task of a try that it is to end; one whose id is not known is asked for by the same message.

        Returns its id, as far as it is known now, and whether it is told. If it is not, that is to be recorded with the
        end of the try; one without an id is to be asked for later.
        """
        with suppress(FederationError, TimeoutError):
            async with asyncio.timeout(_TELL_S):
                with foreseen(f"agent {attempt.agent_id}"):
                    remote = remote or await self._find(work, attempt, calls)
                    if remote is not None:
                        await self._cancel(attempt, remote)
                    return remote, True
        return remote, False

    def ask_later(self, work: StepWork, attempt: OpenAttempt, calls: Deadlines) -> None:
        """Ask again for the remote task of a try that is over by its row, for a minute, and tell it."""
        self._unknown.append((work, attempt, calls, monotonic() + _ASKED_FOR_S))

    async def tell_later(self) -> None:
        """Tell those that are left, now and then, as long as there are any. Never returns."""
        while True:
            await asyncio.sleep(_PAUSE_S)
            unknown, self._unknown = self._unknown, []
            for work, attempt, calls, until in unknown:
                await self._confirm()
                if monotonic() < until:
                    await self._ask_again(work, attempt, calls, until)
            with suppress(DatabaseUnavailableError):
                if await self._database.read(_is_any_due):
                    async with asyncio.TaskGroup() as group:
                        for left in await self._database.write(_take):
                            group.create_task(self._tell_again(left))

    async def _ask_again(self, work: StepWork, attempt: OpenAttempt, calls: Deadlines, until: float) -> None:
        try:
            async with asyncio.timeout(_TELL_S):
                with foreseen(f"agent {attempt.agent_id}"):
                    remote = await self._find(work, attempt, calls)
                    if remote is not None:
                        await self._cancel(attempt, remote)
        except (FederationError, TimeoutError):
            self._unknown.append((work, attempt, calls, until))

    async def _tell_again(self, left: _Left) -> None:
        with suppress(FederationError, TimeoutError):
            async with asyncio.timeout(_TELL_S):
                with foreseen(f"agent {left.attempt.agent_id}"):
                    await self._cancel(left.attempt, left.remote)
                await self._database.write(_close, left)

    async def _find(self, work: StepWork, attempt: OpenAttempt, calls: Deadlines) -> Remote | None:
        """Return the remote task that the try's message has begun; None if the agent does not take it."""
        connection = await self._conversations.connect(attempt)
        with suppress(AgentFailedError):
            async with aclosing(self._conversations.begin(connection, work, attempt, calls)) as events:
                async for event in events:
                    return (event.remote_task_id, event.context_id) if isinstance(event, Started) else None
        return None

    async def _cancel(self, attempt: OpenAttempt, remote: Remote) -> None:
        """Send CancelTask; an agent that answers anything has been told."""
        connection = await self._conversations.connect(attempt)
        with suppress(AgentFailedError, NotFoundError):
            await connection.cancel(remote[0])


def leave(connection: Connection, work: StepWork) -> None:
    """Record, with the end of the step's try, that its remote task is still to be told."""
    if work.attempt is not None:
        soon = now() + timedelta(seconds=_PAUSE_S)
        _put_off(connection, work.run.task_id, work.step.id, work.attempt.number, soon)


def _is_any_due(connection: Connection) -> bool:
    return connection.execute(_DUE, {"at": now(), "at_most": 1}).first() is not None


def _take(connection: Connection) -> list[_Left]:
    """Return some that are due, and put them off: the longer they are left, the longer."""
    taken: list[_Left] = []
    at = now()
    for row in connection.execute(_DUE, {"at": at, "at_most": _AT_ONCE}).mappings():
        age = at - row["ended_at"]
        agent = choosing.reach(connection, row["agent_id"])
        is_given_up = agent is None or row["remote_task_id"] is None or age > _GIVEN_UP_AFTER
        next_at = None if is_given_up else at + min(max(age / 4, timedelta(seconds=_PAUSE_S)), _LONGEST_PAUSE)
        _put_off(connection, row["task_id"], row["step_id"], row["number"], next_at)
        if agent is None or is_given_up:
            continue
        attempt = OpenAttempt(
            number=row["number"],
            agent_id=agent.agent_id,
            agent_name=agent.name,
            endpoint=agent.endpoint,
            card_hash=agent.card_hash,
            credentials=agent.credentials,
            max_concurrency=agent.max_concurrency,
            message_id=row["message_id"],
        )
        remote = (row["remote_task_id"], row["remote_context_id"] or "")
        taken.append(_Left(row["task_id"], row["step_id"], attempt, remote))
    return taken


def _close(connection: Connection, left: _Left) -> None:
    _put_off(connection, left.task_id, left.step_id, left.attempt.number, None)


def _put_off(connection: Connection, task_id: str, step_id: str, number: int, next_at: datetime | None) -> None:
    connection.execute(_PUT_OFF, {"of_task": task_id, "of_step": step_id, "of_number": number, "next_at": next_at})


_DUE: Final = (
    select(
        Attempt.task_id,
        Attempt.step_id,
        Attempt.number,
        Attempt.agent_id,
        Attempt.message_id,
        Attempt.remote_task_id,
        Attempt.remote_context_id,
        Attempt.ended_at,
    )
    .where(Attempt.stop_at <= bindparam("at"))
    .order_by(Attempt.stop_at)
    .limit(bindparam("at_most"))
)
_PUT_OFF: Final = (
    update(Attempt)
    .where(
        Attempt.task_id == bindparam("of_task"),
        Attempt.step_id == bindparam("of_step"),
        Attempt.number == bindparam("of_number"),
    )
    .values(stop_at=bindparam("next_at"))
)
