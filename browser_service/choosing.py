"""Chooses things by their names wherever they are: in a list, among boxes and radio buttons, in a menu, on the page."""

from browser_service import filling, lookup, pointing
from browser_service.browser_session import BrowserSession
from browser_service.errors import ElementNotFoundError
from browser_service.snapshot import CHECK_ROLES, Node, Snapshot
from browser_service.targets import Target

_PATH = ">"


async def choose(session: BrowserSession, options: list[str], target: Target | None) -> None:
    """Choose all `options`, in `target` if one is named. Raises: ElementNotFoundError."""
    if target is not None:
        node, seen = await session.elements.find(target, "select")
        holder = _list_in(node, seen)
        if holder is not None:
            await filling.choose(session, holder, options)
            return
        if node.role not in {"group", "radiogroup", "form", "list", "listbox", "menu"}:
            for option in options:
                await filling.pick(session, node, seen, option)
                seen = await session.elements.look()
            return
    await _choose_anywhere(session, options, target)


async def _choose_anywhere(session: BrowserSession, options: list[str], target: Target | None) -> None:
    in_lists: dict[int, tuple[Node, list[str]]] = {}
    for option in options:
        node, seen = await _find_option(session, option, target)
        if node.tag == "select":
            in_lists.setdefault(node.id, (node, []))[1].append(option)
        elif node.role in CHECK_ROLES:
            await filling.tick(session, node, seen, on=True)
        elif node.role == "option" and node.is_selected:
            continue
        else:
            await pointing.click(session, node, seen)
    for node, chosen in in_lists.values():
        await filling.choose(session, node, chosen)


async def _find_option(session: BrowserSession, option: str, target: Target | None) -> tuple[Node, Snapshot]:
    described = Target(described=f'"{option}"' if '"' not in option else option, within=target)

    def found(seen: Snapshot) -> Node:
        lists = [each for each in seen.nodes if each.tag == "select" and not each.get("hidden") and _has(each, option)]
        try:
            node = lookup.find(described, seen, "select")
        except ElementNotFoundError:
            if len(lists) >= 1 and target is None:
                return lists[0]
            raise
        exact = node.name.strip().casefold() == option.strip().casefold()
        return lists[0] if lists and not exact else node

    try:
        return await session.elements.wait_for(found, timeout_s=0.5)
    except ElementNotFoundError:
        if _PATH in option:
            return await _walk(session, [part.strip() for part in option.split(_PATH) if part.strip()])
        return await pointing.seek(session, described)


async def _walk(session: BrowserSession, path: list[str]) -> tuple[Node, Snapshot]:
    """Return the last thing on the way of a menu, each one before opened: by the mouse over it, else by a click."""
    for name in path[:-1]:
        node, seen = await session.elements.find(Target(described=f'"{name}"'))
        await pointing.hover(session, node)
        following = Target(described=f'"{path[path.index(name) + 1]}"')
        try:
            await session.elements.find(following, timeout_s=0.8)
        except ElementNotFoundError:
            await pointing.click(session, node, seen)
    return await session.elements.find(Target(described=f'"{path[-1]}"'))


def _list_in(node: Node, seen: Snapshot) -> Node | None:
    """Return the browser's own list that `node` is, labels or holds."""
    if node.tag == "select":
        return node
    labelled = node.extra.get("for")
    if isinstance(labelled, int) and (field := seen.by_id.get(labelled)) is not None and field.tag == "select":
        return field
    inside = [each for each in seen.below(node) if each.tag == "select"]
    return inside[0] if len(inside) == 1 else None


def _has(node: Node, option: str) -> bool:
    wanted = option.strip().casefold()
    return any(label.strip().casefold() == wanted for label in node.options)
