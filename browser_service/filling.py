"""Puts values into fields of every kind: text, choices, tick boxes, dates, times, sliders, rich text."""

import re
from collections.abc import Sequence
from datetime import date

from browser_service import dates, labels, lookup, pointing
from browser_service.browser_session import BrowserSession
from browser_service.errors import ElementNotFoundError
from browser_service.snapshot import CHECK_ROLES, Node, Snapshot
from browser_service.targets import Target

_MAX_MONTHS = 600
_MAX_SLIDES = 40
_NO = frozenset({"no", "off", "false", "unchecked", "0", ""})
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


async def put(session: BrowserSession, node: Node, seen: Snapshot, value: str) -> None:
    """Put `value` into the field `node`, or into the one that belongs to it. Raises: ElementNotFoundError."""
    node = field_of(node, seen)
    kind = node.get("type")
    day = dates.read_date(value)
    if node.tag == "select":
        await choose(session, node, [value])
    elif node.role in CHECK_ROLES:
        await tick(session, node, seen, on=value.strip().lower() not in _NO)
    elif _is_slider(node):
        await slide(session, node, seen, value)
    elif day is not None and kind not in {"date", "datetime-local"} and (node.is_readonly or not node.is_editable):
        await pick_date(session, node, seen, day)
    elif node.role == "combobox" and not node.is_editable:
        await pick(session, node, seen, value)
    elif node.tag not in {"input", "textarea"}:
        await _write_richly(session, node, value)
    else:
        await _write(session, node, seen, _in_form(kind, value))


async def clear(session: BrowserSession, target: Target) -> None:
    """Empty the field that is named."""
    node, seen = await session.elements.find(target, "fill")
    await put(session, node, seen, "")


async def tick(session: BrowserSession, node: Node, seen: Snapshot, *, on: bool) -> None:
    """Make a tick box or radio button ticked or not, as a person would: by it, or by its label."""
    if node.is_checked == on:
        return
    if node.role == "radio" and not on:
        raise ElementNotFoundError(f"{labels.name_of(node, seen)!r} is a radio button: choose another one instead.")
    await pointing.click(session, node, seen)
    after = (await session.elements.look()).by_id.get(node.id)
    if after is not None and after.is_checked != on:  # the click went to something else
        label = pointing.label_of(node, seen)
        if label is not None:
            await pointing.click(session, label, seen)
        after = (await session.elements.look()).by_id.get(node.id)
        if after is not None and after.is_checked != on:
            raise ElementNotFoundError(f"{labels.name_of(node, seen)!r} does not change when it is clicked.")


async def choose(session: BrowserSession, node: Node, options: Sequence[str]) -> None:
    """Choose `options` by their labels in the list `node`; a list of several gets exactly these."""
    labels = {label.strip().casefold(): index for index, label in reversed(list(enumerate(node.options)))}
    indexes: list[int] = []
    for option in options:
        wanted = option.strip().casefold()
        index = labels.get(wanted)
        if index is None:
            parts = [place for label, place in labels.items() if re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", label)]
            index = parts[0] if len(parts) == 1 else None
        if index is None:
            there = ", ".join(repr(label) for label in node.options[:20])
            raise ElementNotFoundError(f"{node.name or 'The list'!r} has no choice {option!r}. There is: {there}.")
        indexes.append(index)
    element = await session.elements.handle(node)
    choosing = element.select_option(index=indexes, timeout=session.deadlines.action_timeout_s * 1000)
    await session.deadlines.act(choosing, f"{', '.join(options)!r} could not be chosen")
    await session.settle()


async def pick(session: BrowserSession, node: Node, seen: Snapshot, option: str) -> None:
    """Open a list that is not the browser's own, and click the choice in it."""
    await pointing.click(session, node, seen)
    known = {each.id for each in seen.nodes}
    target = Target(described=f'"{option}"') if '"' not in option else Target(text=option)

    def new_one(now: Snapshot) -> Node:
        found = lookup.matches(target, now)
        fresh = [each for each in found if each.id not in known or each.role in {"option", "menuitem"}]
        if not (fresh or found):
            return lookup.find(target, now)  # says what is there instead
        return (fresh or found)[0]

    chosen, now = await session.elements.wait_for(new_one)
    await pointing.click(session, chosen, now)


async def pick_date(session: BrowserSession, node: Node, seen: Snapshot, day: date) -> None:
    """Choose `day` in the calendar that a field opens: its months are turned until the right one is shown."""
    await pointing.click(session, node, seen)
    for _ in range(_MAX_MONTHS):
        now = await session.elements.look()
        title = _calendar_title(now)
        if title is None:
            raise ElementNotFoundError(f"{node.name or 'The date field'!r} takes no text and shows no calendar.")
        shown = dates.read_month(now.texts[title.index])
        away = (day.year - shown[0]) * 12 + day.month - shown[1] if shown else 0
        if away == 0:
            await pointing.click(session, _day_cell(now, title, day), now)
            return
        turner = _turner(now, title, forward=away > 0)
        if turner is None:
            raise ElementNotFoundError(
                f"The calendar shows {now.texts[title.index]!r} and cannot be turned to {day:%B %Y}."
            )
        for _ in range(min(abs(away), 24)):
            element = await session.elements.handle(turner)
            await session.deadlines.act(element.click(timeout=2000), "The calendar could not be turned")
            now = await session.elements.look()
            title = _calendar_title(now)
            turner = _turner(now, title, forward=away > 0) if title else None
            if turner is None:
                break
    raise ElementNotFoundError(f"The calendar has no {day:%d %B %Y}.")


async def slide(session: BrowserSession, node: Node, seen: Snapshot, value: str) -> None:
    """Move a slider by its keys until it, or the number that moves with it, shows `value`."""
    match = _NUMBER.search(value)
    if match is None:
        raise ElementNotFoundError(f"{value!r} is not a number for the slider {labels.name_of(node, seen)!r}.")
    wanted = float(match[0])
    element = await session.elements.handle(node)
    await session.deadlines.act(element.focus(), "The slider could not be focused")
    step = 0.0
    now = seen
    shown = _number_of(now.by_id.get(node.id))
    watched = node.id if shown is not None else 0
    forward = True
    for _ in range(_MAX_SLIDES):
        if shown is not None and abs(shown - wanted) < 1e-6:
            await session.settle()
            return
        presses = 1
        if shown is not None and step:
            forward = (wanted > shown) == (step > 0)
            presses = max(1, min(200, round(abs(wanted - shown) / abs(step))))
        key = "ArrowRight" if forward else "ArrowLeft"
        for _ in range(presses):
            await session.deadlines.act(session.page.keyboard.press(key), "The slider could not be moved")
        before, now = now, await session.elements.look()
        if not watched:
            watched = _moved_number(before, now, node)
            shown = _number_of(before.by_id.get(watched)) if watched else None
        last, shown = shown, _number_of(now.by_id.get(watched)) if watched else None
        if last is not None and shown is not None and shown != last:
            step = (shown - last) / presses if forward else (last - shown) / presses
        elif shown is None or shown == last:
            forward = not forward  # at its end, or nothing moves this way
    raise ElementNotFoundError(
        f"The slider {labels.name_of(node, seen)!r} cannot be set to {value!r}; it shows {shown}."
    )


def field_of(node: Node, seen: Snapshot) -> Node:
    """Return the field that is meant by a label or by what a field is in; the thing itself if it is one."""
    if node.is_field or node.role in CHECK_ROLES or node.role == "file" or _is_slider(node):
        return node
    number = node.extra.get("for")
    if isinstance(number, int) and (labelled := seen.by_id.get(number)) is not None:
        return labelled
    inside = [each for each in seen.below(node) if each.is_field]
    if len(inside) == 1:
        return inside[0]
    beside = [
        each
        for each in seen.nodes
        if each.is_editable
        and not each.get("hidden")
        and node.own
        and labels.beside(each, seen) == node.own.rstrip(" :*")
    ]
    if len(beside) == 1:
        return beside[0]
    if node.is_clickable:
        return node
    raise ElementNotFoundError(f"{node.name or node.ref!r} is no field and belongs to none.")


async def _write(session: BrowserSession, node: Node, seen: Snapshot, value: str) -> None:
    element = await session.elements.handle(node)
    name = labels.name_of(node, seen)[:80] or node.ref
    filling = element.fill(value, timeout=session.deadlines.action_timeout_s * 1000)
    await session.deadlines.act(filling, f"{name!r} takes no text")


async def _write_richly(session: BrowserSession, node: Node, value: str) -> None:
    element = await session.elements.handle(node)
    failure = f"{node.name[:80] or node.ref!r} takes no text"
    if node.is_editable:
        await session.deadlines.act(element.fill(value, timeout=session.deadlines.action_timeout_s * 1000), failure)
    else:
        await session.deadlines.act(element.click(timeout=session.deadlines.action_timeout_s * 1000), failure)
        await session.deadlines.act(session.page.keyboard.type(value), failure)


def _in_form(kind: str, value: str) -> str:
    """Return `value` as an input of the type wants it."""
    day, clock = dates.read_date(value), dates.read_time(value)
    match kind:
        case "date" if day:
            return day.isoformat()
        case "month" if day:
            return f"{day:%Y-%m}"
        case "week" if day:
            return f"{day.isocalendar().year}-W{day.isocalendar().week:02}"
        case "datetime-local" if day:
            return f"{day.isoformat()}T{clock:%H:%M}" if clock else f"{day.isoformat()}T00:00"
        case "time" if clock:
            return f"{clock:%H:%M}"
        case "number" if number := _NUMBER.search(value.replace(",", "")):
            return number[0]
        case _:
            return value


def _is_slider(node: Node) -> bool:
    """Tell whether it is a slider that is not the browser's own."""
    is_handle = node.is_clickable and "slider" in node.get("hints").lower()
    return node.get("type") != "range" and (node.role == "slider" or is_handle)


def _calendar_title(seen: Snapshot) -> Node | None:
    titles = [
        node for node in seen.nodes if len(text := seen.texts[node.index]) <= 30 and not node.get("hidden")
        and dates.read_month(text) and node.role != "option" and node.box.width > 0
    ]  # fmt: skip
    return titles[-1] if titles else None


def _turner(seen: Snapshot, title: Node, *, forward: bool) -> Node | None:
    words = ("next", ">", "›", "»", "forward") if forward else ("prev", "<", "‹", "«", "back")
    found = [
        node for node in seen.nodes
        if ((node.is_clickable or len(node.text) <= 12) and node.box.width > 0 and not node.is_disabled
        and not node.get("hidden") and node.role not in {"", "heading"}) or (node.own and not node.get("hidden")
        and any(word in f"{node.name} {node.get('title')} {node.get('hints')}".casefold() for word in words))
    ]  # fmt: skip
    return max(found, key=lambda node: seen.common(node, title), default=None)


def _day_cell(seen: Snapshot, title: Node, day: date) -> Node:
    cells = [
        node for node in seen.nodes
        if node.own == str(day.day) and not node.get("hidden") and not node.is_disabled
        and not re.search(r"other-month|outside|disabled|adjacent", node.get("hints"))
    ]  # fmt: skip
    deepest = max((seen.common(node, title) for node in cells), default=0)
    cells = [node for node in cells if seen.common(node, title) == deepest]
    if not cells:
        raise ElementNotFoundError(f"The calendar has no day {day.day}.")
    return cells[-1] if day.day > 20 and len(cells) > 1 else cells[0]


def _number_of(node: Node | None) -> float | None:
    if node is None:
        return None
    match = _NUMBER.fullmatch((node.get("value") or node.own).strip())
    return float(match[0]) if match else None


def _moved_number(before: Snapshot, now: Snapshot, slider: Node) -> int:
    """Return the number of the element whose number changed when the slider moved; 0 when none did."""
    changed = [
        node for node in now.nodes
        if (number := _number_of(node)) is not None and node.id in before.by_id
        and _number_of(before.by_id[node.id]) != number
    ]  # fmt: skip
    return max(changed, key=lambda node: now.common(node, slider), default=None).id if changed else 0  # pyright: ignore[reportOptionalMemberAccess]
