"""Routes of the browser service's sessions: see them, watch them live, take them over, and what is kept of them."""

import asyncio
import mimetypes
import secrets
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, cast

import playwright
from fastapi import APIRouter, Depends, Header, Request
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, HTMLResponse, Response
from fastapi.websockets import WebSocket

from browser_service import live
from browser_service.credentials import CredentialInfo, Credentials, NewCredential
from browser_service.sessions import Sessions
from shared.browser_sessions import Control, SessionInfo
from shared.errors import FederationError, NotFoundError

router = APIRouter(prefix="/v1", tags=["sessions"])

_SessionId = Annotated[str, PathParameter(max_length=64, pattern=r"^[A-Za-z0-9-]+$")]
_Name = Annotated[str, PathParameter(max_length=100, pattern=r"^[A-Za-z0-9._-]+$")]
_VIEW: Final = files("browser_service").joinpath("live_view.html").read_text(encoding="utf-8")
_VIEWER: Final = Path(playwright.__file__).resolve().parent / "driver" / "package" / "lib" / "vite" / "traceViewer"
_PRIVATE: Final = {"Cache-Control": "private, no-store"}
# The viewer shows whatever trace a page sends it that holds its window: no page of elsewhere may.
_ALONE: Final = {
    "Content-Security-Policy": "default-src 'self' blob: data:; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def sessions(request: Request) -> Sessions:
    """Return the service's sessions."""
    return cast("Sessions", request.app.state.sessions)


def _credentials(request: Request) -> Credentials:
    return cast("Credentials", request.app.state.credentials)


TheSessions = Annotated[Sessions, Depends(sessions)]


@router.get("/sessions", summary="Browser sessions, open and kept, newest first")
async def search(all_sessions: TheSessions) -> dict[str, list[SessionInfo]]:
    """Answer all of them."""
    return {"items": await all_sessions.list()}


@router.get("/sessions/{session_id}", summary="A browser session with its steps")
async def find(session_id: _SessionId, all_sessions: TheSessions) -> SessionInfo:
    """Answer the session."""
    return await all_sessions.find(session_id)


@router.delete("/sessions/{session_id}", status_code=204, summary="Forget what is kept of a session that is over")
async def delete(session_id: _SessionId, all_sessions: TheSessions) -> None:
    """Remove its recording, trace and thumbnails."""
    await all_sessions.remove(session_id)


@router.get("/sessions/{session_id}/thumbnails/{number}", summary="What the page looked like after a step")
async def thumbnail(session_id: _SessionId, number: int, all_sessions: TheSessions) -> Response:
    """Answer a small picture."""
    content = await all_sessions.thumbnail(session_id, number)
    return Response(content, media_type="image/webp", headers=_PRIVATE)


@router.get("/sessions/{session_id}/recording", summary="The film of a session that is over")
async def recording(session_id: _SessionId, all_sessions: TheSessions) -> FileResponse:
    """Answer the film: WebM, or animated WebP."""
    info = await all_sessions.find(session_id)
    if info.recording is None:
        raise NotFoundError(f"The browser session {session_id!r} has no recording, or not yet.")
    name = f"recording{mimetypes.guess_extension(info.recording.media_type) or '.webp'}"
    return FileResponse(
        all_sessions.kept.file(session_id, name), media_type=info.recording.media_type, headers=_PRIVATE
    )


@router.get("/sessions/{session_id}/trace", summary="Playwright's trace of a session that is over")
async def trace(session_id: _SessionId, all_sessions: TheSessions) -> FileResponse:
    """Answer the trace, a ZIP archive."""
    path = all_sessions.kept.file(session_id, "trace.zip")
    headers = {**_PRIVATE, "Content-Disposition": f'attachment; filename="trace-{session_id}.zip"'}
    return FileResponse(path, media_type="application/zip", headers=headers)


@router.get("/sessions/{session_id}/view", summary="A page that shows a session live")
async def view(session_id: _SessionId, all_sessions: TheSessions) -> HTMLResponse:
    """Answer the page; it loads nothing from elsewhere."""
    await all_sessions.find(session_id)
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
        "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    return HTMLResponse(_VIEW.replace("NONCE", nonce), headers={"Content-Security-Policy": policy, **_PRIVATE})


@router.post("/sessions/{session_id}/control", summary="Take a session over")
async def take_over(session_id: _SessionId, all_sessions: TheSessions) -> Control:
    """Hold its task and answer the token that mouse and keys are accepted with."""
    opened = all_sessions.require_open(session_id)
    token = opened.control.take()
    opened.change(held=True)
    return Control(token=token)


@router.delete("/sessions/{session_id}/control", status_code=204, summary="Hand a session back")
async def hand_back(
    session_id: _SessionId, all_sessions: TheSessions, x_control_token: Annotated[str, Header(max_length=200)]
) -> None:
    """Let its task go on."""
    opened = all_sessions.require_open(session_id)
    opened.control.give_back(x_control_token)
    opened.change(held=False)


@router.websocket("/sessions/{session_id}/live")
async def watch(socket: WebSocket, session_id: _SessionId) -> None:
    """Show a session as it goes on."""
    await socket.accept()
    try:
        opened = cast("Sessions", socket.app.state.sessions).require_open(session_id)
    except FederationError as error:
        await socket.close(1008, error.detail[:120])
        return
    await live.show(socket, opened)


@router.put("/credentials/{name}", summary="Keep a secret that the service fills in itself")
async def put_credential(name: _Name, body: NewCredential, request: Request) -> CredentialInfo:
    """Keep it under the name, encrypted, for pages of these origins only. Nothing ever answers it."""
    return await asyncio.to_thread(_credentials(request).put, name, body)


@router.get("/credentials", summary="The names of the secrets, and where they may be filled in")
async def list_credentials(request: Request) -> dict[str, list[CredentialInfo]]:
    """Answer what there is, without the secrets."""
    return {"items": await asyncio.to_thread(_credentials(request).list)}


@router.delete("/credentials/{name}", status_code=204, summary="Forget a secret")
async def delete_credential(name: _Name, request: Request) -> None:
    """Remove it."""
    await asyncio.to_thread(_credentials(request).remove, name)


@router.get("/trace-viewer/{path:path}", summary="Playwright's trace viewer")
async def trace_viewer(path: str) -> FileResponse:
    """Answer a file of the viewer that came with Playwright; it loads nothing from elsewhere."""
    found = (_VIEWER / (path or "index.html")).resolve()
    if not found.is_relative_to(_VIEWER) or not found.is_file():
        raise NotFoundError(f"The trace viewer has no {path[:100]!r}.")
    return FileResponse(found, headers=_ALONE)
