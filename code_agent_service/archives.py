"""Zip archives: unpacked with bounds, whatever is in them; and packed, the same bytes for the same files. Pure."""

import io
import stat
import zipfile
import zlib
from collections.abc import Sequence
from typing import Final

from code_agent_service import names
from code_agent_service.runs import WorkFile
from shared.errors import InvalidRequestError, TooLargeError

MAX_ENTRIES: Final = 500
"""The most files that are taken out of an archive."""

_MAX_LISTED: Final = 10_000
_CHUNK_BYTES: Final = 64 * 1024
_FIRST_DAY: Final = (1980, 1, 1, 0, 0, 0)
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError)


def is_archive(file: WorkFile) -> bool:
    """Tell whether a file is a zip archive by its name and its first bytes."""
    return file.name.lower().endswith(".zip") and file.content[:2] == b"PK"


def unpack(archive: WorkFile, most_bytes: int) -> list[WorkFile]:
    """Return the files in a zip archive: regular ones only, under tidy names; archives in it stay packed.

    Raises: TooLargeError, when it has more than 500 entries or unpacks to more than `most_bytes`; it is found out by
    unpacking, not by what the archive says. InvalidRequestError, when it is broken or encrypted.
    """
    label = names.tidy([archive.name])[0]
    if archive.content.count(b"PK\x01\x02") > _MAX_LISTED:  # before its list is read, which takes time and memory
        raise TooLargeError(f"The archive {label!r} has too many files; at most {MAX_ENTRIES} are taken. Send fewer.")
    try:
        with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            if len(entries) > MAX_ENTRIES:
                raise TooLargeError(
                    f"The archive {label!r} has {len(entries):,} files; at most {MAX_ENTRIES} are taken. Send fewer."
                )
            if any(entry.flag_bits & 1 for entry in entries):
                raise InvalidRequestError(f"The archive {label!r} is encrypted; send it without a password.")
            regular = [entry for entry in entries if _is_regular(entry)]
            contents: list[bytes] = []
            for entry in regular:
                contents.append(_read(opened, entry, most_bytes, label))
                most_bytes -= len(contents[-1])
    except _BROKEN as error:
        raise InvalidRequestError(f"The archive {label!r} cannot be read: {error}. Send it again.") from error
    tidy = names.tidy([entry.filename for entry in regular])
    return [WorkFile(name, content) for name, content in zip(tidy, contents, strict=True)]


def pack(files: Sequence[WorkFile]) -> bytes:
    """Return the files as a zip archive; equal files give equal bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as opened:
        for file in sorted(files, key=lambda each: each.name):
            entry = zipfile.ZipInfo(file.name, _FIRST_DAY)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            opened.writestr(entry, file.content)
    return target.getvalue()


def _is_regular(entry: zipfile.ZipInfo) -> bool:
    """Tell a file from a link or a device; archives made on Windows say nothing, and mean files."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    return kind in {0, stat.S_IFREG}


def _read(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, most_bytes: int, label: str) -> bytes:
    content = bytearray()
    with opened.open(entry) as file:
        while chunk := file.read(_CHUNK_BYTES):
            content += chunk
            if len(content) > most_bytes:
                raise TooLargeError(
                    f"The archive {label!r} unpacks to more than is taken: half of SANDBOX_DISK_MB. Send less, or "
                    "raise it."
                )
    return bytes(content)
