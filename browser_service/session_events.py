"""What happens in a browser session, told to those who watch: recording, live view, the events of other protocols.

A watcher is a child of `SessionWatcher` that says what it does with what it hears; `open_browser(settings, watchers)`
takes any number. They are told one after the other, in the order of things, before the session goes on; each has
`HEARING_TIMEOUT_S`, and what goes wrong in one is logged and stops neither the others nor the session.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from playwright.async_api import BrowserContext, Error, Page

from shared.errors import FederationError

logger = logging.getLogger(__name__)

HEARING_TIMEOUT_S = 8.0


@dataclass(frozen=True, slots=True)
class Owner:
    """For whom a session works: the A2A task, its context and caller; made-up ids where there is no A2A task."""

    task_id: str
    context_id: str
    caller: str = "/"


class Watched(Protocol):
    """A session, as watchers see it. `hold` lets no further action begin until `release`: a person has taken over."""

    @property
    def id(self) -> str:
        """Unique among all sessions of all time."""
        ...

    @property
    def owner(self) -> Owner:
        """For whom it works."""
        ...

    @property
    def context(self) -> BrowserContext:
        """Its Playwright context; no other session has it."""
        ...

    @property
    def page(self) -> Page:
        """The page that it is at now."""
        ...

    @property
    def secrets(self) -> set[str]:
        """What was filled in that nobody may see: nothing that is kept or told has it in it."""
        ...

    def hold(self) -> None:
        """Let no further action begin."""
        ...

    def release(self) -> None:
        """Let actions begin again."""
        ...


@dataclass(frozen=True, slots=True)
class ActionTold:
    """An action: its number in the session, from 1, and what it does, in words. What is typed is never told."""

    number: int
    description: str


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """How an action ended: at which address, after how long, and why it failed if it did."""

    action: ActionTold
    url: str
    duration_s: float
    error: FederationError | None

    @property
    def passed(self) -> bool:
        """Whether it did what it was to do."""
        return self.error is None


class SessionWatcher:
    """Hears what happens in sessions; a child overrides what it wants to hear."""

    async def session_opened(self, session: Watched) -> None:
        """`session` has its first page, still blank; nothing was done yet."""

    async def page_opened(self, session: Watched, page: Page) -> None:
        """`page` is new in `session`: the first, or a window that another one opened."""

    async def action_started(self, session: Watched, action: ActionTold) -> None:
        """`action` begins."""

    async def action_ended(self, session: Watched, outcome: ActionOutcome) -> None:
        """An action is over, well or badly; the page still shows what it led to."""

    async def session_closed(self, session: Watched) -> None:
        """`session` ends: its context is still open, and is closed when all have heard. Always told, once."""


async def tell(watchers: Sequence[SessionWatcher], what: Callable[[SessionWatcher], Awaitable[None]]) -> None:
    """Tell every watcher, and wait until each has heard."""
    for watcher in watchers:
        try:
            async with asyncio.timeout(HEARING_TIMEOUT_S):
                await what(watcher)
        except (Error, FederationError, OSError, TimeoutError) as error:
            logger.warning(
                "a watcher of a session failed", extra={"watcher": type(watcher).__name__, "why": str(error)}
            )
