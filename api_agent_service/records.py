"""Tables in JSON and JSON Lines: records, rows or columns of values, nested or not."""

import json
from collections.abc import Iterator
from typing import TypeAlias, cast

import polars as pl
from pydantic import JsonValue

from api_agent_service.markup_tables import unique_names
from shared.agent import JsonObject
from shared.errors import InvalidRequestError

Scalar: TypeAlias = str | int | float | bool | None

_DEEPEST = 4


def read_json(label: str, text: str) -> pl.DataFrame:
    """Return the table in a JSON document. Raises: InvalidRequestError, naming line and column."""
    try:
        value = _parse(text)
    except json.JSONDecodeError as error:
        raise InvalidRequestError(
            f"{label} is not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}.", line=error.lineno
        ) from error
    return _frame(_find_rows(label, value))


def read_json_lines(label: str, text: str) -> pl.DataFrame:
    """Return the table in JSON Lines. Raises: InvalidRequestError, naming line and column."""
    rows: list[JsonObject] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = _parse(line)
        except json.JSONDecodeError as error:
            raise InvalidRequestError(
                f"{label} is not valid JSON Lines at line {number}, column {error.colno}: {error.msg}.", line=number
            ) from error
        rows.append(_record(value))
    return _frame(rows)


def _parse(text: str) -> JsonValue:
    """Return the value; NaN and infinities, which are not JSON but common, count as missing."""
    try:
        return cast("JsonValue", json.loads(text, parse_constant=lambda _: None))
    except RecursionError as error:
        raise json.JSONDecodeError("nested too deeply", text, 0) from error
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        raise json.JSONDecodeError("a number has too many digits", text, 0) from error


def _find_rows(label: str, value: JsonValue) -> list[JsonObject]:
    match value:
        case list():
            lists = [item for item in value if isinstance(item, list)]
            return _from_rows(lists) if lists and len(lists) == len(value) else [_record(item) for item in value]
        case {"columns": list() as names, "data": list() as body} | {
            "columns": list() as names,
            "rows": list() as body,
        }:
            lists = [item for item in body if isinstance(item, list)]
            return _from_rows([names, *lists]) if len(lists) == len(body) else [_record(item) for item in body]
        case dict():
            return _from_object(value)
        case _:
            raise InvalidRequestError(
                f"{label} holds no table. Send a list of objects, or an object with a list of values for each column."
            )


def _from_object(value: JsonObject) -> list[JsonObject]:
    """Return the longest list of objects inside, else columns of equal length as rows, else the object itself."""
    lists = {key: item for key, item in value.items() if isinstance(item, list)}
    tables = [[_record(item) for item in items] for items in lists.values() if items and isinstance(items[0], dict)]
    if tables:
        return max(tables, key=len)
    if lists and len(lists) == len(value) and len({len(items) for items in lists.values()}) == 1:
        return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
    return [value] if value else []


def _from_rows(rows: list[list[JsonValue]]) -> list[JsonObject]:
    named = len(rows) > 1 and all(isinstance(cell, str) for cell in rows[0])
    names = unique_names(str(cell) for cell in rows[0]) if named else unique_names([""] * max(map(len, rows)))
    return [dict(zip(names, row, strict=False)) for row in rows[named:]]


def _record(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {"value": value}


def _frame(rows: list[JsonObject]) -> pl.DataFrame:
    flat = [dict(_flatten(row)) for row in rows]
    names = dict.fromkeys(key for row in flat for key in row)
    return pl.DataFrame([_series(name, [row.get(name) for row in flat]) for name in names])


def _flatten(record: JsonObject, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Scalar]]:
    """Yield the values of a record: those of objects in it under dotted names, lists as JSON text."""
    for key, value in record.items():
        name = f"{prefix}{key}" or "value"
        if isinstance(value, dict) and value and depth < _DEEPEST:
            yield from _flatten(value, f"{name}.", depth + 1)
        elif isinstance(value, (dict, list)):
            yield name, json.dumps(value, ensure_ascii=False)
        else:
            yield name, value


def _series(name: str, values: list[Scalar]) -> pl.Series:
    """Return a column of one type: floating point where integers are too long, text where values are mixed."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    numbers = [cast("int | float | None", value) for value in values]
    if kinds == {int} and all(value is None or -(2**63) <= value < 2**63 for value in numbers):
        return pl.Series(name, values, dtype=pl.Int64)
    if kinds and kinds <= {int, float}:
        return pl.Series(name, [None if value is None else _float(value) for value in numbers], dtype=pl.Float64)
    return pl.Series(name, [None if value is None else _text(value) for value in values], dtype=pl.String)


def _float(value: float) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def _text(value: str | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).encode("utf-8", "replace").decode()
