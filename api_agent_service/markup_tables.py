"""Tables in Markdown and HTML, as names and rows of text."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, cast

_RULE = re.compile(r"^[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_WIDEST_SPAN = 100


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table in a document: `names` of columns are unique, and every row has as many cells."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def records(self) -> list[dict[str, str]]:
        """Return the rows as objects."""
        return [dict(zip(self.names, row, strict=True)) for row in self.rows]


def unique_names(header: Iterable[str]) -> list[str]:
    """Return column names without blanks around them, none empty, none twice, whatever their case."""
    names: dict[str, str] = {}
    for number, cell in enumerate(header, 1):
        printable = "".join(character if character.isprintable() else " " for character in cell)
        wanted = " ".join(printable.split()) or f"column_{number}"
        name, copy = wanted, 1
        while name.casefold() in names:
            copy += 1
            name = f"{wanted}_{copy}"
        names[name.casefold()] = name
    return list(names.values())


def find_markdown(text: str) -> list[tuple[int, int]]:
    """Return where Markdown tables begin and end in a text: a line of names, a rule, lines with bars."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    spans: list[tuple[int, int]] = []
    index = 1
    while index < len(lines):
        end = index + 1
        if "|" in lines[index - 1] and "|" in lines[index] and _RULE.match(lines[index].rstrip()):
            while end < len(lines) and "|" in lines[end]:
                end += 1
            spans.append((starts[index - 1], starts[end]))
        index = end
    return spans


def read_markdown(text: str) -> TextTable:
    """Return the Markdown table that a text is. Short rows are filled up, long ones cut."""
    lines = [line.strip().removeprefix("|").removesuffix("|") for line in text.splitlines() if line.strip()]
    rows = [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)] for line in lines]
    return _table(rows[0], rows[2:])


class _Element(Protocol):
    """What is used of an lxml element; lxml has no types."""

    def get(self, key: str) -> str | None: ...
    def text_content(self) -> str: ...
    def iter(self, *tags: str) -> "Iterator[_Element]": ...
    def iterancestors(self, *tags: str) -> "Iterator[_Element]": ...


def read_html(content: bytes) -> list[TextTable]:
    """Return the tables of an HTML page that have a row of names and at least one more row, in order. Blocking."""
    from lxml import html  # noqa: PLC0415 - needed for HTML only
    from lxml.etree import ParserError  # noqa: PLC0415 # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]

    encoding = None if b"charset" in content[:2048].lower() else "utf-8"
    try:
        parser = html.HTMLParser(encoding=encoding, remove_comments=True, remove_pis=True)
        root = cast("_Element", html.document_fromstring(content, parser=parser))  # pyright: ignore[reportUnknownMemberType]
    except (ParserError, ValueError, AssertionError):
        return []
    found: list[TextTable] = []
    for table in root.iter("table"):
        rows = [_cells(row) for row in table.iter("tr") if next(row.iterancestors("table"), None) is table]
        rows = [row for row in rows if any(row)]
        if len(rows) > 1 and len(rows[0]) > 1:
            found.append(_table(rows[0], rows[1:]))
    return found


def _cells(row: _Element) -> list[str]:
    cells: list[str] = []
    for cell in row.iter("td", "th"):
        if next(cell.iterancestors("tr"), None) is row:
            span = cell.get("colspan") or "1"
            width = min(int(span), _WIDEST_SPAN) if span.isdecimal() and len(span) < 5 else 1
            cells += [" ".join(cell.text_content().split())] * max(width, 1)
    return cells


def _table(header: list[str], rows: list[list[str]]) -> TextTable:
    names = unique_names(header)
    width = len(names)
    return TextTable(tuple(names), tuple(tuple((row + [""] * width)[:width]) for row in rows))
