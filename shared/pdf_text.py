"""Reads one PDF in a process of its own, which can be ended: what a hostile one costs has no bound that pypdf keeps.

Run as a file, with the PDF on stdin and the most seconds of the processor as argument; it imports nothing of this
project. On stdout: a `Reading` in JSON.
"""

import json
import resource
import struct
import sys
import zlib
from contextlib import suppress
from io import BytesIO
from typing import Literal, TypedDict

_MAX_MEMORY_BYTES = 1024**3


class Reading(TypedDict):
    """What a PDF says, page by page. `refused`: why it cannot be read; else nothing. `error`: what pypdf raised."""

    title: str
    pages: list[str]
    refused: Literal["", "password", "size", "broken"]
    error: str


def main() -> None:
    """Read the PDF on stdin."""
    seconds = int(sys.argv[1])
    for limit, value in ((resource.RLIMIT_CPU, seconds), (resource.RLIMIT_AS, _MAX_MEMORY_BYTES)):
        with suppress(ValueError, OSError):  # not every system has each limit
            resource.setrlimit(limit, (value, value))
    try:
        answer = json.dumps(_read(sys.stdin.buffer.read()))
    except MemoryError:
        answer = json.dumps(_refused("size"))
    sys.stdout.write(answer)


def _read(content: bytes) -> Reading:
    from pypdf import PdfReader  # noqa: PLC0415 - 20 MB, not for those who import this module for its types
    from pypdf.errors import LimitReachedError, PyPdfError  # noqa: PLC0415

    broken = (
        *(PyPdfError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError),
        *(OSError, RecursionError, NotImplementedError, struct.error, zlib.error),
    )  # what pypdf is seen to raise on broken files
    try:
        reader = PdfReader(BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            return _refused("password")
        pages = [page.extract_text() for page in reader.pages]
        title = (reader.metadata.title if reader.metadata else None) or ""
    except LimitReachedError:  # its bounds for each stream
        return _refused("size")
    except broken as error:
        return _refused("broken", type(error).__name__)
    return Reading(title=title, pages=pages, refused="", error="")


def _refused(why: Literal["password", "size", "broken"], error: str = "") -> Reading:
    return Reading(title="", pages=[], refused=why, error=error)


if __name__ == "__main__":
    main()
