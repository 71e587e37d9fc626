"""The encodings of documents: text and pages as Unicode, whatever they say that they are in."""

import codecs
import re
from contextlib import suppress

from shared.errors import InvalidRequestError

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


def decode(content: bytes, media_type: str, label: str) -> str:
    """Return the text in the declared encoding, by its byte order mark, as UTF-8, or as what it most likely is.

    Raises: InvalidRequestError, beginning with `label`, for binary data.
    """
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


def without_surrogates(text: str) -> str:
    """Return the text without what no encoding can store: halves of characters, as some PDFs and encodings give."""
    return text.encode(errors="replace").decode()


def in_utf8(content: bytes, media_type: str) -> bytes:
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


def _guess(content: bytes) -> str:
    from charset_normalizer import from_bytes  # noqa: PLC0415 - a few MB that most services never need

    best = from_bytes(content).best() if len(content) > 200 else None
    return str(best) if best else content.decode("cp1252", errors="replace")


def _check_text(text: str, label: str) -> str:
    if "\x00" in text:
        raise InvalidRequestError(f"{label} is not text: it holds binary data. Send HTML, Markdown, PDF or plain text.")
    return without_surrogates(text).replace("\r\n", "\n").replace("\r", "\n")
