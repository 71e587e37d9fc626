"""The profile of a table: its columns, what is missing, how values are spread, what goes together, what stands out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import combinations
from typing import cast

from api_agent_service import database, vocabulary
from api_agent_service.database import TABLE, Database
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
_MOST_EXACT_ROWS = 2_000_000
_LARGEST_SQUARED = 1e100


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
    """Return the profile of a table. Blocking. Raises: TooLargeError."""
    columns = tuple(_column(table, name) for name in table.kinds)
    measured = [column for column in columns if column.distribution and not column.identifier]
    notes = table.notes
    if table.rows > _MOST_EXACT_ROWS and measured:
        notes = (*notes, f"Quartiles are approximate: the table has more than {_MOST_EXACT_ROWS:,} rows.")
    return Profile(
        name=table.name,
        format=table.format,
        rows=table.rows,
        duplicate_rows=_duplicates(table, columns),
        columns=columns,
        correlations=_correlations(table.store, measured[:_MOST_CORRELATED_COLUMNS]),
        notes=notes,
    )


def read_vocabulary(table: Table) -> Vocabulary:
    """Return what words in a question about this table can mean. Blocking."""
    texts = [name for name, kind in table.kinds.items() if kind == "text"]
    return vocabulary.build(table.kinds, distinct_texts(table, texts).items(), _flags(table))


def _flags(table: Table) -> list[str]:
    """Return the columns of numbers that are all 0 or 1."""
    names = [name for name, kind in table.kinds.items() if kind == "number" and not vocabulary.is_identifier(name)]
    if not names:
        return []
    found = table.store.row(
        f"SELECT {', '.join(f'bool_and({database.name(name)} IN (0, 1))' for name in names)} FROM {TABLE}"
    )
    return [name for name, is_flag in zip(names, found, strict=True) if is_flag]


def distinct_texts(table: Table, names: Sequence[str]) -> dict[str, list[str]]:
    """Return the different values of text columns, in order; no long values, and no columns of many values."""
    if not names:
        return {}
    counted = ", ".join(f"approx_count_distinct({database.name(name)})" for name in names)
    roughly = zip(names, table.store.row(f"SELECT {counted} FROM {TABLE}"), strict=True)
    found: dict[str, list[str]] = {}
    for name in (name for name, count in roughly if database.whole(count) <= 2 * _MOST_VALUES):
        column = database.name(name)
        rows = table.store.rows(
            f"SELECT {column} FROM {TABLE} WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY min(rowid)"
        )
        if len(rows) <= _MOST_VALUES:
            found[name] = [str(value) for (value,) in rows if len(str(value)) <= _LONGEST_VALUE]
    return found


def finite(value: object) -> float | None:
    """Return a number as a float, or None for what is missing, not a number or infinite."""
    return float(value) if isinstance(value, (int, float, Decimal)) and math.isfinite(value) else None


def _column(table: Table, name: str) -> Column:
    kind, column = table.kinds[name], database.name(name)
    top: tuple[TopGroup, ...] = ()
    if kind in ("text", "boolean"):
        present, distinct, top = _groups(table.store, column)
    else:
        counts = table.store.row(f"SELECT count({column}), count(DISTINCT {column}) FROM {TABLE}")
        present, distinct = map(database.whole, counts)
    identifier = kind != "boolean" and distinct == table.rows > 1 and vocabulary.is_identifier(name)
    found = Column(name, kind, table.rows - present, distinct, table.units.get(name, ""), identifier, top=top)
    match kind:
        case "number":
            return replace(found, distribution=_distribution(table, column, with_outliers=not identifier))
        case "date" | "datetime":
            first, last = table.store.row(f"SELECT min({column}), max({column}) FROM {TABLE}")
            return replace(found, earliest=_moment(first), latest=_moment(last))
        case "text" | "boolean":
            return found


def _moment(value: object) -> str | None:
    return str(value) if value is not None else None


def _distribution(table: Table, column: str, *, with_outliers: bool) -> Distribution | None:
    store, number = table.store, f"CAST({column} AS DOUBLE)"
    low, high = map(finite, store.row(f"SELECT min({column}), max({column}) FROM {TABLE}"))
    if low is None or high is None:
        return None
    quantiles = "quantile_cont" if table.rows <= _MOST_EXACT_ROWS else "approx_quantile"
    std = f"stddev_samp({number})" if max(-low, high) < _LARGEST_SQUARED else "NULL"
    mean, spread, total, quarters = store.row(
        f"SELECT avg({column}), {std}, CAST(sum({column}) AS DOUBLE), "
        f"{quantiles}({number}, [0.25, 0.5, 0.75]) FROM {TABLE}"
    )
    q25, median, q75 = (finite(value) or 0.0 for value in cast("list[object]", quarters))
    return Distribution(
        mean=finite(mean) or 0.0,
        std=finite(spread),
        minimum=low,
        q25=q25,
        median=median,
        q75=q75,
        maximum=high,
        total=finite(total) or 0.0,
        histogram=_histogram(store, number, low, high),
        outliers=_outliers(store, number, q25, q75) if with_outliers else None,
    )


def _histogram(store: Database, number: str, low: float, high: float) -> tuple[Bin, ...]:
    width = (high - low) / _BINS
    if low == high or not math.isfinite(width) or low + width == low:
        [count] = store.row(f"SELECT count({number}) FROM {TABLE}")
        return (Bin(low, high, database.whole(count)),)
    place = f"greatest(least(floor(({number} - {low!r}) / {width!r}), {_BINS - 1}), 0)"
    rows = store.rows(f"SELECT CAST({place} AS INTEGER), count(*) FROM {TABLE} WHERE {number} IS NOT NULL GROUP BY 1")
    counts = {database.whole(bin_number): database.whole(count) for bin_number, count in rows}
    edges = [low + width * index for index in range(_BINS)] + [high]
    return tuple(Bin(edges[index], edges[index + 1], counts.get(index, 0)) for index in range(_BINS))


def _outliers(store: Database, number: str, q25: float, q75: float) -> Outliers | None:
    reach = 1.5 * (q75 - q25)
    if not 0 < reach < math.inf:
        return None
    low, high = q25 - reach, q75 + reach
    outside = f"{number} < {low!r} OR {number} > {high!r}"
    [count] = store.row(f"SELECT count(*) FROM {TABLE} WHERE {outside}")
    if not database.whole(count):
        return Outliers(low, high, 0, ())
    places = f"SELECT row_number() OVER () AS place, {number} AS value FROM {TABLE}"
    farthest = store.rows(
        f"SELECT place, value FROM ({places}) WHERE value < {low!r} OR value > {high!r} "
        f"ORDER BY greatest({low!r} - value, value - {high!r}) DESC, place LIMIT {_OUTLIER_EXAMPLES}"
    )
    examples = tuple((database.whole(place), finite(value) or 0.0) for place, value in farthest)
    return Outliers(low, high, database.whole(count), examples)


def _groups(store: Database, column: str) -> tuple[int, int, tuple[TopGroup, ...]]:
    """Return how many values are present, how many of these are different, and the most frequent, where some repeat."""
    grouped = f"FROM {TABLE} WHERE {column} IS NOT NULL GROUP BY 1"
    rows = store.rows(
        "SELECT value, many, count(*) OVER (), sum(many) OVER () "
        f"FROM (SELECT CAST({column} AS VARCHAR) AS value, count(*) AS many {grouped}) "
        f"ORDER BY many DESC, value LIMIT {_TOP_GROUPS}"
    )
    if not rows:
        return 0, 0, ()
    distinct, present = map(database.whole, rows[0][2:])
    if distinct == present > _TOP_GROUPS:
        return present, distinct, ()
    counts = [(str(value), database.whole(many)) for value, many, *_ in rows]
    return present, distinct, tuple(TopGroup(value, many, many / present) for value, many in counts)


def _duplicates(table: Table, columns: Sequence[Column]) -> int:
    """Return how many rows repeat an earlier one; rows are told apart by 64 bits of hash."""
    if any(column.distinct == table.rows for column in columns):
        return 0
    names = ", ".join(map(database.name, table.kinds))
    [different] = table.store.row(f"SELECT count(DISTINCT hash({names})) FROM {TABLE}")
    return table.rows - database.whole(different)


def _correlations(store: Database, columns: Sequence[Column]) -> tuple[Correlation, ...]:
    names = [
        column.name
        for column in columns
        if (found := column.distribution) and max(-found.minimum, found.maximum) < _LARGEST_SQUARED
    ]
    pairs = list(combinations(names, 2))
    if not pairs:
        return ()
    measured = ", ".join(f"corr({database.name(first)}, {database.name(second)})" for first, second in pairs)
    found = zip(pairs, map(finite, store.row(f"SELECT {measured} FROM {TABLE}")), strict=True)
    correlations = [Correlation(first, second, r) for (first, second), r in found if r is not None]
    return tuple(sorted(correlations, key=lambda pair: -abs(pair.r)))
