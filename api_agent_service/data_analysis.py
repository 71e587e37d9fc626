"""The profile of a table: its columns, what is missing, how values are spread, what goes together, what stands out."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# Polars' signatures name NumPy, which is not installed.

import math
from dataclasses import dataclass, replace
from itertools import combinations
from typing import cast

import polars as pl

from api_agent_service import vocabulary
from api_agent_service.tables import Table
from api_agent_service.vocabulary import Kind, Vocabulary

STRONG = 0.7
"""From this size of Pearson's r on, a correlation is called strong."""

_TOP_GROUPS = 10
_BINS = 10
_MOST_CORRELATED_COLUMNS = 40
_OUTLIER_EXAMPLES = 5
_MOST_VALUES = 2_000
_LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar of a histogram: values from `low` up to `high`, which only the last bar contains."""

    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Outliers:
    """Values beyond 1.5 interquartile ranges from the quartiles; `examples`: row (from 1) and value of the farthest."""

    low: float
    high: float
    count: int
    examples: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Distribution:
    """How the numbers of a column are spread. `std` is of a sample: absent for one value."""

    mean: float
    std: float | None
    minimum: float
    q25: float
    median: float
    q75: float
    maximum: float
    total: float
    histogram: tuple[Bin, ...]
    outliers: Outliers | None


@dataclass(frozen=True, slots=True)
class TopGroup:
    """A value and the number and share of rows that have it."""

    value: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Column:
    """What a column holds. `identifier` tells that it only numbers the rows."""

    name: str
    kind: Kind
    missing: int
    distinct: int
    unit: str = ""
    identifier: bool = False
    distribution: Distribution | None = None
    top: tuple[TopGroup, ...] = ()
    earliest: str | None = None
    latest: str | None = None


@dataclass(frozen=True, slots=True)
class Correlation:
    """Pearson's r of two columns, over the rows in which neither is missing."""

    first: str
    second: str
    r: float


@dataclass(frozen=True, slots=True)
class Profile:
    """What there is to say about a table."""

    name: str
    format: str
    rows: int
    duplicate_rows: int
    columns: tuple[Column, ...]
    correlations: tuple[Correlation, ...]
    notes: tuple[str, ...]

    @property
    def strong_correlations(self) -> tuple[Correlation, ...]:
        """The correlations that are called strong, strongest first."""
        return tuple(pair for pair in self.correlations if abs(pair.r) >= STRONG)


def profile(table: Table) -> Profile:
    """Return the profile of a table. Blocking."""
    frame = table.frame
    columns = tuple(_column(series, table.units.get(series.name, "")) for series in frame.get_columns())
    measured = [column.name for column in columns if column.distribution and not column.identifier]
    return Profile(
        name=table.name,
        format=table.format,
        rows=frame.height,
        duplicate_rows=frame.height - frame.n_unique(),
        columns=columns,
        correlations=_correlations(frame, measured[:_MOST_CORRELATED_COLUMNS]),
        notes=table.notes,
    )


def read_vocabulary(table: Table) -> Vocabulary:
    """Return what words in a question about this table can mean. Blocking."""
    kinds: dict[str, Kind] = {series.name: kind_of(series.dtype) for series in table.frame.get_columns()}
    texts = [
        series.drop_nulls().unique(maintain_order=True)
        for series in table.frame.get_columns()
        if series.dtype == pl.String
    ]
    values = [
        (series.name, [value for value in cast("list[str]", series.to_list()) if len(value) <= _LONGEST_VALUE])
        for series in texts
        if len(series) <= _MOST_VALUES
    ]
    return vocabulary.build(kinds, values)


def kind_of(dtype: pl.DataType) -> Kind:
    """Return the kind of a column by its type."""
    match dtype:
        case pl.Boolean():
            return "boolean"
        case pl.Date():
            return "date"
        case pl.Datetime():
            return "datetime"
        case _ if dtype.is_numeric():
            return "number"
        case _:
            return "text"


def finite(value: object) -> float | None:
    """Return a number of Polars as a float, or None for what is missing, not a number or infinite."""
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _column(series: pl.Series, unit: str) -> Column:
    kind = kind_of(series.dtype)
    present = series.drop_nulls()
    distinct = present.n_unique()
    identifier = kind != "boolean" and distinct == len(series) > 1 and vocabulary.is_identifier(series.name)
    column = Column(series.name, kind, series.null_count(), distinct, unit, identifier)
    match kind:
        case "number":
            return replace(column, distribution=_distribution(series, with_outliers=not identifier))
        case "date" | "datetime":
            return replace(column, earliest=_moment(present.min()), latest=_moment(present.max()))
        case "text" | "boolean":
            return replace(column, top=_top(present, distinct))


def _moment(value: object) -> str | None:
    return str(value) if value is not None else None


def _distribution(series: pl.Series, *, with_outliers: bool) -> Distribution | None:
    numbers = series.cast(pl.Float64).drop_nulls()
    numbers = numbers.filter(numbers.is_finite())
    if numbers.is_empty():
        return None
    low, q25, median, q75, high = (
        finite(numbers.quantile(share, "linear")) or 0.0 for share in (0, 0.25, 0.5, 0.75, 1)
    )
    return Distribution(
        mean=finite(numbers.mean()) or 0.0,
        std=finite(numbers.std()),
        minimum=low,
        q25=q25,
        median=median,
        q75=q75,
        maximum=high,
        total=finite(numbers.sum()) or 0.0,
        histogram=_histogram(numbers, low, high),
        outliers=_outliers(series, q25, q75) if with_outliers else None,
    )


def _histogram(numbers: pl.Series, low: float, high: float) -> tuple[Bin, ...]:
    if low == high:
        return (Bin(low, high, len(numbers)),)
    width = (high - low) / _BINS
    if not math.isfinite(width) or low + width == low:
        return (Bin(low, high, len(numbers)),)
    places = ((numbers - low) / width).floor().clip(0, _BINS - 1).cast(pl.Int64)
    counts = dict(places.value_counts().rows())
    edges = [low + width * index for index in range(_BINS)] + [high]
    return tuple(Bin(edges[index], edges[index + 1], int(counts.get(index, 0))) for index in range(_BINS))


def _outliers(series: pl.Series, q25: float, q75: float) -> Outliers | None:
    reach = 1.5 * (q75 - q25)
    if reach <= 0:
        return None
    low, high = q25 - reach, q75 + reach
    value, far = pl.col("value"), pl.max_horizontal(low - pl.col("value"), pl.col("value") - high)
    outside = (
        series.cast(pl.Float64)
        .alias("value")
        .to_frame()
        .with_row_index("row", 1)
        .filter((value < low) | (value > high))
    )
    farthest = outside.sort(far, descending=True).head(_OUTLIER_EXAMPLES)
    examples = tuple((int(row), float(number)) for row, number in farthest.rows())
    return Outliers(low, high, outside.height, examples)


def _top(present: pl.Series, distinct: int) -> tuple[TopGroup, ...]:
    if distinct == len(present) > _TOP_GROUPS:
        return ()
    counts = (
        present.cast(pl.String)
        .alias("value")
        .value_counts(sort=True)
        .sort(["count", "value"], descending=[True, False])
    )
    return tuple(TopGroup(value, count, count / len(present)) for value, count in counts.head(_TOP_GROUPS).rows())


def _correlations(frame: pl.DataFrame, names: list[str]) -> tuple[Correlation, ...]:
    pairs = list(combinations(names, 2))
    if not pairs:
        return ()
    found = frame.select(pl.corr(first, second).alias(str(index)) for index, (first, second) in enumerate(pairs)).row(0)
    measured = [(pair, finite(r)) for pair, r in zip(pairs, found, strict=True)]
    correlations = [Correlation(first, second, r) for (first, second), r in measured if r is not None]
    return tuple(sorted(correlations, key=lambda pair: -abs(pair.r)))
