"""Finds what does a thing on a page: the control for a verb, the button that sends, the fields. Pure."""

import re
from collections.abc import Sequence

from browser_service import labels, likeness
from browser_service.snapshot import CHECK_ROLES, Node, Snapshot

# What a control may be called that does what a verb says.
_SYNONYMS: dict[str, tuple[str, ...]] = {
    "delete": ("trash", "remove", "discard", "bin", "erase"),
    "remove": ("delete", "trash", "discard", "−", "-", "×"),
    "close": ("×", "x", "✕", "dismiss", "cancel", "hide", "done"),
    "star": ("important", "favorite", "favourite", "flag", "bookmark"),
    "important": ("star", "flag", "priority", "starred"),
    "expand": ("+", "▸", "show", "open", "more"),
    "collapse": ("-", "−", "▾", "hide", "less"),
    "add": ("+", "plus", "new", "create"),
    "order": ("+", "add", "buy", "plus"),
    "buy": ("add to cart", "purchase", "book", "order", "checkout"),
    "book": ("reserve", "buy", "order", "select"),
    "send": ("submit", "post", "reply", "➤"),
    "share": ("forward", "send"),
    "retweet": ("repost", "share", "boost"),
    "reply": ("respond", "answer", "comment"),
    "search": ("find", "go", "magnifier", "lookup"),
    "like": ("heart", "thumbs up", "love", "favorite"),
    "log in": ("login", "sign in"),
    "sign in": ("login", "log in"),
    "log out": ("logout", "sign out"),
}  # fmt: skip
_SUBMITS = (
    "submit", "send", "ok", "done", "save", "apply", "post", "search", "go", "continue", "log in", "login", "sign in",
    "confirm", "next", "create", "sign up", "register", "finish", "place order", "reply", "forward",
)  # fmt: skip


def control(seen: Snapshot, verb: str, anchor: Node | None) -> Node | None:
    """Return the control named `verb`, or what that is called elsewhere; the closest to `anchor` of several."""
    for name in (verb, *_SYNONYMS.get(verb, ())):
        found = named(seen, name)
        if found:
            return max(found, key=lambda node: seen.common(node, anchor)) if anchor is not None else found[0]
    return None


def named(seen: Snapshot, name: str) -> list[Node]:
    """Return what can be clicked and is called `name`, by its text or by its icon."""
    found = [
        (score + (2 if node.is_clickable else 0), node)
        for node in seen.nodes
        if not node.get("hidden") and not node.is_field and not node.is_disabled and node.role not in CHECK_ROLES
        and (score := likeness.likeness(name, node)) >= (56 if node.is_clickable or not node.text else 90)
        and (node.is_clickable or (0 < node.box.width <= 200 and not seen.children.get(node.index)))
    ]  # fmt: skip
    top = max((score for score, _ in found), default=0)
    return [node for score, node in found if score >= top - 4]


def submitter(seen: Snapshot) -> Node | None:
    buttons = [node for node in seen.nodes if node.is_clickable and not node.is_field and not node.get("hidden")]
    for name in _SUBMITS:
        for node in buttons:
            if node.name.strip().casefold() == name:
                return node
    typed = [
        node
        for node in buttons
        if node.get("type") == "submit" or (node.role == "button" and node.tag in {"button", "input"})
    ]
    return typed[-1] if len(typed) == 1 else None


def fields(seen: Snapshot) -> list[Node]:
    return [
        node for node in seen.nodes
        if node.is_field and not node.get("hidden") and not node.is_disabled and node.box.width > 0
    ]  # fmt: skip


def is_search(node: Node, seen: Snapshot) -> bool:
    told = f"{labels.name_of(node, seen)} {node.get('placeholder')} {node.get('hints')} {node.role}".casefold()
    return "search" in told or "query" in told or re.search(r"\bq\b", told) is not None


def field_for(seen: Snapshot, names: Sequence[str]) -> Node | None:
    for name in names:
        for node in fields(seen):
            label = f"{labels.name_of(node, seen)} {node.get('placeholder')}".casefold()
            if re.search(rf"\b{name}\b", label):
                return node
    return None


def last_empty(seen: Snapshot) -> Node | None:
    empty = [node for node in fields(seen) if node.is_editable and not node.get("value")]
    focused = [node for node in empty if node.is_focused]
    return (focused or empty or [None])[0]
