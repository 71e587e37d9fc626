"""A task's log: every change as an event with a gap-free number, and everyone who follows it.

An event is written in the transaction of the change it tells of (`append`); followers read the table and are woken in
the process that wrote. All doors (server-sent events, A2A streams, the command line) follow this one log.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Concatenate, Final, Literal, ParamSpec, TypeVar

from pydantic import JsonValue
from sqlalchemy import Connection, insert, select, update

from orchestrator_service.models import Event, Task
from shared.agent import JsonObject
from shared.db import Database, now

P = ParamSpec("P")
T = TypeVar("T")

TerminalStatus = Literal["completed", "failed", "canceled"]

TERMINAL: Final = frozenset({"completed", "failed", "canceled"})
"""Task statuses that never change again."""

_BATCH: Final = 500
_FALLBACK_POLL_S: Final = 1.0


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


def append(connection: Connection, task_id: str, drafts: Sequence[Draft]) -> None:
    """Write events with the next numbers. The task's row lock makes the numbers gap-free."""
    if not drafts:
        return
    last = connection.execute(
        update(Task).where(Task.id == task_id).values(last_seq=Task.last_seq + len(drafts)).returning(Task.last_seq)
    ).scalar_one()
    at = now()
    first = last - len(drafts) + 1
    connection.execute(
        insert(Event),
        [
            {"task_id": task_id, "seq": seq, "type": event.type, "data": event.data, "at": at}
            for seq, event in enumerate(drafts, start=first)
        ],
    )


def read(connection: Connection, task_id: str, after: int = 0, limit: int = _BATCH) -> list[Recorded]:
    """Return the events with numbers above `after`, in order."""
    rows = connection.execute(
        select(Event.task_id, Event.seq, Event.type, Event.data, Event.at)
        .where(Event.task_id == task_id, Event.seq > after)
        .order_by(Event.seq)
        .limit(limit)
    )
    return [Recorded(*row) for row in rows]


class EventLog:
    """Writes changes of tasks and wakes those who follow them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._waiting: dict[str, set[asyncio.Event]] = {}

    async def write(
        self, task_id: str, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work(connection, ...)` in a transaction, as `Database.write`, then wake the followers of the task."""
        result = await self.database.write(work, *args, **kwargs)
        for waiting in self._waiting.get(task_id, ()):
            waiting.set()
        return result

    async def last_seq(self, task_id: str) -> int:
        """Return the number of the task's newest event."""
        return await self.database.read(_last_seq, task_id)

    async def follow(self, task_id: str, after: int = 0) -> AsyncGenerator[Recorded]:
        """Yield every event above `after`, then each new one as it comes; end after the terminal one."""
        woken = asyncio.Event()
        self._waiting.setdefault(task_id, set()).add(woken)
        try:
            while True:
                woken.clear()
                batch = await self.database.read(read, task_id, after)
                for event in batch:
                    yield event
                    if event.is_last:
                        return
                    after = event.seq
                if len(batch) < _BATCH:
                    await _wait(woken, _FALLBACK_POLL_S)
        finally:
            self._waiting[task_id].discard(woken)
            if not self._waiting[task_id]:
                del self._waiting[task_id]


def _last_seq(connection: Connection, task_id: str) -> int:
    return connection.execute(select(Task.last_seq).where(Task.id == task_id)).scalar_one()


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
