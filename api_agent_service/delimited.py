"""Tables in lines of text: CSV in its many forms. All values are text still."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice

import polars as pl

from api_agent_service.markup_tables import unique_names
from shared.errors import InvalidRequestError

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_SAMPLE_LINES = 200
_LONGEST_FIELD = 10_000_000


def read_csv(label: str, text: str, *, max_rows: int) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return a table whose separator is found out, and notes on what was decided; at most `max_rows` + 1 rows.

    Raises: InvalidRequestError, naming the line, for ragged lines and open quotes, and for text that is no table.
    """
    sample = list(islice(io.StringIO(text), _SAMPLE_LINES))
    separator = _sniff(sample)
    if separator is None and not _is_single_column(sample):
        raise InvalidRequestError(
            f"{label} is not a table that can be read. Send CSV, TSV, JSON, JSON Lines or Parquet: pasted below the "
            "question, as a file, or as a URL."
        )
    rows = _rows(label, text, separator or ",")
    header = next(rows, list[str]())
    notes: list[str] = []
    body: Iterable[list[str]] = rows
    if _is_data(header):
        notes.append("There is no line of column names; the columns are called column_1, column_2, and so on.")
        header, body = [""] * len(header), chain([header], rows)
    if separator and separator != ",":
        notes.append(f"The columns are separated by {_SEPARATORS[separator]}s.")
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(islice(body, max_rows + 1))
    names = unique_names(header)
    if not buffer.tell():
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String)), tuple(notes)
    content = buffer.getvalue().encode("utf-8", "replace")
    return pl.read_csv(content, has_header=False, new_columns=names, infer_schema=False), tuple(notes)


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


def _rows(label: str, text: str, separator: str) -> Iterator[list[str]]:
    """Yield the rows without blank lines, all as wide as the first."""
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    width = 0
    line = 1
    try:
        for row in reader:
            begun, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in row):
                continue
            width = width or len(row)
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


_NUMBER = re.compile(r"[-+]?[$€£]?\d[\d.,' ]*%?")
_YEAR = re.compile(r"(?:1[5-9]|20|21)\d\d")


def _is_data(header: list[str]) -> bool:
    """Tell whether a first line is data already: it has numbers, and not only years as in `country,2023,2024`."""
    numbers = [cell.strip() for cell in header if _NUMBER.fullmatch(cell.strip())]
    years = [cell for cell in numbers if _YEAR.fullmatch(cell)]
    return bool(numbers) and (len(years) < len(numbers) or len(numbers) == len(header))
