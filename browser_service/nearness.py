"""Chooses among things that fit by where they are: in, next to, closest to another, at the top. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from browser_service.described import Place
from browser_service.snapshot import Node, Snapshot


@dataclass(frozen=True, slots=True)
class Scored:
    node: Node
    score: float


def best(found: Sequence[Scored]) -> list[Scored]:
    """Return those that fit about as well as the best."""
    top = max((each.score for each in found), default=0.0)
    return [each for each in found if each.score >= top - 3]


def within(found: list[Scored], outer: Node, snapshot: Snapshot) -> list[Scored]:
    """Keep what is in `outer`; where that is only a heading or a label, what is under the same roof."""
    inside = [each for each in found if snapshot.is_within(each.node, outer)]
    if inside:
        return inside
    if outer.role in {"dialog", "row", "table", "form", "list", "group"}:
        return []
    deepest = max((snapshot.common(each.node, outer) for each in found), default=0)
    return [each for each in found if snapshot.common(each.node, outer) == deepest]


def nearest(found: list[Scored], anchor: Node, snapshot: Snapshot) -> list[Scored]:
    """Keep what belongs to `anchor` most: what shares the smallest part of the page with it, then the closest."""
    others = [each for each in found if each.node.index != anchor.index] or found
    inside = [each for each in others if snapshot.is_within(each.node, anchor)]
    others = inside or others
    deepest = max((snapshot.common(each.node, anchor) for each in others), default=0)
    return closest([each for each in others if snapshot.common(each.node, anchor) == deepest], anchor)


def closest(found: list[Scored], anchor: Node) -> list[Scored]:
    return sorted(best(found), key=lambda each: _distance(each.node, anchor))[:1]


def _distance(node: Node, other: Node) -> float:
    dx = max(node.box.x - other.box.x - other.box.width, other.box.x - node.box.x - node.box.width, 0)
    dy = max(node.box.y - other.box.y - other.box.height, other.box.y - node.box.y - node.box.height, 0)
    return dx + dy * 2  # what stands beside a thing belongs to it rather than what stands below


def placed(found: list[Scored], place: Place) -> list[Scored]:
    by_y = sorted(found, key=lambda each: each.node.box.centre[1])
    by_x = sorted(found, key=lambda each: each.node.box.centre[0])
    picked = {"top": by_y[0], "bottom": by_y[-1], "left": by_x[0], "right": by_x[-1]}
    spread = by_y if by_y[-1].node.box.centre[1] - by_y[0].node.box.centre[1] > 4 else by_x
    return [picked.get(place, spread[len(spread) // 2])]
