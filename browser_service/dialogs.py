"""Answers the dialogs of a session's pages: alerts, confirmations, prompts. None of them holds up a task."""

import re
from collections.abc import Callable
from contextlib import suppress

from playwright.async_api import BrowserContext, Error
from playwright.async_api import Dialog as OpenDialog

from browser_service.errors import PageNotLoadedError
from browser_service.page_content import clean
from shared.errors import FederationError

ANSWER = re.compile(
    r"(?:(?P<accept>accept|confirm)|dismiss|cancel|close)\s+"
    r"(?:it|this|that|(?:the\s+)?(?:dialog(?:\s+box)?|pop-?up|confirmation|question))",
    re.IGNORECASE,
)
"""Words that answer a dialog, if one came; else they mean something on the page."""

_MAX_DIALOGS = 100
_KEPT = 20


class Dialogs:
    """Dismisses dialogs at once, but for one that is awaited or asks whether to leave.

    A page that opens them without end is broken off.
    """

    def __init__(self, context: BrowserContext, break_off: Callable[[FederationError], None]) -> None:
        self.seen: list[str] = []
        self._expected: tuple[bool, str] | None = None
        self._is_ahead = False
        self._count = 0
        self._break_off = break_off
        context.on("dialog", self._answer)

    def expect_ahead(self, *, accept: bool, text: str) -> None:
        """Answer the dialog that the coming action opens; `expect` with the same follows after it."""
        self._expected, self._is_ahead = (accept, text), True

    def expect(self, *, accept: bool, text: str) -> None:
        """Answer the next dialog so, unless it came already; `text` goes into a prompt."""
        if not self._is_ahead:
            self._expected = (accept, text)
        self._is_ahead = False

    def was_ahead(self) -> bool:
        """Tell whether the dialog came that was expected ahead; it is expected no more."""
        came, self._expected, self._is_ahead = self._is_ahead and self._expected is None, None, False
        return came

    async def _answer(self, dialog: OpenDialog) -> None:
        self._count += 1
        self.seen = [*self.seen, clean(dialog.message)[:500]][-_KEPT:]
        if self._count > _MAX_DIALOGS:
            where = dialog.page.url if dialog.page is not None else "A page"
            self._break_off(PageNotLoadedError(f"{where} opens dialogs without end; the last said {self.seen[-1]!r}."))
        if dialog.type == "beforeunload":  # what leaves a page was asked for
            expected = True, ""
        else:
            expected, self._expected = self._expected, None
        with suppress(Error):  # the page is gone, and the dialog with it
            if expected is not None and expected[0]:
                await dialog.accept(expected[1]) if dialog.type == "prompt" else await dialog.accept()
            else:
                await dialog.dismiss()
