"""A task's log: every change as an event with a gap-free number, and everyone who follows it.

An event is written in the transaction of the change it tells of (`append`). Followers read the table; in the process
that wrote, events are handed over to them, in others a signal makes them read. All doors (server-sent events, A2A
streams, the command line) follow this one log.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Concatenate, Final, Literal, ParamSpec, TypeVar

from pydantic import JsonValue
from sqlalchemy import Connection, Select, Update, bindparam, column, func, insert, select, true, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import ClauseElement

from orchestrator_service.models import Event, Task
from orchestrator_service.signals import Signals
from shared.agent import JsonObject
from shared.db import Database, now, patience
from shared.prepared import prepared

P = ParamSpec("P")
T = TypeVar("T")

TerminalStatus = Literal["completed", "failed", "canceled"]

TERMINAL: Final = frozenset({"completed", "failed", "canceled"})
"""Task statuses that never change again."""

_LISTED: Final = frozenset({"task.status", "plan.created", "step.status", "input.required", "input.answered"})
"""Events after which a list of tasks looks different."""

_BATCH: Final = 100
_KEPT: Final = 64
_POLL_S: Final = 5.0
_POLL_ALONE_S: Final = 1.0


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


_told: ContextVar[list[Recorded] | None] = ContextVar("told events", default=None)
"""What the transaction that runs now has added to logs."""


def draft(type_: str, **data: JsonValue) -> Draft:
    """Return an event; fields that are None are left out."""
    return Draft(type_, {key: value for key, value in data.items() if value is not None})


def append(connection: Connection, task_id: str, drafts: Sequence[Draft], **changes: object) -> None:
    """Write events with the next numbers, and change columns of the task's row in the same statement.

    The row's lock makes the numbers gap-free.
    """
    if not drafts and not changes:
        return
    values: dict[str, object] = {"of_task": task_id, "added": len(drafts)}
    if any(isinstance(value, ClauseElement) for value in changes.values()):
        last = connection.execute(_count().values(**changes).execution_options(prepared=False), values).scalar_one()
    else:
        values |= {f"new_{name}": value for name, value in changes.items()}
        if drafts and connection.dialect.name != "sqlite":
            at = now()
            values |= {"events": [{"type": event.type, "data": event.data} for event in drafts], "written_at": at}
            last = connection.execute(_count_and_write(*changes), values).scalar_one()
            _tell(_record(task_id, drafts, last - len(drafts) + 1, at))
            return
        last = connection.execute(_count(*changes), values).scalar_one()
    if drafts:
        write(connection, task_id, drafts, last - len(drafts) + 1)


def write(connection: Connection, task_id: str, drafts: Sequence[Draft], first: int) -> None:
    """Write events with numbers from `first`, for one who has counted them in the task's row."""
    at = now()
    recorded = _record(task_id, drafts, first, at)
    rows = [
        {"task_id": task_id, "seq": event.seq, "type": event.type, "data": event.data, "at": at} for event in recorded
    ]
    connection.execute(_INSERT, rows if len(rows) > 1 else rows[0])
    _tell(recorded)


def read(connection: Connection, task_id: str, after: int = 0, limit: int = _BATCH) -> list[Recorded]:
    """Return the events with numbers above `after`, in order."""
    rows = connection.execute(_READ, {"of_task": task_id, "after": after, "at_most": limit})
    return [Recorded(*row) for row in rows]


# Statements are built once: building one costs more than SQLite takes to run it.
@cache
def _count(*columns: str) -> Update:
    """Return the statement that counts events and sets these columns to `new_COLUMN`."""
    changes = {name: bindparam(f"new_{name}", type_=getattr(Task, name).type) for name in columns}
    return prepared(
        update(Task)
        .where(Task.id == bindparam("of_task"))
        .values(last_seq=Task.last_seq + bindparam("added"), **changes)
        .returning(Task.last_seq)
    )


@cache
def _count_and_write(*columns: str) -> Select[int]:
    """Return the statement that does all of `append` on PostgreSQL: one way to the server and back."""
    counted = _count(*columns).cte("counted")
    given = (
        func.jsonb_array_elements(bindparam("events", type_=JSONB))
        .table_valued(column("value", JSONB), with_ordinality="place")
        .render_derived()
    )
    rows = select(
        bindparam("of_task", type_=Event.task_id.type),
        counted.c.last_seq - bindparam("added") + given.c.place,
        given.c.value["type"].astext,
        given.c.value["data"],
        bindparam("written_at", type_=Event.at.type),
    ).select_from(counted.join(given, true()))
    written = insert(Event).from_select(["task_id", "seq", "type", "data", "at"], rows).cte("written")
    return prepared(select(counted.c.last_seq).add_cte(written))


_INSERT: Final = prepared(insert(Event))
_READ: Final = prepared(
    select(Event.task_id, Event.seq, Event.type, Event.data, Event.at)
    .where(Event.task_id == bindparam("of_task"), Event.seq > bindparam("after"))
    .order_by(Event.seq)
    .limit(bindparam("at_most"))
)


def _record(task_id: str, drafts: Sequence[Draft], first: int, at: datetime) -> list[Recorded]:
    return [Recorded(task_id, seq, event.type, event.data, at) for seq, event in enumerate(drafts, start=first)]


def _tell(recorded: Sequence[Recorded]) -> None:
    if (told := _told.get()) is not None:
        told.extend(recorded)


class _Feed:
    """The newest events of a task that is followed in this process, shared by all who follow it."""

    def __init__(self) -> None:
        self.followers = 0
        self.changed = asyncio.Event()
        self.is_stale = False
        """Whether there may be more in the table."""
        self.newest = 0
        self.polled = 0
        self.reading = asyncio.Lock()
        self._recent: deque[Recorded] = deque(maxlen=_KEPT)

    def publish(self, recorded: Sequence[Recorded]) -> None:
        """Add events, which may have come already or leave a gap, and wake the followers."""
        newest = self.newest
        for event in recorded:
            if event.seq > self.newest:
                if event.seq > self.newest + 1:
                    self._recent.clear()
                self._recent.append(event)
                self.newest = event.seq
        if self.newest > newest:
            self._wake()

    def go_stale(self) -> None:
        """Make the followers read the table."""
        self.is_stale = True
        self._wake()

    def after(self, seq: int) -> list[Recorded] | None:
        """Return what follows `seq`, as far as it is here; None if there is more, but only in the table."""
        if not self._recent or self._recent[-1].seq <= seq:
            return None if self.is_stale else []
        skip = seq + 1 - self._recent[0].seq
        return None if skip < 0 else list(islice(self._recent, skip, None))

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class EventLog:
    """Writes changes of tasks and tells those who follow them, here and, by signals, in other processes.

    Followers of a task share what is read and handed over; one who is slow keeps nothing and reads the table later.
    """

    def __init__(self, database: Database, signals: Signals | None = None) -> None:
        self.database = database
        self._signals = signals
        self._feeds: dict[str, _Feed] = {}
        self._watchers: set[asyncio.Event] = set()
        self._poll_s = _POLL_ALONE_S if signals is None and not database.is_sqlite else _POLL_S
        self._polling: asyncio.Task[None] | None = None
        self._hearing = ExitStack()

    async def write(
        self, task_id: str, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work(connection, ...)` in a transaction, as `Database.write`, then tell the followers of the tasks.

        `task_id` is the task that it is about. A commit whose answer was lost is known by its events: it is not done
        again.
        """
        del task_id
        before: tuple[T, list[Recorded]] | None = None

        def overheard(connection: Connection) -> tuple[T, list[Recorded]]:
            nonlocal before
            if before is not None and _is_stored(connection, before[1][-1]):
                return before
            told: list[Recorded] = []
            token = _told.set(told)
            try:
                result = work(connection, *args, **kwargs), told
            finally:
                _told.reset(token)
            before = result if told else None
            return result

        result, told = await self.database.write(overheard)
        if self._watchers and any(event.type in _LISTED for event in told):
            self._wake_watchers()
        for about in dict.fromkeys(event.task_id for event in told):
            if (feed := self._feeds.get(about)) is not None:
                feed.publish([event for event in told if event.task_id == about])
            if self._signals is not None:
                self._signals.tell("events", about)
        return result

    async def last_seq(self, task_id: str) -> int:
        """Return the number of the task's newest event."""
        return await self.database.read(_last_seq, task_id)

    async def follow(self, task_id: str, after: int = 0) -> AsyncGenerator[Recorded]:
        """Yield every event above `after`, then each new one as it comes; end after the terminal one.

        While the database is in trouble it waits.
        """
        feed = self._join(task_id)
        try:
            batch, is_over = await self._begin(feed, task_id, after)
            while not is_over:
                for event in batch:
                    yield event
                    if event.is_last:
                        return
                    after = event.seq
                changed = feed.changed
                known = feed.after(after)
                batch = await self._read(feed, task_id, after) if known is None else known
                if not batch:
                    await changed.wait()
        finally:
            self._leave(task_id, feed)

    @contextmanager
    def watching(self) -> Generator[asyncio.Event]:
        """Yield what is set whenever any task may look different in a list. A hint: it says neither which nor how."""
        changed = asyncio.Event()
        self._watchers.add(changed)
        try:
            with ExitStack() as hearing:
                if self._signals is not None:
                    hearing.enter_context(
                        self._signals.hear("events", lambda _: changed.set(), changed.set, elsewhere=True)
                    )
                yield changed
        finally:
            self._watchers.discard(changed)

    def _wake_watchers(self) -> None:
        for changed in self._watchers:
            changed.set()

    async def _begin(self, feed: _Feed, task_id: str, after: int) -> tuple[list[Recorded], bool]:
        """Return the first events, and whether there are none and never will be."""
        with patience(None):
            batch, is_over = await self.database.read(_read_or_over, task_id, after)
            feed.publish(batch)
            feed.is_stale = feed.is_stale or len(batch) == _BATCH
            return batch, is_over

    async def _read(self, feed: _Feed, task_id: str, after: int) -> list[Recorded]:
        async with feed.reading:
            if (known := feed.after(after)) is not None:  # another follower has just read it
                return known
            feed.is_stale = False
            try:
                with patience(None):
                    batch = await self.database.read(read, task_id, after)
            except BaseException:
                feed.is_stale = True
                raise
            feed.is_stale = feed.is_stale or len(batch) == _BATCH
            feed.publish(batch)
            return batch

    def _join(self, task_id: str) -> _Feed:
        if self._polling is None:
            if self._signals is not None:
                self._hearing.enter_context(
                    self._signals.hear("events", self._heard, self._heard_nothing, elsewhere=True)
                )
            self._polling = asyncio.create_task(self._poll(), name="poll for events")
        feed = self._feeds.setdefault(task_id, _Feed())
        feed.followers += 1
        return feed

    def _leave(self, task_id: str, feed: _Feed) -> None:
        feed.followers -= 1
        if not feed.followers:
            del self._feeds[task_id]
        if not self._feeds and self._polling is not None:
            self._hearing.close()
            self._polling.cancel()
            self._polling = None

    def _heard(self, task_id: str) -> None:
        if (feed := self._feeds.get(task_id)) is not None:
            feed.go_stale()

    def _heard_nothing(self) -> None:
        for feed in self._feeds.values():
            feed.go_stale()

    async def _poll(self) -> None:
        """Look now and then whether the followed tasks have events that nobody told of."""
        while True:
            await asyncio.sleep(self._poll_s)
            with patience(None):
                rows = await self.database.read(_newest, list(self._feeds))
            for task_id, last_seq in rows:
                feed = self._feeds.get(task_id)
                if feed is not None and last_seq > max(feed.newest, feed.polled):
                    feed.polled = last_seq
                    feed.go_stale()


def _last_seq(connection: Connection, task_id: str) -> int:
    return connection.execute(select(Task.last_seq).where(Task.id == task_id)).scalar_one()


def _read_or_over(connection: Connection, task_id: str, after: int) -> tuple[list[Recorded], bool]:
    """Return the next events, and whether there are none and never will be, both of one state of the log."""
    batch = read(connection, task_id, after)
    return batch, not batch and connection.execute(_STATUS, {"of_task": task_id}).scalar_one_or_none() in TERMINAL


def _is_stored(connection: Connection, event: Recorded) -> bool:
    """Tell whether the event is in the log, and not another with its number; waits for whoever is writing it."""
    connection.execute(_LOCK, {"of_task": event.task_id})
    found = connection.execute(_READ, {"of_task": event.task_id, "after": event.seq - 1, "at_most": 1}).one_or_none()
    return found is not None and (found.seq, found.type, found.at) == (event.seq, event.type, event.at)


def _newest(connection: Connection, task_ids: Sequence[str]) -> list[tuple[str, int]]:
    return [
        (row.id, row.last_seq)
        for first in range(0, len(task_ids), _POLLED_TOGETHER)
        for row in connection.execute(_NEWEST, {"task_ids": task_ids[first : first + _POLLED_TOGETHER]})
    ]


_POLLED_TOGETHER: Final = 500
_LOCK: Final = prepared(select(Task.id).where(Task.id == bindparam("of_task")).with_for_update(key_share=True))
_STATUS: Final = prepared(select(Task.status).where(Task.id == bindparam("of_task")))
_NEWEST: Final = select(Task.id, Task.last_seq).where(Task.id.in_(bindparam("task_ids", expanding=True)))
