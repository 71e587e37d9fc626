"""Reads one sheet of a spreadsheet in a process of its own, which can be ended: what a hostile one costs has no bound.

Run as a file, with an `Order` in JSON as argument; it imports nothing of this project. The rows go to a file as CSV; on
stdout: a `Reading` in JSON.
"""

import csv
import json
import re
import resource
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypedDict

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

_Value: TypeAlias = int | float | str | bool | time | date | datetime | timedelta
_Row: TypeAlias = list[_Value]

_MAX_MEMORY_BYTES: Final = 1024**3
_MAX_CPU_S: Final = 60
_EXACT: Final = 2**53
_MOST_ROWS: Final = 2**20
_MOST_NAMES: Final = 50
_LONGEST_NAME: Final = 100
_QUOTES: Final = "\"'“”‘’"
_SHEET: Final = r"(?:work)?(?:sheet|tab)"
_LEAD: Final = r"(?:\b(?:on|in|of|from|for|at|using|use)\s+)?(?:\b(?:the|my|this)\s+)?"
_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth")
_TWO_WAYS: Final = re.compile(r"-?[1-9]\d{0,2}\.\d{3}")


class Order(TypedDict):
    """Which file to read, where its rows go and how large they may become, and what may name the sheet."""

    path: str
    to: str
    most_bytes: int
    sheet: str
    question: str


class Reading(TypedDict):
    """Which sheet was read, which others there are, and the question without the words that name a sheet.

    `refused`: why nothing was read; else nothing. At `unknown`, `sheet` is the name that no sheet has.
    """

    sheet: str
    others: list[str]
    question: str
    refused: Literal["", "password", "memory", "size", "broken", "unknown", "empty"]


def main() -> None:
    """Read what the order in the first argument says."""
    order: Order = json.loads(sys.argv[1])
    for limit, value in (
        (resource.RLIMIT_CPU, _MAX_CPU_S),
        (resource.RLIMIT_AS, _MAX_MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, order["most_bytes"]),
    ):
        with suppress(ValueError, OSError):  # not every system has each limit
            resource.setrlimit(limit, (value, value))
    sys.stdout.write(json.dumps(_read(order)))


def refused(
    why: Literal["password", "memory", "size", "broken", "unknown", "empty"], sheet: str = "", shown: Iterable[str] = ()
) -> Reading:
    """Return that nothing was read, and why."""
    return Reading(sheet=sheet[:_LONGEST_NAME], others=_short(shown), question="", refused=why)


def _read(order: Order) -> Reading:
    from python_calamine import (  # noqa: PLC0415 - not for those who import this module for its types
        CalamineError,
        CalamineWorkbook,
        PasswordError,
    )

    try:
        with Path(order["path"]).open("rb") as file, CalamineWorkbook.from_filelike(file) as workbook:
            return _read_sheet(workbook, order)
    except PasswordError:
        return refused("password")
    except (CalamineError, ValueError, OverflowError):
        return refused("broken")
    except MemoryError:
        return refused("memory")
    except OSError:
        return refused("size")


def _read_sheet(workbook: "CalamineWorkbook", order: Order) -> Reading:
    from python_calamine import SheetTypeEnum, SheetVisibleEnum  # noqa: PLC0415

    sheets = [each for each in workbook.sheets_metadata if each.typ == SheetTypeEnum.WorkSheet]
    names = [each.name for each in sheets]
    shown = [each.name for each in sheets if each.visible == SheetVisibleEnum.Visible]
    wanted, question = order["sheet"], order["question"]
    if not wanted:
        wanted, question = _named(question, names, shown)
    if wanted:
        alike = [name for name in names if name.strip().casefold() == wanted.strip().casefold()]
        if not alike:
            return refused("unknown", wanted, shown)
        sheet = workbook.get_sheet_by_name(wanted if wanted in alike else alike[0])
    else:
        sheet = _first_table(workbook, shown)
    if sheet is None or not _write(sheet, Path(order["to"])):
        return refused("empty", sheet.name if sheet else "", shown)
    others = [name for name in shown if name != sheet.name]
    return Reading(sheet=sheet.name, others=_short(others), question=question, refused="")


def _short(names: Iterable[str]) -> list[str]:
    return [name[:_LONGEST_NAME] for name, _ in zip(names, range(_MOST_NAMES), strict=False)]


def _named(question: str, names: list[str], shown: list[str]) -> tuple[str, str]:
    """Return the sheet that a question names, else nothing, and the question without these words.

    "sheet 2" is the second of those shown.
    """
    for name in sorted(names, key=len, reverse=True):
        quoted = rf"[{_QUOTES}]?{re.escape(name.strip())}[{_QUOTES}]?"
        after, before = rf"{_SHEET}\s+(?:(?:called|named)\s+)?{quoted}(?!\w)", rf"(?<!\w){quoted}\s+{_SHEET}\b"
        for pattern in (after, before):
            if name.strip() and (found := re.search(_LEAD + pattern, question, re.IGNORECASE)):
                return name, _without(question, found)
    ordinal = (
        rf"{_LEAD}\b(?:{_SHEET}\s+(?:number\s+)?(?P<number>\d{{1,4}})|(?P<word>{'|'.join(_ORDINALS)})\s+{_SHEET})\b"
    )
    if found := re.search(ordinal, question, re.IGNORECASE):
        place = int(found["number"]) if found["number"] else _ORDINALS.index(found["word"].lower()) + 1
        name = shown[place - 1] if 0 < place <= len(shown) else found["number"] or found["word"]
        return name, _without(question, found)
    unknown = rf"\b{_SHEET}\s+(?:(?i:called|named)\s+(?P<called>\w+)|[{_QUOTES}](?P<quoted>[^{_QUOTES}]+)[{_QUOTES}])"
    if found := re.search(rf"{unknown}|\b{_SHEET}\s+(?P<capital>[A-Z]\w*)", question):
        return next(filter(None, found.groups())), question
    return "", question


def _without(question: str, found: re.Match[str]) -> str:
    return f"{question[: found.start()]} {question[found.end() :]}".strip()


def _first_table(workbook: "CalamineWorkbook", names: list[str]) -> "CalamineSheet | None":
    """Return the first sheet with two rows and two columns, else the first that is not empty."""
    filled = None
    for name in names:
        sheet = workbook.get_sheet_by_name(name)
        if sheet.start and sheet.height > 1 and sheet.width > 1:
            return sheet
        if sheet.start and filled is None:
            filled = sheet
    return filled


def _write(sheet: "CalamineSheet", to: Path) -> bool:
    """Write the rows as CSV, as wide as they have values. Returns whether there are any."""
    if sheet.end and sheet.end[0] >= _MOST_ROWS:
        raise ValueError(sheet.end)
    width, timed = 0, set[int]()
    for row in sheet.iter_rows():
        width = max(width, next((place for place in range(len(row), width, -1) if row[place - 1] != ""), 0))
        timed.update(place for place, value in enumerate(row) if isinstance(value, datetime))
    with to.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        for row in _rows(sheet):
            writer.writerow([_text(value, is_timed=place in timed) for place, value in enumerate(row[:width])])
    return width > 0


def _rows(sheet: "CalamineSheet") -> Iterator[_Row]:
    """Yield the rows; a text or day in merged cells stands in all rows that these span, a number in the first."""
    _, left = sheet.start or (0, 0)
    merged: dict[int, list[tuple[int, int]]] = {}
    for (top, first), (bottom, _) in sheet.merged_cell_ranges or ():
        if bottom > top:
            merged.setdefault(top, []).append((bottom, first - left))
    spans: list[tuple[int, int, str | date]] = []
    for number, row in enumerate(sheet.iter_rows()):
        spans = [span for span in spans if span[0] >= number]
        for bottom, place in merged.get(number, ()):
            value = row[place] if 0 <= place < len(row) else ""
            if isinstance(value, (str, date)) and value != "":
                spans.append((bottom, place, value))
        for _, place, value in spans:
            row[place] = value
        yield row


def _text(value: _Value, *, is_timed: bool) -> str:
    """Return a value as it stands in a CSV that can be read in one way only."""
    text = str(value)
    match value:
        case bool():
            text = text.lower()
        case float() if value.is_integer() and abs(value) < _EXACT:
            text = str(int(value))
        case float() if _TWO_WAYS.fullmatch(text):
            text += "0"
        case datetime():
            text = str((value + timedelta(microseconds=500_000)).replace(microsecond=0))
        case date() if is_timed:
            text += " 00:00:00"
        case timedelta():
            minutes, seconds = divmod(round(value.total_seconds()), 60)
            text = f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
        case _:
            text = text.replace("\0", "")
    return text


if __name__ == "__main__":
    main()
