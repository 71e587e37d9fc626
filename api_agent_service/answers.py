"""Answers to questions about a table: every number is computed by DuckDB, by SQL that is part of the answer."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import Final

import duckdb
from pydantic import JsonValue

from api_agent_service import database, query_sql
from api_agent_service.data_analysis import finite
from api_agent_service.database import TABLE
from api_agent_service.query import Filter, Measure, Query, describe, label
from api_agent_service.tables import Table
from shared.agent import JsonObject
from shared.errors import InvalidRequestError

MOST_ROWS: Final = 1_000
"""The most rows an answer has; `Answered.total_rows` says how many there are."""

_LONGEST_TEXT: Final = 2_000


@dataclass(frozen=True, slots=True)
class Answered:
    """What came out. With a typed `query`: `used_rows` of the rows passed it, `missing` of these lacked a value."""

    title: str
    sql: str
    names: tuple[str, ...]
    rows: tuple[tuple[JsonValue, ...], ...]
    total_rows: int
    units: dict[str, str]
    query: Query | None = None
    used_rows: int = 0
    missing: int = 0
    witnesses: tuple[JsonObject, ...] = ()

    def to_json(self) -> JsonObject:
        """Return the answer as JSON: the question in words, in typed form and in SQL, and the rows as objects."""
        found: JsonObject = {
            "question": self.title,
            "sql": self.sql,
            "columns": list(self.names),
            "rows": [dict(zip(self.names, row, strict=True)) for row in self.rows],
            "total_rows": self.total_rows,
        }
        if self.query is None:
            return found
        typed: JsonObject = {"query": self.query.model_dump(mode="json")}
        return found | typed | {"used_rows": self.used_rows, "missing": self.missing}


def answer(table: Table, query: Query) -> Answered:
    """Compute an answer to a typed question. Blocking.

    Raises: InvalidRequestError for columns that are not there or do not hold what the question needs; TooLargeError.
    """
    check(query, table)
    for item in query.filters:
        _check_text(table, item)
    where = query_sql.where(query, table.kinds)
    columns = sorted({item.column for item in query.measures if item.column})
    lacking = " OR ".join(f"{database.name(column)} IS NULL" for column in columns)
    counted = f"count(*), {f'count(*) FILTER (WHERE {lacking})' if lacking else '0'}"
    try:
        used, missing = (database.whole(value) for value in table.store.row(f"SELECT {counted} FROM {TABLE}{where}"))
        if not used:
            raise InvalidRequestError(f"No row of {table.name} answers the question: {describe(query)}.")
        sql = query_sql.select(query, table.kinds, used)
        names, rows, total = _run(table, sql)
        witnesses = _witnesses(table, query, where)
    except duckdb.Error as error:
        raise database.refused(error) from error
    units = {label(item): table.units[item.column] for item in query.measures if item.column in table.units}
    return Answered(
        title=describe(query),
        sql=sql,
        names=names,
        rows=rows,
        total_rows=total,
        units=units | (table.units if query.rows else {}),
        query=query,
        used_rows=used,
        missing=missing,
        witnesses=witnesses,
    )


def answer_sql(table: Table, title: str, sql: str) -> Answered:
    """Compute what a checked SELECT asks for. Blocking.

    Raises: InvalidRequestError with DuckDB's own words; TooLargeError.
    """
    try:
        names, rows, total = _run(table, sql)
    except duckdb.Error as error:
        raise database.refused(error) from error
    return Answered(title, sql, names, rows, total, {name: unit for name, unit in table.units.items() if name in names})


def check(query: Query, table: Table) -> None:
    """Check that a question asks for columns that exist. Raises: InvalidRequestError."""
    for item in (*query.measures, *query.groups, *query.filters):
        if item.column is not None and item.column not in table.kinds:
            raise unknown_column(item.column, table.columns)
        if isinstance(item, Measure) and item.column is None and item.aggregation != "count":
            raise InvalidRequestError(f"The question asks for the {label(item)}, but not of which column.")


def unknown_column(name: str, columns: list[str]) -> InvalidRequestError:
    """Return the error for a column that does not exist; it names those that do."""
    close = get_close_matches(name.casefold(), [column.casefold() for column in columns], 1, 0.6)
    meant = next((column for column in columns if close and column.casefold() == close[0]), None)
    hint = f" Did you mean {meant}?" if meant else ""
    listed = ", ".join(columns[:40]) + (", and more" if len(columns) > 40 else "")
    error = InvalidRequestError(
        f"There is no column {name!r}.{hint} The columns are: {listed}.", columns=list(columns[:40])
    )
    if meant:
        error.facts["did_you_mean"] = meant
    return error


def to_json(value: object) -> JsonValue:
    """Return a value of the database as JSON: dates in ISO form, nothing for infinite numbers, long texts cut."""
    match value:
        case bool() | int() | None:
            return value
        case str():
            return value if len(value) <= _LONGEST_TEXT else value[:_LONGEST_TEXT] + "…"
        case float() | Decimal():
            return finite(value)
        case dt.datetime():
            return value.isoformat(sep=" ", timespec="seconds" if not value.microsecond else "auto")
        case _:
            return to_json(str(value))


def _run(table: Table, sql: str) -> tuple[tuple[str, ...], tuple[tuple[JsonValue, ...], ...], int]:
    """Return the names, the first rows and the number of rows of a query."""
    names = tuple(_unique([name for name, _ in table.store.columns(sql)]))
    rows = [tuple(map(to_json, row)) for row in table.store.rows(sql, MOST_ROWS + 1)]
    total = len(rows)
    if total > MOST_ROWS:
        total = database.whole(table.store.row(f"SELECT count(*) FROM ({sql})")[0])
    return names, tuple(rows[:MOST_ROWS]), total


def _unique(names: list[str]) -> list[str]:
    return [name if names.index(name) == place else f"{name}_{place + 1}" for place, name in enumerate(names)]


def _check_text(table: Table, item: Filter) -> None:
    """Check that a text is not compared with a number, and is there where rows shall equal it.

    Raises: InvalidRequestError, with hints.
    """
    if isinstance(item.value, float) and item.operator in {">", ">=", "<", "<="} and table.kinds[item.column] == "text":
        numbers = ", ".join(name for name, kind in table.kinds.items() if kind == "number") or "none"
        raise InvalidRequestError(
            f"The column {item.column} holds text and is not compared with a number. Columns with numbers: {numbers}."
        )
    if item.operator != "=" or table.kinds[item.column] != "text":
        return
    column, wanted = database.name(item.column), str(item.value).strip().lower()
    if table.store.rows(f"SELECT 1 FROM {TABLE} WHERE lower({column}) = {database.text(wanted)} LIMIT 1"):
        return
    rows = table.store.rows(f"SELECT DISTINCT {column} FROM {TABLE} WHERE {column} IS NOT NULL ORDER BY 1 LIMIT 1000")
    values = [str(value) for (value,) in rows]
    close = get_close_matches(wanted, [value.lower() for value in values], 1, 0.6)
    near = next((f" Did you mean {value}?" for value in values if close and value.lower() == close[0]), "")
    listed = ", ".join(values[:10]) + (", and more" if len(values) > 10 else "")
    raise InvalidRequestError(f"No row has {item.value!r} in the column {item.column}.{near} It holds: {listed}.")


def _witnesses(table: Table, query: Query, where: str) -> tuple[JsonObject, ...]:
    """Return the rows, at most three, that have the one minimum or maximum that was asked for."""
    measure = query.measures[0]
    if query.rows or query.groups or len(query.measures) > 1 or measure.column is None:
        return ()
    if measure.aggregation not in {"min", "max"}:
        return ()
    column = database.name(measure.column)
    extreme = f"(SELECT {measure.aggregation}({column}) FROM {TABLE}{where})"
    joined = f"{where} AND" if where else " WHERE"
    found = table.store.rows(f"SELECT * FROM {TABLE}{joined} {column} = {extreme} LIMIT 3")
    return tuple(dict(zip(table.columns, map(to_json, row), strict=True)) for row in found)
