"""One task's page in a context of its own: every wait bounded, every failure a sentence."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Self, TypeVar

from playwright.async_api import BrowserContext, Error, Frame, Page
from playwright.async_api import TimeoutError as PlaywrightTimeoutError
from pydantic import ValidationError
from uuid_utils.compat import uuid7

from browser_service import elements, navigation
from browser_service.egress_proxy import Boundary
from browser_service.errors import ElementNotFoundError, PageNotLoadedError, PageTimedOutError
from browser_service.page_content import Content, join
from browser_service.page_scripts import OPTIONS, QUIET, READ
from browser_service.page_watch import PageWatch
from browser_service.session_events import ActionOutcome, ActionTold, Owner, SessionWatcher, tell
from browser_service.settings import Settings
from shared.errors import FederationError, TimedOutError, UnavailableError

T = TypeVar("T")

_QUIET_S = 0.25
_MAX_FRAMES = 10
_MAX_SCREENSHOT_BYTES = 700_000  # in base64 it still fits into one event of a stream
_MOVED_ON = ("context was destroyed", "navigat", "detached")
_GONE = ("Target closed", "Target page", "has been closed", "crashed", "Connection closed")


@dataclass(frozen=True, slots=True)
class Picture:
    """A screenshot as PNG, and its size. `is_cut` when the page is higher than a screenshot may be."""

    content: bytes
    width_px: int
    height_px: int
    is_cut: bool


class BrowserSession:
    """A page and what a person can do with it. Everything raises FederationErrors only.

    `is_settled` says whether the page had finished loading when last looked at. TimedOutError, TooLargeError and
    UnavailableError (the page crashed, the browser died) can come from any call.
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
        self._watchers = watchers
        self._actions = 0
        self._released = asyncio.Event()
        self._released.set()
        self._watch = watch
        self._settings = settings
        self.boundary = boundary
        self._deadline = asyncio.get_running_loop().time() + settings.browser_task_timeout_s

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        owner: Owner,
        context: BrowserContext,
        settings: Settings,
        boundary: Boundary,
        watchers: Sequence[SessionWatcher] = (),
    ) -> AsyncGenerator[Self]:
        """Open a page in `context`, which the caller closes. Raises: UnavailableError."""
        try:
            async with asyncio.timeout(settings.browser_action_timeout_s):
                watch = PageWatch(context, await context.new_page(), settings, boundary)
                await watch.start()
        except (Error, TimeoutError) as error:
            raise UnavailableError("Chromium opened no page, or died under it. Try again.") from error
        session = cls(owner, context, watch, settings, boundary, watchers)
        context.on("page", session._tell_page)
        try:
            await tell(watchers, lambda watcher: watcher.session_opened(session))
            await session._tell_page(watch.page)
            yield session
        finally:
            await tell(watchers, lambda watcher: watcher.session_closed(session))

    @asynccontextmanager
    async def action(self, description: str) -> AsyncGenerator[None]:
        """Tell the watchers that an action begins, and how it ended; a session that is held waits before it."""
        await self._bounded_wait_for_release()
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

    async def _bounded_wait_for_release(self) -> None:
        await self._bounded(self._released.wait(), self._settings.browser_task_timeout_s, "A person has the browser")

    async def _tell_page(self, page: Page) -> None:
        await tell(self._watchers, lambda watcher: watcher.page_opened(self, page))

    @property
    def page(self) -> Page:
        """The page that the session is at now."""
        return self._watch.page

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
    def _busy(self) -> str:
        return f"{self.url} keeps its browser busy and cannot be used"

    async def open_url(self, url: str) -> None:
        """Go to `url` and let the page settle. An error status is no failure here: `status` tells it.

        Raises: AddressRefusedError, PageNotLoadedError, PageTimedOutError when not even the document came to its end.
        """
        await self.boundary.check(url)
        limit_s = self._settings.browser_navigation_timeout_s
        self._watch.forget()
        late = (
            f"{url} did not load within {limit_s:g} s (BROWSER_NAVIGATION_TIMEOUT_S): "
            "its server does not answer or never finishes, or its scripts never end"
        )
        try:
            opening = self._watch.page.goto(url, wait_until="domcontentloaded", timeout=0)
            await self._bounded(opening, limit_s, late, PageTimedOutError)
        except Error as error:
            if "ERR_ABORTED" in error.message:  # what a crash of the page's process is called, too
                with suppress(Error):
                    await self._read_state()
            raise (self._watch.refusal() or navigation.explain(url, error)) from error
        await self.settle()

    async def settle(self) -> None:
        """Wait until the page loads nothing more and has stopped changing, at most BROWSER_SETTLE_TIMEOUT_S."""
        loop = asyncio.get_running_loop()
        limit_s = self._settings.browser_settle_timeout_s
        deadline = loop.time() + limit_s
        is_ready = False
        while not (is_ready and not self._watch.under_way) and (left_s := deadline - loop.time()) > 0:
            try:
                await self._bounded(
                    self._watch.page.evaluate(QUIET, [_QUIET_S * 1000, left_s * 1000]),
                    left_s + self._settings.browser_action_timeout_s,
                    self._busy,
                )
                is_ready = await self._read_state()
            except Error:  # it went on to another document; wait for that one
                await asyncio.sleep(_QUIET_S)
                continue
        awaited = any(request.resource_type in {"xhr", "fetch"} for request in self._watch.under_way)
        self.is_settled = is_ready and not awaited
        self._raise_if_refused()

    async def read(self) -> Content:
        """Return what the page and its frames show."""
        main, *frames = self._watch.page.frames[:_MAX_FRAMES]
        content = await self._read_frame(main, self._settings.browser_action_timeout_s * 3)
        parts: list[Content] = []
        for frame in frames:
            if frame.url.startswith(("http", "about:srcdoc")):
                with suppress(PageNotLoadedError, TimedOutError):  # a frame that cannot be read spoils not the page
                    parts.append(await self._read_frame(frame, self._settings.browser_action_timeout_s))
        return join(content, parts, self._settings.browser_max_text_chars)

    async def click(self, name: str) -> None:
        """Click what is called `name`, and let what follows settle; a window it opens becomes the page.

        Raises: ElementNotFoundError.
        """
        timeout_s = self._settings.browser_action_timeout_s
        target = await self._bounded(
            elements.find_clickable(self._watch.page, name, timeout_s), timeout_s * 2, self._busy
        )
        if target is None:
            there = elements.clickable_names(await self.read())
            raise elements.not_found("button, link or text", name, there, timeout_s)
        before = set(self.context.pages)
        await self._act(target.click(timeout=timeout_s * 1000), f"{name!r} could not be clicked")
        await self.settle()
        opened = [page for page in self.context.pages if page not in before]
        if opened:
            self._watch.page = opened[-1]
            await self.settle()

    async def fill(self, name: str, text: str) -> None:
        """Write `text` into the field called `name`; in a list of choices, choose it. Raises: ElementNotFoundError."""
        timeout_s = self._settings.browser_action_timeout_s
        field = await self._bounded(elements.find_field(self._watch.page, name, timeout_s), timeout_s * 2, self._busy)
        if field is None:
            raise elements.not_found("field", name, (await self.read()).fields, timeout_s)
        options = await self._act(field.evaluate(OPTIONS), f"{name!r} went away")
        if options is None:
            await self._act(field.fill(text, timeout=timeout_s * 1000), f"{name!r} takes no text")
            return
        labels = {str(option).strip().lower(): str(option) for option in options}
        if text.lower() not in labels:
            there = ", ".join(repr(label) for label in list(labels.values())[:20])
            raise ElementNotFoundError(f"{name!r} has no choice {text!r}. There is: {there}.")
        choosing = field.select_option(label=labels[text.lower()], timeout=timeout_s * 1000)
        await self._act(choosing, f"{text!r} could not be chosen")

    async def press(self, key: str) -> None:
        """Press `key` (as Playwright names it: "Enter", "ArrowDown") and let what follows settle."""
        await self._act(self._watch.page.keyboard.press(key), f"The key {key!r} could not be pressed")
        await self.settle()

    async def wait_for(self, text: str) -> None:
        """Wait until `text` is shown. Raises: ElementNotFoundError after BROWSER_ACTION_TIMEOUT_S."""
        timeout_s = self._settings.browser_action_timeout_s
        found = await self._bounded(elements.find_text(self._watch.page, text, timeout_s), timeout_s * 2, self._busy)
        if found is None:
            headings = [heading.text for heading in (await self.read()).headings]
            raise elements.not_found("text", text, headings, timeout_s)

    async def scroll(self, *, to: str) -> None:
        """Scroll "down" a screen, to the "bottom" (what that loads is waited for) or to the "top"."""
        target = {"down": "scrollY + innerHeight * 0.9", "bottom": "document.documentElement.scrollHeight", "top": "0"}
        await self._act(self._watch.page.evaluate(f"() => scrollTo(0, {target[to]})"), "The page could not be scrolled")
        await self.settle()

    async def take_screenshot(self, *, full_page: bool) -> Picture:
        """Return a picture of what is in view, or of the whole page as far as BROWSER_MAX_SCREENSHOT_HEIGHT_PX."""
        view = self._watch.page.viewport_size
        width, view_height = (view["width"], view["height"]) if view is not None else (1280, 800)
        height, is_cut = view_height, False
        if full_page:
            total = await self._act(
                self._watch.page.evaluate("() => Number(document.documentElement.scrollHeight) || 0"),
                "The page's height could not be read",
            )
            height = max(view_height, min(int(total), self._settings.browser_max_screenshot_height_px))
            is_cut = total > height
        while True:
            content = await self._act(
                self._watch.page.screenshot(
                    full_page=full_page,
                    clip={"x": 0, "y": 0, "width": width, "height": height},
                    animations="disabled",
                    timeout=0,
                ),
                f"No screenshot of {self.url} could be taken",
                limit_s=self._settings.browser_action_timeout_s * 4,
            )
            if len(content) <= _MAX_SCREENSHOT_BYTES or height <= 100:
                return Picture(content, width, height, is_cut)
            height, is_cut = height // 2, True

    async def _read_state(self) -> bool:
        limit_s = self._settings.browser_action_timeout_s
        state = await self._bounded(self._watch.page.evaluate("() => document.readyState"), limit_s, self._busy)
        return state == "complete"

    async def _read_frame(self, frame: Frame, limit_s: float) -> Content:
        for _ in range(3):
            try:
                reading = frame.evaluate(READ, self._settings.browser_max_text_chars)
                raw = await self._bounded(reading, limit_s, self._busy)
                return Content.model_validate(raw)
            except (ValidationError, Error) as error:
                if isinstance(error, ValidationError) or not any(sign in error.message for sign in _MOVED_ON):
                    tampered = f"{self.url} changes its browser's own functions, so it cannot be read."
                    raise PageNotLoadedError(tampered) from error
                await self.settle()
        raise PageNotLoadedError(f"{self.url} goes on to another address again and again, so it cannot be read.")

    async def _act(self, action: Coroutine[None, None, T], failure: str, *, limit_s: float | None = None) -> T:
        limit_s = self._settings.browser_action_timeout_s + 1 if limit_s is None else limit_s
        try:
            return await self._bounded(action, limit_s, failure)
        except PlaywrightTimeoutError as error:
            raise ElementNotFoundError(
                f"{failure} within {self._settings.browser_action_timeout_s:g} s: it is disabled, covered or moving."
            ) from error
        except Error as error:
            raise ElementNotFoundError(f"{failure}: {_first_line(error)}.") from error

    async def _bounded(
        self,
        call: Coroutine[None, None, T],
        limit_s: float,
        late: str,
        failure: type[TimedOutError] = TimedOutError,
    ) -> T:
        """Await `call` at most `limit_s`, and never past the task's deadline or a broken page."""
        loop = asyncio.get_running_loop()
        left_s = self._deadline - loop.time()
        task = asyncio.ensure_future(call)
        try:
            await asyncio.wait(
                {task, self._watch.broken}, timeout=min(limit_s, left_s), return_when=asyncio.FIRST_COMPLETED
            )
            if self._watch.broken.done():
                raise self._watch.broken.result()
            if task.done():
                return task.result()
        except Error as error:
            if any(sign in str(error) for sign in _GONE):
                raise UnavailableError("The page crashed, or Chromium died under it. Try again.") from error
            raise
        finally:
            if not task.cancel() and not task.cancelled():
                task.exception()  # seen, so that asyncio does not report it as lost
        if left_s <= limit_s:
            raise TimedOutError(
                f"The browser task took more than {self._settings.browser_task_timeout_s:g} s (BROWSER_TASK_TIMEOUT_S)."
            )
        raise failure(f"{late}.")

    def _raise_if_refused(self) -> None:
        """A script or a click may have led to an address that was refused; the browser then shows an error page."""
        if self._watch.page.url.startswith("chrome-error:"):
            failed = self._watch.failed_document or "The next page"
            raise self._watch.refusal() or PageNotLoadedError(f"{failed} could not be loaded.")


def _first_line(error: Error) -> str:
    return error.message.splitlines()[0].strip().rstrip(".")[:300]
