"""Routes of browser sessions: what the browser service shows of its sessions, for those whose tasks they work for.

A session is the caller's when it works for a task of the caller's; any other is not there for the caller.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Annotated, Final, TypeVar
from urllib.parse import quote

import httpx
from fastapi import APIRouter, Header, Path, Query, WebSocket, WebSocketDisconnect
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, String, bindparam, select

from orchestrator_service.api.parts import OpenParts, Parts, WhoAsks
from orchestrator_service.api.shapes import Page
from orchestrator_service.models import Attempt, Task
from orchestrator_service.tasks import visible_to
from shared import http, sockets
from shared.auth import Caller
from shared.browser_sessions import Control, SessionInfo
from shared.errors import FederationError, NotFoundError, UnavailableError

M = TypeVar("M", bound=BaseModel)

router = APIRouter(prefix="/api/browser", tags=["browser"])

_OK, _NO_CONTENT, _REFUSED, _NOT_FOUND = 200, 204, 400, 404
_TRACE: Final = re.compile(r"(https?://[^/?#\\]+)?/api/browser/sessions/[\w-]+/trace", re.ASCII)
_MAX_LIST_BYTES: Final = 8_000_000
_MAX_FILE_BYTES: Final = 2_000_000_000
_PASSED_ON: Final = (
    "content-type",
    "content-length",
    "content-disposition",
    "content-security-policy",
    "cross-origin-opener-policy",
    "cache-control",
    "retry-after",
)


class BrowserSession(SessionInfo):
    """A browser session, with the caller's task and step that it works for."""

    task_id: str
    step_id: str


class _Sessions(BaseModel):
    items: list[SessionInfo]


SessionId = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9-]+$")]


@router.get("/sessions", summary="Browser sessions of the caller's tasks, newest first")
async def search(
    parts: OpenParts, who: WhoAsks, task_id: Annotated[str | None, Query(max_length=200)] = None
) -> Page[BrowserSession]:
    """Answer the open sessions and those that are kept; with `task_id`, only those that work for that task."""
    found = await _ask(parts, _Sessions, "/v1/sessions")
    mine = await _with_tasks(parts, who, found.items)
    return Page(items=[item for item in mine if task_id is None or item.task_id == task_id], next_cursor=None)


@router.get("/sessions/{session_id}", summary="A browser session with its steps")
async def find(session_id: SessionId, parts: OpenParts, who: WhoAsks) -> BrowserSession:
    """Answer the session."""
    return await _require(parts, who, session_id)


@router.delete("/sessions/{session_id}", status_code=204, summary="Forget what is kept of a session that is over")
async def delete(session_id: SessionId, parts: OpenParts, who: WhoAsks) -> Response:
    """Remove its recording, trace and thumbnails; 409 while it is open."""
    await _require(parts, who, session_id)
    return await _forward(parts, "DELETE", f"/v1/sessions/{session_id}")


@router.get("/sessions/{session_id}/thumbnails/{number}", summary="What the page looked like after a step")
async def thumbnail(
    session_id: SessionId, number: Annotated[int, Path(ge=1, le=10_000)], parts: OpenParts, who: WhoAsks
) -> Response:
    """Answer a small picture (WebP)."""
    await _require(parts, who, session_id)
    return await _forward(parts, "GET", f"/v1/sessions/{session_id}/thumbnails/{number}")


@router.get("/sessions/{session_id}/recording", summary="The film of a session that is over")
async def recording(session_id: SessionId, parts: OpenParts, who: WhoAsks) -> Response:
    """Answer the film: WebM, or animated WebP."""
    await _require(parts, who, session_id)
    return await _forward(parts, "GET", f"/v1/sessions/{session_id}/recording")


@router.get("/sessions/{session_id}/trace", summary="Playwright's trace of a session that is over")
async def trace(session_id: SessionId, parts: OpenParts, who: WhoAsks) -> Response:
    """Answer the trace, a ZIP archive for the trace viewer."""
    await _require(parts, who, session_id)
    return await _forward(parts, "GET", f"/v1/sessions/{session_id}/trace")


@router.get("/sessions/{session_id}/view", summary="A page that shows a session live")
async def view(session_id: SessionId, parts: OpenParts, who: WhoAsks) -> Response:
    """Answer the page; it loads nothing from elsewhere."""
    await _require(parts, who, session_id)
    return await _forward(parts, "GET", f"/v1/sessions/{session_id}/view")


@router.post("/sessions/{session_id}/control", summary="Take a session over", response_model=Control)
async def take_over(session_id: SessionId, parts: OpenParts, who: WhoAsks) -> Response:
    """Hold the session's task and answer the token that mouse and keys are accepted with; 409 if someone has it."""
    await _require(parts, who, session_id)
    return await _forward(parts, "POST", f"/v1/sessions/{session_id}/control")


@router.delete("/sessions/{session_id}/control", status_code=204, summary="Hand a session back")
async def hand_back(
    session_id: SessionId,
    parts: OpenParts,
    who: WhoAsks,
    x_control_token: Annotated[str, Header(max_length=200, description="What taking over answered.")],
) -> Response:
    """Let the session's task go on."""
    await _require(parts, who, session_id)
    headers = {"X-Control-Token": x_control_token}
    return await _forward(parts, "DELETE", f"/v1/sessions/{session_id}/control", headers)


@router.websocket("/sessions/{session_id}/live")
async def live(socket: WebSocket, session_id: SessionId, parts: OpenParts, who: WhoAsks) -> None:
    """Show the session as it goes on: frames (binary, JPEG), and what is known of it (text, JSON)."""
    await socket.accept()
    try:
        await _require(parts, who, session_id)
        address = f"{parts.settings.url_of('browser')}/v1/sessions/{session_id}/live"
        async with sockets.open_socket(parts.client, address) as inner:
            await _join(socket, inner)
    except FederationError as error:
        await socket.close(1008 if isinstance(error, NotFoundError) else 1013, error.detail[:120])


@router.get("/trace-viewer/{path:path}", summary="Playwright's trace viewer")
async def trace_viewer(
    path: Annotated[str, Path(max_length=300)],
    parts: OpenParts,
    trace: Annotated[list[str] | None, Query(max_length=10, description="Address of a session's trace.")] = None,
) -> Response:
    """Answer a file of the viewer: `index.html?trace=ADDRESS` shows the trace of a session, and nothing else."""
    if ".." in path.split("/"):  # it would lead to what is not the caller's
        raise NotFoundError(f"The trace viewer has no {path[:100]!r}.")
    if not all(_TRACE.fullmatch(address) for address in trace or ()):  # such as a file that an agent made up
        raise NotFoundError("The trace viewer shows traces of browser sessions only.")
    return await _forward(parts, "GET", f"/v1/trace-viewer/{quote(path)}")


async def _join(socket: WebSocket, inner: sockets.Socket) -> None:
    """Carry messages both ways until one side has gone."""

    async def bring() -> None:
        while (message := await inner.receive()) is not None:
            if isinstance(message, str):
                await socket.send_text(message)
            else:
                await socket.send_bytes(message)

    async def send() -> None:
        while True:
            await inner.send(await sockets.hear(socket))

    tasks = [asyncio.create_task(bring()), asyncio.create_task(send())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await task
    with suppress(RuntimeError, WebSocketDisconnect):  # it may be the watcher who has gone
        await socket.close(inner.close_code)


async def _require(parts: Parts, who: Caller, session_id: str) -> BrowserSession:
    """Return the session. Raises: NotFoundError unless it is there and the caller's."""
    found = await _ask(parts, SessionInfo, f"/v1/sessions/{session_id}", session_id)
    mine = await _with_tasks(parts, who, [found])
    if not mine:
        raise NotFoundError(f"There is no browser session {session_id!r}.")
    return mine[0]


async def _with_tasks(parts: Parts, who: Caller, sessions: Sequence[SessionInfo]) -> list[BrowserSession]:
    """Return those that work for tasks of the caller, each with its task and step."""
    owners = await parts.database.read(_owners, who, [session.remote_task_id for session in sessions])
    return [
        BrowserSession(**dict(session), task_id=owner[0], step_id=owner[1])
        for session in sessions
        if (owner := owners.get(session.remote_task_id)) is not None
    ]


async def _ask(parts: Parts, answer: type[M], path: str, session_id: str = "") -> M:
    url = f"{parts.settings.url_of('browser')}{path}"
    timeout_s = parts.settings.first_byte_timeout_s
    fetched = await http.fetch(parts.client, url, timeout_s=timeout_s, max_bytes=_MAX_LIST_BYTES, max_redirects=0)
    if fetched.status == _NOT_FOUND:
        raise NotFoundError(f"There is no browser session {session_id!r}.")
    if fetched.status != _OK:
        raise UnavailableError(f"The browser service answered {fetched.status}; try again in a moment.")
    try:
        return answer.model_validate_json(fetched.content)
    except ValidationError as error:
        raise UnavailableError("The browser service answered something else than sessions.") from error


async def _forward(parts: Parts, method: str, path: str, headers: dict[str, str] | None = None) -> Response:
    """Answer what the browser service answers, piece by piece as it comes."""
    url = f"{parts.settings.url_of('browser')}{path}"
    async with AsyncExitStack() as stack:
        request = parts.client.stream(method, url, headers=headers, extensions={http.MAX_BYTES: _MAX_FILE_BYTES})
        try:
            answer = await stack.enter_async_context(request)
        except httpx.HTTPError as error:
            raise http.translate(error, httpx.URL(url)) from error
        passed_on = {name: answer.headers[name] for name in _PASSED_ON if name in answer.headers}
        if answer.status_code == _NO_CONTENT or answer.status_code >= _REFUSED:
            content = await answer.aread()
            passed_on.pop("content-length", None)
            return Response(content or None, answer.status_code, passed_on)
        kept = stack.pop_all()

    async def pieces() -> AsyncGenerator[bytes]:
        async with kept:
            async for piece in answer.aiter_raw():
                yield piece

    return StreamingResponse(pieces(), answer.status_code, passed_on)


def _owners(connection: Connection, who: Caller, remote_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return the task and step that each remote task works for, as far as they are the caller's."""
    rows = connection.execute(_OWNERS.where(visible_to(who)), {"remote": remote_ids})
    return {row.remote_task_id: (row.task_id, row.step_id) for row in rows}


_OWNERS: Final = (
    select(Attempt.remote_task_id, Attempt.task_id, Attempt.step_id)
    .join(Task, Task.id == Attempt.task_id)
    .where(Attempt.remote_task_id.in_(bindparam("remote", type_=String(), expanding=True)))
)
