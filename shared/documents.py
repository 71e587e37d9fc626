"""Documents as plain text: what a file or page says, its sentences and its content words.

HTML and PDF readers are imported when the first such document comes: an idle service does not carry them.
"""

import codecs
import re
import struct
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import PurePath
from typing import Protocol, cast

from shared.errors import InvalidRequestError

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
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_XML_ENCODING = re.compile(r"\s*<\?xml\b[^>]*?\bencoding\s*=\s*[\"']([\w.:-]+)")
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WEB_ENCODINGS = {
    **dict.fromkeys(("iso-8859-1", "latin1", "us-ascii", "ascii"), "cp1252"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "windows-31j"), "cp932"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987"), "cp949"),
    **dict.fromkeys(("gb2312", "gbk", "x-gbk"), "gb18030"),
    **dict.fromkeys(("punycode", "idna"), "utf-8"),  # no page's encodings; Python takes minutes for them
    "windows-874": "cp874",
}
"""What pages mean by the names of encodings, where Python means less. Source: https://encoding.spec.whatwg.org/"""


@dataclass(frozen=True, slots=True)
class Document:
    """What a document says. Headings of HTML and Markdown are Markdown headings in `text`.

    `pages` has the text of each page where the format has pages (PDF), else nothing.
    """

    title: str
    text: str
    pages: tuple[str, ...] = ()


def extract_text(content: bytes, media_type: str, name: str = "") -> Document:
    """Return the text of a document in HTML, Markdown, PDF or any plain text.

    An empty or generic media type is taken from the name's ending or the first bytes. Blocking: a large PDF takes
    seconds.

    Raises: InvalidRequestError, naming the document, for what cannot be read as text.
    """
    kind = _kind(content, media_type, name)
    label = f"The document {name!r}" if name else "The document"
    if kind == "application/pdf":
        return _read_pdf(content, name, label)
    if kind in _HTML:
        return _read_html(content, media_type, name)
    if kind.startswith("text/") or kind in _TEXT or kind.endswith(("+json", "+xml")):
        text = _decode(content, media_type, label)
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
    root = _parse_html(_in_utf8(content, ""))
    return [] if root is None else [Link(link.get("href") or "", _around(link)) for link in _main_part(root).iter("a")]


def _around(link: "_Element") -> str:
    block: _Element | None = link
    while block is not None and block.tag not in _PARAGRAPHS:
        block = block.getparent()
    return "" if block is None else " ".join(block.text_content().split())[:_AROUND_CHARS]


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


_SIGNS = (  # vowel signs and accents, which belong to their words, with the letters of their scripts
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
    "\u0900-\u0963\u0966-\u096f\u0971-\u0df3\u0e01-\u0e3e\u0e40-\u0e4e\u0e50-\u0e59\u0e80-\u0eff"
    "\u1000-\u1049\u1050-\u109f\u1780-\u17d3\u200c\u200d"
)
_WORD = re.compile(rf"[^\W_](?:[^\W_]|[{_SIGNS}])*(?:['’](?:[^\W_]|[{_SIGNS}])+)*")
_STOP_WORDS_TEXT = """
    a about above after again against all also am an and any are as at be because been before being below between
    both but by ca can cannot could did do does doing down during each either every else few for from further get
    gets give given had has have having he her here hers him his how however i if in into is it its itself just let
    many me might more most much must my near no nor not now of off on once one only onto or other our out over own
    per same several shall she should so some such than that the their them then there these they this those through
    thus to too under until up upon us very via was we were what when where whether which while who whom whose why
    will with within without wo would yes yet you your yours der die das und oder ist ein eine einer eines den dem
    des im zu mit von für auf nicht wie wer wann wo warum
    welche welcher welches le la les un une et est des du en el los las es una y de que quel quelle
    quels quelles combien quand pourquoi qué cuál cuáles cómo cuánto cuánta cuántos cuántas cuándo dónde quién according
"""
_STOP_WORDS = frozenset(_STOP_WORDS_TEXT.split())


def keywords(text: str) -> list[str]:
    """Return the content words of a text, lower-cased, in order, repeats kept: no stop words, no single letters."""
    words = (
        re.sub(r"(?:n['’]t|['’](?:s|re|ve|ll|d|m))$", "", word)
        for word in _WORD.findall(unicodedata.normalize("NFC", text.lower()))
    )
    return [word for word in words if (len(word) > 1 or word.isdigit()) and word not in _STOP_WORDS]


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


def _decode(content: bytes, media_type: str, label: str) -> str:
    """Return the text in the declared encoding, by its byte order mark, as UTF-8, or as what it most likely is."""
    declared = _CHARSET.search(media_type)
    candidates = ["utf-8-sig"]
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        candidates.insert(0, "utf-16")
    if declared:
        candidates.insert(0, declared[1])
    for encoding in candidates:
        try:
            text = content.decode(_WEB_ENCODINGS.get(encoding.lower(), encoding))
        except (LookupError, ValueError):
            continue
        return _check_text(text, label)
    return _check_text(_guess(content), label)


def _guess(content: bytes) -> str:
    from charset_normalizer import from_bytes  # noqa: PLC0415 - a few MB that most services never need

    best = from_bytes(content).best() if len(content) > 200 else None
    return str(best) if best else content.decode("cp1252", errors="replace")


def _check_text(text: str, label: str) -> str:
    if "\x00" in text:
        raise InvalidRequestError(f"{label} is not text: it holds binary data. Send HTML, Markdown, PDF or plain text.")
    return _without_surrogates(text).replace("\r\n", "\n").replace("\r", "\n")


def _without_surrogates(text: str) -> str:
    """Return the text without what no encoding can store: halves of characters, as some PDFs and encodings give."""
    return text.encode(errors="replace").decode()


def _read_pdf(content: bytes, name: str, label: str) -> Document:
    from pypdf import PdfReader  # noqa: PLC0415 - 20 MB that only a PDF needs
    from pypdf.errors import PyPdfError  # noqa: PLC0415

    broken = (
        *(PyPdfError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError),
        *(OSError, RecursionError, NotImplementedError, struct.error, zlib.error),
    )  # what pypdf is seen to raise on broken files
    try:
        reader = PdfReader(BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise InvalidRequestError(f"{label} is a PDF that needs a password; send it without one.")
        texts = (page.extract_text().replace("\x00", "").strip() for page in reader.pages)
        pages = tuple(_without_surrogates(text) for text in texts)
        title = _without_surrogates((reader.metadata.title if reader.metadata else None) or "")
    except broken as error:
        raise InvalidRequestError(f"{label} is not a PDF that can be read ({type(error).__name__}).") from error
    if not any(pages):
        raise InvalidRequestError(
            f"{label} is a PDF without text, perhaps scanned pages; send it with recognised text."
        )
    return Document(title.strip() or PurePath(name).stem, "\n\n".join(page for page in pages if page), pages)


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
    content = _in_utf8(content, media_type)
    root = _parse_html(content)
    if root is None:
        return Document(PurePath(name).stem, "")
    title = next((" ".join(found.text_content().split()) for found in root.iter("title")), "")
    main = _main_part(root)
    text = _html_text(main)
    if len(text) > _SHORT_PAGE_CHARS and (main is root or _is_mostly_links(main, text)):
        text = _without_boilerplate(content, text)
    return Document(title or _first_heading(text) or PurePath(name).stem, text)


def _in_utf8(content: bytes, media_type: str) -> bytes:
    """Return a page in UTF-8, from the encoding that its first bytes, its media type or the page itself name.

    Without any of these it is UTF-8, if it can be that, else Windows-1252.
    """
    mark = next((encoding for mark, encoding in _BYTE_ORDER_MARKS if content.startswith(mark)), None)
    start = content[:2048].decode("latin-1")
    in_page = (found[1] for found in (_CHARSET.search(start), _XML_ENCODING.match(start)) if found)
    declared = [found[1]] if (found := _CHARSET.search(media_type)) else []
    unmarked = ("utf-8" if name.lower().startswith("utf-16") else name for name in in_page)
    for name in filter(None, (mark, *declared, *unmarked)):
        with suppress(LookupError, ValueError):
            return content.decode(_WEB_ENCODINGS.get(name.lower(), name), errors="replace").encode(errors="replace")
    with suppress(UnicodeDecodeError):
        content.decode("utf-8")
        return content
    return content.decode("cp1252", errors="replace").encode()


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
    line = ""
    prefix = ""

    def flush() -> None:
        nonlocal line, prefix
        if words := " ".join(line.split()).strip("| "):
            lines.append(prefix + words)
            prefix = ""
        line = ""

    waiting: list[_Element | str] = [root]  # a string: the text after an element, or the end of a block
    while waiting:
        match waiting.pop():
            case str(text):
                if text == _BLOCK_END:
                    flush()
                    prefix = ""
                else:
                    line += text
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
        line += _SEPARATORS.get(tag, "") + (element.text or "")
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
