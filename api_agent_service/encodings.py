"""Text files in UTF-8, whatever they are in: read piece by piece, written anew only where they are not UTF-8."""

import codecs
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from shared.errors import InvalidRequestError

_PIECE_BYTES: Final = 1_000_000


def to_utf8(label: str, path: Path, to: Path) -> tuple[Path, str]:
    """Return a file with the same text in UTF-8 (`path` itself, or `to`), and a note on what had to be decided.

    Lines that are not UTF-8 are read as Windows-1252; without any UTF-8 beyond ASCII, that is what the file is in.
    Raises: InvalidRequestError for what is no text.
    """
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            _transcode_utf16(label, file, to)
            return to, "The file is in UTF-16."
        if _is_utf8(label, file):
            return path, ""
        file.seek(0)
        foreign, wide = _transcode_lines(file, to)
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


def _transcode_utf16(label: str, file: BinaryIO, to: Path) -> None:
    decoder = codecs.getincrementaldecoder("utf-16")()
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


def _transcode_lines(file: BinaryIO, to: Path) -> tuple[int, int]:
    """Write the lines in UTF-8; returns how many were not, and how many were and have more than ASCII."""
    foreign = wide = 0
    with to.open("wb") as target:
        for line in file:
            try:
                line.decode()
            except UnicodeDecodeError:
                foreign += 1
                target.write(line.decode("cp1252", errors="replace").encode())
            else:
                wide += not line.isascii()
                target.write(line)
    return foreign, wide


def _binary(label: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"{label} is binary, and neither Parquet nor a spreadsheet. Send CSV, TSV, a spreadsheet (.xlsx, .xls, .ods), "
        "JSON, JSON Lines or Parquet; unpack and decrypt it before."
    )
