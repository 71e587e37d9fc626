"""Typed questions as SQL for DuckDB. Names and values stand in it quoted; nothing of a question is SQL by itself."""

import datetime as dt
import re
from typing import Final

from api_agent_service import database
from api_agent_service.database import TABLE
from api_agent_service.query import Filter, Group, Measure, Query, group_label, label
from api_agent_service.vocabulary import Kind
from shared.errors import InvalidRequestError

Kinds = dict[str, Kind]

_BUCKETS: Final = {
    "year": "year({})",
    "quarter": "concat(year({0}), '-Q', quarter({0}))",
    "month": "strftime({}, '%Y-%m')",
    "week": "strftime({}, '%G-W%V')",
    "day": "strftime({}, '%Y-%m-%d')",
    "weekday": "dayname({})",
    "hour": "hour({})",
}
_AGGREGATES: Final = {
    "mean": "avg({})",
    "median": "median({})",
    "sum": "sum({})",
    "std": "stddev_samp({})",
    "min": "min({})",
    "max": "max({})",
    "count": "count({})",
    "distinct": "count(DISTINCT {})",
}
_ARITHMETIC: Final = frozenset({"mean", "median", "sum", "std"})
_ROWS: Final = 10


def select(query: Query, kinds: Kinds, used_rows: int) -> str:
    """Return the query as one SELECT. `used_rows`: how many rows pass its conditions, for shares.

    Raises: InvalidRequestError for columns that do not hold what it needs.
    """
    return _list_rows(query, kinds) if query.rows else _aggregate(query, kinds, used_rows)


def where(query: Query, kinds: Kinds) -> str:
    """Return the conditions of a query, with WHERE before them; nothing where it has none.

    Raises: InvalidRequestError.
    """
    return _where(_conditions(query, kinds))


def number(item: Filter) -> int | float:
    """Return the number that a column is compared with; a whole one is exact. Raises: InvalidRequestError."""
    text = str(item.value).replace(",", "")
    try:
        return int(text) if re.fullmatch(r"-?\d{1,38}", text) else float(text)
    except ValueError as error:
        raise InvalidRequestError(
            f"The column {item.column} is compared with {item.value!r}, which is not a number. Give a number."
        ) from error


def _where(conditions: list[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _conditions(query: Query, kinds: Kinds) -> list[str]:
    """Return the conditions: several `=` on one column are alternatives, all else must hold together."""
    found: dict[str, list[str]] = {}
    for place, item in enumerate(query.filters):
        key = item.column if item.operator == "=" else f"{place}"
        found.setdefault(key, []).append(_condition(item, kinds[item.column]))
    return [one[0] if len(one) == 1 else f"({' OR '.join(one)})" for one in found.values()]


def _condition(item: Filter, kind: Kind) -> str:
    column = database.name(item.column)
    match item.operator:
        case "missing":
            return f"{column} IS NULL"
        case "present":
            return f"{column} IS NOT NULL"
        case "contains":
            return f"contains(lower(CAST({column} AS VARCHAR)), {database.text(str(item.value).lower())})"
        case "year" | "month" if kind in {"date", "datetime"}:
            return f"{item.operator}({column}) = {int(number(item))}"
        case "!=":  # a row without a value has another one, too
            return f"({_comparison(column, item, kind, '!=')} OR {column} IS NULL)"
        case compared:
            return _comparison(column, item, kind, "=" if compared in {"year", "month"} else compared)


def _comparison(column: str, item: Filter, kind: Kind, operator: str) -> str:
    match kind:
        case "number":
            return f"{column} {operator} {_literal(number(item))}"
        case "date":
            return f"{column} {operator} DATE '{_date(item)}'"
        case "datetime":
            return f"CAST({column} AS DATE) {operator} DATE '{_date(item)}'"
        case "boolean":
            return f"{column} {operator} {str(str(item.value).casefold() in {'true', 'yes', '1', '1.0'}).lower()}"
        case "text":
            return f"lower({column}) {operator} {database.text(str(item.value).strip().lower())}"


def _literal(value: int | float) -> str:
    return str(int(value)) if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15) else repr(value)


def _date(item: Filter) -> dt.date:
    text = f"{item.value:g}" if isinstance(item.value, float) else str(item.value)
    for form in ("%Y-%m-%d", "%Y-%m", "%Y", "%d.%m.%Y"):
        try:
            moment = dt.datetime.strptime(text[:10], form).replace(tzinfo=dt.UTC).date()
        except ValueError:
            continue
        ends_period = item.operator in {">", "<="}
        if form == "%Y" and ends_period:
            return moment.replace(month=12, day=31)
        if form == "%Y-%m" and ends_period:
            return (moment.replace(day=28) + dt.timedelta(days=4)).replace(day=1) - dt.timedelta(days=1)
        return moment
    raise InvalidRequestError(
        f"The column {item.column} is compared with {text!r}, which is not a date. Give it as YYYY-MM-DD."
    )


def _aggregate(query: Query, kinds: Kinds, used_rows: int) -> str:
    measures = {label(item): _measure(item, kinds) for item in query.measures}
    groups = {group_label(group): group for group in query.groups}
    if clashing := set(groups) & set(measures):
        raise InvalidRequestError(f"The column {clashing.pop()} cannot be grouped by and computed with at once.")
    keys = {name: _key(group, kinds) for name, group in groups.items()}
    shares: dict[str, str] = {}
    if keys and [item.aggregation for item in query.measures] == ["count"]:
        shares["share in %"] = f"round(100.0 * {next(iter(measures.values()))} / {used_rows}, 1)"
    selected = [f"{value} AS {database.name(name)}" for name, value in (keys | measures | shares).items()]
    present = [f"{database.name(group.column)} IS NOT NULL" for group in groups.values()]
    sql = f"SELECT {', '.join(selected)} FROM {TABLE}{_where(_conditions(query, kinds) + present)}"
    if not keys:
        return sql
    places = ", ".join(str(place) for place in range(1, len(keys) + 1))
    return f"{sql} GROUP BY {places}{_ranking(query, next(iter(measures.values())), places, len(keys), kinds)}"


def _ranking(query: Query, first: str, places: str, width: int, kinds: Kinds) -> str:
    """Return how groups are ordered, and how many are shown."""
    limit = f" LIMIT {query.limit}" if query.limit and query.limit > 1 else ""
    order = f"{width + 1} {'ASC' if query.order == 'ascending' else 'DESC'} NULLS LAST, {places}"
    if query.order is not None:
        direction = "DESC" if query.order == "descending" else "ASC"
        best = f" QUALIFY rank() OVER (ORDER BY {first} {direction}) = 1" if query.limit == 1 else ""
        return f" HAVING {first} IS NOT NULL{best} ORDER BY {order}{limit}"
    if query.groups[0].bucket == "weekday":
        order = f"min(isodow({database.name(query.groups[0].column)})), {places}"
    elif any(group.bucket != "value" or kinds[group.column] != "text" for group in query.groups):
        order = places
    return f" ORDER BY {order}{limit or (' LIMIT 1' if query.limit else '')}"


def _key(group: Group, kinds: Kinds) -> str:
    column = database.name(group.column)
    if group.bucket == "value":
        return column
    if kinds[group.column] not in {"date", "datetime"}:
        raise InvalidRequestError(f"The column {group.column} holds no dates, so it has no {group.bucket}.")
    if group.bucket == "hour" and kinds[group.column] == "date":
        raise InvalidRequestError(f"The column {group.column} holds dates without a time, so it has no hour.")
    return _BUCKETS[group.bucket].format(column)


def _measure(measure: Measure, kinds: Kinds) -> str:
    if measure.column is None:
        return "count(*)"
    kind, column = kinds[measure.column], database.name(measure.column)
    if measure.aggregation in _ARITHMETIC:
        if kind not in {"number", "boolean"}:
            numbers = [name for name, other in kinds.items() if other == "number"]
            raise InvalidRequestError(
                f"The column {measure.column} holds {'text' if kind == 'text' else 'dates'}, so it has no "
                f"{measure.aggregation}. Columns with numbers: {', '.join(numbers) or 'none'}."
            )
        column = f"CAST({column} AS DOUBLE)" if kind == "boolean" else column
    elif measure.aggregation in {"min", "max"} and kind == "text":  # of words, the first and last of the alphabet
        end = "top" if measure.aggregation == "max" else "bottom"
        raise InvalidRequestError(
            f"The column {measure.column} holds text, so it has no {measure.aggregation}imum. Say by what, as in "
            f"'{end} {measure.column} by COLUMN'."
        )
    return _AGGREGATES[measure.aggregation].format(column)


def _list_rows(query: Query, kinds: Kinds) -> str:
    conditions = _conditions(query, kinds)
    limit = f" LIMIT {query.limit or _ROWS}"
    if (by := query.measures[0].column) is None:
        backwards = " ORDER BY rowid DESC" if query.order == "ascending" else ""
        return f"SELECT * FROM {TABLE}{_where(conditions)}{backwards}{limit}"
    column = database.name(by)
    direction = "ASC" if query.order == "ascending" else "DESC"
    present = _where([*conditions, f"{column} IS NOT NULL"])
    return f"SELECT * FROM {TABLE}{present} ORDER BY {column} {direction}{limit}"
