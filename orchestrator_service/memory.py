"""Sessions and their messages: what was said before, so that a later task can be planned knowing it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import ColumnElement, Connection, CursorResult, RowMapping, delete, insert, select, update

from orchestrator_service.models import Message, Session, insert_or_skip
from shared.agent import JsonObject
from shared.auth import Caller
from shared.db import new_id, now
from shared.errors import InvalidRequestError, NotFoundError

Role = Literal["user", "assistant", "system", "agent"]

_TITLE_CHARS = 80


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message before it is stored."""

    role: Role
    content: str
    task_id: str | None = None


def create_session(
    connection: Connection,
    caller: Caller,
    *,
    user_id: str | None = None,
    title: str = "",
    metadata: JsonObject | None = None,
) -> str:
    """Store a session and return its id. `user_id` is already hashed."""
    at = now()
    session_id = new_id()
    connection.execute(
        insert(Session).values(
            id=session_id,
            tenant_id=caller.tenant_id,
            user_id=user_id,
            title=title[:_TITLE_CHARS],
            meta=metadata or {},
            created_at=at,
            updated_at=at,
        )
    )
    return session_id


def ensure_session(connection: Connection, caller: Caller, session_id: str) -> None:
    """Store a session with this id, unless the caller has it already. Raises: NotFoundError if it is another's."""
    at = now()
    values: dict[str, object] = {"title": "", "meta": {}, "created_at": at, "updated_at": at}
    connection.execute(insert_or_skip(connection, Session).values(id=session_id, tenant_id=caller.tenant_id, **values))
    find_session(connection, caller, session_id)


def find_session(connection: Connection, caller: Caller, session_id: str) -> JsonObject:
    """Return the session as the API shows it. Raises: NotFoundError."""
    row = connection.execute(_sessions.where(_visible_to(caller), Session.id == session_id)).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"There is no session {session_id!r}.")
    return _to_json(row)


def list_sessions(connection: Connection, caller: Caller, before: str | None, limit: int) -> list[JsonObject]:
    """Return sessions, newest first, from below the one with the id `before`. Raises: InvalidRequestError.

    Ids do not say how old they are: clients of A2A choose theirs.
    """
    query = _sessions.where(_visible_to(caller)).order_by(Session.created_at.desc(), Session.id.desc()).limit(limit)
    if before is not None:
        began = connection.execute(_BEGAN.where(_visible_to(caller), Session.id == before)).scalar_one_or_none()
        if began is None:
            raise InvalidRequestError(f"There is no session {before!r} (cursor); begin with the first page again.")
        older = (Session.created_at == began) & (Session.id < before)
        query = query.where((Session.created_at < began) | older)
    return [_to_json(row) for row in connection.execute(query).mappings()]


def delete_session(connection: Connection, caller: Caller, session_id: str) -> None:
    """Remove the session and its messages. Raises: NotFoundError."""
    find_session(connection, caller, session_id)
    connection.execute(delete(Session).where(Session.id == session_id))


def add_message(connection: Connection, session_id: str, message: NewMessage) -> JsonObject:
    """Store a message; the first one of a user gives the session its title. Raises: NotFoundError (session)."""
    at = now()
    stored: JsonObject = {
        "id": new_id(),
        "role": message.role,
        "content": message.content,
        "task_id": message.task_id,
    }
    touched: CursorResult[tuple[()]] = connection.execute(
        update(Session).where(Session.id == session_id).values(updated_at=at)
    )
    if touched.rowcount == 0:  # else nobody can delete it before this transaction is over
        raise NotFoundError(f"There is no session {session_id!r}.")
    connection.execute(insert(Message).values(session_id=session_id, created_at=at, **stored))
    if message.role == "user":
        title = " ".join(message.content.split())[:_TITLE_CHARS]
        connection.execute(update(Session).where(Session.id == session_id, Session.title == "").values(title=title))
    return {**stored, "created_at": at.isoformat()}


def list_messages(connection: Connection, session_id: str, after: str | None, limit: int) -> list[JsonObject]:
    """Return a session's messages, oldest first, from above the id `after`."""
    query = _messages.where(Message.session_id == session_id).order_by(Message.id).limit(limit)
    if after is not None:
        query = query.where(Message.id > after)
    return [{**row, "created_at": _iso(row["created_at"])} for row in connection.execute(query).mappings()]


def recent_turns(connection: Connection, session_id: str, before_task: str, limit: int) -> list[tuple[str, str]]:
    """Return the last `limit` turns, oldest first, as (role, text), without those of the task itself."""
    query = (
        select(Message.role, Message.content)
        .where(Message.session_id == session_id, Message.task_id.is_distinct_from(before_task))
        .order_by(Message.id.desc())
        .limit(limit)
    )
    return [(row.role, row.content) for row in reversed(connection.execute(query).all())]


_messages = select(Message.id, Message.role, Message.content, Message.task_id, Message.created_at)
_BEGAN: Final = select(Session.created_at)
_sessions = select(Session.id, Session.user_id, Session.title, Session.meta, Session.created_at, Session.updated_at)


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    return Session.tenant_id == caller.tenant_id


def _to_json(row: RowMapping) -> JsonObject:
    return {
        "id": row["id"],
        "user_id": row["user_id"],
        "title": row["title"],
        "metadata": row["metadata"],
        "created_at": _iso(row["created_at"]),
        "updated_at": _iso(row["updated_at"]),
    }


def _iso(at: datetime) -> str:
    return at.isoformat()
