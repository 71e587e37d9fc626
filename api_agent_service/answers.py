"""Answers to typed questions: every number is computed by Polars."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# Polars' signatures name NumPy, which is not installed.

import datetime as dt
import operator
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

import polars as pl
from pydantic import JsonValue

from api_agent_service.data_analysis import finite, kind_of
from api_agent_service.query import Filter, Group, Measure, Query, describe, group_label, label
from api_agent_service.tables import Table
from shared.agent import JsonObject
from shared.errors import InvalidRequestError

MOST_ROWS = 1_000
"""The most rows an answer has; `Answered.total_rows` says how many there are."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came out. `used_rows` of the table's rows passed the filters; `missing` of these lacked a value."""

    query: Query
    title: str
    names: tuple[str, ...]
    rows: tuple[tuple[JsonValue, ...], ...]
    total_rows: int
    used_rows: int
    missing: int
    units: dict[str, str]
    witnesses: tuple[JsonObject, ...] = ()

    def to_json(self) -> JsonObject:
        """Return the answer as JSON: the question in words and in typed form, and the rows as objects."""
        return {
            "question": self.title,
            "query": self.query.model_dump(mode="json"),
            "columns": list(self.names),
            "rows": [dict(zip(self.names, row, strict=True)) for row in self.rows],
            "total_rows": self.total_rows,
            "used_rows": self.used_rows,
            "missing": self.missing,
        }


def answer(table: Table, query: Query) -> Answered:
    """Compute an answer. Blocking.

    Raises: InvalidRequestError for columns that do not exist, or that do not hold what the question needs.
    """
    check(query, table)
    frame = _filter(table.frame, query.filters)
    if frame.is_empty():
        raise InvalidRequestError(f"No row of {table.name} answers the question: {describe(query)}.")
    columns = {item.column for item in query.measures if item.column}
    missing = frame.select(pl.any_horizontal(pl.col(sorted(columns)).is_null()).sum()).item() if columns else 0
    result = _list_rows(frame, query) if query.rows else _aggregate(frame, query)
    units = {label(item): table.units[item.column] for item in query.measures if item.column in table.units}
    return Answered(
        query=query,
        title=describe(query),
        names=tuple(result.columns),
        rows=tuple(tuple(map(to_json, row)) for row in result.head(MOST_ROWS).rows()),
        total_rows=result.height,
        used_rows=frame.height,
        missing=int(missing),
        units=units | (table.units if query.rows else {}),
        witnesses=_witnesses(frame, query),
    )


def check(query: Query, table: Table) -> None:
    """Check that a question asks for columns that exist. Raises: InvalidRequestError."""
    for item in (*query.measures, *query.groups, *query.filters):
        if item.column is not None and item.column not in table.frame.columns:
            raise unknown_column(item.column, table.frame.columns)
        if isinstance(item, Measure) and item.column is None and item.aggregation != "count":
            raise InvalidRequestError(f"The question asks for the {label(item)}, but not of which column.")


def unknown_column(name: str, columns: list[str]) -> InvalidRequestError:
    """Return the error for a column that does not exist; it names those that do."""
    close = get_close_matches(name.casefold(), [column.casefold() for column in columns], 1, 0.6)
    hint = next((f" Did you mean {column}?" for column in columns if close and column.casefold() == close[0]), "")
    listed = ", ".join(columns[:40]) + (", and more" if len(columns) > 40 else "")
    return InvalidRequestError(
        f"There is no column {name!r}.{hint} The columns are: {listed}.", columns=list(columns[:40])
    )


def to_json(value: object) -> JsonValue:
    """Return a value of a frame as JSON: dates in ISO form, nothing for what is not a finite number."""
    match value:
        case bool() | str() | int() | None:
            return value
        case float():
            return finite(value)
        case dt.datetime():
            return value.isoformat(sep=" ", timespec="seconds" if not value.microsecond else "auto")
        case _:
            return str(value)


def _filter(frame: pl.DataFrame, filters: tuple[Filter, ...]) -> pl.DataFrame:
    alternatives: dict[str, pl.Expr] = {}
    for item in filters:
        condition = _condition(frame[item.column], item)
        if item.operator == "=":
            known = alternatives.get(item.column)
            alternatives[item.column] = condition if known is None else known | condition
        else:
            frame = frame.filter(condition)
    for condition in alternatives.values():
        frame = frame.filter(condition)
    return frame


def _condition(series: pl.Series, item: Filter) -> pl.Expr:
    column = pl.col(item.column)
    match item.operator:
        case "missing":
            return column.is_null()
        case "present":
            return column.is_not_null()
        case "contains":
            return column.cast(pl.String).str.to_lowercase().str.contains(str(item.value).lower(), literal=True)
        case "year" | "month" if kind_of(series.dtype) in {"date", "datetime"}:
            part = column.dt.year() if item.operator == "year" else column.dt.month()
            return part == int(_number(item))
        case compared:
            return _comparison(series, item, _COMPARISONS.get(compared, operator.eq))


_COMPARISONS: dict[str, Callable[..., pl.Expr]] = {
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def _comparison(series: pl.Series, item: Filter, compare: Callable[..., pl.Expr]) -> pl.Expr:
    column = pl.col(item.column)
    match kind_of(series.dtype):
        case "number":
            return compare(column, _number(item))
        case "date" | "datetime":
            return compare(column.cast(pl.Date), _date(item))
        case "boolean":
            return compare(column, str(item.value).casefold() in {"true", "yes", "1", "1.0"})
        case "text":
            return compare(column.str.to_lowercase(), _known_text(series, item))


def _known_text(series: pl.Series, item: Filter) -> str:
    """Return the text to compare with, lower-cased. Raises: InvalidRequestError when no row equals it, with hints."""
    wanted = str(item.value).strip().lower()
    known = series.drop_nulls().str.to_lowercase().unique()
    if item.operator != "=" or wanted in known:
        return wanted
    values = [str(value) for value in series.drop_nulls().unique(maintain_order=True).head(1000).to_list()]
    close = get_close_matches(wanted, [value.lower() for value in values], 1, 0.6)
    near = next((f" Did you mean {value}?" for value in values if close and value.lower() == close[0]), "")
    listed = ", ".join(values[:10]) + (", and more" if len(values) > 10 else "")
    raise InvalidRequestError(f"No row has {item.value!r} in the column {item.column}.{near} It holds: {listed}.")


def _number(item: Filter) -> float:
    try:
        return float(str(item.value).replace(",", ""))
    except ValueError as error:
        raise InvalidRequestError(
            f"The column {item.column} is compared with {item.value!r}, which is not a number. Give a number."
        ) from error


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


def _aggregate(frame: pl.DataFrame, query: Query) -> pl.DataFrame:
    measures = list({label(item): _measure(frame, item).alias(label(item)) for item in query.measures}.values())
    if not query.groups:
        return frame.select(measures)
    keys = list({group_label(group): _key(frame, group) for group in query.groups}.items())
    names = [name for name, _ in keys]
    clashing = set(names) & {label(item) for item in query.measures}
    if clashing:
        raise InvalidRequestError(f"The column {clashing.pop()} cannot be grouped by and computed with at once.")
    result = frame.group_by(*(key.alias(name) for name, key in keys), maintain_order=True).agg(measures)
    result = result.drop_nulls(names)
    first = label(query.measures[0])
    if query.order is not None:
        result = result.drop_nulls(first).sort(
            first, *names, descending=[query.order == "descending", *(False for _ in names)]
        )
    elif any(group.bucket != "value" or kind_of(frame[group.column].dtype) != "text" for group in query.groups):
        result = _sort_by_weekday(result, query) if query.groups[0].bucket == "weekday" else result.sort(names)
    else:
        result = result.sort(first, *names, descending=[True, *(False for _ in names)], nulls_last=True)
    if [item.aggregation for item in query.measures] == ["count"]:
        result = result.with_columns((pl.col(first) / frame.height * 100).round(1).alias("share in %"))
    if query.limit == 1:
        return result.filter(pl.col(first) == pl.col(first).first())  # two may share the first place
    return result.head(query.limit) if query.limit else result


_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _sort_by_weekday(result: pl.DataFrame, query: Query) -> pl.DataFrame:
    return result.sort(pl.col(group_label(query.groups[0])).cast(pl.Enum(_WEEKDAYS)))


def _key(frame: pl.DataFrame, group: Group) -> pl.Expr:  # noqa: PLR0911 - one line for each bucket
    column = pl.col(group.column)
    if group.bucket == "value":
        return column
    kind = kind_of(frame[group.column].dtype)
    if kind not in {"date", "datetime"}:
        raise InvalidRequestError(f"The column {group.column} holds no dates, so it has no {group.bucket}.")
    match group.bucket:
        case "year":
            return column.dt.year()
        case "quarter":
            return column.dt.year().cast(pl.String) + "-Q" + column.dt.quarter().cast(pl.String)
        case "month":
            return column.dt.strftime("%Y-%m")
        case "week":
            return column.dt.strftime("%G-W%V")
        case "day":
            return column.dt.strftime("%Y-%m-%d")
        case "weekday":
            return column.dt.strftime("%A")
        case "hour":
            if kind == "date":
                raise InvalidRequestError(f"The column {group.column} holds dates without a time, so it has no hour.")
            return column.dt.hour()


def _measure(frame: pl.DataFrame, measure: Measure) -> pl.Expr:
    if measure.column is None:
        return pl.len()
    column = pl.col(measure.column)
    match measure.aggregation:
        case "count":
            return column.count()
        case "distinct":
            return column.drop_nulls().n_unique()
        case "min":
            return column.min()
        case "max":
            return column.max()
        case aggregation:
            return _arithmetic(frame, measure.column, aggregation)


def _arithmetic(frame: pl.DataFrame, name: str, aggregation: Literal["mean", "median", "std", "sum"]) -> pl.Expr:
    kind = kind_of(frame[name].dtype)
    if kind not in {"number", "boolean"}:
        numbers = [other for other in frame.columns if kind_of(frame[other].dtype) == "number"]
        raise InvalidRequestError(
            f"The column {name} holds {'text' if kind == 'text' else 'dates'}, so it has no {aggregation}. "
            f"Columns with numbers: {', '.join(numbers) or 'none'}."
        )
    column = pl.col(name).cast(pl.Float64) if kind == "boolean" else pl.col(name)
    match aggregation:
        case "mean":
            return column.mean()
        case "median":
            return column.median()
        case "std":
            return column.std()
        case "sum":
            return pl.when(column.count() > 0).then(column.sum())  # a sum of nothing is missing, not 0


def _list_rows(frame: pl.DataFrame, query: Query) -> pl.DataFrame:
    column = query.measures[0].column
    if column is not None:
        frame = frame.drop_nulls(column).sort(column, descending=query.order != "ascending", maintain_order=True)
    return frame.head(query.limit or 10)


def _witnesses(frame: pl.DataFrame, query: Query) -> tuple[JsonObject, ...]:
    """Return the rows, at most three, that have the one minimum or maximum that was asked for."""
    measure = query.measures[0]
    if query.rows or query.groups or len(query.measures) > 1 or measure.column is None:
        return ()
    if measure.aggregation not in {"min", "max"}:
        return ()
    column = pl.col(measure.column)
    extreme = column.min() if measure.aggregation == "min" else column.max()
    found = frame.filter(column == extreme).head(3)
    return tuple({name: to_json(value) for name, value in row.items()} for row in found.rows(named=True))
