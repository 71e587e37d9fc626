"""One task's page in a context of its own: every wait bounded, every failure a sentence."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self, TypeVar

from playwright.async_api import BrowserContext, Error, Frame, Page, Request, Response
from playwright.async_api import TimeoutError as PlaywrightTimeoutError
from pydantic import BaseModel, Field, ValidationError

from browser_service import elements, navigation
from browser_service.errors import ElementNotFoundError, PageNotLoadedError
from browser_service.page_content import Content, join
from browser_service.page_scripts import QUIET, READ
from browser_service.request_filter import RequestFilter, send
from browser_service.settings import Settings
from shared.errors import AddressRefusedError, FederationError, TimedOutError, TooLargeError, UnavailableError

T = TypeVar("T")

_QUIET_S = 0.25
_MAX_FRAMES = 10
_MAX_SCREENSHOT_BYTES = 700_000  # in base64 it still fits into one event of a stream
_ENDLESS = frozenset({"eventsource", "websocket", "media", "ping"})  # requests that a finished page may still have
_MOVED_ON = ("context was destroyed", "navigat", "detached")
_GONE = ("Target closed", "Target page", "has been closed", "crashed", "Connection closed")


class _DataReceived(BaseModel):
    """The event Network.dataReceived, as far as it is used."""

    size_bytes: int = Field(alias="dataLength")


@dataclass(frozen=True, slots=True)
class Picture:
    """A screenshot as PNG, and its size. `is_cut` when the page is higher than a screenshot may be."""

    content: bytes
    width_px: int
    height_px: int
    is_cut: bool


class BrowserSession:
    """A page and what a person can do with it. Everything raises FederationErrors only.

    `status` is the HTTP status of the last document; `is_settled` says whether the page had gone quiet when last looked
    at. TimedOutError, TooLargeError, UnavailableError (the page crashed, the browser died) can come from any call.
    """

    def __init__(self, context: BrowserContext, page: Page, settings: Settings, request_filter: RequestFilter) -> None:
        self.status: int | None = None
        self.is_settled = True
        self._context = context
        self._page = page
        self._settings = settings
        self._filter = request_filter
        loop = asyncio.get_running_loop()
        self._deadline = loop.time() + settings.browser_task_timeout_s
        self._broken: asyncio.Future[FederationError] = loop.create_future()
        self._under_way: set[Request] = set()
        self._failed_document: str | None = None
        self._received_bytes = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls, context: BrowserContext, settings: Settings, request_filter: RequestFilter
    ) -> AsyncGenerator[Self]:
        """Open a page in `context`, which the caller closes."""
        try:
            page = await context.new_page()
        except Error as error:
            raise UnavailableError("Chromium died while a page was opened. Try again.") from error
        session = cls(context, page, settings, request_filter)
        context.on("page", session._watch)
        context.on("response", session._judge_answer)
        await session._bounded(session._watch(page), settings.browser_action_timeout_s, "A new page did not answer")
        yield session

    @property
    def url(self) -> str:
        """The address of the page as it is now."""
        return self._page.url

    async def open_url(self, url: str) -> None:
        """Go to `url` and let the page settle. An error status is no failure here: `status` tells it.

        Raises: AddressRefusedError, PageNotLoadedError, and TimedOutError when not even the document came to its end.
        """
        await self._filter.check(url)
        limit_s = self._settings.browser_navigation_timeout_s
        self._failed_document = None
        self._under_way.clear()
        late = (
            f"{url} did not load within {limit_s:g} s (BROWSER_NAVIGATION_TIMEOUT_S): "
            "its server does not answer or never finishes, or its scripts never end"
        )
        try:
            response = await self._bounded(
                self._page.goto(url, wait_until="domcontentloaded", timeout=0), limit_s, late
            )
        except Error as error:
            raise self._not_loaded(url, error) from error
        self.status = response.status if response is not None else self.status
        await self.settle()

    async def settle(self) -> None:
        """Wait until the page loads nothing more and has stopped changing, at most BROWSER_SETTLE_TIMEOUT_S."""
        loop = asyncio.get_running_loop()
        limit_s = self._settings.browser_settle_timeout_s
        deadline = loop.time() + limit_s
        self.is_settled = False
        while not self.is_settled and (left_s := deadline - loop.time()) > 0:
            try:
                await self._bounded(
                    self._page.evaluate(QUIET, [_QUIET_S * 1000, left_s * 1000]),
                    left_s + self._settings.browser_action_timeout_s,
                    f"{self.url} keeps its browser busy and cannot be read",
                )
                ready = await self._read_state()
            except Error:  # it went on to another document; wait for that one
                await asyncio.sleep(_QUIET_S)
                continue
            self.is_settled = ready and not self._under_way
        self._raise_if_refused()

    async def read(self) -> Content:
        """Return what the page and its frames show."""
        main, *frames = self._page.frames[:_MAX_FRAMES]
        limit = self._settings.browser_max_text_chars
        content = await self._read_frame(main)
        parts = [await self._read_frame(frame) for frame in frames if not frame.is_detached()]
        return join(content, [part for part in parts if part.url.startswith(("http", "about:srcdoc"))], limit)

    async def click(self, name: str) -> None:
        """Click what is called `name`, and let what follows settle; a window it opens becomes the page.

        Raises: ElementNotFoundError.
        """
        timeout_s = self._settings.browser_action_timeout_s
        target = await self._bounded(elements.find_clickable(self._page, name, timeout_s), timeout_s * 2, "Looking")
        if target is None:
            there = elements.clickable_names(await self.read())
            raise elements.not_found("button, link or text", name, there, timeout_s)
        before = set(self._context.pages)
        await self._act(target.click(timeout=timeout_s * 1000), f"{name!r} could not be clicked")
        await self.settle()
        opened = [page for page in self._context.pages if page not in before]
        if opened:
            self._page = opened[-1]
            await self._act(self._page.wait_for_load_state(timeout=timeout_s * 1000), "The new window did not load")
            await self.settle()

    async def fill(self, name: str, text: str) -> None:
        """Write `text` into the field called `name`; in a list of choices, choose it. Raises: ElementNotFoundError."""
        timeout_s = self._settings.browser_action_timeout_s
        field = await self._bounded(elements.find_field(self._page, name, timeout_s), timeout_s * 2, "Looking")
        if field is None:
            raise elements.not_found("field", name, (await self.read()).fields, timeout_s)
        is_choice = await self._act(field.evaluate("element => element.tagName === 'SELECT'"), f"{name!r} went away")
        if is_choice:
            await self._act(
                field.select_option(label=text, timeout=timeout_s * 1000), f"{name!r} has no choice {text!r}"
            )
        else:
            await self._act(field.fill(text, timeout=timeout_s * 1000), f"{name!r} takes no text")

    async def press(self, key: str) -> None:
        """Press `key` (as Playwright names it: "Enter", "ArrowDown") and let what follows settle."""
        await self._act(self._page.keyboard.press(key), f"The key {key!r} could not be pressed")
        await self.settle()

    async def wait_for(self, text: str) -> None:
        """Wait until `text` is shown. Raises: ElementNotFoundError after BROWSER_ACTION_TIMEOUT_S."""
        timeout_s = self._settings.browser_action_timeout_s
        found = await self._bounded(elements.find_text(self._page, text, timeout_s), timeout_s * 2, "Looking")
        if found is None:
            headings = [heading.text for heading in (await self.read()).headings]
            raise elements.not_found("text", text, headings, timeout_s)

    async def scroll(self, *, to: str) -> None:
        """Scroll "down" a screen, to the "bottom" (what that loads is waited for) or to the "top"."""
        target = {"down": "scrollY + innerHeight * 0.9", "bottom": "document.documentElement.scrollHeight", "top": "0"}
        await self._act(self._page.evaluate(f"() => scrollTo(0, {target[to]})"), "The page could not be scrolled")
        await self.settle()

    async def take_screenshot(self, *, full_page: bool) -> Picture:
        """Return a picture of what is in view, or of the whole page as far as BROWSER_MAX_SCREENSHOT_HEIGHT_PX."""
        width, view_height = 1280, 800
        if self._page.viewport_size is not None:
            width, view_height = self._page.viewport_size["width"], self._page.viewport_size["height"]
        height, is_cut = view_height, False
        if full_page:
            total = await self._act(
                self._page.evaluate("() => Number(document.documentElement.scrollHeight) || 0"),
                "The page's height could not be read",
            )
            height = max(view_height, min(int(total), self._settings.browser_max_screenshot_height_px))
            is_cut = total > height
        while True:
            content = await self._act(
                self._page.screenshot(
                    full_page=full_page,
                    clip={"x": 0, "y": 0, "width": width, "height": height},
                    animations="disabled",
                    timeout=self._settings.browser_action_timeout_s * 3000,
                ),
                "No screenshot could be taken",
                limit_s=self._settings.browser_action_timeout_s * 4,
            )
            if len(content) <= _MAX_SCREENSHOT_BYTES or height <= 100:
                return Picture(content, width, height, is_cut)
            height, is_cut = height // 2, True

    async def _read_state(self) -> bool:
        limit_s = self._settings.browser_action_timeout_s
        state = await self._bounded(self._page.evaluate("() => document.readyState"), limit_s, "The page is stuck")
        return state == "complete"

    async def _read_frame(self, frame: Frame) -> Content:
        limit = self._settings.browser_max_text_chars
        for _ in range(3):
            try:
                raw = await self._bounded(
                    frame.evaluate(READ, limit),
                    self._settings.browser_action_timeout_s * 3,
                    f"{self.url} keeps its browser busy and cannot be read",
                )
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

    async def _bounded(self, call: Coroutine[None, None, T], limit_s: float, late: str) -> T:
        """Await `call` at most `limit_s`, and never past the task's deadline or a broken page."""
        loop = asyncio.get_running_loop()
        left_s = self._deadline - loop.time()
        task = asyncio.ensure_future(call)
        try:
            await asyncio.wait({task, self._broken}, timeout=min(limit_s, left_s), return_when=asyncio.FIRST_COMPLETED)
            if self._broken.done():
                raise self._broken.result()
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
        raise TimedOutError(f"{late}.")

    async def _watch(self, page: Page) -> None:
        page.on("request", self._begin)
        page.on("requestfinished", self._end)
        page.on("requestfailed", self._fail)
        page.on("crash", lambda _: self._break(UnavailableError("The page crashed its renderer. Try again.")))
        try:
            cdp = await self._context.new_cdp_session(page)
            cdp.on("Network.dataReceived", self._count)
            await send(cdp, "Network.enable")
        except Error as error:
            self._break(UnavailableError(f"Chromium died under the page ({_first_line(error)}). Try again."))

    def _begin(self, request: Request) -> None:
        if request.resource_type not in _ENDLESS:
            self._under_way.add(request)

    def _end(self, request: Request) -> None:
        self._under_way.discard(request)

    def _fail(self, request: Request) -> None:
        self._end(request)
        if self._is_document(request):
            self._failed_document = request.url

    def _is_document(self, request: Request) -> bool:
        try:
            return request.is_navigation_request() and request.frame == self._page.main_frame
        except Error:  # a request of a new window that has no frame yet
            return False

    def _count(self, event: dict[str, object]) -> None:
        self._received_bytes += _DataReceived.model_validate(event).size_bytes
        limit = self._settings.browser_max_page_bytes
        if self._received_bytes > limit:
            self._break(TooLargeError(f"{self.url} loads more than {limit:,} bytes (BROWSER_MAX_PAGE_BYTES)."))

    async def _judge_answer(self, response: Response) -> None:
        """Stop the task when an answer came from where it may not: the name led elsewhere than when it was checked."""
        if self._is_document(response.request):
            self.status = response.status
        try:
            await self._filter.check_answer(response)
        except AddressRefusedError as error:
            self._break(error)
        except Error:  # the page is gone, and with it the answer
            return

    def _break(self, error: FederationError) -> None:
        if not self._broken.done():
            self._broken.set_result(error)

    def _not_loaded(self, url: str, error: Error) -> FederationError:
        refused = self._filter.refusal(self._failed_document or url) or self._filter.refusal(url)
        return refused or navigation.explain(url, error)

    def _raise_if_refused(self) -> None:
        """A script or a click may have led to an address that was refused; the browser then shows an error page."""
        if self._page.url.startswith("chrome-error:"):
            failed = self._failed_document or "the next page"
            raise self._filter.refusal(failed) or PageNotLoadedError(f"{failed} could not be loaded.")


def _first_line(error: Error) -> str:
    return error.message.splitlines()[0].strip().rstrip(".")[:300]
