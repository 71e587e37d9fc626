"""Watches what goes on in a task's pages meanwhile: what still loads, how much came and from where, what broke."""

import asyncio
from contextlib import suppress

from playwright.async_api import BrowserContext, CDPSession, Error, Frame, Page, Request, Response
from pydantic import BaseModel, Field

from browser_service.egress_proxy import Boundary
from browser_service.errors import PageCrashedError
from browser_service.request_filter import send
from browser_service.settings import Settings
from shared.errors import AddressRefusedError, FederationError, TooLargeError

_MAX_SCRIPT_ERRORS = 20
_ENDLESS = frozenset({"eventsource", "websocket", "media", "ping"})  # requests that a finished page may still have


class _DataReceived(BaseModel):
    """The event Network.dataReceived, as far as it is used."""

    size_bytes: int = Field(alias="dataLength")


class PageWatch:
    """Follows the pages of one context.

    `page` is the one that the task is at; when it closes itself, the newest that is left. `broken` has the error once
    the task cannot go on: a page crashed, too many bytes came, or an answer came from an address that may not be
    reached. `under_way` are the requests not yet answered in full, `requests` counts how often one began or ended,
    `status` is the HTTP status of the last document of `page`.
    """

    def __init__(self, context: BrowserContext, page: Page, settings: Settings, boundary: Boundary) -> None:
        self.page = page
        self.status: int | None = None
        self.under_way: set[Request] = set()
        self.requests = 0
        self.broken: asyncio.Future[FederationError] = asyncio.get_running_loop().create_future()
        self._context = context
        self._boundary = boundary
        self._max_bytes = settings.browser_max_page_bytes
        self._received_bytes = 0
        self._failed_documents: list[str] = []
        self._script_errors: list[str] = []
        self._wires: dict[Page, CDPSession] = {}
        self._answered = asyncio.Event()
        self._coming_windows = 0
        self._window_came = asyncio.Event()

    async def start(self) -> None:
        """Follow the first page, and every other that is opened. Raises: playwright's Error."""
        self._context.on("page", self._follow_another)
        self._context.on("response", self._judge_answer)
        await self._follow(self.page)

    def forget(self) -> None:
        """Forget what an earlier document left behind; the task opens another one."""
        self.status = None
        self.under_way.clear()
        self._failed_documents.clear()
        self._script_errors.clear()

    async def wait_for_answers(self, limit_s: float) -> None:
        """Wait until every request has been answered in full, at most `limit_s`."""
        self._answered.clear()
        if self.under_way:
            with suppress(TimeoutError):
                async with asyncio.timeout(limit_s):
                    await self._answered.wait()

    async def wait_for_windows(self, limit_s: float) -> None:
        """Wait until the windows that pages have asked for are there, at most `limit_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while self._coming_windows:
                    self._window_came.clear()
                    await self._window_came.wait()
        self._coming_windows = 0  # what has not come by now was kept from it

    async def calm(self) -> None:
        """Stop what `page` loads and runs, even a script without end; the caller bounds it. Raises: playwright's Error.

        Chromium breaks a script off only for a session that was there before it began.
        """
        wire = self._wires.get(self.page)
        if wire is not None:
            await send(wire, "Page.stopLoading")
            await send(wire, "Runtime.terminateExecution")

    def has_left(self, page: Page) -> bool:
        """Tell whether the task was at `page`, which closed itself, and is at another one now."""
        return self.page is not page and page.is_closed() and not self.page.is_closed()

    @property
    def script_errors(self) -> tuple[str, ...]:
        """What scripts of the pages threw and nobody caught, the first of it, since the task last opened an address."""
        return tuple(self._script_errors)

    @property
    def failed_document(self) -> str | None:
        """The address of the last document that did not load."""
        return self._failed_documents[-1] if self._failed_documents else None

    def refusal(self) -> FederationError | None:
        """Return why the last document that was refused was, if one was."""
        refusals = (self._boundary.refusal(url) for url in reversed(self._failed_documents))
        return next((refusal for refusal in refusals if refusal is not None), None)

    async def _follow(self, page: Page) -> None:
        page.on("request", self._begin)
        page.on("requestfinished", self._end)
        page.on("requestfailed", self._fail)
        page.on("crash", self._crash)
        page.on("close", self._leave)
        page.on("pageerror", self._note_script_error)
        page.on("framenavigated", self._count_frame)
        wire = self._wires[page] = await self._count_bytes(page)
        wire.on("Page.windowOpen", self._expect_window)
        await send(wire, "Page.enable")

    async def _follow_another(self, page: Page) -> None:
        self._coming_windows = max(self._coming_windows - 1, 0)
        self._window_came.set()
        with suppress(Error):  # a window that is closed again already
            await self._follow(page)

    async def _count_frame(self, frame: Frame) -> None:
        if frame.parent_frame is not None:
            with suppress(Error):  # most frames have no process of their own: their page's session counts for them
                await self._count_bytes(frame)

    async def _count_bytes(self, target: Page | Frame) -> CDPSession:
        cdp = await self._context.new_cdp_session(target)
        cdp.on("Network.dataReceived", self._count)
        await send(cdp, "Network.enable")
        return cdp

    def _expect_window(self, event: dict[str, object]) -> None:
        if event.get("userGesture") is True:  # without one, Chromium opens none
            self._coming_windows += 1

    def _count(self, event: dict[str, object]) -> None:
        self._received_bytes += _DataReceived.model_validate(event).size_bytes
        if self._received_bytes > self._max_bytes:
            limit = f"{self._max_bytes:,} bytes (BROWSER_MAX_PAGE_BYTES)"
            self.break_off(TooLargeError(f"{self.page.url} loads more than {limit}."))

    def _begin(self, request: Request) -> None:
        self.requests += 1
        if request.resource_type not in _ENDLESS:
            self.under_way.add(request)

    def _end(self, request: Request) -> None:
        self.requests += 1
        self.under_way.discard(request)
        if not self.under_way:
            self._answered.set()

    def _fail(self, request: Request) -> None:
        self._end(request)
        if self._is_document(request):
            self._failed_documents.append(request.url)

    def _note_script_error(self, error: Error) -> None:
        if len(self._script_errors) < _MAX_SCRIPT_ERRORS:
            self._script_errors.append(error.message[:500])

    def _crash(self, page: Page) -> None:
        self.break_off(PageCrashedError(f"{page.url} crashed its page in Chromium. Try again."))

    def _leave(self, page: Page) -> None:
        if page is self.page and (left := self._context.pages):
            self.page = left[-1]

    async def _judge_answer(self, response: Response) -> None:
        """Stop the task when an answer came from where it may not: the name led elsewhere than when it was checked."""
        if self._is_document(response.request):
            self.status = response.status
        try:
            await self._boundary.check_answer(response)
        except AddressRefusedError as error:
            self.break_off(error)
        except Error:  # the page is gone, and with it the answer
            return

    def _is_document(self, request: Request) -> bool:
        try:
            return request.is_navigation_request() and request.frame == self.page.main_frame
        except Error:  # a request of a new window that has no frame yet
            return False

    def break_off(self, error: FederationError) -> None:
        """End what the session does with `error`."""
        if not self.broken.done():
            self.broken.set_result(error)
