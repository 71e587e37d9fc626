"""Tables from whatever comes: CSV, TSV, JSON, JSON Lines, Parquet, Markdown and HTML tables, in a DuckDB database.

Delimited text, JSON Lines and Parquet are scanned from disk; what has to be held in memory is bounded by itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

import duckdb

from api_agent_service import column_types, database, delimited, encodings, markup_tables, plain_types, records, totals
from api_agent_service.column_types import Column
from api_agent_service.database import TABLE, Database
from api_agent_service.delimited import TextTable
from api_agent_service.material import Source
from api_agent_service.settings import Settings
from api_agent_service.totals import Total
from api_agent_service.vocabulary import Kind
from shared.errors import InvalidRequestError, TooLargeError


@dataclass(frozen=True, slots=True)
class Table:
    """A table with typed columns (numbers, text, truth values, dates and times), in a sealed database.

    `notes` are sentences on what had to be decided to read it. `units` has the currency or per cent sign of a column.
    """

    name: str
    store: Database
    format: str
    rows: int
    kinds: dict[str, Kind]
    notes: tuple[str, ...] = ()
    units: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self.kinds)


_SAMPLE_CHARS = 2_000
_HEAD_BYTES = 8_000
_DEEPEST = 4
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


def read(source: Source, store: Database, settings: Settings) -> Table:
    """Load the table that a source holds into a database, and seal that. Blocking.

    Raises: InvalidRequestError, naming the place, for what is no table; TooLargeError, naming the setting.
    """
    label = _label(source)
    if source.size_bytes > settings.max_data_bytes:
        raise TooLargeError(
            f"{label} has more than {settings.max_data_bytes:,} bytes, the limit set by MAX_DATA_BYTES."
        )
    head = source.head(_HEAD_BYTES)
    if not head.strip(b"\xef\xbb\xbf \t\r\n") and source.size_bytes <= _HEAD_BYTES:
        raise _no_rows(f"{label} is empty")
    kind = _kind(source, head)
    if kind == "parquet":
        table = _load_parquet(source, store, settings)
    else:
        path, note = encodings.to_utf8(label, source.on_disk(store.folder / "source"), store.folder / "utf8")
        kind = kind or _guess(Source("", "", path=path).head(_HEAD_BYTES).decode("utf-8-sig", "replace"))
        try:
            table = _load_text(source, store, settings, path, kind)
        except duckdb.Error as error:
            raise InvalidRequestError(f"{label} cannot be read as a table: {database.said(error)}") from error
        table = replace(table, notes=tuple(filter(None, (note, *table.notes))))
    if not table.kinds or not table.rows:
        raise _no_rows(f"{label} has no rows")
    store.seal()
    return table


def _no_rows(said: str) -> InvalidRequestError:
    return InvalidRequestError(f"{said}. Send a table with a line of column names and a line for each row.")


def _load_text(source: Source, store: Database, settings: Settings, path: Path, kind: str) -> Table:
    label, to = _label(source), store.folder / "rows.csv"
    if kind == "csv":
        found = delimited.open_csv(label, path)
        return _load_csv(source, store, settings, found)
    notes: tuple[str, ...] = ()

    def check_width(columns: int) -> None:
        _check_width(source, columns, settings)

    if kind == "jsonl":
        with path.open(encoding="utf-8-sig") as lines:
            names = records.write(records.read_json_lines(label, lines), to, store.watched, check_width)
    else:
        if path.stat().st_size > settings.max_document_bytes:
            raise TooLargeError(
                f"{label} is one document of more than {settings.max_document_bytes:,} bytes, which is not read whole "
                "(MAX_DOCUMENT_BYTES). Send it as CSV, JSON Lines or Parquet."
            )
        text = path.read_text(encoding="utf-8-sig")
        if kind == "json":
            names = records.write(records.read_json(label, text), to, store.watched, check_width)
        else:
            names, notes = _write_markup(label, text, kind, to)
    typed = TextTable(to, tuple(markup_tables.unique_names(names)), notes=notes)
    return _load(source, store, settings, kind, typed)


def _load_csv(source: Source, store: Database, settings: Settings, found: TextTable) -> Table:
    """Load CSV as it is, or written anew where DuckDB does not take it so."""
    label = _label(source)
    if delimited.is_plain(found):
        try:
            return _load(source, store, settings, "csv", found)
        except duckdb.Error:
            store.run(f"DROP TABLE IF EXISTS {TABLE}")
    to = store.folder / "rows.csv"
    anew = delimited.rewrite(label, found, to, store.watched, max_rows=settings.max_data_rows)
    return _load(source, store, settings, "csv", anew)


def _write_markup(label: str, text: str, kind: str, to: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Write the table with the most rows; returns its names, and notes."""
    found = [markup_tables.read_markdown(text)] if kind == "markdown" else markup_tables.read_html(text.encode())
    if not found:
        raise InvalidRequestError(f"{label} is a web page without a table. Give the address of a CSV or JSON file.")
    table = max(found, key=lambda each: len(each.rows))
    delimited.write_rows(to, table.rows)
    note = f"The page has {len(found)} tables; this is the largest." if len(found) > 1 else ""
    return table.names, (note,) if note else ()


def _load(source: Source, store: Database, settings: Settings, kind: str, found: TextTable) -> Table:
    """Type the columns of text and fill the table with them, without a last row that is the total of the others."""
    _check_width(source, len(found.names), settings)
    if not found.names:
        return Table(source.name, store, kind, 0, {})
    store.widen(len(found.names))
    scan = found.scan()
    total = totals.find(store, scan) if totals.may_end(found) else None
    table = _fill_without(total, store, scan, lambda rows: _type(source, store, kind, found, rows))
    _check_rows(source, table.rows, settings)
    return table


def _fill_without(
    total: Total | None, store: Database, scan: str, fill: Callable[[str], tuple[Table, Sequence[Column]]]
) -> Table:
    """Fill the table from what is scanned, without a last row that is the total of the others, and say so."""
    table, columns = fill(total.above if total else scan)
    if total is None:
        return table
    if totals.adds_up(store, columns):
        note = f"The last row, {total.label!r}, has the sums of the rows above it, and is left out."
    else:
        store.run(f"DROP TABLE {TABLE}")
        table, _ = fill(scan)
        note = f"The last row is called {total.label!r} but has no sum of the rows above it: it counts as one of them."
    return replace(table, notes=(*table.notes, note))


def _type(source: Source, store: Database, kind: str, found: TextTable, scan: str) -> tuple[Table, list[Column]]:
    try:
        columns = column_types.expect_columns(store, scan, found.names)
        return _fill(source, store, kind, columns, scan, found.notes), columns
    except duckdb.InvalidInputException as error:
        if column_types.UNEXPECTED not in str(error):
            raise
        columns = column_types.type_columns(store, scan, found.names)
        return _fill(source, store, kind, columns, scan, found.notes), columns


def _fill(
    source: Source, store: Database, kind: str, columns: Sequence[Column], scan: str, notes: Sequence[str]
) -> Table:
    if not columns:
        return Table(source.name, store, kind, 0, {})
    selected = ", ".join(f"{column.expression} AS {database.name(column.name)}" for column in columns)
    store.run(f"CREATE TABLE {TABLE} AS SELECT {selected} FROM {scan}")
    [rows] = store.row(f"SELECT count(*) FROM {TABLE}")
    return Table(
        name=source.name,
        store=store,
        format=kind,
        rows=database.whole(rows),
        kinds={column.name: column.kind for column in columns},
        notes=(*notes, *(column.note for column in columns if column.note)),
        units={column.name: column.unit for column in columns if column.unit},
    )


def _load_parquet(source: Source, store: Database, settings: Settings) -> Table:
    label = _label(source)
    path = source.on_disk(store.folder / "source")
    scan = f"(SELECT * FROM read_parquet({database.text(str(path))}))"
    try:
        [rows] = store.row(f"SELECT count(*) FROM {scan}")
        _check_rows(source, database.whole(rows), settings)
        found = store.columns(f"SELECT * FROM {scan}")
        depth = 0
        while depth < _DEEPEST and any(kind.startswith("STRUCT(") and not kind.endswith("]") for _, kind in found):
            scan, depth = _spread(store, scan, found), depth + 1
            found = store.columns(f"SELECT * FROM {scan}")
        _check_width(source, len(found), settings)
        store.widen(len(found))
        columns, notes = plain_types.simplify(store, scan, found)
        _check_unpacked(source, store, columns, scan, settings)
        total = totals.find(store, scan) if any(column.kind == "text" for column in columns) else None
        return _fill_without(
            total, store, scan, lambda rows: (_fill(source, store, "parquet", columns, rows, notes), columns)
        )
    except duckdb.Error as error:
        raise InvalidRequestError(f"{label} is not Parquet that can be read: {database.said(error)[:200]}") from error


def _check_unpacked(source: Source, store: Database, columns: Sequence[Column], scan: str, settings: Settings) -> None:
    """Check that the texts of a compressed table fit on the disk that it may have. Raises: TooLargeError."""
    sizes = [f"coalesce(sum(strlen({column.expression})), 0)" for column in columns if column.kind == "text"]
    [size_bytes] = store.row(f"SELECT {' + '.join(sizes) or '0'} FROM {scan}")
    if database.whole(size_bytes) > settings.data_disk_mb * 1_000_000:
        raise TooLargeError(f"{_label(source)} unpacks to more than {settings.data_disk_mb} MB of text (DATA_DISK_MB).")


def _spread(store: Database, scan: str, columns: Sequence[tuple[str, str]]) -> str:
    """Return the same rows with the fields of objects as columns of their own, under dotted names."""
    selected: list[str] = []
    names: list[str] = []
    for name, kind in columns:
        quoted = database.name(name)
        if not kind.startswith("STRUCT(") or kind.endswith("]"):
            selected.append(quoted)
            names.append(name)
            continue
        fields = store.columns(f"SELECT unnest({quoted}) FROM {scan}")
        selected += [f"struct_extract({quoted}, {database.text(inner)})" for inner, _ in fields]
        names += [f"{name}.{inner}" for inner, _ in fields]
    named = zip(selected, markup_tables.unique_names(names), strict=True)
    return f"(SELECT {', '.join(f'{value} AS {database.name(name)}' for value, name in named)} FROM {scan})"


def _check_rows(source: Source, rows: int, settings: Settings) -> None:
    most = settings.max_data_rows
    if rows > most:
        raise TooLargeError(f"{_label(source)} has more than {most:,} rows, the limit set by MAX_DATA_ROWS.")


def _check_width(source: Source, columns: int, settings: Settings) -> None:
    most = settings.max_data_columns
    if columns > most:
        raise TooLargeError(
            f"{_label(source)} has {columns:,} columns, more than {most:,}, the limit of MAX_DATA_COLUMNS."
        )


def _label(source: Source) -> str:
    return (
        source.name[0].upper() + source.name[1:] if source.name.startswith("the ") else f"The data in {source.name!r}"
    )


def _kind(source: Source, head: bytes) -> str:
    if head[:4] == b"PAR1":
        return "parquet"
    path = PurePath(source.name.partition("?")[0] if "://" in source.name else source.name)
    kind = _FORMATS.get(source.media_type.partition(";")[0].strip().lower(), "") or _FORMATS.get(
        path.suffix.lower(), ""
    )
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return "" if kind == "csv" and start[:1] in (b"{", b"[") else kind


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
