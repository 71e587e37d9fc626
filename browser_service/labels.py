"""What people would call a thing on a page: its own name, else what stands beside it. Pure."""

import re

from browser_service.snapshot import CHECK_ROLES, Node, Snapshot


def name_of(node: Node, snapshot: Snapshot) -> str:
    """Return what people would call `node`: its name, else what stands beside it."""
    told = node.name or node.get("placeholder")
    if not told and (node.is_field or node.role in CHECK_ROLES):
        told = beside(node, snapshot)
    return told or node.get("title") or _readable_hint(node)


def beside(node: Node, snapshot: Snapshot) -> str:
    """Return the text that stands before a field as its label: in its row's head, to its left, or right above it."""
    if node.role in CHECK_ROLES:
        return _text_after(node, snapshot)
    if node.parent >= 0:
        around = list(snapshot.below(snapshot.nodes[node.parent]))
        told = [each.own for each in around if each.own and not each.is_clickable and not each.get("hidden")]
        if len(told) == 1 and len(told[0]) <= 80 and sum(each.is_field for each in around) == 1:
            return told[0].rstrip(" :*")
    best, best_distance = "", 1e9
    for other in snapshot.nodes:
        if not other.own or other.get("hidden") or other.is_editable or len(other.own) > 80 or other.role == "button":
            continue
        dx = node.box.x - (other.box.x + other.box.width)
        overlap = min(node.box.y + node.box.height, other.box.y + other.box.height) - max(node.box.y, other.box.y)
        dy = node.box.y - (other.box.y + other.box.height)
        is_left = overlap > 0.4 * min(node.box.height, other.box.height) and -4 <= dx <= 250
        is_above = (
            -4 <= dy <= 30 and other.box.x < node.box.x + node.box.width and other.box.x + other.box.width > node.box.x
        )
        distance = dx if is_left else dy + 60 if is_above else 1e9
        if distance < best_distance:
            best, best_distance = other.own, distance
    return best.rstrip(" :*")


def labelled(node: Node, snapshot: Snapshot) -> Node:
    """Return what a click on `node` is meant for: where it is only the label of a thing to click, that thing."""
    if node.is_clickable or not node.text.endswith(":") or any(each.is_clickable for each in snapshot.ancestors(node)):
        return node
    for outer in list(snapshot.ancestors(node))[:2]:
        for each in snapshot.below(outer):
            if each.is_clickable and each.index > node.index:
                return each
    return node


def _text_after(node: Node, snapshot: Snapshot) -> str:
    """Return the text right of a tick box without a label."""
    best, best_distance = "", 120.0
    for other in snapshot.nodes:
        if other.own and not other.get("hidden") and abs(other.box.centre[1] - node.box.centre[1]) < 12:
            distance = other.box.x - (node.box.x + node.box.width)
            if -2 <= distance < best_distance:
                best, best_distance = other.own, distance
    return best


def _readable_hint(node: Node) -> str:
    return " ".join(re.findall(r"[A-Za-z][a-z]+", node.get("hints"))[:4]).lower()
