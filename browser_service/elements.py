"""The elements of a session's page, frames included: looks at them, and hands out what Playwright acts on."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, TypeAlias

from playwright.async_api import ElementHandle, Error, Frame, JSHandle

from browser_service import lookup, snapshot
from browser_service.deadlines import Deadlines
from browser_service.errors import AmbiguousTargetError, ElementNotFoundError, PageNotLoadedError, StaleRefError
from browser_service.page_scripts import ELEMENT, REMEMBER, SNAPSHOT
from browser_service.page_watch import PageWatch
from browser_service.snapshot import Node, Snapshot
from browser_service.targets import Target, Use
from shared.errors import TimedOutError

logger = logging.getLogger(__name__)

Scope: TypeAlias = Literal["all", "viewport", "hidden"]

MAX_FRAMES = 10
_POLL_S = 0.1
_TRIES = 4


class Elements:
    """Sees the page and finds things on it. Numbers of elements are given once in a session and never again."""

    def __init__(self, watch: PageWatch, deadlines: Deadlines) -> None:
        self._watch = watch
        self._deadlines = deadlines
        self._memories: dict[Frame, JSHandle] = {}
        self._looked: list[Frame] = []
        self._next_id = 1

    async def look(self, scope: Scope = "all", css: tuple[str, ...] = ()) -> Snapshot:
        """Return what is on the page now. Raises: PageNotLoadedError, TimedOutError."""
        main = self._watch.page.main_frame
        frames = [frame for frame in self._watch.page.frames if frame is not main][: MAX_FRAMES - 1]
        self._memories = {frame: memory for frame, memory in self._memories.items() if not frame.is_detached()}
        seen = await self._look_at(main, 0, scope, css)
        self._looked = [main]
        for frame in frames:
            with suppress(PageNotLoadedError, TimedOutError, Error):  # a frame that cannot be read spoils not the page
                at = await self._place_of(frame, seen)
                part = await self._look_at(frame, len(self._looked), scope, css)
                self._looked.append(frame)
                seen = snapshot.graft(seen, part, at)
        return seen

    async def find(
        self, target: Target, use: Use = "click", *, timeout_s: float | None = None
    ) -> tuple[Node, Snapshot]:
        """Return what `target` means as soon as it is there. Raises: ElementNotFoundError and its children."""
        return await self.wait_for(lambda seen: lookup.find(target, seen, use), _css_of(target), timeout_s)

    async def wait_for(
        self, found: Callable[[Snapshot], Node], css: tuple[str, ...] = (), timeout_s: float | None = None
    ) -> tuple[Node, Snapshot]:
        """Look again and again until `found` raises no ElementNotFoundError, at most BROWSER_ACTION_TIMEOUT_S."""
        loop = asyncio.get_running_loop()
        limit_s = self._deadlines.action_timeout_s if timeout_s is None else timeout_s
        deadline = loop.time() + limit_s
        while True:
            seen = await self.look("all", css)
            try:
                return found(seen), seen
            except (AmbiguousTargetError, StaleRefError):
                raise
            except ElementNotFoundError as error:
                if loop.time() >= deadline:
                    if limit_s <= 0:
                        raise
                    raise ElementNotFoundError(f"{error.detail} (Waited {limit_s:g} s.)") from error
            await asyncio.sleep(_POLL_S)

    async def handle(self, node: Node) -> ElementHandle:
        """Return the element itself. Raises: ElementNotFoundError when it is gone."""
        memory = self._memories.get(self._looked[node.frame]) if node.frame < len(self._looked) else None
        if memory is not None:
            with suppress(Error):
                found = await self._deadlines.bound(memory.evaluate_handle(ELEMENT, node.id))
                if (element := found.as_element()) is not None:
                    return element
        raise ElementNotFoundError(f"{node.name or node.ref!r} went away from the page in this moment.")

    async def _look_at(self, frame: Frame, number: int, scope: Scope, css: tuple[str, ...]) -> Snapshot:
        for _ in range(_TRIES):
            try:
                memory = self._memories.get(frame)
                if memory is None:
                    memory = await self._deadlines.bound(frame.evaluate_handle(REMEMBER))
                    self._memories[frame] = memory
                raw = await self._deadlines.bound(
                    memory.evaluate(SNAPSHOT, [self._next_id, scope, list(css)]), self._deadlines.action_timeout_s * 3
                )
                seen = snapshot.parse(raw, number)
                self._next_id = max(self._next_id, seen.next_id)
                return seen
            except (ValueError, KeyError, TypeError) as error:
                tampered = f"{frame.url} changes its browser's own functions, so it cannot be read."
                raise PageNotLoadedError(tampered) from error
            except Error as error:
                if "not a valid selector" in error.message:
                    raise ElementNotFoundError(f"{' or '.join(map(repr, css))} is not a CSS selector.") from error
                self._memories.pop(frame, None)  # another document came
                await asyncio.sleep(_POLL_S)
        raise PageNotLoadedError(f"{frame.url} goes on to another address again and again, so it cannot be read.")

    async def _place_of(self, frame: Frame, seen: Snapshot) -> Node | None:
        """Return the element that `frame` is shown in."""
        parent = frame.parent_frame
        memory = self._memories.get(parent) if parent is not None else None
        if memory is None:
            return None
        element = await self._deadlines.bound(frame.frame_element())
        number = await self._deadlines.bound(memory.evaluate("(memory, e) => memory.ids.get(e) || 0", element))
        return seen.by_id.get(number) if isinstance(number, int) else None


def _css_of(target: Target) -> tuple[str, ...]:
    """Return the selectors in `target` and the things it stands near or in."""
    inner = [each for each in (target.near, target.within) if each is not None]
    own = (target.css,) if target.css else ()
    return tuple(dict.fromkeys((*own, *(css for each in inner for css in _css_of(each)))))
