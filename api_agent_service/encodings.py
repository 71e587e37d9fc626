"""Text files in UTF-8, whatever they are in: read piece by piece, written anew only where they are not UTF-8."""

import codecs
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from shared.errors import InvalidRequestError

_PIECE_BYTES: Final = 1_000_000
_UTF16: Final = {
    "utf-16": re.compile(rb"\xff\xfe|\xfe\xff"),
    "utf-16-le": re.compile(rb"(?:[\t -~]\0){2}"),
    "utf-16-be": re.compile(rb"(?:\0[\t -~]){2}"),
}
"""How files in UTF-16 begin: with a mark, or without one with two characters of ASCII."""

_ACCENTED: Final = re.compile(rb"[\x80-\xff]+")


def to_utf8(label: str, path: Path, to: Path) -> tuple[Path, str]:
    """Return a file with the same text in UTF-8 (`path` itself, or `to`), and a note on what had to be decided.

    Lines that are not UTF-8 are read as Windows-1252; without any UTF-8 beyond ASCII, that is what the file is in.
    Raises: InvalidRequestError for what is no text.
    """
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if codec := next((name for name, start in _UTF16.items() if start.match(head)), ""):
            _transcode_utf16(label, file, to, codec)
            return to, "The file is in UTF-16."
        if _is_utf8(label, file):
            return path, ""
        file.seek(0)
        foreign, wide = _transcode_lines(label, file, to)
    if not wide:
        return to, "The file is not in UTF-8; it was read as Windows-1252."
    lines = "1 line was" if foreign == 1 else f"{foreign:,} lines were"
    return to, f"The file mixes encodings: {lines} not in UTF-8 and read as Windows-1252."


def _pieces(file: BinaryIO) -> Callable[[], bytes]:
    return lambda: file.read(_PIECE_BYTES)


def _is_utf8(label: str, file: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8 = True
    for piece in iter(_pieces(file), b""):
        if b"\0" in piece:
            raise _binary(label)
        try:
            if is_utf8:
                decoder.decode(piece)
        except UnicodeDecodeError:
            is_utf8 = False
    try:
        decoder.decode(b"", final=is_utf8)
    except UnicodeDecodeError:
        return False
    return is_utf8


def _transcode_utf16(label: str, file: BinaryIO, to: Path, codec: str) -> None:
    decoder = codecs.getincrementaldecoder(codec)()
    try:
        with to.open("w", encoding="utf-8", errors="replace", newline="") as target:
            for piece in iter(_pieces(file), b""):
                target.write(_checked(label, decoder.decode(piece)))
            target.write(decoder.decode(b"", final=True))
    except UnicodeDecodeError as error:
        raise InvalidRequestError(f"{label} begins as UTF-16 but is not. Send it in UTF-8.") from error


def _checked(label: str, text: str) -> str:
    if "\0" in text:
        raise _binary(label)
    return text


def _transcode_lines(label: str, file: BinaryIO, to: Path) -> tuple[int, int]:
    """Write the lines in UTF-8; returns how many were not, and how many were and have more than ASCII.

    Raises: InvalidRequestError where most letters beyond ASCII stand in rows, as in no Western European language.
    """
    foreign = wide = single = many = 0
    with to.open("wb") as target:
        for line in file:
            try:
                line.decode()
            except UnicodeDecodeError:
                foreign += 1
                runs = _ACCENTED.findall(line)
                single += sum(len(run) == 1 for run in runs)
                many += sum(len(run) for run in runs if len(run) > 1)
                target.write(line.decode("cp1252", errors="replace").encode())
            else:
                wide += not line.isascii()
                target.write(line)
    if many > 2 * single and not wide:
        raise InvalidRequestError(f"{label} is neither in UTF-8 nor in Windows-1252. Save it in UTF-8, and send that.")
    return foreign, wide


def _binary(label: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"{label} is binary, and neither Parquet nor a spreadsheet. Send CSV, TSV, a spreadsheet (.xlsx, .xls, .ods), "
        "JSON, JSON Lines or Parquet; unpack and decrypt it before."
    )
