"""What is done with the mouse: click, open what hides a thing, drag, scroll, mark text."""

from contextlib import suppress

from playwright.async_api import Error, Page

from browser_service import described, labels, likeness, lookup
from browser_service.actions import Drag, Scroll
from browser_service.browser_session import BrowserSession
from browser_service.errors import AmbiguousTargetError, ElementNotFoundError
from browser_service.page_scripts import SCROLL, SELECT_TEXT
from browser_service.snapshot import CHECK_ROLES, Node, Snapshot
from browser_service.targets import Target

_MAX_OPENED = 25
_MAX_PAGES_TURNED = 12
_NEXT = (">", "›", "»", "next", "next page", "next ›", "next »", "older", "more", "show more", "load more")
_SEEK_S = 0.3


async def click(session: BrowserSession, node: Node, seen: Snapshot, *, count: int = 1) -> None:
    """Click `node`, and let what follows settle; a window that it opens becomes the page."""
    if node.get("hidden") and node.role in CHECK_ROLES:
        node = label_of(node, seen) or node
    element = await session.elements.handle(node)
    name = labels.name_of(node, seen)[:80] or node.ref
    timeout_ms = session.deadlines.action_timeout_s * 1000
    is_icon = not node.text and not node.is_field
    if (not node.is_in_view or is_icon) and not node.get("hidden"):
        # What moves under the mouse once it is there has moved then; an icon may load another picture for that.
        await session.deadlines.act(element.hover(timeout=timeout_ms), f"{name!r} could not be clicked")
        if is_icon:
            await session.settle()
    async with session.following():
        await session.deadlines.act(
            element.click(timeout=timeout_ms, click_count=count, force=bool(node.get("hidden"))),
            f"{name!r} could not be clicked",
        )


async def hover(session: BrowserSession, node: Node) -> None:
    """Move the mouse over `node`."""
    element = await session.elements.handle(node)
    timeout_ms = session.deadlines.action_timeout_s * 1000
    await session.deadlines.act(element.hover(timeout=timeout_ms), f"{node.name or node.ref!r} could not be pointed at")
    await session.settle()


async def seek(session: BrowserSession, target: Target) -> tuple[Node, Snapshot]:
    """Return what `target` means, after opening the tabs, sections and menus that hide it, and turning pages.

    Raises: ElementNotFoundError.
    """
    try:
        return await session.elements.find(target, timeout_s=_SEEK_S)
    except AmbiguousTargetError:
        raise
    except ElementNotFoundError as error:
        missing = error
    tried: set[int] = set()
    turned = 0
    for _ in range(_MAX_OPENED + _MAX_PAGES_TURNED):
        seen = await session.elements.look()
        opener = await _hider(session, target, tried) or _unopened(seen, tried)
        if opener is None and turned < _MAX_PAGES_TURNED:
            opener = next_page(seen)
            turned += 1
        if opener is None or len(tried) >= _MAX_OPENED:
            break
        tried.add(opener.id)
        before = seen
        if opener.role == "menuitem":
            await hover(session, opener)
        else:
            await click(session, opener, seen)
        try:
            return await session.elements.find(target, timeout_s=_SEEK_S)
        except AmbiguousTargetError:
            raise
        except ElementNotFoundError as error:
            missing = error
        if opener.id in tried and turned and (await session.elements.look()).nodes == before.nodes:
            break
    raise missing


async def is_hidden(session: BrowserSession, target: Target) -> bool:
    """Tell whether something named in `target` is on the page, but not displayed now."""
    return await _hider(session, target, set()) is not None


async def drag(session: BrowserSession, action: Drag) -> None:
    """Drag with the mouse, in steps, as a hand would."""
    node, seen = await session.elements.find(action.target, "drag")
    start = await _middle(session, node)
    if action.to is not None:
        other, _ = await session.elements.find(action.to, "read")
        x, y = await _middle(session, other)
        if action.side != "onto":
            sign = -1 if action.side == "before" else 1
            is_column = _is_column(node, other)
            x += 0 if is_column else sign * other.box.width * 0.35
            y += sign * other.box.height * 0.35 if is_column else 0
        end = (x, y)
    else:
        end = (start[0] + action.by_x_px, start[1] + action.by_y_px)
    await session.deadlines.act(_drag(session.page, start, end), f"{labels.name_of(node, seen)!r} could not be dragged")
    await session.settle()


async def drag_over(session: BrowserSession, node: Node, other: Node) -> None:
    """Drag an item of a list past another one, so that it takes its place."""
    x, y = await _middle(session, node)
    to_x, to_y = await _middle(session, other)
    dx, dy = to_x - x, to_y - y
    reach = 0.3
    if abs(dy) >= abs(dx):
        to_y += (1 if dy > 0 else -1) * other.box.height * reach
    else:
        to_x += (1 if dx > 0 else -1) * other.box.width * reach
    await session.deadlines.act(_drag(session.page, (x, y), (to_x, to_y)), f"{node.name!r} could not be dragged")
    await session.settle()


async def drag_corner(session: BrowserSession, node: Node, by_x: float, by_y: float) -> None:
    """Drag the lower right corner of something."""
    await _middle(session, node)
    element = await session.elements.handle(node)
    box = await session.deadlines.act(element.bounding_box(), "It could not be resized")
    if box is None:
        raise ElementNotFoundError(f"{node.name or node.ref!r} is not shown.")
    corner = (box["x"] + box["width"] - 3, box["y"] + box["height"] - 3)
    await session.deadlines.act(
        _drag(session.page, corner, (corner[0] + by_x, corner[1] + by_y)), "It could not be resized"
    )
    await session.settle()


async def scroll(session: BrowserSession, action: Scroll) -> None:
    """Scroll the page, or the part of it that is named; what that loads is waited for."""
    if action.target is None:
        await session.deadlines.act(session.page.evaluate(SCROLL, [None, action.to]), "The page could not be scrolled")
    else:
        node, seen = await session.elements.find(action.target, "read")
        if action.to != "into_view" and not node.extra.get("scrolls"):
            around = [each for each in (*seen.ancestors(node), *seen.below(node)) if each.extra.get("scrolls")]
            node = around[0] if around else node
        element = await session.elements.handle(node)
        await session.deadlines.act(
            session.page.evaluate(SCROLL, [element, action.to]), f"{node.name[:80] or node.ref!r} could not be scrolled"
        )
    await session.settle()


async def select_text(session: BrowserSession, target: Target, piece: str | None) -> None:
    """Mark the text of what is named, or `piece` of it. Raises: ElementNotFoundError when the piece is not in it."""
    node, _ = await session.elements.find(target, "read")
    element = await session.elements.handle(node)
    failure = f"The text of {node.name[:60] or node.ref!r} could not be marked"
    found = await session.deadlines.act(element.evaluate(SELECT_TEXT, piece or ""), failure)
    if not found:
        raise ElementNotFoundError(f"{piece!r} is not in the text {node.text[:200]!r}.")
    await session.settle()


def label_of(node: Node, seen: Snapshot) -> Node | None:
    """Return the visible label that stands for a hidden tick box."""
    labels = [each for each in seen.nodes if each.tag == "label" and each.extra.get("for") == node.id]
    return next((each for each in labels if not each.get("hidden")), None)


async def _hider(session: BrowserSession, target: Target, tried: set[int]) -> Node | None:
    """Return what opens the part in which `target` is: what the page says opens it, else what stands right before it.

    Of several parts the one closest to what the target is near to.
    """
    seen = await session.elements.look("hidden")
    name = target.name or target.text or next(described.interpret(target.described or "")).name
    inside = [
        node for node in seen.nodes
        if node.get("hidden") == "not displayed" and node.own and likeness.compare(name, node.own) >= 60
    ]  # fmt: skip
    if target.near is not None and (near := lookup.matches(target.near, seen)):
        inside.sort(key=lambda node: -seen.common(node, near[0]))
    for node in inside[:5]:
        path = [each for each in (node, *seen.ancestors(node)) if each.get("hidden") == "not displayed"]
        identities = [each.get("id") for each in path if each.get("id")]
        for each in seen.nodes:
            opens = each.get("controls") in identities or each.get("href").partition("#")[2] in identities
            if opens and identities and not each.get("hidden") and each.id not in tried:
                return each
        before = [seen.nodes[index] for index in seen.children.get(path[-1].parent, []) if index < path[-1].index]
        if before and before[-1].id not in tried and not before[-1].get("hidden") and not before[-1].is_field:
            return before[-1]
    return None


def _unopened(seen: Snapshot, tried: set[int]) -> Node | None:
    """Return a tab, section, tree branch or menu that was not opened yet."""
    for node in seen.nodes:
        if node.id in tried or node.is_disabled or node.get("hidden"):
            continue
        hints = node.get("hints").lower()
        is_tab = node.role == "tab" and not node.is_selected
        is_closed = node.expanded is False and node.role not in {"combobox", "textbox", "searchbox"}
        is_popup = bool(node.extra.get("popup")) and node.expanded is None and node.role in {"menuitem", "button"}
        is_branch = "expandable" in hints or "collapsed" in hints or ("folder" in hints and bool(node.own))
        if is_tab or is_closed or is_popup or (is_branch and node.box.width > 0):
            return node
    return None


def next_page(seen: Snapshot) -> Node | None:
    """Return what turns to the next page of a list."""
    for node in seen.nodes:
        if node.is_clickable and not node.is_disabled and not node.get("hidden"):
            names = {node.name.strip().casefold(), node.get("title").casefold()}
            outer = seen.nodes[node.parent] if node.parent >= 0 else node
            if names & set(_NEXT) and "disabled" not in f"{node.get('hints')} {outer.get('hints')}":
                return node
    return None


async def _middle(session: BrowserSession, node: Node) -> tuple[float, float]:
    element = await session.elements.handle(node)
    failure = f"{node.name or node.ref!r} could not be reached"
    await session.deadlines.act(element.scroll_into_view_if_needed(timeout=1000), failure)
    box = await session.deadlines.act(element.bounding_box(), failure)
    if box is None:
        raise ElementNotFoundError(f"{node.name or node.ref!r} is not shown.")
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


async def _drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    await page.mouse.move(*start)
    await page.mouse.down()
    try:
        await page.mouse.move(
            start[0] + (4 if end[0] >= start[0] else -4), start[1] + (4 if end[1] >= start[1] else -4)
        )
        await page.mouse.move(*end, steps=8)
    finally:
        with suppress(Error):  # the page went away under the hand
            await page.mouse.up()


def _is_column(node: Node, other: Node) -> bool:
    return abs(node.box.centre[1] - other.box.centre[1]) >= abs(node.box.centre[0] - other.box.centre[0])
