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

    @property
    def tag(self) -> str: ...
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
        lines = [row for row in table.iter("tr") if next(row.iterancestors("table"), None) is table]
        rows = _grid(lines)
        heads = 0
        while heads < len(lines) and _is_head(lines[heads]):
            heads += 1
        header = _header(rows[: max(heads, 1)])
        body = [row for row in rows[max(heads, 1) :] if any(row)]
        if not heads or not body:  # the first line that says something has the names
            header, *body = [row for row in rows if any(row)] or [[]]
        if body and len(header) > 1:
            found.append(_table(header, body))
    return found


def _is_head(row: _Element) -> bool:
    """Tell whether a row is one of names: all in it are, or it stands in the head of the table."""
    is_in_head = next(row.iterancestors("thead", "table"), None)
    cells = [cell for cell in row.iter("td", "th") if next(cell.iterancestors("tr"), None) is row]
    return (is_in_head is not None and is_in_head.tag == "thead") or all(cell.tag == "th" for cell in cells)


def _header(rows: list[list[str]]) -> list[str]:
    """Return the names of columns that stand over several lines as one: "2023 Q1"."""
    width = max(map(len, rows), default=0)
    columns = ([row[place] for row in rows if place < len(row)] for place in range(width))
    return [" ".join(dict.fromkeys(filter(None, column))) for column in columns]


def _grid(lines: list[_Element]) -> list[list[str]]:
    """Return the texts of rows by columns; what spans several of them stands in each."""
    held: dict[int, tuple[int, str]] = {}  # by columns: for how many more rows a cell of an earlier one goes on
    grid: list[list[str]] = []
    for line in lines:
        row: list[str] = []
        cells = _cells(line)
        while cells or len(row) in held:
            if len(row) in held:
                rows, text = held.pop(len(row))
                if rows > 1:
                    held[len(row)] = rows - 1, text
                row.append(text)
                continue
            text, width, height = cells.pop(0)
            for place in range(len(row), len(row) + width):
                if height > 1:
                    held[place] = height - 1, text
                row.append(text)
        grid.append(row)
    return grid


def _cells(row: _Element) -> list[tuple[str, int, int]]:
    """Return the text of each cell of a row, over how many columns it goes and over how many rows."""
    return [
        (" ".join(cell.text_content().split()), _span(cell, "colspan"), _span(cell, "rowspan"))
        for cell in row.iter("td", "th")
        if next(cell.iterancestors("tr"), None) is row
    ]


def _span(cell: _Element, name: str) -> int:
    span = cell.get(name) or "1"
    return max(1, min(int(span), _WIDEST_SPAN)) if span.isdecimal() and len(span) < 5 else 1


def _table(header: list[str], rows: list[list[str]]) -> TextTable:
    names = unique_names(header)
    width = len(names)
    return TextTable(tuple(names), tuple(tuple((row + [""] * width)[:width]) for row in rows))
