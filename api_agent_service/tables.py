"""Tables from whatever comes: CSV, TSV, JSON, JSON Lines, Parquet, Markdown tables, as a Polars frame.

This module and those that import it load Polars: they are imported when the first table comes.
"""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# Polars' signatures name NumPy, which is not installed.

import io
from dataclasses import dataclass, field
from pathlib import PurePath

import polars as pl
from polars.exceptions import PanicException, PolarsError

from api_agent_service import column_types, delimited, markup_tables, records
from api_agent_service.material import Source
from shared.errors import InvalidRequestError, TooLargeError


@dataclass(frozen=True, slots=True)
class Table:
    """A table with typed columns: numbers, text, booleans, dates and times.

    `notes` are sentences on what had to be decided to read it. `units` has the currency or per cent sign of a column.
    """

    name: str
    frame: pl.DataFrame
    format: str
    notes: tuple[str, ...] = ()
    units: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Limits:
    """What a table may have at most; the settings MAX_DATA_BYTES, MAX_DATA_ROWS and MAX_DATA_COLUMNS."""

    size_bytes: int
    rows: int
    columns: int


_SAMPLE_CHARS = 2_000
_FORMATS = {
    "text/csv": "csv",
    "application/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/json": "json",
    "text/json": "json",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/jsonlines": "jsonl",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    "text/html": "html",
    "application/xhtml+xml": "html",
    ".html": "html",
    ".htm": "html",
}


def read(source: Source, limits: Limits) -> Table:
    """Return the table that a source holds. Blocking.

    Raises: InvalidRequestError, naming the place, for what is no table; TooLargeError, naming the setting.
    """
    if len(source.content) > limits.size_bytes:
        raise TooLargeError(
            f"{_label(source)} has more than {limits.size_bytes:,} bytes, the limit set by MAX_DATA_BYTES."
        )
    if not source.content.strip(b"\xef\xbb\xbf \t\r\n"):
        raise InvalidRequestError(
            f"{_label(source)} is empty. Send a table with a line of column names and a line for each row."
        )
    kind = _kind(source)
    if kind == "parquet":
        typed, notes = _read_parquet(source, limits), ()
    else:
        text = _decode(source)
        kind = kind or _guess(text)
        frame, notes = _read_text(kind, _label(source), text, limits)
        _check_size(source, frame.height, frame.width, limits)
        typed = column_types.convert(frame)
    if typed.frame.width == 0 or typed.frame.height == 0:
        raise InvalidRequestError(
            f"{_label(source)} has no rows. Send a table with a line of column names and a line for each row."
        )
    return Table(source.name, typed.frame, kind, (*notes, *typed.notes), typed.units)


def _read_text(kind: str, label: str, text: str, limits: Limits) -> tuple[pl.DataFrame, tuple[str, ...]]:
    match kind:
        case "json":
            return records.read_json(label, text), ()
        case "jsonl":
            return records.read_json_lines(label, text), ()
        case "markdown":
            return _frame([markup_tables.read_markdown(text)]), ()
        case "html":
            tables = markup_tables.read_html(text.encode("utf-8", "replace"))
            if not tables:
                raise InvalidRequestError(
                    f"{label} is a web page without a table. Give the address of a CSV or JSON file."
                )
            note = f"The page has {len(tables)} tables; this is the largest." if len(tables) > 1 else ""
            return _frame(tables), (note,) if note else ()
        case _:
            return delimited.read_csv(label, text, max_rows=limits.rows)


def _frame(tables: list[markup_tables.TextTable]) -> pl.DataFrame:
    """Return the table with the most rows."""
    table = max(tables, key=lambda table: len(table.rows))
    return pl.DataFrame(list(table.rows), schema=dict.fromkeys(table.names, pl.String), orient="row")


def _label(source: Source) -> str:
    return (
        source.name[0].upper() + source.name[1:] if source.name.startswith("the ") else f"The data in {source.name!r}"
    )


def _kind(source: Source) -> str:
    if source.content[:4] == b"PAR1":
        return "parquet"
    path = PurePath(source.name.partition("?")[0] if "://" in source.name else source.name)
    kind = _FORMATS.get(source.media_type.partition(";")[0].strip().lower(), "") or _FORMATS.get(
        path.suffix.lower(), ""
    )
    head = source.content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    return "" if kind == "csv" and head[:1] in (b"{", b"[") else kind


def _guess(text: str) -> str:
    start = text.lstrip()
    if start.startswith("["):
        return "json"
    if start.startswith("{"):
        first, _, rest = start.partition("\n")
        return "jsonl" if first.rstrip().endswith("}") and rest.lstrip().startswith("{") else "json"
    if start[:15].lower().startswith(("<!doctype html", "<html", "<table")):
        return "html"
    if markup_tables.find_markdown(start[:_SAMPLE_CHARS])[:1] == [(0, len(start[:_SAMPLE_CHARS]))]:
        return "markdown"
    return "csv"


def _check_size(source: Source, rows: int, columns: int, limits: Limits) -> None:
    if rows > limits.rows:
        raise TooLargeError(f"{_label(source)} has more than {limits.rows:,} rows, the limit set by MAX_DATA_ROWS.")
    if columns > limits.columns:
        raise TooLargeError(
            f"{_label(source)} has {columns:,} columns, more than {limits.columns:,}, the limit of MAX_DATA_COLUMNS."
        )


def _decode(source: Source) -> str:
    content = source.content
    encodings = ["utf-8-sig", "cp1252", "latin-1"]
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings.insert(0, "utf-16")
    for encoding in encodings:
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        text = ""
    if "\x00" in text:
        raise InvalidRequestError(
            f"{_label(source)} is binary and not Parquet. Send CSV, TSV, JSON, JSON Lines or Parquet."
        )
    return text


def _read_parquet(source: Source, limits: Limits) -> column_types.Typed:
    try:
        scan = pl.scan_parquet(io.BytesIO(source.content))
        rows = int(scan.select(pl.len()).collect().item())
        _check_size(source, rows, len(scan.collect_schema()), limits)
        return column_types.simplify(scan.collect())
    except (PolarsError, PanicException) as error:  # a broken file can make Polars panic, which is no Exception
        reason = str(error).partition("\n")[0].removeprefix("parquet: ")[:200]
        raise InvalidRequestError(f"{_label(source)} is not Parquet that can be read: {reason}.") from error
