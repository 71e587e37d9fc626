"""Routes of sessions and their messages."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field, JsonValue

from orchestrator_service import memory
from orchestrator_service.api.body import Body
from orchestrator_service.api.parts import Cursor, Limit, OpenParts, WhoAsks, page
from orchestrator_service.api.shapes import MessageAnswer, MessagesAnswer, SessionAnswer, SessionsAnswer

router = APIRouter(prefix="/api/sessions", tags=["sessions"])

_SessionCursor = Annotated[str | None, Query(max_length=256, description="`next_cursor` of the page before.")]
"""Another than `Cursor`: ids of sessions are any text, for clients of A2A choose theirs."""


class NewSession(Body):
    """A conversation to begin."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"user_id": "ada@example.org"}]})

    user_id: str | None = Field(default=None, max_length=200, description="Stored only as a keyed hash.")
    title: str = Field(default="", max_length=200)
    metadata: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])


class NewMessage(Body):
    """A turn to add to a conversation."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "user", "content": "Hello"}]})

    role: memory.Role
    content: str = Field(min_length=1, max_length=1_000_000)


@router.post("", status_code=201, summary="Begin a session")
async def create(parts: OpenParts, who: WhoAsks, body: NewSession | None = None) -> SessionAnswer:
    """Store a session; tasks that name it are planned with what was said in it."""
    new = body or NewSession()
    session_id = await parts.database.write(
        memory.create_session,
        who,
        user_id=None if new.user_id is None else parts.keys.hash_user(who.tenant_id, new.user_id),
        title=new.title,
        metadata=new.metadata,
    )
    return await parts.database.read(memory.find_session, who, session_id)


@router.get("", summary="Sessions, newest first")
async def search(parts: OpenParts, who: WhoAsks, limit: Limit = 50, cursor: _SessionCursor = None) -> SessionsAnswer:
    """Answer the caller's sessions."""
    return page(await parts.database.read(memory.list_sessions, who, cursor, limit), limit)


@router.get("/{session_id}", summary="A session")
async def find(session_id: str, parts: OpenParts, who: WhoAsks) -> SessionAnswer:
    """Answer the session."""
    return await parts.database.read(memory.find_session, who, session_id)


@router.delete("/{session_id}", status_code=204, summary="Forget a session and its messages")
async def delete(session_id: str, parts: OpenParts, who: WhoAsks) -> None:
    """Remove it; its tasks stay."""
    await parts.database.write(memory.delete_session, who, session_id)


@router.get("/{session_id}/messages", summary="What was said, oldest first")
async def list_messages(
    session_id: str,
    parts: OpenParts,
    who: WhoAsks,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> MessagesAnswer:
    """Answer the session's messages."""
    await parts.database.read(memory.find_session, who, session_id)
    return page(await parts.database.read(memory.list_messages, session_id, cursor, limit), limit)


@router.post("/{session_id}/messages", status_code=201, summary="Add a message")
async def add_message(session_id: str, body: NewMessage, parts: OpenParts, who: WhoAsks) -> MessageAnswer:
    """Store a message; no task is made of it."""
    await parts.database.read(memory.find_session, who, session_id)
    return await parts.database.write(memory.add_message, session_id, memory.NewMessage(body.role, body.content))
