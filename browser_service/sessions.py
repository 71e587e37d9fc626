"""The sessions of the browser as others see them: what they do, what they look like now, what is kept of them.

It watches every session: after each action it takes a picture; it notes what is typed into password fields, so that it
can be taken out of all that is kept; when a session ends, its trace and film are made and written down.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from playwright.async_api import Error, Frame, Page

from browser_service import films, redaction
from browser_service.control import Control
from browser_service.kept_sessions import KeptSessions
from browser_service.screencast import Screencast, Watcher
from browser_service.session_events import ActionOutcome, ActionTold, SessionWatcher, Watched
from browser_service.settings import Settings
from shared.browser_sessions import BrowserStep, KeptFile, SessionInfo, Viewport
from shared.errors import ConflictError, NotFoundError

logger = logging.getLogger(__name__)

_LOOK_S = 0.5
_PICTURE_S = 3.0
_FILM_PAUSE_S = 0.4
_MAX_FRAMES = 150
_MAX_STEPS = 1_000
_TRACE_S = 4.0
_PASSWORDS = "() => [...document.querySelectorAll('input[type=password]')].map((field) => field.value).filter(Boolean)"


@dataclass(slots=True)
class OpenSession:
    """A session that goes on. `changed` is set whenever something of `info` does; `pictures` are by step."""

    watched: Watched
    info: SessionInfo
    cast: Screencast
    control: Control
    pictures: dict[int, bytes] = field(default_factory=dict[int, bytes])
    frames: list[films.Frame] = field(default_factory=list[films.Frame])
    listeners: set[asyncio.Event] = field(default_factory=set[asyncio.Event])
    filming: asyncio.Task[None] | None = None

    @property
    def secrets(self) -> set[str]:
        """What was typed or filled in that nobody may see."""
        return self.watched.secrets

    def change(self, **changes: object) -> None:
        """Change what is known of it, and tell who listens."""
        self.info = self.info.model_copy(update=changes)
        for listener in self.listeners:
            listener.set()

    def redacted(self) -> SessionInfo:
        """Return what is known of it without any secret."""
        if not self.secrets:
            return self.info
        return SessionInfo.model_validate_json(redaction.redact(self.info.model_dump_json(), self.secrets))


class Sessions(SessionWatcher):
    """All sessions, open and kept. Use inside `working`."""

    def __init__(self, settings: Settings) -> None:
        self.kept = KeptSessions(settings)
        self._recording = settings.browser_recording
        self._open: dict[str, OpenSession] = {}
        self._finishing: dict[str, SessionInfo] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def working(self) -> AsyncGenerator[None]:
        """Keep what is over; at the end wait until all of it is written down."""
        await asyncio.to_thread(self.kept.remove_unfinished)
        await asyncio.to_thread(self.kept.make_room)
        try:
            yield
        finally:
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def list(self) -> list[SessionInfo]:
        """Return all sessions, newest first."""
        kept = await asyncio.to_thread(self.kept.list)
        going_on = {
            info.id: info for info in (*self._finishing.values(), *(one.redacted() for one in self._open.values()))
        }
        found = [*going_on.values(), *(info for info in kept if info.id not in going_on)]
        return sorted(found, key=lambda info: info.id, reverse=True)

    async def find(self, session_id: str) -> SessionInfo:
        """Return a session. Raises: NotFoundError."""
        if session_id in self._open:
            return self._open[session_id].redacted()
        return self._finishing.get(session_id) or await asyncio.to_thread(self.kept.find, session_id)

    def require_open(self, session_id: str) -> OpenSession:
        """Return a session that goes on. Raises: NotFoundError."""
        found = self._open.get(session_id)
        if found is None:
            raise NotFoundError(f"There is no browser session {session_id!r} that goes on.")
        return found

    async def thumbnail(self, session_id: str, number: int) -> bytes:
        """Return the small picture after a step. Raises: NotFoundError."""
        going_on = self._open.get(session_id)
        if session_id in self._finishing:
            await asyncio.wait(self._tasks)
        if going_on is None:
            path = await asyncio.to_thread(self.kept.file, session_id, f"step-{number}.webp")
            return await asyncio.to_thread(path.read_bytes)
        if number not in going_on.pictures:
            raise NotFoundError(f"The browser session {session_id!r} has no picture after step {number}.")
        return await asyncio.to_thread(films.make_thumbnail, going_on.pictures[number])

    async def remove(self, session_id: str) -> None:
        """Forget a session that is over. Raises: NotFoundError, ConflictError."""
        if session_id in self._open or session_id in self._finishing:
            raise ConflictError("The session goes on; what is kept of it can be removed when it is over.")
        await asyncio.to_thread(self.kept.find, session_id)
        await asyncio.to_thread(self.kept.remove, session_id)

    async def session_opened(self, session: Watched) -> None:
        size = session.page.viewport_size or {"width": 1280, "height": 800}
        info = SessionInfo(
            id=session.id,
            remote_task_id=session.owner.task_id,
            url=session.page.url,
            viewport=Viewport(width=size["width"], height=size["height"]),
            opened_at=datetime.now(UTC),
        )
        cast_ = Screencast(session.context, lambda: session.page, time.monotonic)
        opened = OpenSession(session, info, cast_, Control(session))
        self._open[session.id] = opened
        if self._recording == "all":
            opened.filming = asyncio.create_task(_film(opened))
            async with asyncio.timeout(_TRACE_S):
                await session.context.tracing.start(snapshots=True, screenshots=False, sources=False)

    async def page_opened(self, session: Watched, page: Page) -> None:
        del page
        if (opened := self._open.get(session.id)) is not None:
            await opened.cast.follow()

    async def action_started(self, session: Watched, action: ActionTold) -> None:
        opened = self._open[session.id]
        step = BrowserStep(
            number=action.number, description=action.description, url=session.page.url, started_at=datetime.now(UTC)
        )
        opened.change(steps=(*opened.info.steps[-_MAX_STEPS:], step))

    async def action_ended(self, session: Watched, outcome: ActionOutcome) -> None:
        opened = self._open[session.id]
        await opened.cast.follow()
        await note_secrets(opened)
        if self._recording != "none":
            await _take_picture(opened, outcome.action.number)
        steps = tuple(
            step.model_copy(
                update={
                    "status": "passed" if outcome.passed else "failed",
                    "url": outcome.url,
                    "duration_ms": round(outcome.duration_s * 1000),
                    "error": None if outcome.error is None else outcome.error.detail,
                    "thumbnail": step.number in opened.pictures,
                }
            )
            if step.number == outcome.action.number
            else step
            for step in opened.info.steps
        )
        opened.change(steps=steps, url=outcome.url, title=await _title(session.page))

    async def session_closed(self, session: Watched) -> None:
        opened = self._open.get(session.id)
        if opened is None:
            return
        trace = self.kept.folder(session.id) / "trace.zip" if self._recording == "all" else None
        if opened.filming is not None:
            opened.filming.cancel()
        try:
            await opened.cast.stop()
            await note_secrets(opened)
            if trace is not None:
                with suppress(Error, TimeoutError):  # a page that hangs or is gone
                    async with asyncio.timeout(_TRACE_S):
                        await session.context.tracing.stop(path=trace)
        finally:
            del self._open[session.id]
            opened.control.end()
            opened.change(status="closed", held=False, closed_at=datetime.now(UTC))
            if self._recording != "none":
                self._finishing[session.id] = opened.redacted()
                task = asyncio.create_task(self._finish(opened, trace))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _finish(self, opened: OpenSession, trace: Path | None) -> None:
        """Make what is kept of a session that is over, without any secret, and write it down."""
        try:
            info = await asyncio.to_thread(_write, self.kept, opened, trace)
            logger.info("browser session kept", extra={"session": info.id, "steps": len(info.steps)})
        except OSError as error:
            logger.warning("a browser session could not be kept", extra={"why": str(error), "session": opened.info.id})
        finally:
            del self._finishing[opened.info.id]


async def note_secrets(opened: OpenSession) -> None:
    """Note what stands in password fields now, whoever typed it, so that nothing of it is kept."""
    frames: list[Frame] = opened.watched.page.frames[:10]
    await asyncio.gather(*(_note_passwords(frame, opened.secrets) for frame in frames))


async def _note_passwords(frame: Frame, secrets: set[str]) -> None:
    with suppress(Error, TimeoutError):
        async with asyncio.timeout(_LOOK_S):
            values = cast("list[object]", await frame.evaluate(_PASSWORDS))
            secrets.update(value for value in values if isinstance(value, str))


async def _film(opened: OpenSession) -> None:
    watcher = Watcher(_FILM_PAUSE_S)
    await opened.cast.watch(watcher)
    while True:
        frame = await watcher.next_frame()
        opened.cast.room()
        if opened.frames and frame.at_s - opened.frames[-1].at_s < _FILM_PAUSE_S:
            continue
        opened.frames.append(frame)
        if len(opened.frames) > _MAX_FRAMES:  # every other one goes: a long session has a film of fewer pictures
            opened.frames = opened.frames[::2]


async def _take_picture(opened: OpenSession, number: int) -> None:
    with suppress(Error, TimeoutError):  # a page that hangs has no picture
        async with asyncio.timeout(_PICTURE_S):
            picture = await opened.watched.page.screenshot(type="jpeg", quality=50, scale="css", timeout=0)
        opened.pictures[number] = picture
        opened.frames.append(films.Frame(picture, time.monotonic()))


async def _title(page: Page) -> str:
    with suppress(Error, TimeoutError):
        async with asyncio.timeout(_LOOK_S):
            return (await page.title())[:300]
    return ""


def _write(kept: KeptSessions, opened: OpenSession, trace: Path | None) -> SessionInfo:
    folder = kept.folder(opened.info.id)
    for number, picture in opened.pictures.items():
        (folder / f"step-{number}.webp").write_bytes(films.make_thumbnail(picture))
    film = (
        films.make(sorted(opened.frames, key=lambda frame: frame.at_s), folder) if opened.filming is not None else None
    )
    kept_trace = None
    if trace is not None and trace.exists():
        redaction.redact_archive(trace, opened.secrets)
        kept_trace = KeptFile(media_type="application/zip", size_bytes=trace.stat().st_size)
    kept_film = None if film is None else KeptFile(media_type=film.media_type, size_bytes=film.path.stat().st_size)
    return kept.keep(opened.redacted().model_copy(update={"recording": kept_film, "trace": kept_trace}))
