"""CSV in its many forms as a file that DuckDB can scan. All values are text still.

A file that DuckDB takes as it is, is scanned as it is. One that it does not is written anew, line by line; if its lines
are not a table, that says which line is wrong.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import Final, TextIO, TypeAlias

from api_agent_service import database
from api_agent_service.markup_tables import unique_names
from shared.errors import InvalidRequestError

Watch: TypeAlias = Callable[[Iterable[list[str]]], Iterator[list[str]]]

_SEPARATORS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_STATED: Final = re.compile(r"sep=([,;\t|])\s*", re.IGNORECASE)  # a first line for Excel
_SAMPLE_LINES: Final = 200
_LONGEST_SAMPLE_LINE: Final = 100_000
_LONGEST_FIELD: Final = 10_000_000
_LONGEST_LINE: Final = 500_000
_LONGEST_LINE_BYTES: Final = 4 * _LONGEST_LINE
_BUFFER_BYTES: Final = 8_000_000

csv.field_size_limit(_LONGEST_FIELD)  # one for the whole process: at import, or it would depend on what was read before


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table in a file of UTF-8 text: its columns, how they are separated, and how many lines come before the rows.

    With `skips_blanks`, a line without any value is no row. `notes` are sentences on what had to be decided. `above`
    has the cells of the lines before the rows; `is_ours` says that the file was written by `write_rows`.
    """

    path: Path
    names: tuple[str, ...]
    separator: str = ","
    skipped_lines: int = 0
    skips_blanks: bool = False
    notes: tuple[str, ...] = ()
    above: tuple[str, ...] = ()
    is_ours: bool = True

    def scan(self) -> str:
        """Return the rows as a table in SQL."""
        columns = ", ".join(f"{database.text(each)}: 'VARCHAR'" for each in self.names)
        options = (
            f"auto_detect = false, strict_mode = true, header = false, skip = {self.skipped_lines}, "
            f"columns = {{{columns}}}, delim = {database.text(self.separator)}, quote = '\"', escape = '\"', "
            f"nullstr = '', max_line_size = {_LONGEST_LINE_BYTES}, buffer_size = {_BUFFER_BYTES}"
        )
        if self.is_ours:
            options += ", new_line = '\\n'"  # a value may hold other ends of lines, by which it would be found out
        source = f"SELECT * FROM read_csv({database.text(str(self.path))}, {options})"
        if not self.skips_blanks or not self.names:
            return f"({source})"
        first, *_ = self.names  # mostly enough, and cheap beside all of them
        everything = f"concat({', '.join(map(database.name, self.names))})"
        return f"({source} WHERE {database.trimmed(first)} <> '' OR {database.without_blanks(everything)} <> '')"


def open_csv(label: str, path: Path) -> TextTable:
    """Return the table in a file of UTF-8 text: its separator is found out, its first rows tell the columns.

    Raises: InvalidRequestError for text that is no table.
    """
    sample = _sample(path)
    stated = _STATED.fullmatch(sample[0]) if sample else None
    separator = stated[1] if stated else _sniff(sample)
    if separator is None and not _is_single_column(sample):
        raise InvalidRequestError(
            f"{label} is not a table that can be read. Send CSV, TSV, JSON, JSON Lines or Parquet: pasted below the "
            "question, as a file, or as a URL."
        )
    separator = separator or ","
    reader = csv.reader(sample, delimiter=separator, skipinitialspace=True)
    if stated:
        next(reader)
    found = [(row, reader.line_num) for row in reader if any(cell.strip() for cell in row)]
    titles = _titles(found)
    header, skipped = found[len(titles)] if found else (list[str](), 0)
    notes = (
        [f"The lines above the column names are left out: {', '.join(repr(title[:100]) for title in titles[:5])}."]
        if titles
        else []
    )
    is_data = _is_data(header)
    if is_data:
        notes.append("There is no line of column names; the columns are called column_1, column_2, and so on.")
        skipped -= 1
    if separator != ",":
        notes.append(f"The columns are separated by {_SEPARATORS[separator]}s.")
    names = unique_names([""] * len(header) if is_data else header)
    return TextTable(
        path,
        tuple(names),
        separator,
        skipped,
        skips_blanks=True,
        notes=tuple(notes),
        above=() if is_data else (*titles, *header),
        is_ours=False,
    )


def is_plain(table: TextTable) -> bool:
    """Tell whether nothing speaks against scanning a file as it is: no blanks before quotes, no broken lines above."""
    return not re.search(rf'{re.escape(table.separator)}[ \t]+"', "".join(_sample(table.path))) and not any(
        "\n" in cell or "\r" in cell for cell in table.above
    )


def rewrite(label: str, table: TextTable, to: Path, watch: Watch, *, max_rows: int) -> TextTable:
    """Write a table anew in the plainest form, at most `max_rows` + 1 rows of it.

    Raises: InvalidRequestError, naming the line, for ragged lines and open quotes.
    """
    with table.path.open(encoding="utf-8-sig", newline="") as file:
        lines = islice(_lines(label, file), table.skipped_lines, None)
        rows = _rows(label, lines, table.separator, len(table.names), table.skipped_lines)
        write_rows(to, watch(islice(rows, max_rows + 1)))
    return replace(table, path=to, separator=",", skipped_lines=0, is_ours=True)


def write_rows(to: Path, rows: Iterable[Sequence[str]]) -> None:
    """Write rows of text as CSV in its plainest form.

    Raises: InvalidRequestError, naming the row, for one that is longer than `scan` reads.
    """
    with to.open("w", encoding="utf-8", errors="replace", newline="") as file:
        csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(_short_enough(rows))


def _short_enough(rows: Iterable[Sequence[str]]) -> Iterator[Sequence[str]]:
    for number, row in enumerate(rows, 1):
        if sum(map(len, row)) > _LONGEST_LINE and _written_bytes(row) > _LONGEST_LINE_BYTES:
            raise InvalidRequestError(
                f"The table has more than {_LONGEST_LINE_BYTES:,} bytes in row {number}. Shorten its values, or leave "
                "long texts out.",
                row=number,
            )
        yield row


def _written_bytes(row: Sequence[str]) -> int:
    return sum(len(value.encode(errors="replace")) + value.count('"') + len('"",') for value in row)


def _sample(path: Path) -> list[str]:
    """Return the first lines of a file, of each no more than can be wanted."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        return list(islice(iter(lambda: file.readline(_LONGEST_SAMPLE_LINE), ""), _SAMPLE_LINES))


def _lines(label: str, file: TextIO) -> Iterator[str]:
    """Yield the lines of a file. Raises: InvalidRequestError for one that is longer than a line of a table can be."""
    for number in count(1):
        line = file.readline(_LONGEST_LINE + 1)
        if not line:
            return
        if len(line) > _LONGEST_LINE:
            raise InvalidRequestError(
                f"{label} has more than {_LONGEST_LINE:,} characters in line {number}. Look for a quotation mark "
                "that is not closed, or shorten the line.",
                line=number,
            )
        yield line


def _sniff(sample: list[str]) -> str | None:
    """Return the separator that gives most lines the same number of columns, or None where none gives two."""
    best, best_score = None, 0.0
    for separator in _SEPARATORS:
        try:
            widths = [len(row) for row in csv.reader(sample, delimiter=separator) if row]
        except csv.Error:
            continue
        common = max(set(widths), key=lambda width: (widths.count(width), width), default=1)
        if common < 2:
            continue
        score = widths.count(common) / len(widths) * (1.0 if widths[0] == common else 0.6) + min(common, 20) / 1000
        if score > best_score:
            best, best_score = separator, score
    return best


def _is_single_column(sample: list[str]) -> bool:
    """Tell whether the lines are a name and below it values: short, and some of them numbers."""
    lines = [line.strip() for line in sample if line.strip()]
    short = all(len(line) <= 60 and len(line.split()) <= 4 for line in lines)
    return len(lines) > 1 and short and any(re.search(r"\d", line) for line in lines[1:])


def _rows(label: str, lines: Iterable[str], separator: str, width: int, skipped: int) -> Iterator[list[str]]:
    """Yield the rows without blank lines, all of a width. `skipped`: lines of the file before these."""
    reader = csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True)
    line = skipped + 1
    try:
        for row in reader:
            begun, line = line, skipped + reader.line_num + 1
            if not any(cell.strip() for cell in row):
                continue
            while len(row) > width and not row[-1].strip():
                row.pop()
            if len(row) != width:
                raise InvalidRequestError(
                    f"{label} is ragged: line {begun} has {len(row)} columns where the first line has {width}. "
                    f"Put values that contain a {_SEPARATORS[separator]} into double quotes, or complete the line.",
                    line=begun,
                )
            yield row
    except csv.Error as error:
        raise InvalidRequestError(
            f"{label} is not valid CSV at line {line}: {error}. Double the quotation marks inside quoted values.",
            line=line,
        ) from error


def _titles(rows: Sequence[tuple[list[str], int]]) -> list[str]:
    """Return what stands alone on the lines above the column names, as "Sales 2024" does, and these names below it."""
    filled = [[cell.strip() for cell in row if cell.strip()] for row, _ in rows]
    place = next((number for number, cells in enumerate(filled) if len(cells) > 1), 0)
    if place == 0 or _is_data(filled[place]):
        return []
    is_padded = len(rows[0][0]) == 2  # `,city` above `Anna,Paris` are two names, of which one is empty
    if is_padded and not (place + 1 < len(rows) and _is_data(filled[place + 1])):
        return []
    return [cells[0] for cells in filled[:place]]


_NUMBER = re.compile(r"[-+]?[$€£]?\d[\d.,' ]*%?")
_YEAR = re.compile(r"(?:1[5-9]|20|21)\d\d")


def _is_data(header: list[str]) -> bool:
    """Tell whether a first line is data already: it has numbers, and not only years as in `country,2023,2024`."""
    numbers = [cell.strip() for cell in header if _NUMBER.fullmatch(cell.strip())]
    years = [cell for cell in numbers if _YEAR.fullmatch(cell)]
    return bool(numbers) and (len(years) < len(numbers) or len(numbers) == len(header))
