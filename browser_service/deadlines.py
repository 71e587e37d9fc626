"""Bounds every wait for a page: by its own limit, by the task's deadline, and by what breaks meanwhile."""

import asyncio
import re
from collections.abc import Coroutine
from typing import TypeVar

from playwright.async_api import Error
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from browser_service.errors import BrowserGoneError, ElementNotFoundError, ModelLateError
from browser_service.page_watch import PageWatch
from browser_service.settings import Settings
from shared.errors import TimedOutError

T = TypeVar("T")

_GONE = ("Target closed", "Target page", "has been closed", "crashed", "Connection closed")
_ALIVE_S = 1.0  # in which a page that is not busy answers
_COVERED = re.compile(r"(<[^<>]{1,200}>)[^\n]* intercepts pointer events")


class Deadlines:
    """The deadlines of one session. Playwright's own calls have none, or not for everything that can hang."""

    def __init__(self, watch: PageWatch, settings: Settings) -> None:
        self.action_timeout_s = settings.browser_action_timeout_s
        self._watch = watch
        self._task_timeout_s = settings.browser_task_timeout_s
        self._deadline = 0.0
        self.restart()

    def restart(self) -> None:
        """Give the session the time of a whole task again: another request begins."""
        self._deadline = asyncio.get_running_loop().time() + self._task_timeout_s

    @property
    def busy(self) -> str:
        """What to say when a page does not react."""
        return f"{self._watch.page.url} keeps its browser busy and cannot be used"

    async def bound(
        self,
        call: Coroutine[None, None, T],
        limit_s: float | None = None,
        late: str | None = None,
        failure: type[TimedOutError] = TimedOutError,
    ) -> T:
        """Await `call` at most `limit_s` (default twice BROWSER_ACTION_TIMEOUT_S), and never past the task's deadline.

        Raises: `failure` with `late` when that is over, the error that broke the page, playwright's Error.
        """
        limit_s = self.action_timeout_s * 2 if limit_s is None else limit_s
        left_s = self._deadline - asyncio.get_running_loop().time()
        page = self._watch.page
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
            if any(sign in str(error) for sign in _GONE) and not self._watch.has_left(page):
                raise BrowserGoneError("The page crashed, or Chromium died under it. Try again.") from error
            raise
        finally:
            if not task.cancel() and not task.cancelled():
                task.exception()  # seen, so that asyncio does not report it as lost
        if left_s <= limit_s:
            raise TimedOutError(f"The browser task took more than {self._task_timeout_s:g} s (BROWSER_TASK_TIMEOUT_S).")
        raise failure(f"{late or self.busy}.")

    async def bound_model(self, call: Coroutine[None, None, T]) -> T:
        """Await a model's answer, until the task's deadline. Raises: ModelLateError, what `call` raises."""
        left_s = self._deadline - asyncio.get_running_loop().time()
        return await bound_model(call, self._task_timeout_s, left_s)

    async def act(self, action: Coroutine[None, None, T], failure: str, *, limit_s: float | None = None) -> T:
        """Await what is done to an element.

        Raises: ElementNotFoundError, which says why it could not be done; TimedOutError when the page does not react.
        """
        limit_s = self.action_timeout_s + 1 if limit_s is None else limit_s
        busy = f"{failure}: {self.busy}"
        try:
            return await self.bound(action, limit_s, busy)
        except PlaywrightTimeoutError as error:
            await self.bound(self._watch.page.evaluate("0"), _ALIVE_S, busy)
            covered = _COVERED.search(error.message)
            why = "it is disabled, covered or moving"
            if covered:
                why = f"it is covered by {covered[1]}; close or answer that first"
            raise ElementNotFoundError(f"{failure} within {self.action_timeout_s:g} s: {why}.") from error
        except Error as error:
            raise ElementNotFoundError(f"{failure}: {_first_line(error)}.") from error


async def bound_model(call: Coroutine[None, None, T], limit_s: float, left_s: float | None = None) -> T:
    """Await a model's answer for a task that may take `limit_s`, at most what is left of that.

    Raises: ModelLateError, what `call` raises.
    """
    deadline = asyncio.timeout(limit_s if left_s is None else left_s)
    try:
        async with deadline:
            return await call
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise ModelLateError(
            f"The browser task took more than {limit_s:g} s (BROWSER_TASK_TIMEOUT_S): the language model had not "
            "answered yet. See whether its server works, or give the task more time."
        ) from error


def _first_line(error: Error) -> str:
    return error.message.splitlines()[0].strip().rstrip(".")[:300]
