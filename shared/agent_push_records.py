"""Who wants to be told of a task, and which of its events are still to be told: the rows of push notifications.

Functions take a connection and run in one transaction (`shared.db.Database`). Whose task it is was checked before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from a2a.types import InvalidParamsError
from sqlalchemy import Connection, Integer, bindparam, delete, exists, func, insert, select, update

from shared import webhooks
from shared.agent_tables import EVENTS, NOTIFICATIONS, PUSH_CONFIGS, TASKS
from shared.db import new_id, now
from shared.errors import FederationError
from shared.settings import ServiceName

LEASE: Final = timedelta(seconds=20)
"""How long a claimed notification is its sender's alone: a little longer than a try may take."""

_MAX_CONFIGS: Final = 16


@dataclass(frozen=True, slots=True)
class SealedConfig:
    """A push config as it is stored: its content is encrypted. Without an id it gets that of its task."""

    id: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Due:
    """A notification that was claimed; `attempts` counts this try too. `event` is A2A's stream response, in bytes."""

    id: str
    task_id: str
    event: bytes
    config: SealedConfig
    attempts: int
    created_at: datetime


def save(connection: Connection, task_id: str, config: SealedConfig) -> str:
    """Store a task's config and return its id; one with the same id is replaced. Raises: InvalidParamsError."""
    config_id = config.id or task_id
    own = (PUSH_CONFIGS.c.task_id == task_id, PUSH_CONFIGS.c.id == config_id)
    connection.execute(update(TASKS).where(TASKS.c.id == task_id).values(is_pushed=True))
    if connection.execute(update(PUSH_CONFIGS).where(*own).values(sealed=config.content)).rowcount:
        return config_id
    known = select(func.count()).select_from(PUSH_CONFIGS).where(PUSH_CONFIGS.c.task_id == task_id)
    if connection.execute(known).scalar_one() >= _MAX_CONFIGS:
        raise InvalidParamsError(f"A task has at most {_MAX_CONFIGS} push notification configs; delete one first.")
    connection.execute(
        insert(PUSH_CONFIGS).values(task_id=task_id, id=config_id, sealed=config.content, created_at=now())
    )
    return config_id


def find_all(connection: Connection, task_id: str) -> list[SealedConfig]:
    """Return a task's configs, oldest first."""
    wanted = select(PUSH_CONFIGS.c.id, PUSH_CONFIGS.c.sealed).where(PUSH_CONFIGS.c.task_id == task_id)
    rows = connection.execute(wanted.order_by(PUSH_CONFIGS.c.created_at, PUSH_CONFIGS.c.id))
    return [SealedConfig(row.id, row.sealed) for row in rows]


def remove(connection: Connection, task_id: str, config_id: str) -> bool:
    """Delete a config, and with it what was still to be told; returns whether it was there."""
    own = (PUSH_CONFIGS.c.task_id == task_id, PUSH_CONFIGS.c.id == config_id)
    return connection.execute(delete(PUSH_CONFIGS).where(*own)).rowcount > 0


def plan(connection: Connection, task_id: str, seqs: Sequence[int]) -> None:
    """Note that these events are to be told to each of the task's configs, from the commit of this transaction on."""
    configs = connection.execute(_CONFIGS, {"of_task": task_id}).all()
    at = now()
    rows: list[dict[str, object]] = [
        {
            "id": new_id(),
            "service": config.service,
            "task_id": task_id,
            "config_id": config.id,
            "seq": seq,
            "attempts": 0,
            "next_at": at,
            "created_at": at,
        }
        for config in configs
        for seq in seqs
    ]
    if rows:
        connection.execute(insert(NOTIFICATIONS), rows)


def find_next_at(connection: Connection, service: ServiceName) -> datetime | None:
    """Return when the next notification is due; None if there is none."""
    return connection.execute(_NEXT_AT, {"of_service": service}).scalar_one()


def claim(connection: Connection, service: ServiceName, room: int) -> list[Due]:
    """Take what is due, at most so many: of each config only its oldest, so that events are told in order."""
    at = now()
    ids = connection.execute(_FIRST_DUE, {"of_service": service, "at": at, "room": room}).scalars().all()
    if not ids:
        return []
    connection.execute(
        update(NOTIFICATIONS)
        .where(NOTIFICATIONS.c.id.in_(ids))
        .values(next_at=at + LEASE, attempts=NOTIFICATIONS.c.attempts + 1)
    )
    columns = (NOTIFICATIONS.c[name] for name in ("id", "task_id", "config_id", "attempts", "created_at"))
    rows = connection.execute(
        select(*columns, EVENTS.c.event, PUSH_CONFIGS.c.sealed)
        .join(EVENTS, (EVENTS.c.task_id == NOTIFICATIONS.c.task_id) & (EVENTS.c.seq == NOTIFICATIONS.c.seq))
        .join(
            PUSH_CONFIGS,
            (PUSH_CONFIGS.c.task_id == NOTIFICATIONS.c.task_id) & (PUSH_CONFIGS.c.id == NOTIFICATIONS.c.config_id),
        )
        .where(NOTIFICATIONS.c.id.in_(ids))
    )
    return [
        Due(row.id, row.task_id, row.event, SealedConfig(row.config_id, row.sealed), row.attempts, row.created_at)
        for row in rows
    ]


def record_delivery(connection: Connection, due: Due) -> None:
    """Note that a notification has arrived."""
    connection.execute(delete(NOTIFICATIONS).where(NOTIFICATIONS.c.id == due.id))


def record_failure(connection: Connection, due: Due, error: FederationError) -> bool:
    """Note why a try failed; True if there will be no other. A receiver that is gone is told nothing any more."""
    if error.facts.get("gone"):
        return remove(connection, due.task_id, due.config.id)
    own = (NOTIFICATIONS.c.id == due.id, NOTIFICATIONS.c.attempts == due.attempts)  # else another has claimed it
    next_at = now() + timedelta(seconds=webhooks.pause_s(due.attempts))
    if next_at > due.created_at + webhooks.GIVE_UP_AFTER:
        return connection.execute(delete(NOTIFICATIONS).where(*own)).rowcount > 0
    connection.execute(update(NOTIFICATIONS).where(*own).values(next_at=next_at, last_error=error.detail))
    return False


def end_leases(connection: Connection, service: ServiceName) -> None:
    """Make due what a process that is gone had claimed. On SQLite there is only one process, and it has just begun."""
    at = now()
    leased = NOTIFICATIONS.c.next_at.between(at, at + LEASE)
    connection.execute(update(NOTIFICATIONS).where(NOTIFICATIONS.c.service == service, leased).values(next_at=at))


_CONFIGS: Final = (
    select(PUSH_CONFIGS.c.id, TASKS.c.service)
    .join(TASKS, TASKS.c.id == PUSH_CONFIGS.c.task_id)
    .where(PUSH_CONFIGS.c.task_id == bindparam("of_task"))
)
_EARLIER: Final = NOTIFICATIONS.alias("earlier")
_IS_FIRST: Final = ~exists().where(
    _EARLIER.c.task_id == NOTIFICATIONS.c.task_id,
    _EARLIER.c.config_id == NOTIFICATIONS.c.config_id,
    _EARLIER.c.seq < NOTIFICATIONS.c.seq,
)
_NEXT_AT: Final = select(func.min(NOTIFICATIONS.c.next_at)).where(
    NOTIFICATIONS.c.service == bindparam("of_service"), _IS_FIRST
)
_FIRST_DUE: Final = (
    select(NOTIFICATIONS.c.id)
    .where(NOTIFICATIONS.c.service == bindparam("of_service"), NOTIFICATIONS.c.next_at <= bindparam("at"), _IS_FIRST)
    .order_by(NOTIFICATIONS.c.next_at)
    .limit(bindparam("room", type_=Integer))
    .with_for_update(of=NOTIFICATIONS, skip_locked=True)
)
