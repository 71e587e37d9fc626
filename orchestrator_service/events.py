"""A task's log: every change as an event with a gap-free number, and everyone who follows it.

An event is written in the transaction of the change it tells of (`append`); followers read the table and are woken in
the process that wrote. All doors (server-sent events, A2A streams, the command line) follow this one log.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Concatenate, Final, Literal, ParamSpec, TypeVar

from pydantic import JsonValue
from sqlalchemy import Connection, bindparam, insert, select, update

from orchestrator_service.models import Event, Task
from shared.agent import JsonObject
from shared.db import Database, now

P = ParamSpec("P")
T = TypeVar("T")

TerminalStatus = Literal["completed", "failed", "canceled"]

TERMINAL: Final = frozenset({"completed", "failed", "canceled"})
"""Task statuses that never change again."""

_BATCH: Final = 500
_MAX_HANDED: Final = 1_000
_FALLBACK_POLL_S: Final = 1.0
_TOLD: Final = "told events"


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before it has its number: the type and the fields that `docs/api.md` gives for it."""

    type: str
    data: JsonObject


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event of the log."""

    task_id: str
    seq: int
    type: str
    data: JsonObject
    at: datetime

    def to_json(self) -> JsonObject:
        """Return the event's `data` as clients see it."""
        return {"type": self.type, "task_id": self.task_id, "seq": self.seq, "at": self.at.isoformat(), **self.data}

    @property
    def is_last(self) -> bool:
        """Whether the log ends here."""
        return self.type == "task.status" and self.data["status"] in TERMINAL


def draft(type_: str, **data: JsonValue) -> Draft:
    """Return an event; fields that are None are left out."""
    return Draft(type_, {key: value for key, value in data.items() if value is not None})


def append(connection: Connection, task_id: str, drafts: Sequence[Draft], **changes: object) -> None:
    """Write events with the next numbers, and change columns of the task's row in the same statement.

    The row's lock makes the numbers gap-free.
    """
    if not drafts and not changes:
        return
    counted = _COUNT.values(**changes) if changes else _COUNT
    last = connection.execute(counted, {"of_task": task_id, "added": len(drafts)}).scalar_one()
    if drafts:
        write(connection, task_id, drafts, last - len(drafts) + 1)


def write(connection: Connection, task_id: str, drafts: Sequence[Draft], first: int) -> None:
    """Write events with numbers from `first`, for one who has counted them in the task's row."""
    at = now()
    recorded = [Recorded(task_id, seq, event.type, event.data, at) for seq, event in enumerate(drafts, start=first)]
    connection.execute(
        _INSERT,
        [
            {"task_id": task_id, "seq": event.seq, "type": event.type, "data": event.data, "at": at}
            for event in recorded
        ],
    )
    if (told := connection.info.get(_TOLD)) is not None:
        told.extend(recorded)


def read(connection: Connection, task_id: str, after: int = 0, limit: int = _BATCH) -> list[Recorded]:
    """Return the events with numbers above `after`, in order."""
    rows = connection.execute(_READ, {"of_task": task_id, "after": after, "at_most": limit})
    return [Recorded(*row) for row in rows]


# Statements are built once: building one costs more than SQLite takes to run it.
_COUNT: Final = (
    update(Task)
    .where(Task.id == bindparam("of_task"))
    .values(last_seq=Task.last_seq + bindparam("added"))
    .returning(Task.last_seq)
)
_INSERT: Final = insert(Event)
_READ: Final = (
    select(Event.task_id, Event.seq, Event.type, Event.data, Event.at)
    .where(Event.task_id == bindparam("of_task"), Event.seq > bindparam("after"))
    .order_by(Event.seq)
    .limit(bindparam("at_most"))
)


class _Follower:
    """One who follows a task in this process: what was written is handed over, as long as there is room."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()
        self._handed: deque[Recorded] = deque(maxlen=_MAX_HANDED)

    def hand(self, recorded: Sequence[Recorded]) -> None:
        """Hand over new events; when there are too many, the oldest are dropped and read from the table later."""
        self._handed.extend(recorded)
        self.woken.set()

    def take(self, after: int) -> list[Recorded]:
        """Return the events that follow `after` without a gap, as far as they were handed over."""
        self.woken.clear()
        taken: list[Recorded] = []
        while self._handed:
            event = self._handed.popleft()
            if event.seq == after + 1:
                taken.append(event)
                after = event.seq
        return taken


class EventLog:
    """Writes changes of tasks and tells those who follow them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._followers: dict[str, set[_Follower]] = {}

    async def write(
        self, task_id: str, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work(connection, ...)` in a transaction, as `Database.write`, then tell the followers of the task."""

        def overheard(connection: Connection) -> tuple[T, list[Recorded]]:
            told: list[Recorded] = []
            connection.info[_TOLD] = told
            try:
                return work(connection, *args, **kwargs), told
            finally:
                del connection.info[_TOLD]

        result, told = await self.database.write(overheard)
        recorded = [event for event in told if event.task_id == task_id]
        for follower in self._followers.get(task_id, ()):
            follower.hand(recorded)
        return result

    async def last_seq(self, task_id: str) -> int:
        """Return the number of the task's newest event."""
        return await self.database.read(_last_seq, task_id)

    async def follow(self, task_id: str, after: int = 0) -> AsyncGenerator[Recorded]:
        """Yield every event above `after`, then each new one as it comes; end after the terminal one."""
        follower = _Follower()
        self._followers.setdefault(task_id, set()).add(follower)
        try:
            batch = await self.database.read(read, task_id, after)
            while True:
                for event in batch:
                    yield event
                    if event.is_last:
                        return
                    after = event.seq
                batch = await self._next_batch(follower, task_id, after, more=len(batch) == _BATCH)
        finally:
            self._followers[task_id].discard(follower)
            if not self._followers[task_id]:
                del self._followers[task_id]

    async def _next_batch(self, follower: _Follower, task_id: str, after: int, *, more: bool) -> list[Recorded]:
        """Return what was handed over; what was not (written elsewhere, or too much at once) is read."""
        if not more:
            with suppress(TimeoutError):
                async with asyncio.timeout(_FALLBACK_POLL_S):
                    await follower.woken.wait()
        return follower.take(after) or await self.database.read(read, task_id, after)


def _last_seq(connection: Connection, task_id: str) -> int:
    return connection.execute(select(Task.last_seq).where(Task.id == task_id)).scalar_one()
