"""One task's page in a context of its own: every wait bounded, every failure a sentence."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Self

from playwright.async_api import BrowserContext, Download, Error, Frame, Page
from pydantic import ValidationError
from uuid_utils.compat import uuid7

from browser_service import navigation, pictures, redaction
from browser_service.deadlines import Deadlines
from browser_service.dialogs import Dialogs
from browser_service.egress_proxy import Boundary
from browser_service.elements import MAX_FRAMES, Elements
from browser_service.errors import BrowserGoneError, ElementNotFoundError, PageNotLoadedError, PageTimedOutError
from browser_service.files import SessionFiles
from browser_service.page_content import Content, join
from browser_service.page_scripts import QUIET, READ
from browser_service.page_tools import PageTools
from browser_service.page_watch import PageWatch
from browser_service.pictures import Picture
from browser_service.session_events import ActionOutcome, ActionTold, Owner, SessionWatcher, tell
from browser_service.settings import Settings
from shared.errors import FederationError, InvalidRequestError, TimedOutError

_QUIET_S = 0.25
_MOVED_ON = ("context was destroyed", "navigat", "detached")


class BrowserSession:
    """A page and what a person can do with it. Everything raises FederationErrors only.

    `is_settled` says whether the page had finished loading when last looked at, `title` how it was called.
    TimedOutError, TooLargeError and UnavailableError (the page crashed, the browser died) can come from any call.
    """

    def __init__(
        self,
        owner: Owner,
        context: BrowserContext,
        watch: PageWatch,
        settings: Settings,
        boundary: Boundary,
        watchers: Sequence[SessionWatcher],
    ) -> None:
        self.id = str(uuid7())
        self.owner = owner
        self.context = context
        self.is_settled = True
        self.title = ""
        self._watchers = watchers
        self._actions = 0
        self._released = asyncio.Event()
        self._released.set()
        self._watch = watch
        self._settings = settings
        self.boundary = boundary
        self.deadlines = Deadlines(watch, settings)
        self.elements = Elements(watch, self.deadlines)
        self.dialogs = Dialogs(context, watch.break_off)
        self.files = SessionFiles(settings.data_dir / "browser" / "sessions" / self.id, settings.browser_max_file_bytes)
        self.page_tools = PageTools(watch, self.deadlines)
        self.max_text_chars = settings.browser_max_text_chars
        self.secrets: set[str] = set()
        self.credentials: Callable[[str, str], str] | None = None
        self._wanted_download: asyncio.Future[Download] | None = None
        self._downloads = 0
        self._wanted_url = ""

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        owner: Owner,
        context: BrowserContext,
        page: Page,
        settings: Settings,
        boundary: Boundary,
        watchers: Sequence[SessionWatcher] = (),
    ) -> AsyncGenerator[Self]:
        """Begin with `page` in `context`, which the caller closes. Raises: BrowserGoneError."""
        try:
            async with asyncio.timeout(settings.browser_action_timeout_s):
                watch = PageWatch(context, page, settings, boundary)
                await watch.start()
        except (Error, TimeoutError) as error:
            raise BrowserGoneError("Chromium opened no page, or died under it. Try again.") from error
        session = cls(owner, context, watch, settings, boundary, watchers)
        context.on("page", session._tell_of_page)
        context.on("download", session._take_download)  # one that a window is opened for is told of by no page
        try:
            await tell(watchers, lambda watcher: watcher.session_opened(session))
            await session._tell_of_page(watch.page)
            yield session
        finally:
            await tell(watchers, lambda watcher: watcher.session_closed(session))
            session.files.close()

    @asynccontextmanager
    async def action(self, description: str) -> AsyncGenerator[None]:
        """Tell the watchers that an action begins, and how it ended; a session that is held waits before it."""
        await self._wait_for_release()
        self._actions += 1
        told = ActionTold(self._actions, description)
        began = asyncio.get_running_loop().time()
        await tell(self._watchers, lambda watcher: watcher.action_started(self, told))
        failure: FederationError | None = None
        try:
            yield
        except FederationError as error:
            failure = error
            raise
        finally:
            outcome = ActionOutcome(told, self.url, asyncio.get_running_loop().time() - began, failure)
            await tell(self._watchers, lambda watcher: watcher.action_ended(self, outcome))

    def hold(self) -> None:
        """Let no further action begin: a person has taken over. The task's deadline goes on."""
        self._released.clear()

    def release(self) -> None:
        """Let actions begin again."""
        self._released.set()

    async def _wait_for_release(self) -> None:
        limit_s = self._settings.browser_task_timeout_s
        await self.deadlines.bound(self._released.wait(), limit_s, "A person has the browser and did not give it back")

    async def _tell_of_page(self, page: Page) -> None:
        await tell(self._watchers, lambda watcher: watcher.page_opened(self, page))

    @property
    def page(self) -> Page:
        """The page that the session is at now."""
        return self._watch.page

    @property
    def is_broken(self) -> bool:
        """Whether nothing more can be done on it: the page crashed, loaded too much, opened dialogs without end."""
        return self._watch.broken.done()

    async def calm(self) -> None:
        """Stop what the page loads and runs, even a script without end; unbounded. Raises: playwright's Error."""
        await self._watch.calm()

    @property
    def script_errors(self) -> tuple[str, ...]:
        """What scripts threw and nobody caught, since `open_url`."""
        return self._watch.script_errors

    @property
    def status(self) -> int | None:
        """The HTTP status of the last document."""
        return self._watch.status

    @property
    def url(self) -> str:
        """The address of the page as it is now."""
        return self._watch.page.url

    @property
    def shows_page(self) -> bool:
        """Whether there is a page: not a blank one, nor the browser's own that says what is wrong."""
        return not self.url.startswith(("chrome-error:", "about:blank"))

    @property
    def address(self) -> str:
        """The address of the page, or of the one that was wanted where there is none."""
        return self.url if self.shows_page else self._watch.failed_document or self._wanted_url or self.url

    async def open_url(self, url: str) -> None:
        """Go to `url` and let the page settle. An error status is no failure here: `status` tells it.

        Raises: AddressRefusedError, PageNotLoadedError, PageTimedOutError when not even the document came to its end.
        """
        self._wanted_url = url
        try:
            await self.boundary.check(url)
            self.title = ""
            await self._go_to(url)
        except FederationError as error:
            error.facts.setdefault("url", url)
            raise
        await self.settle(has_arrived=True)

    async def _go_to(self, url: str) -> None:
        limit_s = self._settings.browser_navigation_timeout_s
        self._watch.forget()
        late = (
            f"{url} did not load within {limit_s:g} s (BROWSER_NAVIGATION_TIMEOUT_S): "
            "its server does not answer or never finishes, or its scripts never end"
        )
        try:
            opening = self._watch.page.goto(url, wait_until="domcontentloaded", timeout=0)
            await self.deadlines.bound(opening, limit_s, late, PageTimedOutError)
        except Error as error:
            if "ERR_ABORTED" in error.message:  # what a crash of the page's process is called, too
                with suppress(Error):
                    await self._read_state()
            raise (self._watch.refusal() or navigation.explain(url, error)) from error

    async def settle(self, *, has_arrived: bool = False) -> None:
        """Wait until the page loads nothing more and has stopped changing, at most BROWSER_SETTLE_TIMEOUT_S.

        `has_arrived`: nothing was done to it since it came, so that it is done as soon as nothing is pending in it.
        """
        loop = asyncio.get_running_loop()
        limit_s = self._settings.browser_settle_timeout_s
        deadline = loop.time() + limit_s
        is_ready = False
        while not (is_ready and not self._watch.under_way) and (left_s := deadline - loop.time()) > 0:
            page, requests = self._watch.page, self._watch.requests
            asked = [_QUIET_S * 1000, left_s * 1000, has_arrived, len(page.frames) == 1]
            try:
                is_sure: object = await self.deadlines.bound(
                    page.evaluate(QUIET, asked), left_s + self._settings.browser_action_timeout_s, self.deadlines.busy
                )
                is_ready = await self._read_state()
            except Error:  # it went on to another document; wait for that one
                await asyncio.sleep(_QUIET_S)
                continue
            if is_sure is True and requests != self._watch.requests:  # what was answered meanwhile may draw something
                is_ready = False
                await self._watch.wait_for_answers(min(_QUIET_S, left_s))
        awaited = any(request.resource_type in {"xhr", "fetch"} for request in self._watch.under_way)
        self.is_settled = is_ready and not awaited
        self._raise_if_refused()

    async def read(self) -> Content:
        """Return what the page and its frames show."""
        main, *frames = self._watch.page.frames[:MAX_FRAMES]
        content = await self._read_frame(main, self._settings.browser_action_timeout_s * 3)
        parts: list[Content] = []
        for frame in frames:
            if frame.url.startswith(("http", "about:srcdoc")):
                with suppress(PageNotLoadedError, TimedOutError):  # a frame that cannot be read spoils not the page
                    parts.append(await self._read_frame(frame, self._settings.browser_action_timeout_s))
        whole = join(content, parts, self._settings.browser_max_text_chars)
        if not self.secrets:
            return whole
        return Content.model_validate_json(redaction.redact(whole.model_dump_json(), self.secrets))

    @asynccontextmanager
    async def following(self) -> AsyncGenerator[None]:
        """Let what is done to the page settle, and go on in the newest window that it opened, if it opened one.

        A window that only brings a download is closed. One that closes itself was done with.
        """
        page, before, downloads = self.page, set[Page](self.context.pages), self._downloads
        try:
            yield
        except ElementNotFoundError:
            if not self._watch.has_left(page):
                raise
        await self.settle()
        await self._watch.wait_for_windows(self._settings.browser_settle_timeout_s)
        if opened := [page for page in self.context.pages if page not in before]:
            await self.switch_to(opened[-1])
            if not self.url and self._downloads > downloads:
                with suppress(Error):
                    await opened[-1].close()
                await self.switch_to(page)

    async def switch_to(self, page: Page) -> None:
        """Go on in `page`, one of this session's windows."""
        self._watch.page = page
        await self.settle()

    async def wait_for_download(self, doing: Coroutine[None, None, None]) -> Download:
        """Do what is given, and return the download that it brings. Raises: ElementNotFoundError when none comes."""
        self._wanted_download = asyncio.get_running_loop().create_future()
        try:
            await doing
            async with asyncio.timeout(self._settings.browser_action_timeout_s):
                return await self._wanted_download
        except TimeoutError as error:
            raise ElementNotFoundError(f"{self.url} offered no file.") from error
        finally:
            self._wanted_download = None

    def secret(self, name: str) -> str:
        """Return the secret `name` for the page that is open now; from then on nothing that is told has it in it.

        Raises: InvalidRequestError when the session has none, CredentialRefusedError, NotFoundError.
        """
        if self.credentials is None:
            raise InvalidRequestError(f"This session has no credential {name!r}.")
        value = self.credentials(name, self.url)
        self.secrets.add(value)
        return value

    async def _take_download(self, download: Download) -> None:
        self._downloads += 1
        wanted = self._wanted_download
        if wanted is not None and not wanted.done():
            wanted.set_result(download)
        else:
            with suppress(Error):  # nobody asked for it
                await download.cancel()

    async def back(self) -> None:
        """Go back to the page before. Raises: PageNotLoadedError when there is none."""
        limit_s = self._settings.browser_navigation_timeout_s
        try:
            answer = await self.deadlines.bound(
                self._watch.page.go_back(wait_until="domcontentloaded", timeout=0),
                limit_s,
                "The page before did not load",
            )
        except Error as error:
            raise navigation.explain(self.url, error) from error
        if answer is None and self.url == "about:blank":
            raise PageNotLoadedError("There is no page to go back to.")
        await self.settle()

    async def take_screenshot(self, *, full_page: bool) -> Picture:
        """Return a picture of what is in view, or of the whole page as far as BROWSER_MAX_SCREENSHOT_HEIGHT_PX."""
        max_height_px = self._settings.browser_max_screenshot_height_px
        return await pictures.take(self._watch.page, self.deadlines, full_page=full_page, max_height_px=max_height_px)

    async def _read_state(self) -> bool:
        limit_s = self._settings.browser_action_timeout_s
        reading = self._watch.page.evaluate("() => [document.readyState, `${document.title}`]")
        told: object = await self.deadlines.bound(reading, limit_s, self.deadlines.busy)
        match told:
            case [str(state), str(title)]:
                self.title = title[:300] if self.shows_page else self.title
                return state == "complete"
            case _:  # the page has changed its browser's own functions
                return False

    async def _read_frame(self, frame: Frame, limit_s: float) -> Content:
        for _ in range(3):
            try:
                reading = frame.evaluate(READ, self._settings.browser_max_text_chars)
                raw = await self.deadlines.bound(reading, limit_s, self.deadlines.busy)
                return Content.model_validate(raw)
            except (ValidationError, Error) as error:
                if isinstance(error, ValidationError) or not any(sign in error.message for sign in _MOVED_ON):
                    tampered = f"{self.url} changes its browser's own functions, so it cannot be read."
                    raise PageNotLoadedError(tampered) from error
                await self.settle()
        raise PageNotLoadedError(f"{self.url} goes on to another address again and again, so it cannot be read.")

    def _raise_if_refused(self) -> None:
        """A script or a click may have led to an address that was refused; the browser then shows an error page."""
        if self._watch.page.url.startswith("chrome-error:"):
            failed = self._watch.failed_document or "The next page"
            raise self._watch.refusal() or PageNotLoadedError(f"{failed} could not be loaded.")
