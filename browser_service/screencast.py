"""Frames of a session's page as it changes, from Chromium's own screencast: only while wanted, and no faster.

Chromium sends the next frame when the last one is acknowledged; that is done when a watcher has room for it, so that
slow watchers cost the page nothing.
"""

import asyncio
import base64
import logging
from collections.abc import Callable
from contextlib import suppress

from playwright.async_api import BrowserContext, CDPSession, Error, Page
from pydantic import BaseModel, Field

from browser_service.films import Frame
from browser_service.request_filter import send

logger = logging.getLogger(__name__)

_QUALITY = 50
_LONGEST_CALL_S = 2.0
_PAUSE_S = 0.2


class _Shown(BaseModel):
    """The event Page.screencastFrame, as far as it is used."""

    data: str
    number: int = Field(alias="sessionId")


class Watcher:
    """Someone who wants frames: at most one each `pause_s`, always the latest, the next when the last was taken."""

    def __init__(self, pause_s: float) -> None:
        self.pause_s = pause_s
        self._latest: Frame | None = None
        self._news = asyncio.Event()

    async def next_frame(self) -> Frame:
        """Wait for a frame that was not taken yet, and take it."""
        await self._news.wait()
        self._news.clear()
        assert self._latest is not None  # noqa: S101 - what the event says
        return self._latest

    def offer(self, frame: Frame) -> None:
        """Hand over a frame; one that was not taken is forgotten."""
        self._latest = frame
        self._news.set()

    @property
    def has_room(self) -> bool:
        """Whether the last frame was taken."""
        return not self._news.is_set()


class Screencast:
    """The frames of one session. `clock` gives the time in seconds."""

    def __init__(self, context: BrowserContext, find_page: Callable[[], Page], clock: Callable[[], float]) -> None:
        self.latest: Frame | None = None
        self._context = context
        self._find_page = find_page
        self._clock = clock
        self._watchers: set[Watcher] = set()
        self._cdp: CDPSession | None = None
        self._page: Page | None = None
        self._changing = asyncio.Lock()
        self._acknowledging: asyncio.Task[None] | None = None
        self._trying_again: asyncio.Task[None] | None = None
        self._room = asyncio.Event()

    async def watch(self, watcher: Watcher) -> None:
        """Send frames to `watcher` from now on, the latest first."""
        self._watchers.add(watcher)
        if self.latest is not None:
            watcher.offer(self.latest)
        await self.follow()

    async def unwatch(self, watcher: Watcher) -> None:
        """Send no more frames to `watcher`; without any the screencast stops."""
        self._watchers.discard(watcher)
        if not self._watchers:
            await self.stop()

    def room(self) -> None:
        """Note that a watcher has taken its frame."""
        self._room.set()

    async def follow(self) -> None:
        """Show the page that the session is at now."""
        async with self._changing:
            page = self._find_page()
            if not self._watchers or page is self._page:
                return
            await self._end()
            try:
                async with asyncio.timeout(_LONGEST_CALL_S):
                    self._cdp = await self._context.new_cdp_session(page)
                    self._cdp.on("Page.screencastFrame", self._take)
                    await send(self._cdp, "Page.startScreencast", {"format": "jpeg", "quality": _QUALITY})
            except (Error, TimeoutError):  # as while the page goes on to another document
                await self._end()
                self._trying_again = asyncio.create_task(self._try_again())
            else:
                self._page = page

    async def _try_again(self) -> None:
        await asyncio.sleep(_PAUSE_S)
        await self.follow()

    async def stop(self) -> None:
        """Show nothing to anybody any more."""
        self._watchers.clear()
        async with self._changing:
            await self._end()

    async def _end(self) -> None:
        cdp, self._cdp, self._page = self._cdp, None, None
        if self._acknowledging is not None:
            self._acknowledging.cancel()
        if cdp is not None:
            with suppress(Error, TimeoutError):  # the page may be gone
                async with asyncio.timeout(_LONGEST_CALL_S):
                    await cdp.detach()

    def _take(self, event: dict[str, object]) -> None:
        shown = _Shown.model_validate(event)
        self.latest = Frame(base64.b64decode(shown.data), self._clock())
        for watcher in self._watchers:
            watcher.offer(self.latest)
        if self._cdp is not None:
            self._acknowledging = asyncio.create_task(self._acknowledge(self._cdp, shown.number))

    async def _acknowledge(self, cdp: CDPSession, number: int) -> None:
        """Let the next frame come when someone has room for it."""
        await asyncio.sleep(min((watcher.pause_s for watcher in self._watchers), default=1.0))
        while self._watchers and not any(watcher.has_room for watcher in self._watchers):
            self._room.clear()
            await self._room.wait()
        with suppress(Error):
            await send(cdp, "Page.screencastFrameAck", {"sessionId": number})
