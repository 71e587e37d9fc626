"""One warm Chromium: started in the background, started again when it has died, one fresh context for each task."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import playwright.async_api as playwright

from browser_service import chromium, egress_proxy
from browser_service.browser_session import BrowserSession
from browser_service.egress_proxy import Boundary, Door, EgressProxy, Rules
from browser_service.request_filter import RequestFilter
from browser_service.session_events import Owner, SessionWatcher
from browser_service.settings import Settings
from shared.errors import FederationError, InvalidRequestError, NotInstalledError, UnavailableError

logger = logging.getLogger(__name__)

_NODE_OPTIONS = "--max-semi-space-size=1"  # the driver idles most of the time: 15 MB less

VIEWPORT = playwright.ViewportSize(width=1280, height=800)

_LAUNCH_TIMEOUT_S = 30.0
_CLOSE_TIMEOUT_S = 5.0
# Beyond Playwright's own: no way out beside the proxy, and no page that takes all memory.
_ARGUMENTS = (*egress_proxy.FLAGS, "--js-flags=--max-old-space-size=512", "--mute-audio")
# Playwright lets pages open as many windows as they like; a browser does not.
_NOT_WANTED = ("--disable-popup-blocking", "--disable-ipc-flooding-protection")


@dataclass(frozen=True, slots=True)
class _Running:
    """A Chromium and the Playwright driver that speaks to it; they live and die together.

    `is_proxied`: its contexts go through doors of ours; one on another machine is filtered from within instead.
    """

    browser: playwright.Browser
    resources: AsyncExitStack
    is_proxied: bool


@dataclass(frozen=True, slots=True)
class _Room:
    """A context for one session, and what stands between it and the network."""

    context: playwright.BrowserContext
    boundary: Boundary
    resources: AsyncExitStack


class Browser:
    """Hands out browser sessions, at most BROWSER_MAX_PAGES at once. Made by `open_browser`."""

    def __init__(self, settings: Settings, watchers: Sequence[SessionWatcher] = ()) -> None:
        self._settings = settings
        self._watchers = watchers
        self._proxy = EgressProxy(settings)
        self._filter = RequestFilter(settings)
        self._slots = asyncio.Semaphore(settings.browser_max_pages)
        self._starting = asyncio.Lock()
        self._running: _Running | None = None
        self._problem: str | None = None

    @property
    def is_full(self) -> bool:
        """Whether a task that asks for a session now has to wait for another one to end."""
        return self._slots.locked()

    def problems(self) -> list[str]:
        """Return what keeps the browser from working now, in sentences."""
        if chromium.find(self._settings) is None:
            return [chromium.problem(self._settings)]
        return [self._problem] if self._problem else []

    @asynccontextmanager
    async def open_session(self, owner: Owner, rules: Rules | None = None) -> AsyncGenerator[BrowserSession]:
        """Open a page of its own for `owner`, with nothing kept from any other, and close it whatever happens.

        `rules` say which hosts it may reach. Raises: NotInstalledError, UnavailableError, InvalidRequestError when the
        browser is on another machine, where rules cannot be kept.
        """
        async with self._slots:
            opening = asyncio.ensure_future(self._open_room())
            try:
                room = await asyncio.shield(opening)
            except asyncio.CancelledError:
                await asyncio.wait({opening}, timeout=_CLOSE_TIMEOUT_S)
                if opening.done() and opening.exception() is None:
                    await self._close_room(opening.result())
                raise
            try:
                _set_rules(room.boundary, rules or Rules())
                async with BrowserSession.open(
                    owner, room.context, self._settings, room.boundary, self._watchers
                ) as session:
                    yield session
            finally:
                await self._close_room(room)

    async def start(self) -> None:
        """Start Chromium if it does not run. A failure is told by `problems`, and to the task that needs it."""
        try:
            await self._ensure_running()
        except FederationError as error:
            logger.warning("browser not started", extra={"why": error.detail})

    async def stop(self) -> None:
        """Stop Chromium and its driver."""
        async with self._starting:
            await self._discard()

    async def _open_room(self) -> _Room:
        running = await self._ensure_running()
        try:
            return await self._new_room(running)
        except (playwright.Error, TimeoutError) as error:  # it died between two tasks
            logger.warning("browser started again", extra={"why": str(error)})
        running = await self._ensure_running(instead_of=running)
        try:
            return await self._new_room(running)
        except (playwright.Error, TimeoutError) as error:
            raise UnavailableError("Chromium starts, but opens no page. Try again later.") from error

    async def _new_room(self, running: _Running) -> _Room:
        async with AsyncExitStack() as resources, asyncio.timeout(_LAUNCH_TIMEOUT_S):
            door = await resources.enter_async_context(self._proxy.open_door()) if running.is_proxied else None
            context = await running.browser.new_context(
                accept_downloads=True,
                permissions=[],
                service_workers="block",
                viewport=VIEWPORT,
                proxy=None if door is None else door.settings,
            )
            if door is None:
                await context.route_web_socket("**/*", self._filter.route_web_socket)
            return _Room(context, door or self._filter, resources.pop_all())

    async def _close_room(self, room: _Room) -> None:
        """Close its context; a browser that cannot even do that is stopped, and started again by the next task."""
        closing = asyncio.ensure_future(_close(room.context))
        try:
            closed = await asyncio.shield(closing)
        except asyncio.CancelledError:
            await asyncio.wait({closing}, timeout=_CLOSE_TIMEOUT_S)
            raise
        finally:
            await room.resources.aclose()
        if not closed and self._running is not None and room.context.browser is self._running.browser:
            logger.warning("browser stopped: a context did not close")
            async with self._starting:
                await self._discard()

    async def _ensure_running(self, *, instead_of: _Running | None = None) -> _Running:
        async with self._starting:
            running = self._running
            if running is not None and running is not instead_of and running.browser.is_connected():
                return running
            await self._discard()
            found = chromium.find(self._settings)
            if found is None:
                raise NotInstalledError(chromium.problem(self._settings))
            try:
                async with asyncio.timeout(_LAUNCH_TIMEOUT_S):
                    self._running = await _launch(found, self._filter, self._proxy)
            except (playwright.Error, TimeoutError, OSError) as error:
                self._problem = _explain(found, error)
                raise UnavailableError(self._problem) from error
            self._problem = None
            logger.info("browser started", extra={"how": found.how, "version": self._running.browser.version})
            return self._running

    async def _discard(self) -> None:
        running, self._running = self._running, None
        if running is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await running.resources.aclose()
        except (playwright.Error, TimeoutError, OSError) as error:
            logger.debug("browser was gone already", extra={"why": str(error)})


@asynccontextmanager
async def open_browser(settings: Settings, watchers: Sequence[SessionWatcher] = ()) -> AsyncGenerator[Browser]:
    """Open the browser: it starts in the background, so that a service is up before its Chromium is."""
    browser = Browser(settings, watchers)
    starting = asyncio.create_task(browser.start())
    try:
        yield browser
    finally:
        starting.cancel()
        await asyncio.wait({starting})
        await browser.stop()


async def _launch(found: chromium.Found, request_filter: RequestFilter, proxy: EgressProxy) -> _Running:
    async with AsyncExitStack() as resources:
        os.environ.setdefault("NODE_OPTIONS", _NODE_OPTIONS)
        driver = await resources.enter_async_context(playwright.async_playwright())
        if found.how == "cdp":
            browser = await driver.chromium.connect_over_cdp(found.path)
        else:
            nowhere = await resources.enter_async_context(proxy.open_door(Rules(allow=("nowhere.invalid",))))
            browser = await driver.chromium.launch(
                executable_path=found.path,
                args=[*_ARGUMENTS, f"--proxy-server={nowhere.address}"],  # what is no page's
                ignore_default_args=list(_NOT_WANTED),
                chromium_sandbox=not _is_root(),  # Chromium's sandbox does not work as root, and only then is it off
            )
        resources.push_async_callback(browser.close)
        is_proxied = found.how != "cdp" or chromium.is_here(found.path)
        if not is_proxied:
            await request_filter.attach(browser)
        return _Running(browser, resources.pop_all(), is_proxied)


def _set_rules(boundary: Boundary, rules: Rules) -> None:
    if isinstance(boundary, Door):
        boundary.rules = rules
    elif rules != Rules():
        raise InvalidRequestError(
            "BROWSER_CDP_URL names a browser on another machine; `allow` and `deny` work only with one of this machine."
        )


async def _close(context: playwright.BrowserContext) -> bool:
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await context.close()
    except TimeoutError:
        return False
    except playwright.Error as error:
        logger.debug("context was gone already", extra={"why": str(error)})
    return True


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _explain(found: chromium.Found, error: BaseException) -> str:
    if found.how == "cdp":
        return f"BROWSER_CDP_URL is {found.path}, but no Chromium answers there. Start it, or correct the setting."
    if any(sign in str(error) for sign in ("No usable sandbox", "sandboxing failed")):
        return (
            f"{found.path} cannot build its sandbox. Allow unprivileged user namespaces on this machine, "
            "or run Chromium in a container of its own and set BROWSER_CDP_URL."
        )
    if isinstance(error, TimeoutError):
        return f"{found.path} did not start within {_LAUNCH_TIMEOUT_S:g} s."
    return f"{found.path} does not start as a Chromium. {chromium.INSTALL}"
