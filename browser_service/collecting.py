"""Understands what belongs together on a page: labels and values, items of a list, what can be compared. Pure."""

import math
import re
from collections.abc import Mapping, Sequence

from browser_service import likeness
from browser_service.described import number_of
from browser_service.snapshot import Node, Snapshot
from shared.words import TOTAL

_MONEY = re.compile(r"(?:[$€£¥₹]\s?(\d[\d,]*(?:\.\d+)?))|(\d[\d,]*(?:\.\d+)?)\s?(?:[€£¥₹]|USD|EUR)")
_SPAN = re.compile(
    r"(?:(\d+)\s*d(?:ays?)?)?\s*(?:(\d+)\s*h(?:(?:ou)?rs?)?)?\s*(?:(\d+)\s*m(?:in(?:ute)?s?)?)?", re.IGNORECASE
)
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_TOTAL = re.compile(rf"\W*(?:sub-?)?{TOTAL}\b", re.IGNORECASE)
_ROUNDED = 0.011
_SAID = 101.0  # "label: value" on one line says more than any likeness
_ALIKE = 80.0  # the least likeness of a label to what is asked for
_WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5}


def value_of(seen: Snapshot, label: str) -> str:
    """Return what the page shows as the value of `label`: the next cell, the definition, the text after a colon."""
    wanted = likeness.folded(label)
    best, best_score = "", 0.0
    for node in seen.nodes:
        if node.get("hidden") or not node.text or node.is_field:
            continue
        if told := _after_colon(node, wanted):
            if best_score < _SAID:
                best, best_score = told, _SAID
            continue
        score = likeness.compare(label, node.own or node.text)
        if score >= _ALIKE and score > best_score and (value := beside(seen, node)):
            best, best_score = value, score
    return best


def _after_colon(node: Node, wanted: str) -> str:
    for line in node.lines:
        before, colon, after = line.partition(":")
        if colon and after.strip() and likeness.folded(before) == wanted:
            return after.strip()
    return ""


def cell_of(seen: Snapshot, column: str, row: str) -> str:
    """Return what a table shows in the column and the row of these names; nothing where several rows differ in it."""
    found: set[str] = set()
    headers = [
        node for node in seen.nodes
        if node.role == "columnheader" and not node.get("hidden") and likeness.compare(column, node.text) >= _ALIKE
    ]  # fmt: skip
    for header in headers:
        table = next((node for node in seen.ancestors(header) if node.role in {"table", "grid", "treegrid"}), header)
        for line in (node for node in seen.below(table) if node.role == "row" and not node.get("hidden")):
            cells = [seen.nodes[index] for index in seen.children.get(line.index, [])]
            if any(cell.role != "columnheader" and likeness.compare(row, cell.text) >= _ALIKE for cell in cells):
                found |= {cell.text for cell in cells if cell.index != header.index and _is_under(cell, header)}
    return found.pop() if len(found) == 1 else ""


def _is_under(cell: Node, header: Node) -> bool:
    return header.box.x - 1 <= cell.box.centre[0] <= header.box.x + header.box.width + 1


def is_price(text: str) -> bool:
    """Tell whether a text is an amount of money."""
    return _MONEY.fullmatch(text.strip()) is not None


def beside(seen: Snapshot, node: Node) -> str:
    """Return the text that follows a label: its next sibling's, or that of what it is alone in."""
    for each in (node, *list(seen.ancestors(node))[:2]):
        if each.text != node.text:
            break
        following = [
            seen.nodes[index] for index in seen.children.get(each.parent, [])
            if index > each.index and not seen.nodes[index].get("hidden")
        ]  # fmt: skip
        if following and following[0].text and following[0].tag not in {"tr", "li", "h1", "h2", "h3", "p"}:
            return following[0].text
        if following and following[0].get("value"):
            return following[0].get("value")
    return ""


def message(seen: Snapshot) -> str:
    """Return what the page tells whoever uses it: an alert, a status, an output, or what is marked as a message."""
    for node in seen.nodes:
        if node.text and not node.get("hidden") and node.role in {"alert", "status", "log", "alertdialog"}:
            return node.text
    for node in seen.nodes:
        hints = node.get("hints").lower()
        if (
            node.text
            and not node.get("hidden")
            and re.search(r"message|msg|result|output|toast|notice|notification|flash|alert", hints)
        ):
            return node.text
    return ""


def assign(phrase: str, fields: Mapping[int, str]) -> dict[int, str]:
    """Return which words of `phrase` belong into which field, by the fields' labels: "by Ann from year 2001".

    What names no field goes into the only one that is left.
    """
    found: dict[int, str] = {}
    rest = phrase
    for number, label in fields.items():
        stems = [likeness.stem(word) for word in likeness.folded(label).split() if len(word) > 1]
        for stem in stems:
            match = re.search(
                rf"\b(?:(?:from|in|of|with|on|the)\s+)*{re.escape(stem)}\w*\s*(?:by|in|is|of|to|:|=)?\s+(?P<value>.+?)"
                r"(?=\s+(?:from|directed|written|starring|in|with|on|by|and|of|to|for)\b|[.,]|$)",
                rest,
                re.IGNORECASE,
            )
            if match:
                found[number] = match["value"].strip()
                rest = f"{rest[: match.start()]} {rest[match.end() :]}"
                break
    left = [number for number in fields if number not in found]
    words = [
        word
        for word in re.sub(r"[.,]", " ", rest).split()
        if not re.fullmatch(r"(?:the|an?|from|in|of|with|on|and|for|by)", word, re.IGNORECASE)
    ]
    if found and len(left) == 1 and words:
        found[left[0]] = words[0] if len(words) == 2 and words[1].endswith("s") else " ".join(words)
    return found


def belongs_to(seen: Snapshot, node: Node, twins: Sequence[Node], text: str) -> bool:
    """Tell whether `text` stands in the same item as `node`: in all around it that holds none of its `twins`."""
    others = {each.index for twin in twins if twin.index != node.index for each in seen.ancestors(twin)}
    item = node
    for outer in seen.ancestors(node):
        if outer.index in others:
            break
        item = outer
    return likeness.folded(text) in likeness.folded(seen.texts[item.index])


def items(seen: Snapshot) -> list[Node]:
    """Return the items of the main list of the page: the things of one form, one after the other, that hold most."""
    groups: dict[tuple[int, str, tuple[str, ...]], list[Node]] = {}
    for node in seen.nodes:
        if not node.get("hidden") and node.box.height > 0 and node.role not in {"cell", "columnheader", "option"}:
            groups.setdefault((node.parent, node.tag, _form(seen, node)), []).append(node)
    best: list[Node] = []
    best_size = 0
    for (_, _, form), twins in groups.items():
        size = sum(len(seen.texts[node.index]) for node in twins) if len(twins) >= 2 and form else 0
        if size > best_size and all(sum(1 for _ in seen.below(node)) >= 2 for node in twins):
            best, best_size = twins, size
    return best


def _form(seen: Snapshot, node: Node) -> tuple[str, ...]:
    return tuple(seen.nodes[index].tag for index in seen.children.get(node.index, []))


def siblings(seen: Snapshot, node: Node) -> list[Node]:
    """Return the items of the list that `node` is in or is one of, in their order."""
    for each in (node, *seen.ancestors(node)):
        twins = [
            seen.nodes[index] for index in seen.children.get(each.parent, [])
            if seen.nodes[index].tag == each.tag and not seen.nodes[index].get("hidden")
        ]  # fmt: skip
        if len(twins) > 1:
            return twins
    return []


def new_place(items: Sequence[Node], place: int, where: str) -> int | None:
    """Return the place in a list, from 0, that words say: "up by one", "to the 3rd position", "to the left of 'B'"."""
    words = where.lower()
    count = next((number for word, number in _WORDS.items() if re.search(rf"\b{word}\b", words)), None)
    digits = re.search(r"\bby\s+(\d+)", words)
    amount = int(digits[1]) if digits else count or 1
    ordinal = re.search(r"\b(\w+)\s+(?:position|place|spot|slot|item)|position\s+(\d+)", words)
    if ordinal and (number := int(ordinal[2]) if ordinal[2] else number_of(ordinal[1])):
        return number - 1 if number > 0 else len(items) + number
    columns = _columns(items)
    steps = {"up": -columns, "down": columns, "left": -1, "right": 1}
    for word, step in steps.items():
        if re.match(rf"(?:to\s+the\s+)?{word}\b", words):
            return place + step * amount
    if re.search(r"\b(?:top|start|beginning|front)\b", words):
        return 0
    return len(items) - 1 if re.search(r"\b(?:bottom|end)\b", words) else None


def numbers(seen: Snapshot) -> list[Node]:
    """Return the items of the longest list of numbers, in their order on the page."""
    found: dict[int, list[Node]] = {}
    for node in seen.nodes:
        if (
            re.fullmatch(r"-?\d+(?:\.\d+)?", node.text)
            and not node.get("hidden")
            and node.role in {"listitem", "row", "option", ""}
        ):
            found.setdefault(node.parent, []).append(node)
    empty: list[Node] = []
    return max(found.values(), key=len, default=empty)


def extreme(seen: Snapshot, degree: str) -> Node | None:
    """Return the item that has the least or most of what `degree` compares: price, time, or a number."""
    words = " ".join(degree.lower().split())
    read = _minutes if words in {"shortest", "longest", "fastest", "slowest"} else _price
    most = words in {"most expensive", "longest", "slowest", "highest", "largest", "greatest", "latest"}
    best: list[tuple[float, Node]] = []
    groups: dict[tuple[int, str], list[Node]] = {}
    for node in seen.nodes:
        if not node.get("hidden"):
            groups.setdefault((node.parent, node.tag), []).append(node)
    for twins in groups.values():
        told = [(value, node) for node in twins if (value := read(seen, node)) is not None]
        told = told[:-1] if _is_total(seen, told) else told
        if len(told) >= 2 and len(told) >= len(best) and all(sum(1 for _ in seen.below(node)) >= 2 for _, node in told):
            best = told
    if not best:
        return None
    return (max if most else min)(best, key=lambda pair: pair[0])[1]


def _is_total(seen: Snapshot, told: Sequence[tuple[float, Node]]) -> bool:
    """Tell whether the last of some items is none of them, but their total."""
    if len(told) < 3 or not _TOTAL.match(_all_text(seen, told[-1][1])):
        return False
    *others, total = [value for value, _ in told]
    return math.isclose(sum(others), total, abs_tol=_ROUNDED)


def _price(seen: Snapshot, node: Node) -> float | None:
    text = _all_text(seen, node)
    match = _MONEY.search(text) or None
    if match:
        return float((match[1] or match[2]).replace(",", ""))
    numbers_in = _NUMBER.findall(text)
    return float(numbers_in[0].replace(",", "")) if len(numbers_in) == 1 else None


def _minutes(seen: Snapshot, node: Node) -> float | None:
    for match in _SPAN.finditer(_all_text(seen, node)):
        if match[1] or match[2] or match[3]:
            days, hours, minutes = (int(group or 0) for group in match.groups())
            return days * 1440 + hours * 60 + minutes
    return None


def _all_text(seen: Snapshot, node: Node) -> str:
    return seen.texts[node.index]


def _columns(items: Sequence[Node]) -> int:
    """Return how many items of a list stand beside each other."""
    return max(1, sum(1 for item in items if abs(item.box.y - items[0].box.y) < 4))
