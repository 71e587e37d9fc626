"""Passages: the pieces of a document that are searched, quoted and cited."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from unicodedata import normalize

from shared.documents import Document, heading, plain, sentences

_LEAST_CHARS = 400
_MOST_CHARS = 1000
_UNDERLINE = re.compile(r"^(?:={3,}|-{3,})\s*$")
_FENCE = re.compile(r"^\s*(?:```|~~~)")
_ENDINGS = (".", "!", "?", ":", "。", "|")
_LINED = {".md", ".markdown", ".txt", ".text", ".rst"}


@dataclass(frozen=True, slots=True)
class Source:
    """Where a passage is from: a file of the documents folder (`path`), a page (`url`), or the request itself."""

    title: str
    path: str | None = None
    url: str | None = None

    @property
    def place(self) -> str:
        """What a reader looks it up by."""
        return self.path or self.url or self.title


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph, or a few short ones under one heading. `location` says where in the source, e.g. "lines 3-5".

    `relevance`, up to 1, says how well it and its document fit what the index was asked; 0: it was not asked.
    `meant_by` are the queries that mean what it says, by an embedding model, whatever their words.
    """

    source: Source
    text: str
    heading: str = ""
    location: str = ""
    position: int = 0
    relevance: float = field(default=0.0, compare=False)
    meant_by: tuple[str, ...] = field(default=(), compare=False)


def split(document: Document, source: Source, name: str = "") -> list[Passage]:
    """Return the passages of a document, in order.

    They are located by page where there are pages, by line where `name` ends like a text file, else by heading.
    Accents that a text writes beside their letters become one with them, as in what is asked.
    """
    if document.pages:
        pieces = [
            _Piece(heading, text, f"page {number}")
            for number, page in enumerate(document.pages, 1)
            for heading, text, _, _ in _pieces(normalize("NFC", page))
        ]
    else:
        lined = PurePath(name).suffix.lower() in _LINED
        pieces = [
            _Piece(heading, text, _lines(first, last) if lined else "")
            for heading, text, first, last in _pieces(normalize("NFC", document.text))
        ]
    return [
        Passage(source, piece.text, piece.heading, piece.location, position) for position, piece in enumerate(pieces)
    ]


@dataclass(frozen=True, slots=True)
class _Piece:
    heading: str
    text: str
    location: str


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines without a blank one between them; `level` is that of a heading, else 0."""

    lines: tuple[str, ...]
    first: int
    level: int = 0

    @property
    def size(self) -> int:
        return sum(len(line) + 1 for line in self.lines)


def _pieces(text: str) -> Iterator[tuple[str, str, int, int]]:
    """Yield (heading, text, first line, last line); short neighbours are joined, long blocks cut at sentences."""
    headings: dict[int, str] = {}
    pending: list[_Block] = []

    def flush() -> Iterator[tuple[str, str, int, int]]:
        if pending:
            heading = " > ".join(headings[level] for level in sorted(headings))
            for piece, first, last in _cut(pending):
                yield heading, piece, first, last
            pending.clear()

    for block in _blocks(text):
        size = sum(waiting.size for waiting in pending)
        if block.level or (pending and (size >= _LEAST_CHARS or size + block.size > _MOST_CHARS)):
            yield from flush()
        if block.level:
            headings = {level: title for level, title in headings.items() if level < block.level}
            headings[block.level] = plain(block.lines[0])
        else:
            pending.append(block)
    yield from flush()


def _blocks(text: str) -> Iterator[_Block]:
    lines = text.split("\n")
    start = _front_matter_end(lines)
    pending: list[str] = []
    fenced = False
    for number, line in enumerate([*lines[start:], ""], start + 1):
        headed = None if fenced else heading(line)
        underlined = len(pending) == 1 and not fenced and _UNDERLINE.match(line)
        if underlined:
            yield _Block((pending[0],), number - 1, level=1 if line.startswith("=") else 2)
            pending = []
            continue
        if _FENCE.match(line):
            fenced = not fenced
        if headed or (not line.strip() and not fenced):
            if pending:
                yield _Block(tuple(pending), number - len(pending))
            pending = []
            if headed and headed[1]:
                yield _Block((headed[1],), number, level=headed[0])
        else:
            pending.append(line.rstrip())
    if pending:  # a fence that is never closed
        yield _Block(tuple(pending), len(lines) + 2 - len(pending))


def _front_matter_end(lines: list[str]) -> int:
    if lines[0].rstrip() != "---":
        return 0
    return next((number + 1 for number, line in enumerate(lines[1:40], 1) if line.rstrip() == "---"), 0)


def _cut(blocks: list[_Block]) -> Iterator[tuple[str, int, int]]:
    """Yield the text of the blocks with its first and last line: in one piece, or cut at the ends of sentences."""
    piece: list[str] = []
    size = 0
    first = blocks[0].first
    for block in blocks:
        if piece:
            piece.append("")
        for number, line in enumerate(block.lines, block.first):
            *starts, rest = _cut_line(line)
            if starts and any(piece):
                yield "\n".join(piece), first, number - 1
            for start in starts:
                yield start, number, number
            if starts:
                piece, size = [], 0
            first = first if piece else number
            piece.append(rest)
            size += len(rest) + 1
            if size > 2 * _MOST_CHARS or (size > _MOST_CHARS and line.endswith(_ENDINGS)):
                yield "\n".join(piece), first, number
                piece, size = [], 0
    if any(piece):
        yield "\n".join(piece), first, blocks[-1].first + len(blocks[-1].lines) - 1


def _cut_line(line: str) -> list[str]:
    """Return a line of sane length as it is, a longer one in pieces of whole sentences where it has any."""
    if len(line) <= 2 * _MOST_CHARS:
        return [line]
    pieces = [""]
    for sentence in sentences(line) or [line]:
        for start in range(0, len(sentence), _MOST_CHARS):
            part = sentence[start : start + _MOST_CHARS]
            if pieces[-1] and len(pieces[-1]) + len(part) > _MOST_CHARS:
                pieces.append("")
            pieces[-1] += (" " if pieces[-1] else "") + part
    return pieces


def _lines(first: int, last: int) -> str:
    return f"line {first}" if first == last else f"lines {first}-{last}"
