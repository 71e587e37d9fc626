"""Charts: Vega-Lite specifications of answers and profiles, and the same as PNG."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pydantic import JsonValue

from api_agent_service.answers import Answered
from api_agent_service.data_analysis import Column, Profile
from api_agent_service.query import label
from shared.agent import File, JsonObject

SPEC_MEDIA_TYPE = "application/vnd.vegalite.v5+json"

_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_VERSION = "5.21"
_WIDTH = 480
_MOST_MARKS = 50
_MOST_HISTOGRAMS = 4
_LONGEST_LABEL = 40
_LONGEST_TITLE = 100
_SCALE = 2.0

Scale: TypeAlias = Literal["quantitative", "nominal", "ordinal", "temporal"]


@dataclass(frozen=True, slots=True)
class Axis:
    """What one direction of a chart shows."""

    title: str
    scale: Scale


def of_answer(answered: Answered) -> JsonObject | None:
    """Return the chart of an answer with two or more groups: lines over time, else bars. None where there is none."""
    shape = _shape_of_query(answered) if answered.query else _shape_of_rows(answered)
    if shape is None or len(answered.rows) < 2:
        return None
    rows = [row for row in answered.rows if row[shape.measure] is not None][:_MOST_MARKS]
    values: list[JsonValue] = [
        {"x": _label(row[0]), "y": row[shape.measure]} | ({"series": _label(row[1])} if shape.has_series else {})
        for row in rows
    ]
    unit = answered.units.get(answered.names[shape.measure], "")
    y = Axis(answered.names[shape.measure] + (f" ({unit})" if unit else ""), "quantitative")
    x = Axis(answered.names[0], "ordinal" if shape.is_timed else "nominal")
    title = _label(answered.title[0].upper() + answered.title[1:], _LONGEST_TITLE)
    title += f" (first {_MOST_MARKS})" if len(answered.rows) > _MOST_MARKS else ""
    series = Axis(answered.names[1], "nominal") if shape.has_series else None
    return _chart(title, values, "line" if shape.is_timed else "bar", x, y, series=series)


@dataclass(frozen=True, slots=True)
class _Shape:
    """How an answer is drawn: its first column along, column number `measure` up, the second as series if asked."""

    measure: int
    is_timed: bool
    has_series: bool = False


def _shape_of_query(answered: Answered) -> _Shape | None:
    query = answered.query
    if query is None or query.rows or len(query.groups) not in (1, 2):
        return None
    measure = answered.names.index(label(query.measures[0]))
    is_timed = query.groups[0].bucket not in ("value", "weekday", "hour")
    return _Shape(measure, is_timed, has_series=len(query.groups) == 2)


def _shape_of_rows(answered: Answered) -> _Shape | None:
    """Return how rows of whatever columns are drawn: words or times first, numbers second; else not at all."""
    if len(answered.names) < 2:
        return None
    keys, measures = ([row[place] for row in answered.rows if row[place] is not None] for place in (0, 1))
    if not measures or not all(isinstance(value, (int, float)) for value in measures):
        return None
    if not keys or not all(isinstance(value, str) for value in keys) or len(set(map(str, keys))) < len(keys):
        return None
    return _Shape(1, all(re.match(r"\d{4}-", str(value)) for value in keys))


def of_profile(profile: Profile, names: Sequence[str] = ()) -> JsonObject | None:
    """Return histograms of the first columns with numbers, or of those named; else bars of the first top groups."""
    wanted = [column for column in profile.columns if not names or column.name in names]
    numbers = [column for column in wanted if column.distribution and not column.identifier][:_MOST_HISTOGRAMS]
    if numbers:
        charts: list[JsonValue] = [_histogram(column) for column in numbers]
        if len(charts) == 1:
            return _complete(_histogram(numbers[0]))
        return _complete({"title": f"Distributions in {profile.name}", "concat": charts, "columns": 2})
    texts = [column for column in wanted if len(column.top) > 1]
    if not texts:
        return None
    values: list[JsonValue] = [{"x": _label(group.value), "y": group.count} for group in texts[0].top]
    title = f"Most frequent in {texts[0].name}"
    return _chart(title, values, "bar", Axis(texts[0].name, "nominal"), Axis("rows", "quantitative"))


def specification(chart: JsonObject, name: str) -> File:
    """Return a chart as a Vega-Lite file."""
    return File(f"{name}.vl.json", SPEC_MEDIA_TYPE, json.dumps(chart, ensure_ascii=False).encode())


def picture(chart: JsonObject, name: str) -> File:
    """Return a chart as PNG. Blocking; loads the renderer, which fetches nothing.

    Raises: ValueError when the renderer refuses the specification.
    """
    import vl_convert  # noqa: PLC0415 - 70 MB that only a chart needs

    drawn = vl_convert.vegalite_to_png(chart, vl_version=_VERSION, allowed_base_urls=[], scale=_SCALE)
    return File(f"{name}.png", "image/png", drawn)


def _chart(
    title: str, values: list[JsonValue], mark: str, x: Axis, y: Axis, *, series: Axis | None = None
) -> JsonObject:
    # Fields have names of our own: dots and brackets in a column's name would be paths to Vega-Lite.
    encoding: JsonObject = {
        "x": {"field": "x", "type": x.scale, "title": x.title, "sort": None, "axis": {"labelAngle": -35}},
        "y": {"field": "y", "type": y.scale, "title": y.title},
        "tooltip": [{"field": "x", "title": x.title}, {"field": "y", "title": y.title}],
    }
    if series:
        encoding["color"] = {"field": "series", "type": "nominal", "title": series.title}
        if mark == "bar":
            encoding["xOffset"] = {"field": "series", "type": "nominal"}
    drawn: JsonValue = {"type": mark, "point": True} if mark == "line" else {"type": mark}
    return _complete(
        {
            "title": title,
            "width": _WIDTH,
            "height": 280,
            "data": {"values": values},
            "mark": drawn,
            "encoding": encoding,
        }
    )


def _histogram(column: Column) -> JsonObject:
    bins = column.distribution.histogram if column.distribution else ()
    values: list[JsonValue] = [{"low": item.low, "high": item.high, "rows": item.count} for item in bins]
    title = column.name + (f" ({column.unit})" if column.unit else "")
    return {
        "title": f"Distribution of {column.name}",
        "width": 240,
        "height": 160,
        "data": {"values": values},
        "mark": {"type": "bar"},
        "encoding": {
            "x": {"field": "low", "bin": {"binned": True}, "type": "quantitative", "title": title},
            "x2": {"field": "high"},
            "y": {"field": "rows", "type": "quantitative", "title": "rows", "axis": {"tickMinStep": 1}},
        },
    }


def _complete(spec: JsonObject) -> JsonObject:
    return {"$schema": _SCHEMA, "background": "white", **spec}


def _label(value: JsonValue, longest: int = _LONGEST_LABEL) -> str:
    text = str(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"
