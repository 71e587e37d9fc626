"""The events of tasks: every change with a gap-free number, written in the transaction of the change it tells of.

They are followed by `event_log`.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final, Literal

from pydantic import JsonValue
from sqlalchemy import Connection, Select, Update, bindparam, column, func, insert, select, true, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import ClauseElement

from orchestrator_service.models import Event, Task
from shared.agent import JsonObject
from shared.db import now
from shared.prepared import prepared

TerminalStatus = Literal["completed", "failed", "canceled"]

TERMINAL: Final = frozenset({"completed", "failed", "canceled"})
"""Task statuses that never change again."""

LISTED: Final = frozenset({"task.status", "plan.created", "step.status", "input.required", "input.answered"})
"""Events after which a list of tasks looks different."""

BATCH: Final = 100
"""How many events are read at a time."""


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


def read(connection: Connection, task_id: str, after: int = 0, limit: int = BATCH) -> list[Recorded]:
    """Return the events with numbers above `after`, in order."""
    rows = connection.execute(_READ, {"of_task": task_id, "after": after, "at_most": limit})
    return [Recorded(*row) for row in rows]


def last_seq(connection: Connection, task_id: str) -> int:
    """Return the number of the task's newest event."""
    return connection.execute(select(Task.last_seq).where(Task.id == task_id)).scalar_one()


def read_or_over(connection: Connection, task_id: str, after: int) -> tuple[list[Recorded], bool]:
    """Return the next events, and whether there are none and never will be, both of one state of the log."""
    batch = read(connection, task_id, after)
    return batch, not batch and connection.execute(_STATUS, {"of_task": task_id}).scalar_one_or_none() in TERMINAL


def is_stored(connection: Connection, event: Recorded) -> bool:
    """Tell whether the event is in the log, and not another with its number; waits for whoever is writing it."""
    connection.execute(_LOCK, {"of_task": event.task_id})
    found = connection.execute(_READ, {"of_task": event.task_id, "after": event.seq - 1, "at_most": 1}).one_or_none()
    return found is not None and (found.seq, found.type, found.at) == (event.seq, event.type, event.at)


def newest(connection: Connection, task_ids: Sequence[str]) -> list[tuple[str, int]]:
    """Return the tasks, each with the number of its newest event."""
    return [
        (row.id, row.last_seq)
        for first in range(0, len(task_ids), _POLLED_TOGETHER)
        for row in connection.execute(_NEWEST, {"task_ids": task_ids[first : first + _POLLED_TOGETHER]})
    ]


@contextmanager
def overheard() -> Generator[list[Recorded]]:
    """Yield a list of what is added to logs in here, in a transaction that is not committed yet."""
    told: list[Recorded] = []
    token = _told.set(told)
    try:
        yield told
    finally:
        _told.reset(token)


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


_POLLED_TOGETHER: Final = 500
_LOCK: Final = prepared(select(Task.id).where(Task.id == bindparam("of_task")).with_for_update(key_share=True))
_STATUS: Final = prepared(select(Task.status).where(Task.id == bindparam("of_task")))
_NEWEST: Final = select(Task.id, Task.last_seq).where(Task.id.in_(bindparam("task_ids", expanding=True)))
