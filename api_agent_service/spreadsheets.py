"""Spreadsheets: one sheet of a workbook, written as CSV, from where on it is read as any CSV is."""

import json
import sys
from contextlib import suppress
from dataclasses import dataclass
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired
from typing import TYPE_CHECKING, Final, cast

from api_agent_service import sheet_text
from api_agent_service.database import Database
from api_agent_service.material import Source
from api_agent_service.settings import Settings
from shared.errors import InvalidRequestError, TooLargeError

if TYPE_CHECKING:
    from api_agent_service.sheet_text import Order, Reading

_ZIP: Final = b"PK\x03\x04"
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LOOK_EVERY_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Sheet:
    """The sheet that is asked about, as CSV; the question without the words that name it; a note on which it is."""

    source: Source
    question: str
    note: str = ""


def open_sheet(source: Source, question: str, wanted: str, store: Database, settings: Settings) -> Sheet:
    """Return the sheet of a workbook that is `wanted` or that the question names, else the first with a table.

    What is no workbook is returned as it is. Blocking.
    Raises: InvalidRequestError, TooLargeError, StoppedError.
    """
    if not source.head(len(_OLE)).startswith((_ZIP, _OLE)):
        return Sheet(source, question)
    label = f"The spreadsheet {source.name!r}"
    if source.size_bytes > settings.max_data_bytes:
        raise TooLargeError(
            f"{label} has more than {settings.max_data_bytes:,} bytes, the limit set by MAX_DATA_BYTES."
        )
    to = store.folder / "sheet.csv"
    order: Order = {
        "path": str(source.on_disk(store.folder / "workbook")),
        "to": str(to),
        "most_bytes": settings.data_disk_mb * 1_000_000,
        "sheet": wanted,
        "question": question,
    }
    reading = _run(order, store)
    listed = ", ".join(repr(name) for name in reading["others"])
    match reading["refused"]:
        case "password":
            raise InvalidRequestError(f"{label} needs a password. Save it without one, and send that.")
        case "memory":
            raise TooLargeError(
                f"{label} takes more than 60 s or 1 GiB of memory to read. Save the sheet that you ask about as CSV, "
                "and send that."
            )
        case "size":
            raise TooLargeError(
                f"{label} unpacks to more than {settings.data_disk_mb} MB of text (DATA_DISK_MB). Send less of it."
            )
        case "broken":
            raise InvalidRequestError(
                f"{source.name!r} is an archive, or encrypted, or a broken file, and no spreadsheet that can be read. "
                "Save the table as .xlsx or CSV, or unpack and decrypt it before."
            )
        case "unknown":
            raise InvalidRequestError(f"{label} has no sheet {reading['sheet']!r}. Its sheets are: {listed}.")
        case "empty":
            where = f"its sheet {reading['sheet']!r} is empty" if reading["sheet"] else "it has no sheet with data"
            raise InvalidRequestError(f"{label} cannot be read as a table: {where}. Its sheets are: {listed}.")
        case "":
            pass
    note = f"The sheet {reading['sheet']!r} was read."
    if listed:
        note += f" Others are: {listed}; ask about one as in “on the sheet {reading['others'][0]}”."
    return Sheet(Source(source.name, "text/csv", path=to), reading["question"], note)


def _run(order: "Order", store: Database) -> "Reading":
    """Return what the process says; it is ended when the work on the database is stopped."""
    command = [sys.executable, "-P", sheet_text.__file__, json.dumps(order)]
    with Popen(command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL) as process:  # noqa: S603 - ours
        try:
            said = _wait(process, store)
        finally:
            process.kill()
    if process.returncode:
        ended_from_outside = process.returncode < 0
        return sheet_text.refused("memory" if ended_from_outside else "broken")
    return cast("Reading", json.loads(said))


def _wait(process: Popen[bytes], store: Database) -> bytes:
    while True:
        store.look()
        with suppress(TimeoutExpired):
            return process.communicate(timeout=_LOOK_EVERY_S)[0]
