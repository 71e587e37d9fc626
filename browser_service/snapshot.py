"""What is on a page at one moment, element by element: what targets are looked up in. Pure.

Names, texts and hints are peer text: they are compared and shown, never followed.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import cast

from pydantic import JsonValue

from browser_service.page_content import clean

(
    _CLICKABLE,
    _EDITABLE,
    _DISABLED,
    _CHECKED,
    _SELECTED,
    _READONLY,
    _REQUIRED,
    _IN_VIEW,
    _FOCUSED,
    _CHOSEN,
    _OWN,
    _DRAG,
) = (1 << bit for bit in range(12))
FIELD_ROLES = frozenset(
    {"textbox", "searchbox", "combobox", "spinbutton", "date", "time", "color", "slider", "listbox"}
)
CHECK_ROLES = frozenset({"checkbox", "radio", "switch", "menuitemcheckbox", "menuitemradio"})


@dataclass(frozen=True, slots=True)
class Box:
    """Where an element is in the viewport, in CSS pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> tuple[float, float]:
        """The middle."""
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class Node:
    """An element. `index` and `parent` (-1: none) are places in the snapshot; `id` is the element's number, for good.

    `role` is ARIA's, but for inputs without one: file, color, date, time; and "label". `name` is what it is called: its
    accessible name, else its text. `own` is the text that is directly in it. `hints` are its class, id and file names.
    `hidden` says why people do not see it, though it may be there ("off-screen", "transparent", "not displayed", …),
    `unseen` why they do not see its text, `spoken` that its name is only in `aria-label`.
    """

    index: int
    id: int
    parent: int
    frame: int
    tag: str
    role: str
    name: str
    text: str
    own: str
    flags: int
    box: Box
    extra: dict[str, JsonValue]

    @property
    def lines(self) -> list[str]:
        """Its text line by line, where it has a colon."""
        lines = self.extra.get("lines")
        return [_plain(line) for line in lines] if isinstance(lines, list) else [self.text]

    @property
    def ref(self) -> str:
        """What an observation calls it."""
        return f"e{self.id}"

    @property
    def is_clickable(self) -> bool:
        """Whether it is made to be clicked."""
        return bool(self.flags & _CLICKABLE)

    @property
    def is_editable(self) -> bool:
        """Whether it takes a value."""
        return bool(self.flags & _EDITABLE)

    @property
    def is_disabled(self) -> bool:
        """Whether it cannot be used now."""
        return bool(self.flags & _DISABLED)

    @property
    def is_checked(self) -> bool:
        """Whether it is ticked."""
        return bool(self.flags & _CHECKED)

    @property
    def is_selected(self) -> bool:
        """Whether it is the chosen one, or pressed."""
        return bool(self.flags & _SELECTED)

    @property
    def is_readonly(self) -> bool:
        """Whether its value cannot be typed."""
        return bool(self.flags & _READONLY)

    @property
    def is_required(self) -> bool:
        """Whether its form needs it."""
        return bool(self.flags & _REQUIRED)

    @property
    def is_in_view(self) -> bool:
        """Whether some of it is in the viewport."""
        return bool(self.flags & _IN_VIEW)

    @property
    def is_focused(self) -> bool:
        """Whether keys go to it."""
        return bool(self.flags & _FOCUSED)

    @property
    def selectors(self) -> Sequence[str]:
        """Those of the CSS selectors that the snapshot was taken with that match it."""
        return cast("list[str]", self.extra.get("css", []))

    @property
    def is_draggable(self) -> bool:
        """Whether it is made to be dragged."""
        return bool(self.flags & _DRAG)

    @property
    def is_field(self) -> bool:
        """Whether it is a field of a form that takes a value."""
        return self.role in FIELD_ROLES and (self.is_editable or self.role in {"combobox", "slider", "spinbutton"})

    @property
    def expanded(self) -> bool | None:
        """Whether what it opens is open; None for what opens nothing."""
        value = self.extra.get("expanded")
        return value if isinstance(value, bool) else None

    @property
    def options(self) -> Sequence[str]:
        """The labels of a list's choices."""
        return cast("list[str]", self.extra.get("options", []))

    def get(self, key: str) -> str:
        """Return a fact beside these: value, placeholder, testid, title, type, hints, href, hidden, color, min, max."""
        value = self.extra.get(key)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True)
class Snapshot:
    """All that a page shows, its frames included, in the order of its document. `next_id` is the next free number."""

    url: str
    title: str
    width: int
    height: int
    scroll_y: int
    page_height: int
    is_cut: bool
    next_id: int
    nodes: tuple[Node, ...]
    frame_ids: tuple[int, ...] = field(default=())

    @cached_property
    def children(self) -> dict[int, list[int]]:
        """The places of each element's children."""
        found: dict[int, list[int]] = {}
        for node in self.nodes:
            found.setdefault(node.parent, []).append(node.index)
        return found

    @cached_property
    def by_id(self) -> dict[int, Node]:
        """The elements by their numbers."""
        return {node.id: node for node in self.nodes}

    @cached_property
    def texts(self) -> list[str]:
        """All that each element shows, with what is in it, cut at 1,000 characters."""
        told = ["" for _ in self.nodes]
        for node in reversed(self.nodes):
            if node.get("hidden"):
                continue
            inner = " ".join(told[index] for index in self.children.get(node.index, []) if told[index])
            told[node.index] = (node.text if len(node.text) >= len(inner) or node.own else inner)[:1000]
        return told

    def ancestors(self, node: Node) -> Iterator[Node]:
        """Yield what `node` is in, from the inside out."""
        while node.parent >= 0:
            node = self.nodes[node.parent]
            yield node

    def is_within(self, node: Node, outer: Node) -> bool:
        """Tell whether `node` is in `outer`; a thing is not in itself."""
        return any(each.index == outer.index for each in self.ancestors(node))

    def below(self, outer: Node) -> Iterator[Node]:
        """Yield what is in `outer`, in order."""
        for index in self.children.get(outer.index, []):
            yield self.nodes[index]
            yield from self.below(self.nodes[index])

    def common(self, first: Node, second: Node) -> int:
        """Return how deep the innermost element lies that both are in: the deeper, the closer they belong together."""
        path = [second.index, *(each.index for each in self.ancestors(second))]
        depths = {index: len(path) - place for place, index in enumerate(path)}
        for node in (first, *self.ancestors(first)):
            if node.index in depths:
                return depths[node.index]
        return 0


def parse(raw: str, frame: int = 0) -> Snapshot:
    """Return the snapshot that the page's script told as JSON. Raises: ValueError, KeyError, TypeError if tampered."""
    told = json.loads(raw)
    nodes = tuple(_node(index, frame, row) for index, row in enumerate(told["nodes"]))
    return Snapshot(
        url=str(told["url"]),
        title=clean(str(told["title"]))[:1000],
        width=int(told["width"]),
        height=int(told["height"]),
        scroll_y=int(told["scrollY"]),
        page_height=int(told["pageHeight"]),
        is_cut=bool(told["isCut"]),
        next_id=int(told["next"]),
        nodes=nodes,
        frame_ids=tuple(int(each) for each in told["frames"]),
    )


def graft(main: Snapshot, frame: Snapshot, at: Node | None) -> Snapshot:
    """Return `main` with the elements of a frame behind its own, moved to where the frame is and below its element."""
    offset = len(main.nodes)
    dx, dy = (at.box.x, at.box.y) if at is not None else (0.0, 0.0)
    parent = at.index if at is not None else -1
    moved = tuple(
        replace(
            node,
            index=node.index + offset,
            parent=node.parent + offset if node.parent >= 0 else parent,
            box=replace(node.box, x=node.box.x + dx, y=node.box.y + dy),
        )
        for node in frame.nodes
    )
    return replace(main, nodes=main.nodes + moved, next_id=frame.next_id, is_cut=main.is_cut or frame.is_cut)


def _node(index: int, frame: int, row: list[JsonValue]) -> Node:
    id_, parent, tag, role, name, text, flags, x, y, width, height, extra = row
    if not (isinstance(extra, dict) and isinstance(id_, int) and isinstance(parent, int) and isinstance(flags, int)):
        raise TypeError("not a snapshot")
    shown = _plain(text)
    own = _plain(extra.get("own")) or (shown if flags & _OWN else "")
    box = Box(*(float(each) if isinstance(each, int | float) else 0.0 for each in (x, y, width, height)))
    return Node(index, id_, parent, frame, str(tag), str(role), _plain(name) or shown, shown, own, flags, box, extra)


def _plain(value: object) -> str:
    """Return peer text as one line without control and direction characters."""
    if not isinstance(value, str) or not value:
        return ""
    return value if value.isascii() and value.isprintable() else " ".join(clean(value).split())
