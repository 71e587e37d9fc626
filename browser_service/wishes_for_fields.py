"""Fulfils wishes about fields: what was found or what a table says goes into them, what they suggest; searching."""

import re

from browser_service import (
    choosing,
    clauses,
    collecting,
    controls,
    labels,
    likeness,
    lookup,
    wishes_for_controls,
)
from browser_service.described import number_of
from browser_service.errors import AmbiguousTargetError, ElementNotFoundError, NotUnderstoodError
from browser_service.snapshot import Node, Snapshot
from browser_service.targets import Target
from browser_service.wish import Wish

_I = re.IGNORECASE
_NAMED = 60.0  # the least likeness of a field's name to what words begin with
_CALLED = 84.0  # from here on the words are the same


async def note_word(wish: Wish, match: re.Match[str]) -> None:
    """Keep one word of a text for later: "the 3rd word in the paragraph"."""
    place = match["of"] or "paragraph"
    node, _ = await wish.session.elements.find(wish.target(place), "read")
    text = node.get("value") or node.text
    words = [word.strip(".,;:!?\"'()") for word in text.split()]
    number = number_of(match["count"]) or 1
    index = number - 1 if number > 0 else len(words) + number
    if max(len(node.get("value")), len(node.text)) >= 390:
        element = await wish.session.elements.handle(node)
        whole = await wish.session.deadlines.act(
            element.evaluate("(e) => e.value ?? e.innerText"), "The text cannot be read"
        )
        words = [word.strip(".,;:!?\"'()") for word in str(whole).split()]
        index = number - 1 if number > 0 else len(words) + number
    if not 0 <= index < len(words):
        raise ElementNotFoundError(f"The text has {len(words)} words.")
    wish.findings.noted = words[index]


async def write_noted(wish: Wish, match: re.Match[str]) -> None:
    """Fill in what was found before."""
    if not wish.findings.noted:
        raise NotUnderstoodError(f"Nothing was found before that {wish.text!r} could mean.")
    node, _ = await wish.session.elements.find(wish.target(match["name"]), "fill")
    await wish.put(node, wish.findings.noted)


async def write_value_of(wish: Wish, match: re.Match[str]) -> None:
    """Fill in the value that a table or list shows for a label."""
    seen = await wish.look()
    value = collecting.value_of(seen, wish.plain(match["key"]))
    if not value:
        raise ElementNotFoundError(f"The page shows no value of {wish.plain(match['key'])!r}.")
    node = lookup.find(wish.target(match["name"]), seen, "fill")
    await wish.put(node, value)


async def write_values(wish: Wish, _match: re.Match[str]) -> None:
    """Fill each field with the value that a table or list shows for its label."""
    seen = await wish.look()
    done = 0
    for node in controls.fields(seen):
        label = labels.name_of(node, seen)
        value = collecting.value_of(seen, label) if label else ""
        if value:
            await wish.put(node, value)
            done += 1
    if not done:
        raise ElementNotFoundError("No field's label stands beside a value on the page.")


async def fill_all(wish: Wish, match: re.Match[str]) -> None:
    """Put one value into all fields of a kind."""
    seen = await wish.look()
    kind = re.sub(r"\b(?:both|all(?:\s+of)?|each(?:\s+of)?|every|two|three|the)\b\s*", "", match["name"], flags=_I)
    fields = [
        node for node in lookup.matches(Target(described=kind), seen, "fill") if node.is_field
    ] or controls.fields(seen)
    for node in fields:
        await wish.put(node, wish.plain(match["value"]))


async def set_combination(wish: Wish, match: re.Match[str]) -> None:
    """Give several sliders or fields one number each, in their order."""
    numbers = re.findall(r"-?\d+(?:\.\d+)?", match["numbers"])
    seen = await wish.look()
    nodes = lookup.matches(Target(described=match["kind"].removesuffix("s")), seen, "fill")
    if len(nodes) != len(numbers):
        raise ElementNotFoundError(f"There are {len(nodes)} of {match['kind']} for {len(numbers)} numbers.")
    for node, number in zip(nodes, numbers, strict=True):
        await wish.put(node, number)


async def complete(wish: Wish, match: re.Match[str]) -> None:
    """Choose what a field suggests by its beginning and end."""
    start, end = wish.plain(match["start"]), wish.plain(match["end"]) if match["end"] else ""
    seen = await wish.look()
    node = controls.fields(seen)[0] if controls.fields(seen) else lookup.find(Target(role="textbox"), seen, "fill")
    element = await wish.session.elements.handle(node)
    await wish.session.deadlines.act(element.fill(""), "The field takes no text")
    await wish.session.deadlines.act(element.type(start, delay=20), "The field takes no text")
    known = {each.id for each in seen.nodes}

    def suggested(now: Snapshot) -> Node:
        fresh = [
            each for each in now.nodes
            if each.own and (each.id not in known or each.role in {"option", "menuitem"}) and not each.get("hidden")
            and each.own.casefold().startswith(start.casefold()) and each.own.casefold().endswith(end.casefold())
        ]  # fmt: skip
        if not fresh:
            raise ElementNotFoundError(f"The field suggests nothing that starts with {start!r} and ends with {end!r}.")
        return fresh[0]

    chosen, now = await wish.session.elements.wait_for(suggested)
    await wish.click(chosen, now)


async def search(wish: Wish, match: re.Match[str]) -> None:
    """Search: one box gets the words; a form of several fields gets what belongs into each."""
    seen = await wish.look()
    fields = controls.fields(seen)
    query = match["query"] or match["plain"]
    if not fields:
        opener = controls.control(seen, "search", None)
        if opener is None:
            raise ElementNotFoundError("The page has no field to search in.")
        await wish.click(opener, seen)
        seen = await wish.look()
        fields = controls.fields(seen)
    single = [node for node in fields if controls.is_search(node, seen)] or (fields if len(fields) == 1 else [])
    if single:
        await wish.put(single[0], wish.plain(query))
        seen = await wish.look()
        button = controls.control(seen, "search", single[0])
        if button is not None and button.role in {"button", "link"} and button.id != single[0].id:
            await wish.click(button, seen)
        else:
            element = await wish.session.elements.handle(single[0])
            async with wish.session.following():
                await wish.session.deadlines.act(element.press("Enter"), "Enter could not be pressed")
        return
    values = collecting.assign(wish.masked.unmask(query), {node.id: labels.name_of(node, seen) for node in fields})
    if not values:
        raise AmbiguousTargetError(f"The page has {len(fields)} fields, and none of them is for a search.")
    for node in fields:
        if value := values.get(node.id):
            await wish.put(node, value)
    await wishes_for_controls.submit(wish, match)


async def fill_form(wish: Wish, match: re.Match[str]) -> None:
    """Fill in what words say field by field: "first name Ada, last name Love"."""
    seen = await wish.look()
    values: list[tuple[Node, str]] = []
    for part in clauses.items(match["values"]):
        found = _begun_with(wish, part, seen)
        if found is None:
            raise ElementNotFoundError(f"No field is called as {wish.masked.requote(part)!r} begins.")
        values.append(found)
    for node, value in values:
        await wish.put(node, value)


def _begun_with(wish: Wish, part: str, seen: Snapshot) -> tuple[Node, str] | None:
    """Return the field whose name a part begins with, and the rest; nothing where no field, or several, fit best."""
    words = part.split()
    found = [
        (likeness.compare(" ".join(words[:length]), labels.name_of(node, seen)), length, node)
        for length in range(1, len(words))
        for node in controls.fields(seen)
    ]
    top = max((score for score, *_ in found), default=0.0)
    best = [(length, node) for score, length, node in found if score == top >= _NAMED]
    if len(best) != 1:
        return None
    length, node = best[0]
    value = re.sub(r"^(?:(?:is|as|to|with)\s+|[=:]\s*)", "", " ".join(words[length:]), flags=_I)
    return node, wish.plain(value)


async def choose_in(wish: Wish, match: re.Match[str]) -> None:
    """Choose in the list or group of a name, where there is one; else what is called so as a whole."""
    seen, name = await wish.look(), wish.plain(match["name"])
    lists = [
        node for node in seen.nodes
        if node.role in {"combobox", "listbox", "group", "radiogroup"} and not node.get("hidden")
        and likeness.compare(name, labels.name_of(node, seen)) >= _CALLED
    ]  # fmt: skip
    words = match["options"] if lists else match["whole"]
    target = wish.target(match["name"]) if lists else None
    await choosing.choose(wish.session, [wish.plain(item) for item in clauses.items(words)], target)
