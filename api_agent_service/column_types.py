"""Types of columns: text that holds numbers, dates or truth values becomes such; rare types are made plain."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# Polars' signatures name NumPy, which is not installed.

import json
from dataclasses import dataclass, field

import polars as pl

MISSING = ("", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "--", "?")
"""What stands for a missing value, in any case, with or without blanks around it."""

_LEAST_SHARE = 0.9
_LEAST_ROWS = 10
_UNITS = "$€£¥₹%"
_SIGN = rf"^[+-]?[{_UNITS}]?[+-]?"
_ENGLISH = rf"{_SIGN}(?:(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s?[{_UNITS}]?$"
_EUROPEAN = rf"{_SIGN}(?:\d{{1,3}}(?:\.\d{{3}})+|\d+)(?:,\d+)?\s?[{_UNITS}]?$"
_SPACED = rf"{_SIGN}\d{{1,3}}(?:[ '’\u{{a0}}\u{{202f}}]\d{{3}})+(?:[.,]\d+)?\s?[{_UNITS}]?$"
_DATES = (
    (r"\d{4}-\d{1,2}-\d{1,2}", "%Y-%m-%d", ""),
    (r"\d{4}/\d{1,2}/\d{1,2}", "%Y/%m/%d", ""),
    (r"\d{1,2}\.\d{1,2}\.\d{4}", "%d.%m.%Y", ""),
    (r"\d{1,2}/\d{1,2}/\d{4}", "%m/%d/%Y", "month/day/year"),
    (r"\d{1,2}/\d{1,2}/\d{4}", "%d/%m/%Y", "day/month/year"),
    (r"\d{1,2}-\d{1,2}-\d{4}", "%d-%m-%Y", "day-month-year"),
    (r"\d{1,2}-\d{1,2}-\d{4}", "%m-%d-%Y", "month-day-year"),
    (r"\d{1,2} [A-Za-z]{3,9}\.? \d{4}", "%d %b %Y", ""),
    (r"\d{1,2} [A-Za-z]{3,9} \d{4}", "%d %B %Y", ""),
    (r"[A-Za-z]{3,9}\.? \d{1,2},? \d{4}", "%b %d %Y", ""),
    (r"[A-Za-z]{3,9} \d{1,2},? \d{4}", "%B %d %Y", ""),
    (r"\d{4}-\d{2}", "%Y-%m", ""),
)
_TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?"
_CLOCK = f"[T ]{_TIME}"
_ZONE = r"(?:Z|[+-]\d{2}:?\d{2})"


@dataclass(frozen=True, slots=True)
class Typed:
    """A frame whose columns have plain types, notes on what had to be decided, and the unit of each column with one."""

    frame: pl.DataFrame
    notes: tuple[str, ...] = ()
    units: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class _Column:
    series: pl.Series
    note: str = ""
    unit: str = ""


def convert(frame: pl.DataFrame) -> Typed:
    """Return the frame with its text columns typed by what they hold; a few odd values become missing, with a note."""
    columns = [_convert(series) if series.dtype == pl.String else _Column(series) for series in frame.get_columns()]
    return Typed(
        pl.DataFrame([column.series for column in columns]),
        tuple(column.note for column in columns if column.note),
        {column.series.name: column.unit for column in columns if column.unit},
    )


def simplify(frame: pl.DataFrame) -> Typed:  # noqa: PLR0912 - one case for each kind of type
    """Return the frame of a typed format with plain types: objects spread, decimals as numbers, what else as text."""
    for _ in range(4):
        nested = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Struct)]
        if not nested:
            break
        frame = frame.unnest(nested, separator=".")
    notes: list[str] = []
    columns: list[pl.Series] = []
    for series in frame.get_columns():
        match series.dtype:
            case pl.Decimal():
                columns.append(series.cast(pl.Float64))
            case pl.Duration():
                columns.append(series.dt.total_microseconds() / 1e6)
                notes.append(f"The durations in {series.name} are in seconds.")
            case pl.Binary():
                notes.append(f"The column {series.name} is binary and left out.")
            case pl.List() | pl.Array() | pl.Struct():
                texts = [None if item is None else json.dumps(item, default=str) for item in series.to_list()]
                columns.append(pl.Series(series.name, texts, pl.String))
            case pl.Categorical() | pl.Enum() | pl.Null() | pl.Time():
                columns.append(series.cast(pl.String))
            case pl.Datetime(time_zone=str()):
                columns.append(series.dt.convert_time_zone("UTC").dt.replace_time_zone(None))
            case pl.UInt64() | pl.Int128() | pl.UInt128():
                columns.append(series.cast(pl.Float64))
            case dtype if dtype.is_integer():
                columns.append(series.cast(pl.Int64))
            case dtype if dtype.is_float():
                columns.append(series.cast(pl.Float64).fill_nan(None))
            case _:
                columns.append(series)
    return Typed(pl.DataFrame(columns), tuple(notes))


def _convert(series: pl.Series) -> _Column:
    text = (
        series.str.strip_chars()
        .to_frame()
        .select(
            pl.when(pl.first().str.to_lowercase().is_in(MISSING)).then(None).otherwise(pl.first()).alias(series.name)
        )
        .to_series()
    )
    present = text.drop_nulls()
    if present.is_empty():
        return _Column(text)
    return _as_boolean(text, present) or _as_number(text, present) or _as_date(text, present) or _Column(text)


_TRUTH = {"true": True, "false": False, "yes": True, "no": False}


def _as_boolean(text: pl.Series, present: pl.Series) -> _Column | None:
    if not all(part.str.to_lowercase().is_in(list(_TRUTH)).all() for part in (present.head(100), present)):
        return None
    return _Column(text.str.to_lowercase().replace_strict(_TRUTH, default=None, return_dtype=pl.Boolean))


def _as_number(text: pl.Series, present: pl.Series) -> _Column | None:
    if present.str.contains(r"^[+-]?0\d").any():
        return None  # zip codes, article numbers
    style, share = "", 0.0
    for candidate in (_ENGLISH, _EUROPEAN, _SPACED):
        matching = _share(present, candidate)
        if matching > share:
            style, share = candidate, matching
    if share < 1 and (share < _LEAST_SHARE or len(present) < _LEAST_ROWS):
        return None
    plain = text.str.replace_all(rf"[{_UNITS}\s'’\u00a0\u202f]", "")
    if style == _ENGLISH:
        plain = plain.str.replace_all(",", "", literal=True)
    elif style == _EUROPEAN:
        plain = plain.str.replace_all(".", "", literal=True).str.replace_all(",", ".", literal=True)
    else:
        plain = plain.str.replace_all(",", ".", literal=True)
    whole = bool(plain.drop_nulls().str.contains(r"^[+-]?\d{1,18}$").all())
    plain = plain.to_frame().select(pl.when(text.str.contains(style)).then(pl.first())).to_series().alias(text.name)
    numbers = plain.cast(pl.Int64 if whole else pl.Float64, strict=False)
    if numbers.drop_nulls().is_empty():
        return None
    units = set("".join(present.str.extract_all(rf"[{_UNITS}]").list.join("").unique().to_list()))
    return _Column(numbers, _note(text, numbers, "numbers"), units.pop() if len(units) == 1 else "")


def _as_date(text: pl.Series, present: pl.Series) -> _Column | None:
    sample = present.head(50)
    if not sample.str.contains(r"\d").all() or _share(sample, r"^.{6,40}$") < 1:
        return None
    if _share(sample, rf"^\d{{4}}-\d{{2}}-\d{{2}}{_CLOCK}\s?{_ZONE}$") >= _LEAST_SHARE:
        times = _parse_zoned(text)
        note = f"The times in {text.name} are given in UTC."
        return _Column(times, " ".join((note, _note(text, times, "times"))).strip()) if _fits(text, times) else None
    found: list[tuple[int, str, pl.Series]] = []
    for pattern, form, order in _DATES:
        if _share(sample, f"^{pattern}$") >= _LEAST_SHARE:
            parsed = _parse_dates(text, form)
        elif _share(sample, f"^{pattern}{_CLOCK}$") >= _LEAST_SHARE:
            parsed = _parse_times(text, form)
        else:
            continue
        if _fits(text, parsed):
            found.append((parsed.null_count(), order, parsed.alias(text.name)))
    if not found:
        return None
    fewest = min(nulls for nulls, _, _ in found)
    (order, dates), *others = [(order, parsed) for nulls, order, parsed in found if nulls == fewest]
    note = f"The dates in {text.name} are read as {order}; {others[0][0]} would fit too." if order and others else ""
    return _Column(dates, f"{note} {_note(text, dates, 'dates')}".strip())


def _parse_dates(text: pl.Series, form: str) -> pl.Series:
    if form == "%Y-%m":
        return (text + "-01").str.to_date("%Y-%m-%d", strict=False)
    return text.str.replace_all(r"[,.]", _dots(form)).str.to_date(form, strict=False)


def _parse_times(text: pl.Series, form: str) -> pl.Series:
    parts = text.str.extract_groups(rf"^(.+?)[T ]({_TIME})$").struct
    dates = parts.field("1").str.replace_all(r"[,.]", _dots(form))
    clock = parts.field("2").str.replace(r"^(\d{1,2}:\d{2})$", "${1}:00")
    return (dates + " " + clock).str.to_datetime(f"{form} %H:%M:%S%.f", strict=False, time_unit="us")


def _parse_zoned(text: pl.Series) -> pl.Series:
    parts = text.str.extract_groups(rf"^(\S+?)[T ]({_TIME})\s?({_ZONE})$").struct
    clock = parts.field("2").str.replace(r"^(\d{1,2}:\d{2})$", "${1}:00")
    times = (parts.field("1") + "T" + clock + parts.field("3")).str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.f%#z", strict=False, time_unit="us"
    )
    return times.dt.replace_time_zone(None).alias(text.name)


def _dots(form: str) -> str:
    """Return what stands for a dot or comma in a date: nothing after the name of a month."""
    return "" if "%b" in form or "%B" in form else "."


def _fits(text: pl.Series, parsed: pl.Series) -> bool:
    """Tell whether enough values of a column could be read: all, or all but few of many."""
    present = len(text) - text.null_count()
    lost = parsed.null_count() - text.null_count()
    return lost == 0 or (present >= _LEAST_ROWS and lost <= (1 - _LEAST_SHARE) * present)


def _share(values: pl.Series, pattern: str) -> float:
    """Return the share of values that match."""
    return int(values.str.contains(pattern).sum()) / len(values)


def _note(text: pl.Series, parsed: pl.Series, kind: str) -> str:
    odd = text.filter(parsed.is_null() & text.is_not_null())
    if odd.is_empty():
        return ""
    examples = ", ".join(repr(value[:40]) for value in odd.head(3).to_list())
    count = "1 value" if len(odd) == 1 else f"{len(odd)} values"
    return f"{count} in {text.name} cannot be read among the {kind} and count as missing: {examples}."
