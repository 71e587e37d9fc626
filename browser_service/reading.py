"""Tells one thing that was asked of a page's content: as text for people, and as JSON."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeAlias

from pydantic import JsonValue

from browser_service.page_content import Content, Image, Link, records

What: TypeAlias = Literal[
    "title",
    "heading",
    "headings",
    "links",
    "tables",
    "text",
    "description",
    "images",
    "list_items",
    "prices",
    "buttons",
    "fields",
    "url",
]

LABELS: dict[What, str] = {
    "title": "Title",
    "heading": "Main heading",
    "headings": "Headings",
    "links": "Links",
    "tables": "Tables",
    "text": "Text",
    "description": "Description",
    "images": "Images",
    "list_items": "List items",
    "prices": "Prices",
    "buttons": "Buttons",
    "fields": "Fields",
    "url": "Address",
}


def tell(content: Content, what: What) -> tuple[str, JsonValue]:
    """Return what was asked as text (Markdown where it is a list or table) and as JSON; says so when there is none."""
    text, data = _TOLD[what](content)
    if what == "text" and content.is_cut:
        text += "\n\n(The page's text is longer and was cut here.)"
    if what == "text" and content.hidden:
        said = "\n".join(f"- {piece.text} ({piece.how})" for piece in content.hidden)
        text += f"\n\nHidden on the page, where nobody sees it:\n{said}"
    return text or f"The page has no {LABELS[what].lower()}.", data


def _headings(content: Content) -> tuple[str, JsonValue]:
    text = "\n".join(f"{'  ' * (heading.level - 1)}- {heading.text}" for heading in content.headings)
    return text, [{"level": heading.level, "text": heading.text} for heading in content.headings]


def _targets(targets: Sequence[Link | Image]) -> tuple[str, JsonValue]:
    text = _bullets(f"{target.text}: {target.url}" if target.text else target.url for target in targets)
    return text, [{"text": target.text, "url": target.url} for target in targets]


def _tables(content: Content) -> tuple[str, JsonValue]:
    tables = [records(table) for table in content.tables]
    return "\n\n".join(_markdown(rows) for rows in tables if rows), [
        [dict[str, JsonValue](row) for row in rows] for rows in tables
    ]


def _list(items: Sequence[str]) -> tuple[str, JsonValue]:
    return items[0] if len(items) == 1 else _bullets(items), list(items)


_TOLD: dict[What, Callable[[Content], tuple[str, JsonValue]]] = {
    "title": lambda content: (content.title, content.title),
    "heading": lambda content: (content.main_heading or "", content.main_heading),
    "headings": _headings,
    "links": lambda content: _targets(content.links),
    "tables": _tables,
    "text": lambda content: (content.text, content.text),
    "description": lambda content: (content.description, content.description),
    "images": lambda content: _targets(content.images),
    "list_items": lambda content: _list(content.list_items),
    "prices": lambda content: _list(content.prices),
    "buttons": lambda content: _list(content.buttons),
    "fields": lambda content: _list(content.fields),
    "url": lambda content: (content.url, content.url),
}


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _markdown(rows: list[dict[str, str]]) -> str:
    names = list(rows[0])
    lines = [names, ["---"] * len(names), *(list(row.values()) for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
