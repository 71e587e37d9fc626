"""Finds what a person would mean by a name on a page: a button, a link, a field, a text; in frames too."""

import asyncio
import difflib
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from playwright.async_api import Error, Frame, Locator, Page

from browser_service.errors import ElementNotFoundError
from browser_service.page_content import Content

Role = Literal["button", "link", "tab", "menuitem", "checkbox", "radio", "option", "switch"]
_CLICKED_ROLES: tuple[Role, ...] = ("button", "link", "tab", "menuitem", "checkbox", "radio", "option", "switch")
_POLL_S = 0.1
_MAX_FRAMES = 10


async def find_clickable(page: Page, name: str, timeout_s: float) -> Locator | None:
    """Return what a click on `name` means: by role and name, else by label, title or visible text; None if absent."""
    return await _find(page, lambda frame: _clickable(frame, name), timeout_s)


async def find_field(page: Page, name: str, timeout_s: float) -> Locator | None:
    """Return the field called `name` by its label, placeholder or accessible name; None if absent."""
    return await _find(page, lambda frame: _fields(frame, name), timeout_s)


async def find_text(page: Page, text: str, timeout_s: float) -> Locator | None:
    """Return the first visible element with `text`; None when it does not appear in time."""
    return await _find(page, lambda frame: iter((frame.get_by_text(text),)), timeout_s)


def not_found(kind: str, name: str, there: Sequence[str], timeout_s: float) -> ElementNotFoundError:
    """Return the error for a missing element: what was looked for, and what is there that resembles it most."""
    names = list(dict.fromkeys(there))
    lowered = {each.lower(): each for each in reversed(names)}
    close = [lowered[each] for each in difflib.get_close_matches(name.lower(), list(lowered), n=5, cutoff=0.5)]
    shown = close or names[:8]
    also = f"There is: {', '.join(repr(each[:60]) for each in shown)}." if shown else "There is none at all."
    return ElementNotFoundError(f"No {kind} {name!r} appeared on the page within {timeout_s:g} s. {also}")


def clickable_names(content: Content) -> list[str]:
    """Return the names of the buttons and links in `content`."""
    return [*content.buttons, *(link.text for link in content.links if link.text)]


async def _find(page: Page, candidates: Callable[[Frame], Iterator[Locator]], timeout_s: float) -> Locator | None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while True:
        for frame in page.frames[:_MAX_FRAMES]:
            for candidate in candidates(frame):
                visible = candidate.filter(visible=True)
                try:
                    if await visible.count():
                        return visible.first
                except Error:  # the frame went away, or navigates; the next round sees what came instead
                    break
        if loop.time() >= deadline:
            return None
        await asyncio.sleep(_POLL_S)


def _clickable(frame: Frame, name: str) -> Iterator[Locator]:
    for exact in (True, False):
        for role in _CLICKED_ROLES:
            yield frame.get_by_role(role, name=name, exact=exact)
        yield frame.get_by_label(name, exact=exact)
        yield frame.get_by_title(name, exact=exact)
        yield frame.get_by_alt_text(name, exact=exact)
        yield frame.get_by_text(name, exact=exact)


def _fields(frame: Frame, name: str) -> Iterator[Locator]:
    for exact in (True, False):
        yield frame.get_by_label(name, exact=exact).and_(frame.locator("input, textarea, select, [contenteditable]"))
        yield frame.get_by_placeholder(name, exact=exact)
        for role in ("textbox", "searchbox", "combobox", "spinbutton"):
            yield frame.get_by_role(role, name=name, exact=exact)
    yield frame.locator(f'[name="{_css_string(name)}" i]:is(input, textarea, select)')


def _css_string(text: str) -> str:
    """Return `text` as the inside of a quoted CSS string. Source: https://www.w3.org/TR/cssom-1/#serialize-a-string"""
    return "".join(c if c.isalnum() or c in " -_" else f"\\{ord(c):x} " for c in text)
