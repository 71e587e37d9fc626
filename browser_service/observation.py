"""Tells what is on a page in few words, for a model or a person who chooses the next action. Pure.

Levels: "interactive" (what can be used in the part that is in view), "outline" (headings, landmarks, their sizes),
"scoped" (all inside one thing), "full" (all). Each is cut at a number of bytes, and says how much more there is.
What people cannot see is marked as hidden, with how. All of it is peer text.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Literal, TypeAlias

from browser_service.labels import name_of
from browser_service.snapshot import CHECK_ROLES, Node, Snapshot

Level: TypeAlias = Literal["interactive", "outline", "scoped", "full"]

MAX_BYTES: dict[Level, int] = {"interactive": 2_048, "outline": 4_096, "scoped": 16_384, "full": 32_768}
_MAX_NAME = 80
_MAX_TEXT = 300
_LANDMARKS = frozenset({"navigation", "main", "banner", "contentinfo", "search", "form", "dialog", "complementary"})


def observe(seen: Snapshot, level: Level, *, scope: Node | None = None, max_bytes: int | None = None) -> str:
    """Return what `seen` holds at this level, at most `max_bytes` (default `MAX_BYTES`) in UTF-8."""
    limit = max_bytes or MAX_BYTES[level]
    head = f"{seen.title[:100]} · {seen.url[:200]}"
    match level:
        case "interactive":
            lines = list(_interactive(seen))
            below = seen.page_height - seen.scroll_y - seen.height
            if below > 40:
                head += f" · {below} px more below"
        case "outline":
            lines = list(_outline(seen))
        case "scoped":
            inside = [scope, *seen.below(scope)] if scope is not None else list(seen.nodes)
            lines = [line for node in inside if (line := _line(node, seen))]
        case "full":
            lines = [line for node in seen.nodes if (line := _line(node, seen))]
    if seen.is_cut:
        head += " · the page has more elements than are told"
    return cut([head, *lines], limit)


def _interactive(seen: Snapshot) -> Iterator[str]:
    hidden = 0
    for node in seen.nodes:
        if (node.get("hidden") and node.role not in CHECK_ROLES) or (
            node.get("unseen") and not _is_control(node, seen)
        ):
            hidden += bool(node.own)
        elif node.is_in_view and node.role == "heading" and node.text:
            yield f"# {node.text[:_MAX_NAME]}"
        elif node.is_in_view and _is_control(node, seen):
            yield _control_line(node, seen)
        elif node.is_in_view and node.role in {"alert", "status", "dialog"} and node.text:
            yield f"({node.role}) {node.text[:_MAX_NAME]}"
    if hidden:
        yield f"({hidden} texts are hidden from people; level full shows and marks them)"


def _outline(seen: Snapshot) -> Iterator[str]:
    for node in seen.nodes:
        if node.get("hidden"):
            continue
        if node.role == "heading" and node.text:
            level = node.extra.get("level")
            yield f"{'#' * (level if isinstance(level, int) else 2)} {node.text[:_MAX_NAME]}"
        elif node.role in _LANDMARKS or node.role in {"table", "list"}:
            counts = Counter(
                each.role for each in seen.below(node) if each.is_clickable or each.role in {"row", "listitem"}
            )
            told = ", ".join(f"{count} {role or 'other'}" for role, count in counts.most_common(4))
            name = f" {node.name[:40]!r}" if node.name and node.name != node.text else ""
            yield f"{node.ref} {node.role}{name}{f' ({told})' if told else ''}"


def _line(node: Node, seen: Snapshot) -> str:
    hidden = f" [hidden: {node.get('hidden')}]" if node.get("hidden") else ""
    if _is_control(node, seen):
        return _control_line(node, seen) + hidden
    if node.get("unseen"):
        hidden = f" [hidden: {node.get('unseen')}]"
    if node.role == "heading":
        return f"# {node.text[:_MAX_NAME]}{hidden}" if node.text else ""
    if node.own:
        return f"{node.ref} {node.role or 'text'} {node.own[:_MAX_TEXT]}{hidden}"
    if node.role == "img" and node.name:
        return f"{node.ref} img {node.name[:_MAX_NAME]!r}{hidden}"
    return ""


def _is_control(node: Node, seen: Snapshot) -> bool:
    return (node.is_clickable or node.is_editable) and node.tag not in {"label", "body"} and (
        bool(node.role) or not any(each.is_clickable and each.role for each in seen.ancestors(node))
    )  # fmt: skip


def _control_line(node: Node, seen: Snapshot) -> str:
    name = name_of(node, seen)[:_MAX_NAME]
    parts = [node.ref, node.role or "clickable", f'"{name}"' if name else "(no name)"]
    if value := node.get("value"):
        parts.append(f"= {value[:_MAX_NAME]!r}")
    states = (
        ("checked", node.is_checked),
        ("selected", node.is_selected),
        ("disabled", node.is_disabled),
        ("required", node.is_required),
        ("focused", node.is_focused),
        ("open", node.expanded is True),
        ("closed", node.expanded is False),
    )
    parts += [name for name, holds in states if holds]
    if node.options:
        shown = ", ".join(node.options[:6])
        parts.append(f"of: {shown[:120]}{' …' if len(node.options) > 6 else ''}")
    if node.get("unseen"):
        parts.append(f"[text: {node.get('unseen')}]")
    if node.extra.get("spoken"):
        parts.append("[name: aria-only]")
    return " ".join(parts)


def cut(lines: list[str], limit: int) -> str:
    """Return the lines as one text of at most `limit` bytes that says how many more there are."""
    kept: list[str] = []
    size = 0
    for index, line in enumerate(lines):
        more = f"… {len(lines) - index} more"
        if size + len(line.encode()) + 1 + len(more.encode()) > limit:
            if not kept:
                return line.encode()[:limit].decode(errors="ignore")
            return "\n".join([*kept, more])
        kept.append(line)
        size += len(line.encode()) + 1
    return "\n".join(kept)
