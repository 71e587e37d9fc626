"""`Idempotency-Key`: a request that comes again is the same one, as long as its key is remembered.

Source: https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, bindparam, delete, select, tuple_

from orchestrator_service.models import IdempotencyKey, insert_or_skip
from shared.auth import Caller
from shared.db import now
from shared.errors import ConflictError


class IdempotencyConflictError(ConflictError):
    """The key was used with another request body within its life."""

    slug = "idempotency-key-reused"
    title = "The Idempotency-Key belongs to another request"


@dataclass(frozen=True, slots=True)
class Key:
    """The caller's key, and for how long it is remembered."""

    text: str
    life: timedelta


def claim(connection: Connection, caller: Caller, key: Key, task_id: str, body_sha256: str) -> str | None:
    """Take the key for the task, or return the id of the task that has it.

    `body_sha256` is a hash of what is asked for. Raises: IdempotencyConflictError.
    """
    mine = _is_key(caller, key.text)
    connection.execute(delete(IdempotencyKey).where(*mine, IdempotencyKey.created_at < now() - key.life))
    taken = connection.execute(
        insert_or_skip(connection, IdempotencyKey)
        .values(
            tenant_id=caller.tenant_id,
            caller=caller.name,
            key=key.text,
            body_sha256=body_sha256,
            task_id=task_id,
            created_at=now(),
        )
        .returning(IdempotencyKey.task_id)
    ).one_or_none()
    if taken is not None:
        return None
    row = connection.execute(select(IdempotencyKey.body_sha256, IdempotencyKey.task_id).where(*mine)).one()
    if row.body_sha256 != body_sha256:
        raise IdempotencyConflictError(
            f"The Idempotency-Key {key.text!r} came with another body before; use a new key for a new request."
        )
    return row.task_id


def was_made(connection: Connection, caller: Caller, key: Key) -> bool:
    """Tell whether the caller's key stands for a request that was made before."""
    known = (*_is_key(caller, key.text), IdempotencyKey.created_at >= now() - key.life)
    return connection.execute(select(IdempotencyKey.key).where(*known)).first() is not None


def forget_keys(connection: Connection, before: datetime, limit: int) -> None:
    """Delete keys that nobody has used since the time given, the oldest first."""
    connection.execute(_FORGET_KEYS, {"before": before, "at_most": limit})


def _is_key(caller: Caller, key: str) -> tuple[ColumnElement[bool], ...]:
    return (
        IdempotencyKey.tenant_id == caller.tenant_id,
        IdempotencyKey.caller == caller.name,
        IdempotencyKey.key == key,
    )


_of_key = (IdempotencyKey.tenant_id, IdempotencyKey.caller, IdempotencyKey.key)
_FORGET_KEYS: Final = delete(IdempotencyKey).where(
    tuple_(*_of_key).in_(
        select(*_of_key)
        .where(IdempotencyKey.created_at < bindparam("before"))
        .order_by(IdempotencyKey.created_at)
        .limit(bindparam("at_most"))
        .with_for_update(skip_locked=True)
    )
)
