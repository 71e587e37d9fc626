"""Fulfils wishes about one or some of many: all posts by someone, the third result, the cheapest, another order."""

import re
from collections.abc import Sequence

from browser_service import (
    clauses,
    collecting,
    controls,
    filling,
    labels,
    likeness,
    lookup,
    pointing,
    wishes_for_controls,
)
from browser_service.described import number_of
from browser_service.errors import ElementNotFoundError
from browser_service.snapshot import Node, Snapshot
from browser_service.targets import Target
from browser_service.wish import Wish

_I = re.IGNORECASE


async def for_all(wish: Wish, match: re.Match[str]) -> None:
    """Click the control of a name in all, or in some, of the items in which a text stands."""
    name, anchor = wish.plain(re.sub(r"\s+button$", "", match["name"], flags=_I)), match["by"]
    seen = await wish.look()
    found = lookup.matches(Target(described=f'"{name}"'), seen, "click") or controls.named(seen, name)
    if anchor:
        found = [node for node in found if collecting.belongs_to(seen, node, found, wish.plain(anchor))]
    limit = int(match["number"]) if match["number"] else len(found)
    if not found or len(found) < limit:
        raise ElementNotFoundError(
            f"There are {len(found)} {name!r}{f' of {wish.plain(anchor)}' if anchor else ''} to click."
        )
    for node in found[:limit]:
        now = await wish.look()
        await wish.click(now.by_id.get(node.id, node), now)


async def nth_item(wish: Wish, match: re.Match[str]) -> None:
    """Click the item of a number in a list that may go on over several pages."""
    left = number_of(match["count"]) or 1
    seen = await wish.look()
    items = collecting.items(seen)
    while left > len(items):
        turner = pointing.next_page(seen)
        if turner is None or not items:
            raise ElementNotFoundError(f"There are only {len(items)} items here, and no further page.")
        left -= len(items)
        await wish.click(turner, seen)
        seen = await wish.look()
        items = collecting.items(seen)
    item = items[left - 1 if left > 0 else left]
    links = [node for node in seen.below(item) if node.role == "link" or node.is_clickable]
    await wish.click(links[0] if links and not item.is_clickable else item, seen)


async def in_order(wish: Wish, match: re.Match[str]) -> None:
    """Click all numbers in their order."""
    seen = await wish.look()
    numbers = [
        (float(node.own), node) for node in seen.nodes if re.fullmatch(r"-?\d+(?:\.\d+)?", node.own) and node.is_in_view
    ]
    for _, node in sorted(numbers, key=lambda pair: pair[0], reverse=match["way"].lower().startswith("de")):
        await wish.click(node, seen)


async def best_of(wish: Wish, match: re.Match[str]) -> None:
    """Use the control of the item that has the least or the most of something: buy the cheapest.

    Where the words say what to look for, "from: A to: B on D", and there are fields for that, they are filled in first.
    """
    seen = await wish.look()
    fields = {node.id: labels.name_of(node, seen) for node in controls.fields(seen)}
    values = collecting.assign(wish.masked.unmask(wish.text), fields) if len(fields) > 1 else {}
    for number, value in values.items():
        now = await wish.look()
        if (node := now.by_id.get(number)) is not None:
            await filling.put(wish.session, node, now, value)
            await _accept_suggestion(wish, now, value)
    if values:
        await wishes_for_controls.submit(wish, match)
        seen = await wish.look()
    item = collecting.extreme(seen, match["degree"])
    if item is None:
        raise ElementNotFoundError(f"Nothing on the page can be compared for {match['degree']!r}.")
    wanted = [node for node in seen.below(item) if node.is_clickable and node.role in {"button", "link"}]
    await wish.click(wanted[0] if wanted else item, seen)


async def _accept_suggestion(wish: Wish, before: Snapshot, value: str) -> None:
    """Click what a field suggests for `value`, if it suggests anything."""
    now = await wish.look()
    known = {node.id for node in before.nodes}
    fresh = [
        node
        for node in now.nodes
        if node.id not in known and node.own and not node.get("hidden") and node.box.width > 0
    ]
    fitting = [node for node in fresh if likeness.compare(value, node.own) >= 60]
    if fitting and not _is_calendar(fresh):
        await wish.click(fitting[0], now)


def _is_calendar(fresh: Sequence[Node]) -> bool:
    return sum(node.own.isdigit() for node in fresh) > 20


async def move(wish: Wish, match: re.Match[str]) -> None:
    """Drag an item of a list to another place in it."""
    seen = await wish.look()
    node = lookup.find(wish.target(match["name"]), seen, "drag")
    items = collecting.siblings(seen, node)
    place = next((index for index, item in enumerate(items) if item.id == node.id or seen.is_within(node, item)), None)
    if place is None:
        raise ElementNotFoundError(f"{node.name!r} is not in a list.")
    wanted = collecting.new_place(items, place, match["where"])
    if wanted is None or not 0 <= wanted < len(items):
        raise ElementNotFoundError(f"{node.name!r} cannot be moved {match['where']}: the list has {len(items)} items.")
    if wanted != place:
        await pointing.drag_over(wish.session, items[place], items[wanted])


async def sort(wish: Wish, match: re.Match[str]) -> None:
    """Bring the numbers of a list into order by dragging."""
    falling = match["way"].lower().startswith("de")
    for _ in range(30):
        seen = await wish.look()
        items = collecting.numbers(seen)
        wanted = sorted(items, key=lambda node: float(node.text), reverse=falling)
        wrong = next((index for index, node in enumerate(items) if node.text != wanted[index].text), None)
        if wrong is None:
            return
        place = next(index for index in range(wrong, len(items)) if items[index].text == wanted[wrong].text)
        await pointing.drag_over(wish.session, items[place], items[wrong])
    raise ElementNotFoundError("The list does not come into order by dragging.")


async def each_item(wish: Wish, match: re.Match[str]) -> None:
    """Use the control of a verb at each thing of a list: order one of each of these."""
    for item in clauses.items(match["items"]):
        near = Target(described=wish.masked.requote(item))
        seen = await wish.look()
        anchor = lookup.find(near, seen, "read")
        control = controls.control(seen, match["verb"].lower(), anchor)
        if control is None:
            raise ElementNotFoundError(f"There is nothing to {match['verb'].lower()} {wish.plain(item)!r} with.")
        await wish.click(control, seen)
