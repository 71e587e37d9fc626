"""Finds the element of a snapshot that a target means, or says what is there instead. Pure."""

import difflib
import re
from collections.abc import Callable, Sequence

from browser_service import described, labels, likeness, nearness
from browser_service.described import Described, Kind
from browser_service.errors import AmbiguousTargetError, ElementNotFoundError, StaleRefError
from browser_service.nearness import Scored
from browser_service.snapshot import CHECK_ROLES, Node, Snapshot
from browser_service.targets import Target, Use

_LISTED = 8
_ANY_FILE_FIELD = Target(role="file")
_UNDOES = re.compile(r"\b(?:delete|remove|trash|discard|erase|buy|order|pay|archive|block)\b", re.IGNORECASE)
_GOOD = 40.0  # the least score that counts as found
_TEXT_FIELDS = frozenset({"textbox", "searchbox", "spinbutton", "combobox", "date", "time", "color"})
_KINDS: dict[Kind, Callable[[Node], bool]] = {
    "button": lambda node: node.role == "button" or (node.role == "link" and "button" in node.get("hints")),
    "link": lambda node: node.role == "link",
    "tab": lambda node: node.role == "tab",
    "checkbox": lambda node: node.role in {"checkbox", "switch", "menuitemcheckbox"},
    "radio": lambda node: node.role in {"radio", "menuitemradio"},
    "field": lambda node: node.role in _TEXT_FIELDS and node.tag not in {"select", "textarea"},
    "textarea": lambda node: node.tag == "textarea" or (node.role == "textbox" and node.tag != "input"),
    "dropdown": lambda node: node.role in {"combobox", "listbox"} or node.tag == "select",
    "option": lambda node: node.role in {"option", "radio", "menuitem", "treeitem"},
    "slider": lambda node: node.role == "slider" or ("slider" in node.get("hints") and node.is_clickable),
    "spinner": lambda node: node.role == "spinbutton",
    "icon": lambda node: not node.text and (node.is_clickable or node.tag in {"img", "svg", "span", "i"}),
    "image": lambda node: node.role == "img" or node.tag in {"img", "svg", "canvas"},
    "row": lambda node: node.role == "row",
    "item": lambda node: node.role in {"listitem", "option", "menuitem", "treeitem", "row", "article"},
    "heading": lambda node: node.role == "heading",
    "dialog": lambda node: node.role in {"dialog", "alertdialog"},
    "section": lambda node: (
        node.expanded is not None or node.role in {"group", "region", "tab"} or node.tag == "section"
    ),
    "menu": lambda node: node.role in {"menu", "menubar"} or node.expanded is not None,
    "paragraph": lambda node: node.role == "paragraph",
    "table": lambda node: node.role in {"table", "grid", "treegrid"},
    "form": lambda node: node.role in {"form", "search"},
    "file": lambda node: node.role == "file",
    "text": lambda node: bool(node.own),
    "date": lambda node: node.role in {"date", "time"} or "date" in node.get("hints").lower(),
    "box": lambda node: node.role in CHECK_ROLES or node.is_field or bool(node.get("color")),
}
_USES: dict[Use, Callable[[Node], bool]] = {
    "click": lambda node: node.is_clickable,
    "fill": lambda node: node.is_editable or node.is_field,
    "select": lambda node: node.role in {"combobox", "listbox", "radio", "option"} or node.tag == "select",
    "check": lambda node: node.role in CHECK_ROLES,
    "upload": lambda node: node.role == "file",
    "drag": lambda node: node.is_draggable,
    "read": lambda node: bool(node.text),
}


def find(target: Target, snapshot: Snapshot, use: Use = "click") -> Node:
    """Return what `target` means.

    Raises: ElementNotFoundError, AmbiguousTargetError, StaleRefError; they name what is there instead.
    """
    if target.ref is not None:
        node = snapshot.by_id.get(int(target.ref[1:]))
        if node is None:
            raise StaleRefError(f"{target.ref} is of an earlier page, or is gone. Observe the page again.")
        return node
    found = _fitting(target, snapshot, use)
    if not found:
        raise _missing(target, snapshot, use)
    best = nearness.best(found)
    if target.within is not None:
        best = nearness.within(best, find(target.within, snapshot, "read"), snapshot)
        if not best:
            raise ElementNotFoundError(f"{target.within} is there, but holds no {target}.")
    if target.near is not None and (anchor := _anchor(target, snapshot)) is not None:
        best = nearness.nearest(best, anchor, snapshot)
    if target.nth is not None:
        return _counted(best, target.nth, target)
    return best[0].node if len(best) == 1 else _single(best, target, snapshot, use)


def _anchor(target: Target, snapshot: Snapshot) -> Node | None:
    """Return what a thing is near to; of words, that may have gone meanwhile. Raises: ElementNotFoundError."""
    assert target.near is not None  # noqa: S101 - the caller has looked
    try:
        return find(target.near, snapshot, "read")
    except AmbiguousTargetError:
        if target.described is None or _UNDOES.search(target.described):
            raise
        return matches(target.near, snapshot)[0]
    except ElementNotFoundError:
        if target.described is None:
            raise
        return None


def matches(target: Target, snapshot: Snapshot, use: Use = "read") -> list[Node]:
    """Return all that fit `target` equally well, in the order of the page; nothing when there is none."""
    best = nearness.best(_fitting(target, snapshot, use))
    if target.within is not None and best:
        best = nearness.within(best, find(target.within, snapshot, "read"), snapshot)
    return [each.node for each in best]


def names_for(use: Use, snapshot: Snapshot) -> list[str]:
    """Return the names of what could be used so, for people to choose from."""
    usable = [node for node in snapshot.nodes if _USES[use](node) and _is_shown(node)]
    names = (labels.name_of(node, snapshot) for node in usable if node.tag != "label")
    return list(dict.fromkeys(name[:60] for name in names if name))


def _fitting(target: Target, snapshot: Snapshot, use: Use) -> list[Scored]:
    nodes = [node for node in snapshot.nodes if _is_shown(node)]
    if target.css is not None:
        nodes = [node for node in nodes if target.css in node.selectors]
    if target.role is not None:
        nodes = [node for node in nodes if node.role == target.role or (target.role == "textbox" and node.is_editable)]
    if target.test_id is not None:
        nodes = [node for node in nodes if node.get("testid") == target.test_id]
    tests: list[Callable[[Node], float]] = []
    if target.name is not None:
        name = target.name
        tests.append(lambda node: likeness.compare(name, node.name))
    if target.label is not None:
        label = target.label
        nodes = [node for node in nodes if node.is_field or node.role in CHECK_ROLES or node.role == "file"]
        tests.append(
            lambda node: max(
                likeness.compare(label, node.name), likeness.compare(label, labels.beside(node, snapshot)) - 5
            )
        )
    if target.placeholder is not None:
        placeholder = target.placeholder
        tests.append(lambda node: likeness.compare(placeholder, node.get("placeholder")))
    if target.text is not None:
        text = target.text
        tests.append(lambda node: likeness.compare(text, node.text) if node.text else 0)
    scored = [Scored(node, min([100.0, *(test(node) for test in tests)])) for node in nodes]
    scored = [each for each in scored if each.score >= _GOOD]
    if target.described is not None:
        fits = {each.node.index for each in scored}
        return [each for each in _described(target.described, snapshot, use) if each.node.index in fits]
    if target.text is not None or target.name is not None:
        return _innermost(scored, snapshot, use)
    return scored


def _described(words: str, snapshot: Snapshot, use: Use) -> list[Scored]:
    """Return what fits the best of the meanings that `words` can have."""
    best: list[Scored] = []
    top = _GOOD - 1
    for penalty, meaning in enumerate(described.interpret(words)):
        found = _meaning(meaning, snapshot, use)
        score = max((each.score for each in found), default=0.0) - penalty * 0.5
        if score > top:
            best, top = found, score
    return best


def _meaning(meaning: Described, snapshot: Snapshot, use: Use) -> list[Scored]:
    nodes = [node for node in snapshot.nodes if _is_shown(node)]
    if meaning.colour:
        nodes = likeness.coloured(nodes, meaning.colour)
    if meaning.name:
        scored = [Scored(node, _score(meaning, node, snapshot, use)) for node in nodes]
        scored = [each for each in scored if each.score >= _GOOD]
        if not scored and meaning.kind is None and (kind := described.kind_of(meaning.name)):
            scored = [Scored(node, 70.0) for node in nodes if _KINDS[kind](node)]
        scored = _innermost(scored, snapshot, use)
    elif meaning.kind is not None:
        kind = _KINDS[meaning.kind]
        scored = [Scored(node, 80.0) for node in nodes if kind(node)]
        if meaning.nth is None:  # a field may be called "Time" or "Date"
            scored += [Scored(node, 99.0) for node in nodes if _USES[use](node) and _is_called(meaning.noun, node)]
        scored = scored or [Scored(node, 70.0) for node in nodes if _is_like(meaning.kind, node)]
        usable = [each for each in scored if _USES[use](each.node)]
        scored = usable or scored
    elif meaning.colour:
        scored = [Scored(node, 75.0) for node in nodes]
    else:
        return []
    if meaning.relation is not None and scored:
        scored = _related(scored, meaning, snapshot)
    if use == "fill" and meaning.name and (meaning.place or meaning.nth) and not _are_twins(scored, snapshot):
        return []  # "the middle name" is not the field in the middle of those for names
    if meaning.place is not None and scored:
        scored = nearness.placed(nearness.best(scored), meaning.place)
    if meaning.nth is not None and scored:
        top = nearness.best(scored)
        place = meaning.nth - 1 if meaning.nth > 0 else len(top) + meaning.nth
        scored = [top[place]] if 0 <= place < len(top) else []
    return nearness.best(scored)[:1] if meaning.is_any else scored


def _are_twins(found: Sequence[Scored], snapshot: Snapshot) -> bool:
    """Tell whether the fields that fit best are all called alike, but for numbers in their names."""
    names = (labels.name_of(each.node, snapshot) for each in nearness.best(found))
    return len({re.sub(r"[\W\d]+", " ", name.casefold()).strip() for name in names}) == 1


def _is_called(name: str, node: Node) -> bool:
    return bool(name) and likeness.folded(node.name) == likeness.folded(name)


def _is_like(kind: Kind, node: Node) -> bool:
    """Tell whether `node` does for a thing of this kind on a page whose author has built it otherwise."""
    match kind:
        case "field":
            return node.is_field
        case "paragraph" | "text":
            return len(node.own) >= 20 and not node.is_clickable
        case "dropdown":
            return node.is_clickable and bool(re.search(r"select|drop-?down|combo", node.get("hints"), re.IGNORECASE))
        case _:
            return node.is_clickable and kind in node.get("hints").lower()


def _score(meaning: Described, node: Node, snapshot: Snapshot, use: Use) -> float:
    """Return how well the name and kind of `meaning` fit `node`, 0 to about 125."""
    wanted = meaning.name
    texts = [(node.name, 0.0), (node.get("placeholder"), 4.0), (node.get("title"), 6.0), (node.get("testid"), 8.0)]
    if node.own and node.own != node.name:
        texts.append((node.own, 1.0))
    if node.role in {"button", "option"}:
        texts.append((node.get("value"), 3.0))
    score = max((likeness.compare(wanted, text) - off for text, off in texts if text), default=0.0)
    if score < 90 and (node.is_field or node.role in CHECK_ROLES):
        beside = likeness.compare(wanted, labels.beside(node, snapshot)) - 5
        score = max(score, beside) if beside >= _GOOD + 20 or not node.name else score  # "Names" above "User name"
    if score < 60 and use != "read" and (hints := node.get("hints")) and (node.is_clickable or not node.text):
        score = max(score, likeness.compare_hints(wanted, hints))
    if score < _GOOD and use == "read" and likeness.folded(node.get("hints")) == likeness.folded(wanted):
        score = 60.0
    if score < _GOOD:
        return 0.0
    if meaning.kind is not None:
        score += 15 if _KINDS[meaning.kind](node) else -8
    if _USES[use](node):
        score += 8
    if node.is_disabled:
        score -= 6
    return score if node.is_in_view or node.box.width else score - 3


def _is_shown(node: Node) -> bool:
    """Tell whether people can use it: what is hidden only if it is ticked or filled by what stands for it."""
    hidden = node.get("hidden")
    return not hidden or node.role == "file" or (node.role in CHECK_ROLES and hidden != "aria-only")


def _innermost(found: Sequence[Scored], snapshot: Snapshot, use: Use) -> list[Scored]:
    """Leave out what only fits because of what is in it, and labels of what fits itself.

    Of a thing that can be used and the text in it, the thing stays.
    """
    by_index = {each.node.index: each for each in found}
    ids = {each.node.id for each in found}
    dropped: set[int] = set()
    for each in found:
        if each.node.tag == "label" and each.node.extra.get("for") in ids:
            dropped.add(each.node.index)
        for outer in snapshot.ancestors(each.node):
            other = by_index.get(outer.index)
            if other is None:
                continue
            outer_is_better = _USES[use](outer) and not _USES[use](each.node) and other.score >= each.score - 12
            if outer_is_better and outer.text == each.node.text:
                dropped.add(each.node.index)
            elif other.score <= each.score + 10:
                dropped.add(outer.index)
    return [each for each in found if each.node.index not in dropped]


def _related(found: list[Scored], meaning: Described, snapshot: Snapshot) -> list[Scored]:
    """Keep what stands to the anchor as `meaning` says; nothing when the anchor is not there."""
    anchors = nearness.best(_described(meaning.anchor, snapshot, "read"))
    if not anchors:  # "in the contact book" may be what people call the page itself
        return [Scored(each.node, each.score - 12) for each in found] if meaning.relation == "within" else []
    anchor = anchors[0].node
    weight = min(0.0, anchors[0].score - 90) / 4
    x, y = anchor.box.centre
    match meaning.relation:
        case "within":
            kept = nearness.within(nearness.best(found), anchor, snapshot)
        case "above":
            kept = nearness.closest([each for each in found if each.node.box.centre[1] < y - 2], anchor)
        case "below":
            kept = nearness.closest([each for each in found if each.node.box.centre[1] > y + 2], anchor)
        case "left":
            kept = nearness.closest([each for each in found if each.node.box.centre[0] < x - 2], anchor)
        case "right":
            kept = nearness.closest([each for each in found if each.node.box.centre[0] > x + 2], anchor)
        case _:
            kept = nearness.nearest(nearness.best(found), anchor, snapshot)
    return [Scored(each.node, each.score + weight) for each in kept]


def _counted(found: list[Scored], nth: int, target: Target) -> Node:
    place = nth - 1 if nth > 0 else len(found) + nth
    if not 0 <= place < len(found):
        raise ElementNotFoundError(f"There {'is' if len(found) == 1 else 'are'} only {len(found)} for {target}.")
    return found[place].node


def _single(found: list[Scored], target: Target, snapshot: Snapshot, use: Use) -> Node:
    """Return the first of several that do the same. Raises: AmbiguousTargetError when they do not."""
    top = max(each.score for each in found)
    first, *others = [each.node for each in found if each.score >= top - 0.5] or [found[0].node]
    if not any(_matters(first, other, snapshot, use) for other in others):
        return first
    shown = [f"{node.ref} {_place_of(node, snapshot)}" for node in (first, *others)][:_LISTED]
    raise AmbiguousTargetError(
        f"{len(others) + 1} things on the page are {target}: {'; '.join(shown)}. Say which: the first, the second, or "
        "the one next to something."
    )


def _matters(first: Node, other: Node, snapshot: Snapshot, use: Use) -> bool:
    """Tell whether it matters which of two that fit alike is meant."""
    if _is_same(first, other):
        return False
    if use == "fill" and first.is_field and other.is_field and first.get("type") != "search":
        name = labels.name_of(first, snapshot)
        if name and name == labels.name_of(other, snapshot):
            return True
    return _are_items(first, other, snapshot)


def _is_same(first: Node, other: Node) -> bool:
    return bool(first.get("href")) and first.get("href") == other.get("href") and first.name == other.name


def _are_items(first: Node, other: Node, snapshot: Snapshot) -> bool:
    """Tell whether the two are in different rows or items of one list: then it matters which is meant."""
    depth = snapshot.common(first, other)
    tops: list[Node] = []
    for node in (first, other):
        path = [node, *snapshot.ancestors(node)]
        if len(path) <= depth:
            return False
        tops.append(path[len(path) - depth - 1])
    sizes = [sum(1 for _ in snapshot.below(top)) for top in tops]
    return tops[0].tag == tops[1].tag and min(sizes) >= 2


def _place_of(node: Node, snapshot: Snapshot) -> str:
    """Return what tells a thing apart from others of its name: the text around it."""
    for outer in snapshot.ancestors(node):
        if outer.text and outer.text != node.text:
            return f"in {outer.text[:60]!r}"
    return f"at {round(node.box.x)}, {round(node.box.y)}"


def _missing(target: Target, snapshot: Snapshot, use: Use) -> ElementNotFoundError:
    there = names_for(use, snapshot)
    name = target.name or target.label or target.placeholder or target.text or target.described or ""
    lowered = {each.lower(): each for each in reversed(there)}
    meanings = list(described.interpret(name)) if name else []
    wanted = (meanings[0].name or name).lower() if meanings else name.lower()
    close = [lowered[each] for each in difflib.get_close_matches(wanted, list(lowered), n=5, cutoff=0.5)]
    shown = close or there[:_LISTED]
    also = f"There is: {', '.join(repr(each) for each in shown)}." if shown else "There is none at all."
    kind = {"fill": "field", "select": "list", "check": "tick box", "upload": "file field"}.get(
        use, "button, link or text"
    )
    if target == _ANY_FILE_FIELD:
        return ElementNotFoundError("No file field is on the page. Say which button opens the choice of files.")
    return ElementNotFoundError(f"No {kind} {target} is on the page. {also}")
