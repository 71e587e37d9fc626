"""Profiles and answers for people: Markdown with tables; and profiles as JSON."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Literal, TypeAlias, cast

import orjson
from pydantic import JsonValue

from api_agent_service import markdown
from api_agent_service.answers import Answered
from api_agent_service.data_analysis import Column, Distribution, Outliers, Profile
from api_agent_service.query import Query, label, superlative
from api_agent_service.vocabulary import is_numbering
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
    name = markdown.text(re.sub("^the ", "The ", profile.name))
    width = len(profile.columns)
    parts = [f"**{name}** has {markdown.count(profile.rows, 'row')} and {markdown.count(width, 'column')}."]
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
        parts.append("### Notes\n\n" + "\n".join(f"- {markdown.text(note)}" for note in profile.notes))
    return "\n\n".join(parts)


def write_answer(answered: Answered) -> str:
    """Return an answer as Markdown: a sentence for one number, a table for more."""
    if answered.query is None:
        return _write_sql_answer(answered)
    parts: list[str] = []
    if len(answered.rows) == 1 and not answered.query.groups and not answered.query.rows:
        said = [_sentence(answered, answered.query, index) for index in range(len(answered.names))]
        parts.append(" ".join(said))
        if answered.witnesses:
            names = list(answered.witnesses[0])
            rows = [[_cell(row[name], name) for name in names] for row in answered.witnesses]
            parts.append(f"Found in:\n\n{markdown.table(names, rows)}")
    else:
        if answered.query.limit == 1 and len(answered.names) - len(answered.query.groups) == 1:
            parts.append(_winner(answered, answered.query))
        parts += _write_rows(answered)
    used = f"Computed from {markdown.count(answered.used_rows, 'row')}"
    missing = f"; in {answered.missing:,} of them a value is missing" if answered.missing else ""
    parts.append(f"{used}{missing}.")
    return "\n\n".join(parts)


def _write_sql_answer(answered: Answered) -> str:
    """Return what a query in SQL brought, and the query."""
    rows = _write_rows(answered) if answered.rows else [f"**{markdown.text(answered.title)}**", "No row answers this."]
    fence = "`" * (3 + max((len(found) for found in re.findall("`+", answered.sql)), default=0))
    return "\n\n".join((*rows, f"Computed by this SQL:\n\n{fence}sql\n{answered.sql}\n{fence}"))


def _write_rows(answered: Answered) -> list[str]:
    title = answered.title[0].upper() + answered.title[1:]
    names = [name + (f" ({unit})" if (unit := answered.units.get(name)) else "") for name in answered.names]
    rows = [list(map(_cell, row, answered.names)) for row in answered.rows[:_MOST_ROWS]]
    parts = [f"**{markdown.text(title)}**\n\n{markdown.table(names, rows)}"]
    if answered.total_rows > _MOST_ROWS:
        parts.append(f"The first {_MOST_ROWS} of {answered.total_rows:,}.")
    return parts


def profile_json(profile: Profile) -> JsonObject:
    """Return the profile as JSON: every column with all that is known, and the correlations."""
    found = {**asdict(profile), "strong_correlations": [asdict(pair) for pair in profile.strong_correlations]}
    return cast("JsonObject", orjson.loads(orjson.dumps(found)))


def _cell(value: JsonValue, name: str = "") -> str:
    """Return a value for people. Years and what identifies things (`name`: of the column) are no amounts: "2024"."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:.0f}" if is_numbering(name) and float(value).is_integer() else markdown.number(value)
    shown = "–" if value is None else str(value)
    return shown if len(shown) <= _LONGEST_CELL else shown[: _LONGEST_CELL - 1] + "…"


def _sentence(answered: Answered, query: Query, index: int) -> str:
    name, value = answered.names[index], answered.rows[0][index]
    unit = answered.units.get(name, "")
    shown = _cell(value, name)
    where = answered.title.partition(" where ")[2]
    condition = f" (where {markdown.text(where)})" if where else ""
    said = f"**{markdown.text(shown)}{'' if not unit else f' {unit}' if unit != '%' else '%'}**"
    if name == "rows":
        return f"There are {said} rows{condition}." if value != 1 else f"There is {said} row{condition}."
    if any(label(item) == name and item.aggregation == "distinct" for item in query.measures):
        return f"The {markdown.text(name)} values is {said}{condition}."
    return f"The {markdown.text(name)} is {said}{condition}."


def _winner(answered: Answered, query: Query) -> str:
    """Return who has the first place, as a sentence."""
    places = len(query.groups)
    names = [", ".join(map(_cell, row[:places], answered.names)) for row in answered.rows[:_MOST_GROUPS]]
    measure, verb = answered.names[places], "have" if len(names) > 1 else "has"
    value = _cell(answered.rows[0][places])
    who = " and ".join(f"**{markdown.text(name)}**" for name in names)
    return f"{who} {verb} the {superlative(query)} {markdown.text(measure)}: **{markdown.text(value)}**."


def _columns(columns: Sequence[Column]) -> str:
    rows = [
        [
            column.name + (f" ({column.unit})" if column.unit else ""),
            column.kind + (", identifier" if column.identifier else ""),
            markdown.number(column.missing),
            markdown.number(column.distinct),
        ]
        for column in columns
    ]
    return "### Columns\n\n" + markdown.table(["column", "kind", "missing", "distinct"], rows)


def _missing(profile: Profile, columns: Sequence[Column]) -> str:
    rows = [
        [column.name, markdown.number(column.missing), f"{column.missing / profile.rows:.1%}"]
        for column in columns
        if column.missing
    ]
    found = markdown.table(["column", "missing", "share"], rows) if rows else "No value is missing."
    return f"### Missing values\n\n{found}"


def _duplicates(profile: Profile) -> str:
    many = profile.duplicate_rows
    return f"### Duplicates\n\n{markdown.count(many, 'row')} repeat an earlier row." if many else ""


def _numbers(columns: Sequence[Column]) -> str:
    rows = [
        [column.name, *(_cell(value, column.name) for value in _measures(column.distribution))]
        for column in columns
        if column.distribution and not column.identifier
    ]
    heading = ["column", "mean", "std", "min", "25%", "median", "75%", "max", "total"]
    return "### Numbers\n\n" + markdown.table(heading, rows) if rows else ""


def _measures(found: Distribution) -> tuple[float | None, ...]:
    quartiles = (found.q25, found.median, found.q75)
    return (found.mean, found.std, found.minimum, *quartiles, found.maximum, found.total)


def _groups(columns: Sequence[Column]) -> str:
    lines = [
        f"- {markdown.text(column.name)}: "
        + ", ".join(
            f"{markdown.text(_cell(group.value))} ({group.count:,}, {group.share:.0%})"
            for group in column.top[:_MOST_GROUPS]
        )
        + (f", and {column.distinct - _MOST_GROUPS:,} more" if column.distinct > _MOST_GROUPS else "")
        for column in columns
        if column.top and not column.identifier
    ]
    return "### Top groups\n\n" + "\n".join(lines) if lines else ""


def _dates(columns: Sequence[Column]) -> str:
    lines = [
        f"- {markdown.text(column.name)}: {column.earliest} to {column.latest}" for column in columns if column.earliest
    ]
    return "### Dates\n\n" + "\n".join(lines) if lines else ""


def _correlations(profile: Profile, names: Sequence[str]) -> str:
    pairs = [pair for pair in profile.correlations if not names or {pair.first, pair.second} & set(names)]
    if len(names) > 1:
        pairs = [pair for pair in pairs if {pair.first, pair.second} <= set(names)]
    if not pairs:
        return ""
    strong = [
        f"- {markdown.text(pair.first)} and {markdown.text(pair.second)} go {_direction(pair.r)} (r = {pair.r:.2f})."
        for pair in profile.strong_correlations
        if pair in pairs
    ]
    said = "\n".join(strong[:_MOST_PAIRS]) if strong else "No strong correlation."
    rows = [[pair.first, pair.second, f"{pair.r:.3f}"] for pair in pairs[:_MOST_PAIRS]]
    return f"### Correlations\n\n{said}\n\n" + markdown.table(["column", "column", "Pearson's r"], rows)


def _direction(r: float) -> str:
    return "together" if r > 0 else "against each other"


def _write_outliers(found: Outliers) -> str:
    examples = ", ".join(f"{markdown.number(value)} (row {row:,})" for row, value in found.examples)
    span = f"{markdown.number(found.low)} to {markdown.number(found.high)}"
    return f"{markdown.count(found.count, 'value')} outside {span}, such as {examples}"


def _outliers(columns: Sequence[Column]) -> str:
    lines = [
        f"- {markdown.text(column.name)}: {_write_outliers(column.distribution.outliers)}"
        for column in columns
        if column.distribution and column.distribution.outliers and column.distribution.outliers.count
    ]
    return "### Outliers\n\n" + ("\n".join(lines) if lines else "None by the interquartile range.")
