"""A question about a table in typed form: what is computed, for which groups, of which rows.

Rules (`questions`) make it, `query_sql` writes it as SQL, and DuckDB answers it (`answers`).
"""

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Aggregation: TypeAlias = Literal["mean", "median", "sum", "min", "max", "std", "count", "distinct"]
Bucket: TypeAlias = Literal["value", "year", "quarter", "month", "week", "day", "hour", "weekday"]
Operator: TypeAlias = Literal["=", "!=", ">", ">=", "<", "<=", "contains", "year", "month", "missing", "present"]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Measure(_Form):
    """One number to compute. `count` counts rows and needs no column; `distinct` counts different values."""

    aggregation: Aggregation
    column: str | None = Field(default=None, description="Name of the column, exactly as listed; null only for count.")


class Group(_Form):
    """What rows are grouped by: the values of a column, or the year, month and so on of its dates."""

    column: str
    bucket: Bucket = "value"


class Filter(_Form):
    """Which rows count. Several `=` on one column are alternatives; all else must hold together."""

    column: str
    operator: Operator
    value: str | float | None = Field(default=None, description="Dates as YYYY-MM-DD; year and month as numbers.")


class Query(_Form):
    """A question about one table.

    With `rows`, the rows themselves are listed, ordered by the first measure's column. `order` and `limit` are for
    "top", "highest", "lowest".
    """

    measures: tuple[Measure, ...] = Field(min_length=1, max_length=8)
    groups: tuple[Group, ...] = Field(default=(), max_length=3)
    filters: tuple[Filter, ...] = Field(default=(), max_length=12)
    order: Literal["descending", "ascending"] | None = None
    limit: int | None = Field(default=None, ge=1, le=1000)
    rows: bool = False


_NAMES: dict[Aggregation, str] = {
    "mean": "average",
    "median": "median",
    "sum": "total",
    "min": "minimum",
    "max": "maximum",
    "std": "standard deviation of",
    "count": "rows",
    "distinct": "number of different",
}


def label(measure: Measure) -> str:
    """Return what a measure is called in an answer: "average price"."""
    name = _NAMES[measure.aggregation]
    return f"{name} {measure.column}" if measure.column else name


def group_label(group: Group) -> str:
    """Return what a group is called in an answer: "city", "date (month)"."""
    return group.column if group.bucket == "value" else f"{group.column} ({group.bucket})"


def describe(query: Query) -> str:
    """Return the question in words: "average price by city where year of date is 2024"."""
    if query.rows:
        text = "rows" if query.measures[0].column is None else f"rows by {query.measures[0].column}"
    else:
        text = " and ".join(
            "number of rows" if item == Measure(aggregation="count") else label(item) for item in query.measures
        )
    if query.groups:
        text += " by " + " and ".join(map(group_label, query.groups))
    if query.filters:
        text += " where " + " and ".join(_describe_filters(query.filters))
    if query.rows and query.measures[0].column is None and query.order:
        text += f", the {'first' if query.order == 'descending' else 'last'} {query.limit}"
    elif query.limit and query.order:
        text += f", {superlative(query)}" + (f" {query.limit}" if query.limit > 1 else "")
    return text


def superlative(query: Query) -> str:
    """Return which end of the order a question wants."""
    return "highest" if query.order == "descending" else "lowest"


def _describe_filters(filters: tuple[Filter, ...]) -> list[str]:
    """Return the conditions in words; values that are alternatives stand together."""
    described: dict[str, str] = {}
    for item in filters:
        key = f"{item.column} =" if item.operator == "=" else _describe_filter(item)
        described[key] = f"{described[key]} or {item.value}" if key in described else _describe_filter(item)
    return list(described.values())


def _describe_filter(item: Filter) -> str:
    value = f"{item.value:g}" if isinstance(item.value, float) else item.value
    match item.operator:
        case "year" | "month":
            return f"the {item.operator} of {item.column} is {value}"
        case "missing" | "present":
            return f"{item.column} is {item.operator}"
        case operator:
            return f"{item.column} {operator} {value}"
