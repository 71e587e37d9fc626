"""Tables in JSON and JSON Lines: records, rows or columns of values, nested or not; as names and rows of text."""

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias, cast

from pydantic import JsonValue

from api_agent_service.delimited import Watch, write_rows
from api_agent_service.markup_tables import unique_names
from shared.agent import JsonObject
from shared.errors import InvalidRequestError

Scalar: TypeAlias = str | int | float | bool | None

_DEEPEST = 4


def read_json(label: str, text: str) -> Iterator[JsonObject]:
    """Yield the records in a JSON document. Raises: InvalidRequestError, naming line and column."""
    try:
        value = _parse(text)
    except json.JSONDecodeError as error:
        raise InvalidRequestError(
            f"{label} is not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}.", line=error.lineno
        ) from error
    yield from _find_rows(label, value)


def read_json_lines(label: str, lines: Iterable[str]) -> Iterator[JsonObject]:
    """Yield the records in JSON Lines. Raises: InvalidRequestError, naming line and column."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = _parse(line)
        except json.JSONDecodeError as error:
            raise InvalidRequestError(
                f"{label} is not valid JSON Lines at line {number}, column {error.colno}: {error.msg}.", line=number
            ) from error
        yield _record(value)


def write(records: Iterable[JsonObject], to: Path, watch: Watch, check_width: Callable[[int], None]) -> tuple[str, ...]:
    """Write records as rows of text, spread into columns, one record after the other; returns the columns' names.

    A record may bring columns that those before it did not have, as long as `check_width` lets their number pass.
    """
    places: dict[str, int] = {}
    widths: set[int] = set()

    def rows() -> Iterator[list[str]]:
        for record in records:
            values = dict(_flatten(record))
            for name in values:
                places.setdefault(name, len(places))
            check_width(len(places))
            row = [""] * len(places)
            for name, value in values.items():
                row[places[name]] = _text(value)
            widths.add(len(row))
            yield row

    write_rows(to, watch(rows()))
    if len(widths) > 1:
        narrow = to.rename(to.with_suffix(".narrow"))
        with narrow.open(encoding="utf-8", newline="") as file:
            write_rows(to, ([*row, *[""] * (len(places) - len(row))] for row in watch(csv.reader(file))))
        narrow.unlink()
    return tuple(places)


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
    names = unique_names(map(str, rows[0]) if named else [""] * max(map(len, rows)))
    return [dict(zip(names, row, strict=False)) for row in rows[named:]]


def _record(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {"value": value}


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


def _text(value: Scalar) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value) if math.isfinite(value) else ""
        case _:
            return str(value).replace("\0", "")
