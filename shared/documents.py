"""Documents as plain text: what a file or page says, and its sentences.

The reader of HTML is imported when the first such document comes: an idle service does not carry it.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import ceil
from pathlib import PurePath
from subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING, Protocol, cast

from shared import pdf_text
from shared.document_encodings import decode, in_utf8, without_surrogates
from shared.errors import InvalidRequestError

if TYPE_CHECKING:
    from shared.pdf_text import Reading

_MEDIA_TYPES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".txt": "text/plain",
    ".text": "text/plain",
    ".rst": "text/plain",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "application/xhtml+xml",
    ".pdf": "application/pdf",
}
SUFFIXES = frozenset(_MEDIA_TYPES)
"""Endings of the file names that are taken for documents."""

_HTML = {"text/html", "application/xhtml+xml"}
_TEXT = {"application/json", "application/xml", "application/yaml", "application/x-ndjson", "application/javascript"}
_SHORT_PAGE_CHARS = 2000
_LEAST_SHARE = 0.2
_MOST_LINKS = 0.3
_MOST_WEIGHED_BYTES = 2_000_000  # seconds for each million
_MOST_WEIGHED_ELEMENTS = 10_000  # each is compared with all around it


@dataclass(frozen=True, slots=True)
class Document:
    """What a document says. Headings of HTML and Markdown are Markdown headings in `text`.

    `pages` has the text of each page where the format has pages (PDF), else nothing.
    """

    title: str
    text: str
    pages: tuple[str, ...] = ()


def extract_text(content: bytes, media_type: str, name: str = "", *, timeout_s: float = 60.0) -> Document:
    """Return the text of a document in HTML, Markdown, PDF or any plain text.

    An empty or generic media type is taken from the name's ending or the first bytes. Blocking: a large PDF takes
    seconds, `timeout_s` at most.

    Raises: InvalidRequestError, naming the document, for what cannot be read as text.
    """
    kind = _kind(content, media_type, name)
    label = f"The document {name!r}" if name else "The document"
    if kind == "application/pdf":
        return _read_pdf(content, name, label, timeout_s)
    if kind in _HTML:
        return _read_html(content, media_type, name)
    if kind.startswith("text/") or kind in _TEXT or kind.endswith(("+json", "+xml")):
        text = decode(content, media_type, label)
        return Document(_first_heading(text) or PurePath(name).stem, text)
    raise InvalidRequestError(f"{label} is {kind or 'of unknown type'}; send HTML, Markdown, PDF or plain text.")


@dataclass(frozen=True, slots=True)
class Link:
    """A link in a document: where it leads, and what the paragraph around it says."""

    address: str
    around: str


def links(content: bytes, name: str) -> list[Link]:
    """Return the links of a document in HTML, in order; of other documents none. Blocking."""
    if _kind(content, "", name) not in _HTML:
        return []
    root = _parse_html(in_utf8(content, ""))
    if root is None:
        return []
    found: list[Link] = []
    said: dict[_Element, str] = {}  # a paragraph may hold thousands of links
    for link in _main_part(root).iter("a"):
        block = _paragraph(link)
        if block is not None and block not in said:
            said[block] = " ".join(block.text_content().split())[:_AROUND_CHARS]
        found.append(Link(link.get("href") or "", "" if block is None else said[block]))
    return found


def _paragraph(link: "_Element") -> "_Element | None":
    block: _Element | None = link
    while block is not None and block.tag not in _PARAGRAPHS:
        block = block.getparent()
    return block


_SENTENCE_END = re.compile(r"""(?<![.!?…])[.!?…]++["'”’»)\]]*+(?=\s+["'“‘«(\[]*[^\W_a-zß-öø-ÿ])|[。！？]["”』」]?""")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"'“])(?:[A-Za-z]|(?:[A-Za-z]\.)+[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|No|Nr|Fig|Figs|Eq|Sec|Ch|Vol|pp?|vs|cf|al|etc"
    r"|approx|Inc|Ltd|Co|Corp|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|ca|bzw|resp|Abs|Art)\.$"
)
_LONGEST_ABBREVIATION = 40
_FENCE = re.compile(r"^\s*(```|~~~)")
_HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*)$")
_UNDERLINE = re.compile(r"^ {0,3}(={2,}|-{2,})\s*$")
_ITEM = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_TABLE_RULE = re.compile(r"^(?=.*---)[\s:|-]+$")
_BREAKS = (_FENCE, _HEADING, _UNDERLINE, _TABLE_RULE)


def sentences(text: str) -> list[str]:
    """Return the sentences of plain text or Markdown, in order, without markup.

    A list item or a table row ends a sentence even without a full stop. Headings and fenced code are left out.
    """
    return [sentence for block in _blocks(text) for sentence in _split(block)]


def plain(text: str) -> str:
    """Return one line of Markdown without its inline markup: links as their text, no emphasis, no quote marks."""
    text = re.sub(r"!?\[([^\]\[]*)\]\((?:[^()\s]|\([^()\s]*\))*(?:\s+\"[^\"]*\")?\)", r"\1", text)
    text = re.sub(r"(\*\*|__)(?=\S)((?:(?!\1).)++)(?<=\S)\1", r"\2", text)
    text = re.sub(r"(?<![\w*])\*(?=[^\s*])([^*]+?)(?<=\S)\*(?![\w*])", r"\1", text)
    text = re.sub(r"`([^`]+)`", r"\1", text)
    return " ".join(re.sub(r"^\s*(?:>\s?)+", "", text).split())


def heading(line: str) -> tuple[int, str] | None:
    """Return the level and the text of a Markdown heading, or None: "## C# ##" is "C#" at level 2."""
    match = _HEADING.match(line)
    if match is None:
        return None
    title = match[2].strip()
    opened = title.rstrip("#")
    return len(match[1]), opened.rstrip() if opened != opened.rstrip() or not opened else title


def table_row(line: str) -> str:
    """Return a row of a Markdown table as text: "first cell: second, third"; nothing for an empty one."""
    first, *others = [plain(cell) for cell in line.strip().strip("|").split("|")]
    rest = ", ".join(filter(None, others))
    return f"{first}: {rest}" if first and rest else first or rest


def _kind(content: bytes, media_type: str, name: str) -> str:
    kind = media_type.partition(";")[0].strip().lower()
    if kind in {"", "application/octet-stream", "binary/octet-stream"}:
        kind = _MEDIA_TYPES.get(PurePath(name).suffix.lower(), "")
    if not kind or kind == "text/plain":
        start = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        if start.startswith(b"%pdf-"):
            return "application/pdf"
        if start.startswith((b"<!doctype html", b"<html")):
            return "text/html"
        return kind or "text/plain"
    return kind


def _read_pdf(content: bytes, name: str, label: str, timeout_s: float) -> Document:
    command = [sys.executable, "-P", pdf_text.__file__, str(ceil(timeout_s))]
    try:
        done = subprocess.run(command, input=content, stdout=PIPE, stderr=DEVNULL, timeout=timeout_s, check=True)  # noqa: S603 - ours
    except subprocess.TimeoutExpired as error:
        why = f"is a PDF that takes more than {timeout_s:g} s to read; send less of it"
        raise InvalidRequestError(f"{label} {why}.") from error
    except subprocess.CalledProcessError as error:
        raise InvalidRequestError(f"{label} is not a PDF that can be read.") from error
    reading = cast("Reading", json.loads(done.stdout))
    match reading["refused"]:
        case "password":
            raise InvalidRequestError(f"{label} is a PDF that needs a password; send it without one.")
        case "size":
            raise InvalidRequestError(f"{label} is a PDF that unfolds to more than can be read; send less of it.")
        case "broken":
            raise InvalidRequestError(f"{label} is not a PDF that can be read ({reading['error']}).")
        case "":
            pass
    pages = tuple(without_surrogates(page.replace("\x00", "").strip()) for page in reading["pages"])
    if not any(pages):
        raise InvalidRequestError(
            f"{label} is a PDF without text, perhaps scanned pages; send it with recognised text."
        )
    title = without_surrogates(reading["title"]).strip()
    return Document(title or PurePath(name).stem, "\n\n".join(page for page in pages if page), pages)


class _Element(Protocol):
    """What is used of an lxml element; lxml has no types."""

    tag: object
    text: str | None
    tail: str | None

    def get(self, key: str) -> str | None: ...
    def getparent(self) -> "_Element | None": ...
    def text_content(self) -> str: ...
    def iter(self, *tags: str) -> "Iterator[_Element]": ...
    def __iter__(self) -> "Iterator[_Element]": ...


_SKIPPED = frozenset(
    {"script", "style", "noscript", "template", "nav", "footer", "aside", "iframe", "svg", "canvas", "button", "select"}
    | {"textarea", "title", "object", "audio", "video"}
)
_HIDDEN = re.compile(r"\b(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE)
_BLOCK_TAGS = """
    address article blockquote body caption dd details div dl dt fieldset figcaption figure form h1 h2 h3 h4 h5 h6
    header hr html legend li main ol p section summary table tbody tfoot thead tr ul
"""
_BLOCKS = frozenset(_BLOCK_TAGS.split())
_PREFIXES = {"li": "- ", **{f"h{level}": "#" * level + " " for level in range(1, 7)}}
_SEPARATORS = {"td": " | ", "th": " | ", "br": " "}
_BLOCK_END = "\0"
_PARAGRAPHS = frozenset({"p", "li", "dd", "dt", "td", "th", "div", "section", "article", "main", "body"})
_AROUND_CHARS = 400


def _parse_html(content: bytes) -> _Element | None:
    from lxml import html  # noqa: PLC0415 - needed for HTML only
    from lxml.etree import ParserError  # noqa: PLC0415 # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]

    try:
        parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
        return cast("_Element", html.document_fromstring(content, parser=parser))  # pyright: ignore[reportUnknownMemberType]
    except (ParserError, ValueError, AssertionError):
        return None


def _read_html(content: bytes, media_type: str, name: str) -> Document:
    content = in_utf8(content, media_type)
    root = _parse_html(content)
    if root is None:
        return Document(PurePath(name).stem, "")
    title = next((" ".join(found.text_content().split()) for found in root.iter("title")), "")
    main = _main_part(root)
    text = _html_text(main)
    is_weighed = len(text) > _SHORT_PAGE_CHARS and len(content) <= _MOST_WEIGHED_BYTES
    is_weighed = is_weighed and next(islice(root.iter(), _MOST_WEIGHED_ELEMENTS, None), None) is None
    if is_weighed and (main is root or _is_mostly_links(main, text)):
        text = _without_boilerplate(content, text)
    return Document(title or _first_heading(text) or PurePath(name).stem, text)


def _main_part(root: _Element) -> _Element:
    """Return what the page itself says is its main part, else all of it."""
    role = (each for each in root.iter("div", "section", "td") if each.get("role") == "main")
    for marked in (root.iter("main"), role, root.iter("article")):
        found = list(islice(marked, 2))
        if len(found) == 1 and found[0].text_content().strip():
            return found[0]
    return root


def _is_mostly_links(main: _Element, text: str) -> bool:
    """Say whether menus or lists of other pages take much of a page's main part."""
    return sum(len(link.text_content()) for link in main.iter("a")) > _MOST_LINKS * len(text)


def _html_text(root: _Element) -> str:
    """Return the visible text: one paragraph for each block, headings and list items as in Markdown."""
    lines: list[str] = []
    line: list[str] = []
    prefix = ""

    def flush() -> None:
        nonlocal prefix
        if words := " ".join("".join(line).split()).strip("| "):
            lines.append(prefix + words)
            prefix = ""
        line.clear()

    waiting: list[_Element | str] = [root]  # a string: the text after an element, or the end of a block
    while waiting:
        match waiting.pop():
            case str(text):
                if text == _BLOCK_END:
                    flush()
                    prefix = ""
                else:
                    line.append(text)
                continue
            case element:
                tag = element.tag if isinstance(element.tag, str) else ""
        if element is not root and element.tail:
            waiting.append(element.tail)
        if tag in _SKIPPED or not tag or _is_hidden(element):
            continue
        if tag in _BLOCKS or tag == "pre":
            flush()
            waiting.append(_BLOCK_END)
        if tag == "pre":
            lines.append(f"```\n{element.text_content().strip()}\n```")
            continue
        prefix = _PREFIXES.get(tag, prefix)
        line.append(_SEPARATORS.get(tag, "") + (element.text or ""))
        waiting.extend(reversed(list(element)))
    flush()
    return "\n\n".join(lines)


def _is_hidden(element: _Element) -> bool:
    return element.get("hidden") is not None or _HIDDEN.search(element.get("style") or "") is not None


def _without_boilerplate(content: bytes, text: str) -> str:
    """Return the page's main text if it can be told from menus and advertising, else all of it."""
    import trafilatura  # noqa: PLC0415

    try:
        found = trafilatura.extract(
            content, output_format="markdown", include_comments=False, include_tables=True, favor_recall=True
        )
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError):  # on odd pages
        return text
    return found if found and len(found) >= _LEAST_SHARE * len(text) else text


def _first_heading(text: str) -> str:
    for line in text.splitlines()[:50]:
        if found := heading(line):
            return plain(found[1])
    return ""


def _blocks(text: str) -> Iterator[str]:
    """Yield the running text between blank lines, headings, list items, table rows and code, on one line each."""
    pending: list[str] = []
    fenced = False
    for line in [*text.splitlines(), ""]:
        if _FENCE.match(line):
            fenced = not fenced
        if fenced or not line.strip() or any(rule.match(line) for rule in _BREAKS):
            if pending and not (len(pending) == 1 and _UNDERLINE.match(line)):
                yield plain(" ".join(pending))
            pending = []
        elif line.lstrip().startswith("|"):
            if pending:
                yield plain(" ".join(pending))
            pending = []
            if row := table_row(line):
                yield row
        else:
            if _ITEM.match(line) and pending:
                yield plain(" ".join(pending))
                pending = []
            pending.append(_ITEM.sub("", line))


def _split(block: str) -> Iterator[str]:
    start = 0
    for match in _SENTENCE_END.finditer(block):
        if match[0] == "." and _ABBREVIATION.search(
            block, max(start, match.end() - _LONGEST_ABBREVIATION), match.end()
        ):
            continue
        if sentence := block[start : match.end()].strip():
            yield sentence
        start = match.end()
    if rest := block[start:].strip():
        yield rest
