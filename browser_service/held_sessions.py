"""Sessions that callers keep open from one request to the next, over REST; idle ones are closed."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from uuid_utils.compat import uuid7

from browser_service import instructions, last_look, observing, performing
from browser_service.actions import Action, Navigate
from browser_service.browser import Browser, Pressure
from browser_service.browser_session import BrowserSession
from browser_service.findings import Findings
from browser_service.observation import Level
from browser_service.rooms import Rooms
from browser_service.session_events import Owner
from browser_service.settings import Settings
from browser_service.targets import Target
from browser_service.terms import Terms
from browser_service.wishes import Wishes
from shared.errors import FederationError, NotFoundError, TooLargeError, UnavailableError

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Held:
    session: BrowserSession
    resources: AsyncExitStack
    used_at: float
    working: asyncio.Lock = field(default_factory=asyncio.Lock)


class HeldSessions:
    """The sessions that are kept open. Each takes a page of BROWSER_MAX_PAGES; its requests run one after the other."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._browser: Browser | None = None
        self._rooms: Rooms | None = None
        self._held: dict[str, _Held] = {}
        self._wishes = Wishes()

    @property
    def pressure(self) -> Pressure:
        """How much the browser has to do. Raises: UnavailableError while the service starts or stops."""
        if self._browser is None:
            raise UnavailableError("The browser is starting or stopping. Try again in a moment.")
        return self._browser.pressure

    def begin(self, browser: Browser, rooms: Rooms) -> None:
        """Take sessions from now on."""
        self._browser, self._rooms = browser, rooms

    async def end(self) -> None:
        """Close all sessions, and take none any more."""
        self._browser = self._rooms = None
        for session_id in list(self._held):
            await self._close(session_id)

    async def close_idle(self) -> None:
        """Close sessions that nobody used for BROWSER_IDLE_TIMEOUT_S; without end."""
        limit_s = self._settings.browser_idle_timeout_s
        while True:
            await asyncio.sleep(min(limit_s / 4, 5.0))
            now = asyncio.get_running_loop().time()
            for session_id, held in list(self._held.items()):
                if now - held.used_at >= limit_s and not held.working.locked():
                    logger.info("idle browser session closed", extra={"session": session_id})
                    await self._close(session_id)

    async def open(self, given: Terms) -> BrowserSession:
        """Open a session and keep it. Raises: BusyError, UnavailableError, NotInstalledError, InvalidRequestError."""
        if self._rooms is None:
            raise UnavailableError("The browser is starting or stopping. Try again in a moment.")
        async with AsyncExitStack() as resources:
            owner = Owner(str(uuid7()), "rest")
            opening = self._rooms.open(owner, given, patience_s=self._settings.browser_queue_timeout_s)
            session = await resources.enter_async_context(opening)
            self._held[session.id] = _Held(session, resources.pop_all(), asyncio.get_running_loop().time())
        return session

    async def open_at(self, url: str, given: Terms) -> BrowserSession:
        """Open a session at `url` and keep it. Raises: as `open`, and what keeps the page from being shown."""
        session = await self.open(given)
        _, _, failure = await self.perform(session.id, [Navigate(url=url)], "")
        if failure is not None:
            await self._close(session.id)
            if failure.facts.pop("screenshot", None) and self._settings.browser_recording != "none":
                failure.facts["screenshot"] = f"/v1/sessions/{session.id}/thumbnails/1"  # its own files went with it
            raise failure
        return session

    async def close(self, session_id: str) -> None:
        """Close a session. Raises: NotFoundError."""
        self._find(session_id)
        await self._close(session_id)

    async def perform(
        self, session_id: str, actions: Sequence[Action], words: str
    ) -> tuple[BrowserSession, Findings, FederationError | None]:
        """Do actions, or what words say, and return what they brought and the failure that ended them.

        Raises: NotFoundError, InvalidRequestError.
        """
        held = self._find(session_id)
        todo = list(actions) or list(instructions.parse(words, is_open=True).actions)
        findings = Findings(patience_s=self._settings.browser_action_timeout_s)
        failure: FederationError | None = None
        async with held.working:
            held.session.deadlines.restart()
            try:
                await performing.perform_all(todo, held.session, findings, self._wishes)
            except FederationError as error:
                failure = error
                await _show_last(held.session, error)
            finally:
                held.used_at = asyncio.get_running_loop().time()
        return held.session, findings, failure

    async def observe(self, session_id: str, level: Level, of: Target | None) -> str:
        """Return what is on the session's page. Raises: NotFoundError, ElementNotFoundError."""
        held = self._find(session_id)
        async with held.working:
            held.session.deadlines.restart()
            held.used_at = asyncio.get_running_loop().time()
            return await observing.observe(held.session, level, of)

    def path_of(self, session_id: str, name: str) -> Path:
        """Return where a file of the session is. Raises: NotFoundError."""
        return self._find(session_id).session.files.path_of(name)

    def _find(self, session_id: str) -> _Held:
        if (held := self._held.get(session_id)) is None:
            raise NotFoundError(f"There is no open session {session_id!r}; it may have been idle for too long.")
        return held

    async def _close(self, session_id: str) -> None:
        held = self._held.pop(session_id, None)
        if held is not None:
            await held.resources.aclose()


async def _show_last(session: BrowserSession, error: FederationError) -> None:
    """Tell in `error` what was seen last, and where a picture of it is for as long as the session is open."""
    picture = await last_look.take(session, error)
    if picture is not None:
        with suppress(TooLargeError):  # the session's folder is full
            name = await session.files.add(picture)
            error.facts["screenshot"] = f"/v1/sessions/{session.id}/files/{name}"
