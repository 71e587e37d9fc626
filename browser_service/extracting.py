"""Reads one part of a page, or data in the form of a JSON Schema, off what is shown."""

import re
from collections.abc import Sequence
from typing import cast

from playwright.async_api import Error
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from browser_service import reading
from browser_service.actions import Extract
from browser_service.browser_session import BrowserSession
from browser_service.errors import ElementNotFoundError, PageNotLoadedError
from browser_service.findings import PartReading
from browser_service.page_content import Image, Label, Link, Table, Text, records
from browser_service.page_scripts import PART
from shared import json_schemas
from shared.agent import JsonObject
from shared.errors import InvalidRequestError

_MAX_ROWS = 1_000
_LABELS: dict[str, str] = {**reading.LABELS}


class Part(BaseModel):
    """What one element shows."""

    model_config = ConfigDict(frozen=True)

    text: Text
    markdown: Text
    value: Text | None
    attribute: Text | None
    items: tuple[Label, ...]
    links: tuple[Link, ...]
    headings: tuple[Label, ...]
    images: tuple[Image, ...]
    tables: tuple[Table, ...]
    pairs: tuple[tuple[Label, Label], ...]


async def extract(action: Extract, session: BrowserSession, max_chars: int) -> PartReading:
    """Return what `action` asks for of its target, or of the whole page. Raises: ElementNotFoundError and more."""
    part = await _read_part(action, session, max_chars)
    name = f" of {action.target}" if action.target is not None else ""
    label = f"{_LABELS.get(action.what, action.what.capitalize())}{name}"
    match action.what:
        case "attribute":
            if action.attribute is None:
                raise InvalidRequestError("`attribute` says which attribute is to be read.")
            if part.attribute is None:
                raise ElementNotFoundError(f"{action.target} has no attribute {action.attribute!r}.")
            return PartReading(f"{action.attribute}{name}", part.attribute, part.attribute)
        case "data":
            if action.schema_ is None:
                raise InvalidRequestError("`schema` says, as a JSON Schema, what data is to be read.")
            data = shape(part, action.schema_)
            return PartReading(label, str(data), data)
        case "markdown":
            return PartReading(label, part.markdown, part.markdown)
        case "value":
            return PartReading(label, part.value or "", part.value)
        case "links" | "images":
            return _listed(label, part.links if action.what == "links" else part.images)
        case "tables":
            found = [[dict[str, JsonValue](row) for row in records(table)] for table in part.tables]
            return PartReading(label, part.markdown, cast("list[JsonValue]", found))
        case "list_items" | "headings" | "heading":
            items = part.items if action.what == "list_items" else part.headings
            return PartReading(label, "\n".join(f"- {item}" for item in items), list[JsonValue](items))
        case _:
            return PartReading(label, part.text, part.text)


def shape(part: Part, schema: JsonObject) -> JsonValue:
    """Return data in the form of `schema`, found by the names of its properties: as columns, labels, headings.

    Raises: InvalidRequestError for what is no schema, ElementNotFoundError when what it requires is not there.
    """
    import jsonschema_rs  # noqa: PLC0415 - 10 MB that only a schema needs

    try:
        validator = jsonschema_rs.validator_for(schema, offline=True)
        json_schemas.check_size(schema)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise InvalidRequestError(f"`schema` is not a JSON Schema: {str(error)[:300]}") from error
    data = _value(part, schema, "")
    if (wrong := next(iter(validator.iter_errors(data)), None)) is not None:
        raise ElementNotFoundError(f"The page does not show the data that was asked for: {wrong.message[:300]}.")
    return data


async def _read_part(action: Extract, session: BrowserSession, max_chars: int) -> Part:
    if action.target is not None:
        node, _ = await session.elements.find(action.target, "read")
        element = await session.elements.handle(node)
    else:
        element = await session.deadlines.act(session.page.query_selector("body"), "The page could not be read")
        if element is None:
            raise ElementNotFoundError(f"{session.url} is empty.")
    arguments = {"maxChars": max_chars, "attribute": action.attribute or ""}
    try:
        raw = await session.deadlines.bound(element.evaluate(PART, arguments), session.deadlines.action_timeout_s * 3)
        return Part.model_validate(raw)
    except (Error, ValidationError) as error:
        raise PageNotLoadedError(f"{session.url} changes its browser's own functions, so it cannot be read.") from error


def _value(part: Part, schema: JsonObject, name: str) -> JsonValue:
    kind = schema.get("type", "object" if "properties" in schema else "array" if "items" in schema else "string")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "string")
    if kind == "array":
        items = schema.get("items")
        form = items if isinstance(items, dict) else {}
        if "properties" in form:
            return cast("list[JsonValue]", _records(part, cast("JsonObject", form)))
        return _scalars(part, form, name)
    if kind == "object":
        properties = cast("dict[str, JsonObject]", schema.get("properties", {}))
        found = {key: _value(part, form, key) for key, form in properties.items()}
        return {key: value for key, value in found.items() if value is not None}
    return _scalar(_named(part, name), str(kind))


def _records(part: Part, form: JsonObject) -> list[JsonObject]:
    """Return the rows of the table whose columns fit the properties best."""
    properties = cast("dict[str, JsonObject]", form["properties"])
    best: list[JsonObject] = []
    best_fit = 0
    for table in part.tables:
        rows = records(table)
        columns = {key: _column(key, list(rows[0])) for key in properties} if rows else {}
        fit = sum(column is not None for column in columns.values())
        if fit > best_fit:
            best_fit = fit
            best = [
                {
                    key: value
                    for key, column in columns.items()
                    if column is not None
                    and (value := _scalar(row[column], str(properties[key].get("type", "string")))) is not None
                }
                for row in rows[:_MAX_ROWS]
            ]
    return best


def _scalars(part: Part, form: JsonObject, name: str) -> list[JsonValue]:
    if re.search(r"link|url", name, re.IGNORECASE):
        found: Sequence[str] = [link.url for link in part.links]
    elif re.search(r"head", name, re.IGNORECASE):
        found = part.headings
    else:
        columns = [
            row[column] for table in part.tables for row in records(table) if (column := _column(name, list(row)))
        ]
        found = columns or part.items
    values = (_scalar(each, str(form.get("type", "string"))) for each in found)
    return [value for value in values if value is not None]


def _named(part: Part, name: str) -> str | None:
    """Return what the page shows under `name`."""
    wanted = _key(name)
    for label, value in part.pairs:
        if _key(label) == wanted:
            return value
    for label, value in part.pairs:
        if wanted and wanted in _key(label):
            return value
    if wanted in {"title", "heading", "name", "headline"} and part.headings:
        return part.headings[0]
    if wanted in {"link", "url"} and part.links:
        return part.links[0].url
    return part.text if wanted in {"text", "content"} else None


def _column(name: str, columns: list[str]) -> str | None:
    wanted = _key(name)
    exact = [column for column in columns if _key(column) == wanted]
    return next(
        iter(exact or [column for column in columns if (key := _key(column)) and (wanted in key or key in wanted)]),
        None,
    )


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _scalar(text: str | None, kind: str) -> JsonValue:
    if text is None:
        return None
    if kind in {"number", "integer"}:
        match = re.search(r"-?\d[\d,' ]*(?:\.\d+)?", text)
        if match is None:
            return None
        number = float(re.sub(r"[,' ]", "", match[0]))
        return int(number) if kind == "integer" or (number.is_integer() and "." not in match[0]) else number
    if kind == "boolean":
        lowered = text.strip().casefold()
        return lowered in {"yes", "true", "on", "✓", "✔", "1", "available", "in stock"}
    return text


def _listed(label: str, targets: Sequence[Link | Image]) -> PartReading:
    text = "\n".join(f"- {each.text}: {each.url}" if each.text else f"- {each.url}" for each in targets)
    return PartReading(label, text, [{"text": each.text, "url": each.url} for each in targets])
