"""Compares what is asked for with what is there: names, icons' names, colours. Pure."""

import difflib
import re
from collections.abc import Iterable

from browser_service.described import COLOURS
from browser_service.snapshot import Node

_MAX_NAMED_CHARS = 200
_NOT = re.compile(r"\b(?:not|don[ ’]?t|never|without|cancel)\b|^no\b(?! of\b)")
# What people see on a button and what it is called.
_SIGNS = {"x": "close", "×": "close", "✕": "close", "✖": "close", "+": "plus", "−": "minus", "-": "minus", ">": "next",
          "›": "next", "<": "previous", "‹": "previous", "prev": "previous", "ok": "okay",
          "log in": "login"}  # fmt: skip


def likeness(name: str, node: Node) -> float:
    """Return how well `name` fits what `node` is called, or what its icon is called, 0 to 100."""
    texts = (node.name, node.own, node.get("title"), node.get("value") if node.role == "button" else "")
    score = max((compare(name, text) for text in texts if text), default=0.0)
    return (
        score
        if score >= 60 or (node.text and len(node.text) > 3)
        else max(score, compare_hints(name, node.get("hints")))
    )


def compare(wanted: str, there: str) -> float:
    """Return how well a text fits a name, 0 to 100: alike, the beginning, a part, its words, almost alike."""
    if not there or not wanted:
        return 0.0
    if wanted == there:
        return 100.0
    a, b = folded(wanted), folded(there)
    if not a or not b:
        return 0.0
    if a == b:
        return 98.0
    if _SIGNS.get(a, a) == _SIGNS.get(b, b):
        return 90.0
    if _is_opposite(a, b):
        return 0.0
    if len(b) <= _MAX_NAMED_CHARS and re.search(rf"(?<!\w){re.escape(a)}(?!\w)", b):
        return 62 + 26 * len(a) / len(b) + (4 if b.startswith(a) else 0)
    stems_a, stems_b = {stem(word) for word in a.split()}, {stem(word) for word in b.split()}
    if stems_a and len(b) <= _MAX_NAMED_CHARS:
        if stems_a == stems_b:
            return 84.0
        if stems_a <= stems_b:
            return 50 + 20 * len(stems_a) / len(stems_b)
        begins = stem(a.split()[0]) in stems_b  # "Email" may be the email address, "Name" is not the company name
        if begins and stems_b <= stems_a and len(stems_b) * 2 >= len(stems_a):
            return 44 + 10 * len(stems_b) / len(stems_a)
    if len(a) >= 4 and abs(len(a) - len(b)) <= 3:
        ratio = difflib.SequenceMatcher(None, a, b).ratio()
        if ratio >= 0.85:
            return 50 * ratio
    return 0.0


def _is_opposite(wanted: str, there: str) -> bool:
    """Tell whether a text turns what is wanted round: "Don't save", "Unsubscribe", "Cancel order"."""
    words = set(wanted.split())
    undone = any(word.startswith("un") and word.removeprefix("un") in words for word in there.split())
    return undone or bool(set(_NOT.findall(there)) - set(_NOT.findall(wanted)))


def compare_hints(wanted: str, hints: str) -> float:
    """Return how well class, id and file names fit a name: "trash" fits `icon-trash`."""
    words = [stem(word) for word in folded(wanted).split()]
    tokens = [stem(token.lower()) for token in re.findall(r"[A-Za-z][a-z]*|\d+", hints)]
    if not words or not tokens or not set(words) <= set(tokens):
        return 0.0
    return 56 + 6 * len(words) / len(tokens)


def folded(text: str) -> str:
    return " ".join(re.sub(r"[\"'“”‘’«»`…:*()\[\]]|[.,!?;]+(?=\s|$)", " ", text.casefold()).split())


def stem(word: str) -> str:
    for ending in ("ing", "ers", "ors", "ed", "er", "or", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


def coloured(nodes: Iterable[Node], colour: str) -> list[Node]:
    """Return what has about this colour: the name that is closest to its own."""
    return [
        node
        for node in nodes
        if (own := node.get("color")) and node.box.width >= 4 and _colour_name(own) == COLOURS[colour]
    ]


def _colour_name(css: str) -> tuple[int, int, int] | None:
    numbers = [float(each) for each in re.findall(r"[\d.]+", css)[:3]]
    if len(numbers) != 3:
        return None
    red, green, blue = numbers
    return min(COLOURS.values(), key=lambda rgb: (rgb[0] - red) ** 2 + (rgb[1] - green) ** 2 + (rgb[2] - blue) ** 2)
