"""One warm Chromium: started in the background, started again when it has died, one fresh context for each task."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import playwright.async_api as playwright

from browser_service import chromium
from browser_service.browser_session import BrowserSession
from browser_service.egress_proxy import Boundary, Door, EgressProxy, Rules
from browser_service.errors import BusyError
from browser_service.page_scripts import PENDING
from browser_service.request_filter import RequestFilter
from browser_service.session_events import Owner, SessionWatcher
from browser_service.settings import Settings
from browser_service.starting import CLOSE_TIMEOUT_S, LAUNCH_TIMEOUT_S, Running, Starter
from shared.background import background
from shared.errors import FederationError, InvalidRequestError, NotInstalledError, UnavailableError

logger = logging.getLogger(__name__)

VIEWPORT = playwright.ViewportSize(width=1280, height=800)

_RETRY_AFTER_S = 5


@dataclass(frozen=True, slots=True)
class _Room:
    """A context for one session with a page that is still blank, and what stands between it and the network."""

    running: Running
    context: playwright.BrowserContext
    page: playwright.Page
    boundary: Boundary
    resources: AsyncExitStack


@dataclass(frozen=True, slots=True)
class Pressure:
    """How much is going on: pages in use and how many may be, tasks that wait and how many may, contexts kept warm."""

    pages: int
    max_pages: int
    waiting: int
    max_waiting: int
    warm: int
    is_running: bool


class Browser:
    """Hands out browser sessions, at most BROWSER_MAX_PAGES at once. Made by `open_browser`.

    A Chromium that dies is started again at once. What is done meanwhile fails with `BrowserGoneError`.
    """

    def __init__(self, settings: Settings, watchers: Sequence[SessionWatcher] = ()) -> None:
        self._settings = settings
        self._watchers = watchers
        self._proxy = EgressProxy(settings)
        self._filter = RequestFilter(settings)
        self._starter = Starter(self._proxy, self._filter)
        self._slots = asyncio.Semaphore(settings.browser_max_pages)
        self._starting = asyncio.Lock()
        self._running: Running | None = None
        self._problem: str | None = None
        self._warm: list[_Room] = []
        self._lacks = asyncio.Event()
        self._lacks.set()
        self._pages = 0
        self._waiting = 0
        self._is_stopping = False

    @property
    def is_full(self) -> bool:
        """Whether a task that asks for a session now has to wait for another one to end."""
        return self._slots.locked()

    @property
    def pressure(self) -> Pressure:
        """How much is going on now."""
        is_running = self._running is not None and self._running.browser.is_connected()
        limits = self._settings.browser_max_pages, self._settings.browser_max_waiting
        return Pressure(self._pages, limits[0], self._waiting, limits[1], len(self._warm), is_running)

    def problems(self) -> list[str]:
        """Return what keeps the browser from working now, in sentences."""
        if chromium.find(self._settings) is None:
            return [chromium.problem(self._settings)]
        return [self._problem] if self._problem else []

    @asynccontextmanager
    async def open_session(
        self,
        owner: Owner,
        rules: Rules | None = None,
        *,
        storage_state: playwright.StorageState | None = None,
        patience_s: float | None = None,
    ) -> AsyncGenerator[BrowserSession]:
        """Open a page of its own for `owner`, with nothing kept from any other, and close it whatever happens.

        `rules` say which hosts it may reach; `storage_state` with which cookies and stored values it begins.
        Raises: BusyError when too many wait already, or no page became free in `patience_s`; NotInstalledError,
        UnavailableError, InvalidRequestError when the browser is on another machine, where rules cannot be kept.
        """
        async with self._slot(patience_s):
            opening = asyncio.ensure_future(self._open_room(storage_state))
            try:
                room = await asyncio.shield(opening)
            except asyncio.CancelledError:
                await asyncio.wait({opening}, timeout=CLOSE_TIMEOUT_S)
                if opening.done() and opening.exception() is None:
                    await self._close_room(opening.result())
                raise
            try:
                _set_rules(room.boundary, rules or Rules())
                async with BrowserSession.open(
                    owner, room.context, room.page, self._settings, room.boundary, self._watchers
                ) as session:
                    yield session
            finally:
                await self._close_room(room)

    @asynccontextmanager
    async def _slot(self, patience_s: float | None) -> AsyncGenerator[None]:
        """Wait for a free page. Raises: BusyError when as many wait as may, or none became free in `patience_s`."""
        in_use = f"All {self._settings.browser_max_pages} pages are in use (BROWSER_MAX_PAGES)"
        if self._slots.locked() and self._waiting >= self._settings.browser_max_waiting:
            raise BusyError(
                f"{in_use} and {self._waiting} tasks wait already (BROWSER_MAX_WAITING). "
                f"Try again in {_RETRY_AFTER_S} s.",
                retry_after_s=_RETRY_AFTER_S,
            )
        self._waiting += 1
        try:
            async with asyncio.timeout(patience_s):
                await self._slots.acquire()
        except TimeoutError as error:
            raise BusyError(
                f"{in_use}, and none became free in {patience_s:g} s. Close a session, or try again later.",
                retry_after_s=_RETRY_AFTER_S,
            ) from error
        finally:
            self._waiting -= 1
        self._pages += 1
        try:
            yield
        finally:
            self._pages -= 1
            self._slots.release()

    async def keep_ready(self) -> None:
        """Start Chromium, again whenever it dies, and keep contexts warm; without end.

        A failure to start is told by `problems`, and to the next task that needs it, which tries anew.
        """
        while True:
            await self._lacks.wait()
            self._lacks.clear()
            try:
                await self._ensure_running()
            except FederationError as error:
                logger.warning("browser not started", extra={"why": error.detail})
            else:
                await self._warm_up()

    async def stop(self) -> None:
        """Stop Chromium and its driver."""
        self._is_stopping = True
        async with self._starting:
            await self._discard()
            await self._starter.stop()

    async def _open_room(self, storage_state: playwright.StorageState | None) -> _Room:
        running = await self._ensure_running()
        if storage_state is None and (room := self._take_warm(running)) is not None:
            self._lacks.set()
            return room
        try:
            return await self._new_room(running, storage_state)
        except (playwright.Error, TimeoutError) as error:  # it died between two tasks
            logger.warning("browser started again", extra={"why": str(error)})
        running = await self._ensure_running(instead_of=running)
        try:
            return await self._new_room(running, storage_state)
        except (playwright.Error, TimeoutError) as error:
            raise UnavailableError("Chromium starts, but opens no page. Try again later.") from error

    def _take_warm(self, running: Running) -> _Room | None:
        """Return a room that is ready, if there is one in the Chromium that runs now."""
        while self._warm:
            room = self._warm.pop()
            if room.running is running and running.browser.is_connected() and not room.page.is_closed():
                return room
        return None

    async def _new_room(self, running: Running, storage_state: playwright.StorageState | None = None) -> _Room:
        async with AsyncExitStack() as resources:
            door = await resources.enter_async_context(self._proxy.open_door()) if running.is_proxied else None
            context, page = await running.bound(self._open_page(running.browser, door, storage_state), LAUNCH_TIMEOUT_S)
            return _Room(running, context, page, door or self._filter, resources.pop_all())

    async def _open_page(
        self, browser: playwright.Browser, door: Door | None, storage_state: playwright.StorageState | None
    ) -> tuple[playwright.BrowserContext, playwright.Page]:
        context = await browser.new_context(
            accept_downloads=True,
            permissions=[],
            service_workers="block",
            viewport=VIEWPORT,
            proxy=None if door is None else door.settings,
            storage_state=storage_state,
        )
        if door is None:
            await context.route_web_socket("**/*", self._filter.route_web_socket)
        await context.add_init_script(PENDING)
        return context, await context.new_page()

    async def _warm_up(self) -> None:
        """Make the rooms that are kept ready for the next tasks."""
        running = self._running
        while running is not None and running is self._running and not self._is_stopping:
            if len(self._warm) >= self._settings.browser_warm_contexts:
                return
            try:
                self._warm.append(await self._new_room(running))
            except (playwright.Error, TimeoutError, OSError) as error:
                logger.info("no context could be kept warm", extra={"why": str(error)})
                return

    def _revive(self, _browser: playwright.Browser) -> None:
        """Start Chromium again: it went away."""
        if not self._is_stopping:
            logger.warning("browser is gone; starting it again")
            self._lacks.set()

    async def _close_room(self, room: _Room) -> None:
        """Close its context; a browser that cannot even do that is stopped, and started again by the next task."""
        closing = asyncio.ensure_future(_close(room))
        try:
            closed = await asyncio.shield(closing)
        except asyncio.CancelledError:
            await asyncio.wait({closing}, timeout=CLOSE_TIMEOUT_S)
            raise
        finally:
            await room.resources.aclose()
        if not closed and self._running is not None and room.context.browser is self._running.browser:
            logger.warning("browser stopped: a context did not close")
            async with self._starting:
                await self._discard()

    async def _ensure_running(self, *, instead_of: Running | None = None) -> Running:
        async with self._starting:
            running = self._running
            if running is not None and running is not instead_of and running.browser.is_connected():
                return running
            await self._discard()
            found = chromium.find(self._settings)
            if found is None:
                raise NotInstalledError(chromium.problem(self._settings))
            try:
                self._running = await self._starter.start(found)
            except UnavailableError as error:
                self._problem = error.detail
                raise
            self._problem = None
            self._running.browser.on("disconnected", self._revive)
            logger.info("browser started", extra={"how": found.how, "version": self._running.browser.version})
            return self._running

    async def _discard(self) -> None:
        running, self._running = self._running, None
        warm, self._warm = self._warm, []
        for room in warm:
            await room.resources.aclose()
        if running is None:
            return
        running.browser.remove_listener("disconnected", self._revive)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await running.resources.aclose()
        except TimeoutError:  # it hangs; the driver takes it along
            await self._starter.stop()
        except (playwright.Error, OSError) as error:
            logger.debug("browser was gone already", extra={"why": str(error)})


@asynccontextmanager
async def open_browser(settings: Settings, watchers: Sequence[SessionWatcher] = ()) -> AsyncGenerator[Browser]:
    """Open the browser: it starts in the background, so that a service is up before its Chromium is."""
    browser = Browser(settings, watchers)
    try:
        async with background("browser", browser.keep_ready()):
            yield browser
    finally:
        await browser.stop()


def _set_rules(boundary: Boundary, rules: Rules) -> None:
    if isinstance(boundary, Door):
        boundary.rules = rules
    elif rules != Rules():
        raise InvalidRequestError(
            "BROWSER_CDP_URL names a browser on another machine; `allow` and `deny` work only with one of this machine."
        )


async def _close(room: _Room) -> bool:
    try:
        await room.running.bound(room.context.close(), CLOSE_TIMEOUT_S)
    except TimeoutError:
        return False
    except playwright.Error as error:
        logger.debug("context was gone already", extra={"why": str(error)})
    return True
