"""Tells a task's `callback_url` what became of it: a webhook is planned in the commit of the change it tells of.

It is sent at least once, with the same id over all tries, signed as Standard Webhooks say, until the receiver takes it,
says that it wants no more (410), or a day has passed.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import httpx
import orjson
from pydantic import JsonValue
from sqlalchemy import Connection, CursorResult, String, bindparam, func, insert, select, update

from orchestrator_service.models import Delivery, PendingInput, Task
from shared import failpoints, http, webhooks
from shared.agent import JsonObject
from shared.background import background, foreseen
from shared.db import Database, DatabaseUnavailableError, new_id, now
from shared.errors import AddressRefusedError, FederationError, InvalidRequestError, UnavailableError
from shared.settings import FederationSettings

logger = logging.getLogger(__name__)

LEASE: Final = timedelta(seconds=20)
"""How long a claimed webhook is its sender's alone: a little longer than a try may take."""

_AT_ONCE: Final = 32
_AT_ONCE_PER_URL: Final = 8
_POLL_S: Final = 5.0
_MAX_TEXT_CHARS: Final = 4_000
_MAX_ARTIFACTS: Final = 100


async def check_callback(settings: FederationSettings, url: str) -> None:
    """Check that webhooks may be sent to `url`; each try checks it anew. Raises: InvalidRequestError."""
    try:
        await http.check_url(settings, url)
    except (AddressRefusedError, InvalidRequestError, UnavailableError) as error:
        fault: JsonValue = {"pointer": "#/callback_url", "detail": error.detail}
        raise InvalidRequestError(f"The callback_url cannot be used. {error.detail}", errors=[fault]) from error


def announce(connection: Connection, task_id: str, url: str) -> None:
    """Plan a webhook that says how the task stands now: `task.completed`, `task.input_required` and so on.

    Called in the transaction that brings the task to that status, after it was written. What can be long is cut or left
    out (the outputs of the steps): the webhook is there to say that it is time to read the task.
    """
    row = connection.execute(_TASK, {"of_task": task_id}).mappings().one()
    asked: list[JsonValue] = [
        {"input_id": asked.id, "step_id": asked.step_id, "kind": asked.kind, "prompt": asked.prompt[:_MAX_TEXT_CHARS]}
        for asked in connection.execute(_QUESTIONS, {"of_task": task_id})
        if row["status"] == "input_required"
    ]
    data: JsonObject = {
        "id": task_id,
        "session_id": row["session_id"],
        "description": row["description"][:_MAX_TEXT_CHARS],
        "status": row["status"],
        "error": row["error"],
        "result": _brief(row["result"]),
        "pending_inputs": asked,
        "usage": row["usage"],
        "metadata": row["request"].get("metadata", {}),
    }
    at: datetime = row["completed_at"] or now()
    plan(connection, task_id, url, {"type": f"task.{row['status']}", "timestamp": at.isoformat(), "data": data})


def plan(connection: Connection, task_id: str, url: str, payload: JsonObject) -> None:
    """Store a webhook to be sent as soon as this transaction is committed."""
    at = now()
    connection.execute(
        _INSERT,
        {
            "id": new_id(),
            "task_id": task_id,
            "url": url,
            "payload": payload,
            "state": "due",
            "attempts": 0,
            "next_at": at,
            "created_at": at,
        },
    )


class Deliveries:
    """Sends the webhooks that are due. Every process may have one; each webhook is claimed by one of them."""

    def __init__(self, database: Database, client: httpx.AsyncClient, secret: bytes) -> None:
        self._database = database
        self._client = client
        self._secret = secret
        self._woken = asyncio.Event()
        self._under_way: Counter[str] = Counter()

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Send until closed. What is under way then is sent again by the next process."""
        if self._database.is_sqlite:
            await self._database.write(_end_leases)
        async with background("delivery of webhooks", self._work()):
            yield

    def wake(self) -> None:
        """Look at once: one was planned."""
        self._woken.set()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as sending:
            while True:
                self._woken.clear()
                due, pause_s = await self._claim()
                for delivery in due:
                    self._under_way[delivery.url] += 1
                    sending.create_task(self._send(delivery))
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._woken.wait()

    async def _claim(self) -> tuple[list["_Due"], float]:
        """Return what is now this process's to send, and how long to wait before the next look, in seconds."""
        room = _AT_ONCE - self._under_way.total()
        if room == 0:
            return [], _POLL_S  # the end of a try wakes
        try:
            next_at = await self._database.read(_next_at)
            wait_s = _POLL_S if next_at is None else (next_at - now()).total_seconds()
            if wait_s > 0:
                return [], min(wait_s, _POLL_S)
            busy = [url for url, count in self._under_way.items() if count >= _AT_ONCE_PER_URL]
            due = await self._database.write(_claim, room, busy)
        except DatabaseUnavailableError:
            logger.warning("webhooks wait: the database is away")
            return [], _POLL_S
        return due, 0.0 if due else _POLL_S

    async def _send(self, delivery: "_Due") -> None:
        body = orjson.dumps(delivery.payload)
        headers = webhooks.sign(self._secret, delivery.id, now(), body)
        facts: dict[str, object] = {"webhook_id": delivery.id, "task_id": delivery.task_id, "try": delivery.attempts}
        try:
            try:
                with foreseen(f"webhook {delivery.id}"):
                    await webhooks.post(self._client, delivery.url, body, headers)
            except FederationError as error:
                if await self._database.write(_record_failure, delivery, error):
                    logger.warning("a webhook was given up", extra={**facts, "error": error.detail})
                else:
                    logger.info("a webhook was not taken", extra={**facts, "error": error.detail})
            else:
                failpoints.reach("webhook-sent")
                await self._database.write(_record_success, delivery)
                logger.info("a webhook was delivered", extra=facts)
        except DatabaseUnavailableError:
            logger.warning("what became of a webhook was not stored; it is sent again", extra=facts)
        finally:
            self._under_way[delivery.url] -= 1
            self._under_way += Counter()  # forget addresses with none under way
            self._woken.set()


@dataclass(frozen=True, slots=True)
class _Due:
    """A claimed webhook; `attempts` counts this try too."""

    id: str
    task_id: str
    url: str
    payload: JsonObject
    attempts: int
    created_at: datetime


def _claim(connection: Connection, room: int, busy: Sequence[str]) -> list[_Due]:
    """Take what is due, at most so many: each address in turn, and none of the busy ones."""
    at = now()
    rows = connection.execute(_DUE, {"at": at, "busy": busy, "room": room}).all()
    if not rows:
        return []
    connection.execute(_LEASE, {"ids": [row.id for row in rows], "until": at + LEASE})
    return [_Due(row.id, row.task_id, row.url, row.payload, row.attempts + 1, row.created_at) for row in rows]


def _next_at(connection: Connection) -> datetime | None:
    return connection.execute(_NEXT_AT).scalar_one()


def _record_success(connection: Connection, delivery: _Due) -> None:
    connection.execute(
        update(Delivery).where(Delivery.id == delivery.id).values(state="delivered", ended_at=now(), last_error=None)
    )


def _record_failure(connection: Connection, delivery: _Due, error: FederationError) -> bool:
    """Note the failure; True if there will be no other try. Who claimed it meanwhile, if anyone, decides instead."""
    at = now()
    next_at = at + timedelta(seconds=webhooks.pause_s(delivery.attempts))
    is_over = bool(error.facts.get("gone")) or next_at > delivery.created_at + webhooks.GIVE_UP_AFTER
    changes = {"state": "given_up", "ended_at": at} if is_over else {"next_at": next_at}
    written: CursorResult[tuple[()]] = connection.execute(
        update(Delivery)
        .where(Delivery.id == delivery.id, Delivery.state == "due", Delivery.attempts == delivery.attempts)
        .values(last_error=error.detail, **changes)
    )
    return is_over and written.rowcount == 1


def _end_leases(connection: Connection) -> None:
    """Make due what a process that is gone had claimed. On SQLite there is only one process, and it has just begun."""
    at = now()
    soon = Delivery.next_at.between(at, at + LEASE)
    connection.execute(update(Delivery).where(Delivery.state == "due", soon).values(next_at=at))


def _brief(result: JsonObject | None) -> JsonObject | None:
    """Return a result without the outputs of the steps."""
    if result is None:
        return None
    artifacts = result.get("artifacts")
    return {
        "summary": str(result.get("summary") or "")[:_MAX_TEXT_CHARS],
        "artifacts": artifacts[:_MAX_ARTIFACTS] if isinstance(artifacts, list) else [],
    }


_TASK: Final = select(
    Task.session_id,
    Task.description,
    Task.request,
    Task.status,
    Task.result,
    Task.error,
    Task.usage,
    Task.completed_at,
).where(Task.id == bindparam("of_task"))
_QUESTIONS: Final = (
    select(PendingInput.id, PendingInput.step_id, PendingInput.kind, PendingInput.prompt)
    .where(PendingInput.task_id == bindparam("of_task"), PendingInput.answered_at.is_(None))
    .order_by(PendingInput.id)
)
_INSERT: Final = insert(Delivery)
_NEXT_AT: Final = select(func.min(Delivery.next_at)).where(Delivery.state == "due")
_IS_DUE: Final = (Delivery.state == "due") & (Delivery.next_at <= bindparam("at"))
_PLACES: Final = (
    select(
        Delivery.id,
        func.row_number().over(partition_by=Delivery.url, order_by=(Delivery.next_at, Delivery.id)).label("place"),
    )
    .where(_IS_DUE, Delivery.url.not_in(bindparam("busy", type_=String(), expanding=True)))
    .subquery()
)
_DUE: Final = (
    select(Delivery.id, Delivery.task_id, Delivery.url, Delivery.payload, Delivery.attempts, Delivery.created_at)
    .where(_IS_DUE, Delivery.id.in_(select(_PLACES.c.id).where(_PLACES.c.place <= _AT_ONCE_PER_URL)))
    .order_by(Delivery.next_at, Delivery.id)
    .limit(bindparam("room"))
    .with_for_update(skip_locked=True)
)
_LEASE: Final = (
    update(Delivery)
    .where(Delivery.id.in_(bindparam("ids", type_=String(), expanding=True)))
    .values(next_at=bindparam("until"), attempts=Delivery.attempts + 1)
)
