"""Profiles and answers for people: Markdown with tables; and profiles as JSON."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Literal, TypeAlias, cast

import orjson
from pydantic import JsonValue

from api_agent_service.answers import Answered
from api_agent_service.data_analysis import Column, Profile
from api_agent_service.query import label
from shared.agent import JsonObject

Section: TypeAlias = Literal[
    "columns", "missing", "numbers", "groups", "dates", "correlations", "outliers", "duplicates"
]

SECTIONS: tuple[Section, ...] = (
    "columns",
    "missing",
    "duplicates",
    "numbers",
    "groups",
    "dates",
    "correlations",
    "outliers",
)

_MOST_COLUMNS = 60
_MOST_ROWS = 50
_MOST_PAIRS = 10
_MOST_GROUPS = 5
_LONGEST_CELL = 80


def write_profile(profile: Profile, sections: Sequence[Section] = SECTIONS, names: Sequence[str] = ()) -> str:
    """Return the profile, or some sections of it, or of some columns, as Markdown."""
    columns = [column for column in profile.columns if not names or column.name in names][:_MOST_COLUMNS]
    parts = [f"**{text(profile.name)}** has {count(profile.rows, 'row')} and {count(len(profile.columns), 'column')}."]
    writers = {
        "columns": lambda: _columns(columns),
        "missing": lambda: _missing(profile, columns),
        "duplicates": lambda: _duplicates(profile),
        "numbers": lambda: _numbers(columns),
        "groups": lambda: _groups(columns),
        "dates": lambda: _dates(columns),
        "correlations": lambda: _correlations(profile, names),
        "outliers": lambda: _outliers(columns),
    }
    parts += [written for section in SECTIONS if section in sections and (written := writers[section]())]
    if len(profile.columns) > _MOST_COLUMNS and not names:
        parts.append(f"Only the first {_MOST_COLUMNS} columns are shown; the data has all.")
    if profile.notes:
        parts.append("### Notes\n\n" + "\n".join(f"- {text(note)}" for note in profile.notes))
    return "\n\n".join(parts)


def write_answer(answered: Answered) -> str:
    """Return an answer as Markdown: a sentence for one number, a table for more."""
    parts: list[str] = []
    if len(answered.rows) == 1 and not answered.query.groups and not answered.query.rows:
        said = [_sentence(answered, index) for index in range(len(answered.names))]
        parts.append(" ".join(said))
        if answered.witnesses:
            names = list(answered.witnesses[0])
            rows = [[_cell(row[name]) for name in names] for row in answered.witnesses]
            parts.append(f"Found in:\n\n{table(names, rows)}")
    else:
        title = answered.title[0].upper() + answered.title[1:]
        names = [name + (f" ({unit})" if (unit := answered.units.get(name)) else "") for name in answered.names]
        rows = [[_cell(value) for value in row] for row in answered.rows[:_MOST_ROWS]]
        parts.append(f"**{text(title)}**\n\n{table(names, rows)}")
        if answered.total_rows > _MOST_ROWS:
            parts.append(f"The first {_MOST_ROWS} of {answered.total_rows:,}.")
    used = f"Computed from {count(answered.used_rows, 'row')}"
    missing = f"; in {answered.missing:,} of them a value is missing" if answered.missing else ""
    parts.append(f"{used}{missing}.")
    return "\n\n".join(parts)


def profile_json(profile: Profile) -> JsonObject:
    """Return the profile as JSON: every column with all that is known, and the correlations."""
    found = {**asdict(profile), "strong_correlations": [asdict(pair) for pair in profile.strong_correlations]}
    return cast("JsonObject", orjson.loads(orjson.dumps(found)))


def table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table. Cells hold text from elsewhere: bars, line ends and markup in them are made harmless."""
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(
        "| " + " | ".join(text(cell) if index != 1 else cell for cell in line) + " |"
        for index, line in enumerate(lines)
    )


def text(value: str) -> str:
    """Return peer text for a line of Markdown: one line, at most 80 characters a cell, no markup that would render."""
    line = " ".join(value.split())
    return re.sub(r"([\\`*\[\]<>|]|(?<!\w)_|_(?!\w))", r"\\\1", line)


def number(value: float | None) -> str:
    """Return a number for people: thousands separated, six significant digits."""
    if value is None:
        return "–"
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return f"{int(value):,}"
    if abs(value) >= 1e15 or abs(value) < 1e-4:
        return f"{value:.4g}"
    return f"{value:,.2f}" if abs(value) >= 1000 else f"{value:.6g}"


def count(amount: int, noun: str) -> str:
    """Return "1 row", "2,000 rows"."""
    return f"{amount:,} {noun}" if amount == 1 else f"{amount:,} {noun}s"


def _cell(value: JsonValue) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(value)
    shown = "–" if value is None else str(value)
    return shown if len(shown) <= _LONGEST_CELL else shown[: _LONGEST_CELL - 1] + "…"


def _sentence(answered: Answered, index: int) -> str:
    name, value = answered.names[index], answered.rows[0][index]
    unit = answered.units.get(name, "")
    shown = _cell(value)
    where = answered.title.partition(" where ")[2]
    condition = f" (where {text(where)})" if where else ""
    said = f"**{text(shown)}{'' if not unit else f' {unit}' if unit != '%' else '%'}**"
    if name == "rows":
        return f"There are {said} rows{condition}." if value != 1 else f"There is {said} row{condition}."
    if any(label(item) == name and item.aggregation == "distinct" for item in answered.query.measures):
        return f"The {text(name)} values is {said}{condition}."
    return f"The {text(name)} is {said}{condition}."


def _columns(columns: Sequence[Column]) -> str:
    rows = [
        [
            column.name + (f" ({column.unit})" if column.unit else ""),
            column.kind + (", identifier" if column.identifier else ""),
            number(column.missing),
            number(column.distinct),
        ]
        for column in columns
    ]
    return "### Columns\n\n" + table(["column", "kind", "missing", "distinct"], rows)


def _missing(profile: Profile, columns: Sequence[Column]) -> str:
    rows = [
        [column.name, number(column.missing), f"{column.missing / profile.rows:.1%}"]
        for column in columns
        if column.missing
    ]
    found = table(["column", "missing", "share"], rows) if rows else "No value is missing."
    return f"### Missing values\n\n{found}"


def _duplicates(profile: Profile) -> str:
    many = profile.duplicate_rows
    return f"### Duplicates\n\n{count(many, 'row')} repeat an earlier row." if many else ""


def _numbers(columns: Sequence[Column]) -> str:
    rows = [
        [column.name, *map(number, (d.mean, d.std, d.minimum, d.q25, d.median, d.q75, d.maximum, d.total))]
        for column in columns
        if (d := column.distribution) and not column.identifier
    ]
    heading = ["column", "mean", "std", "min", "25%", "median", "75%", "max", "total"]
    return "### Numbers\n\n" + table(heading, rows) if rows else ""


def _groups(columns: Sequence[Column]) -> str:
    lines = [
        f"- {text(column.name)}: "
        + ", ".join(
            f"{text(_cell(group.value))} ({group.count:,}, {group.share:.0%})" for group in column.top[:_MOST_GROUPS]
        )
        + (f", and {column.distinct - _MOST_GROUPS:,} more" if column.distinct > _MOST_GROUPS else "")
        for column in columns
        if column.top and not column.identifier
    ]
    return "### Top groups\n\n" + "\n".join(lines) if lines else ""


def _dates(columns: Sequence[Column]) -> str:
    lines = [f"- {text(column.name)}: {column.earliest} to {column.latest}" for column in columns if column.earliest]
    return "### Dates\n\n" + "\n".join(lines) if lines else ""


def _correlations(profile: Profile, names: Sequence[str]) -> str:
    pairs = [pair for pair in profile.correlations if not names or {pair.first, pair.second} & set(names)]
    if len(names) > 1:
        pairs = [pair for pair in pairs if {pair.first, pair.second} <= set(names)]
    if not pairs:
        return ""
    strong = [
        f"- {text(pair.first)} and {text(pair.second)} go {'together' if pair.r > 0 else 'against each other'} (r = {pair.r:.2f})."
        for pair in profile.strong_correlations
        if pair in pairs
    ]
    said = "\n".join(strong[:_MOST_PAIRS]) if strong else "No strong correlation."
    rows = [[pair.first, pair.second, f"{pair.r:.3f}"] for pair in pairs[:_MOST_PAIRS]]
    return f"### Correlations\n\n{said}\n\n" + table(["column", "column", "Pearson's r"], rows)


def _outliers(columns: Sequence[Column]) -> str:
    lines = [
        f"- {text(column.name)}: {count(d.outliers.count, 'value')} outside {number(d.outliers.low)} to {number(d.outliers.high)}, such as "
        + ", ".join(f"{number(value)} (row {row:,})" for row, value in d.outliers.examples)
        for column in columns
        if (d := column.distribution) and d.outliers and d.outliers.count
    ]
    return "### Outliers\n\n" + ("\n".join(lines) if lines else "None by the interquartile range.")
