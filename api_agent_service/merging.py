"""What was extracted from the parts of a text, put together: nothing that a part brought is lost without being said."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from pydantic import JsonValue

from shared.agent import JsonObject

Place: TypeAlias = tuple[str, ...]
"""The names that lead to a value through objects."""

_LEAST: Final = frozenset({"required", "dependentRequired", "minProperties", "minItems"})


@dataclass(slots=True)
class Merged:
    """The value of all parts together, and what parts said otherwise than the first one that had a value there."""

    value: JsonValue = None
    others: dict[Place, list[JsonValue]] = field(default_factory=dict[Place, list[JsonValue]])


def loosen(form: JsonObject) -> JsonObject:
    """Return the schema of what one part of a text holds: nothing is required, but of a list's items what it was."""
    loose: JsonObject = {key: value for key, value in form.items() if key not in _LEAST}
    properties = form.get("properties")
    if isinstance(properties, dict):
        loose["properties"] = {
            name: loosen(inner) if isinstance(inner, dict) else inner for name, inner in properties.items()
        }
    return loose


def without_nulls(value: JsonValue) -> JsonValue:
    """Return a value without the properties that are null: not found. Items of lists stay as they are."""
    if not isinstance(value, dict):
        return value
    return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}


def merge(values: Sequence[JsonValue]) -> Merged:
    """Put values together, in order: objects by their names, lists one after the other without what was in one before.

    Of single values the first one counts; what others said stands in `others`.
    """
    merged = Merged()
    for value in values:
        merged.value = _join(merged.value, value, (), merged.others)
    return merged


def settle(merged: Merged, answer: JsonValue) -> JsonValue:
    """Return the merged value with what `answer` says where parts said different things, or none said anything."""
    value = _complete(merged.value, answer)
    for place in merged.others:
        chosen = answer
        for name in place:
            chosen = chosen.get(name) if isinstance(chosen, dict) else None
        if chosen is not None:
            value = _put(value, place, chosen)
    return value


def with_nulls(value: JsonValue, form: JsonObject) -> JsonValue:
    """Return a value in which what a schema requires of objects is null where it is not there."""
    properties, required = form.get("properties"), form.get("required")
    if not isinstance(value, dict) or not isinstance(properties, dict):
        return value
    found: JsonObject = {}
    for name, each in value.items():
        inner = properties.get(name)
        found[name] = with_nulls(each, inner) if isinstance(inner, dict) else each
    names = required if isinstance(required, list) else []
    return found | {str(name): None for name in names if name not in found}


def without_lists(value: JsonValue) -> JsonValue:
    """Return a value without the lists in its objects."""
    if not isinstance(value, dict):
        return value
    return {name: without_lists(inner) for name, inner in value.items() if not isinstance(inner, list)}


def _join(one: JsonValue, other: JsonValue, place: Place, others: dict[Place, list[JsonValue]]) -> JsonValue:
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, dict) and isinstance(other, dict):
        names = dict.fromkeys((*one, *other))
        return {name: _join(one.get(name), other.get(name), (*place, name), others) for name in names}
    if isinstance(one, list) and isinstance(other, list):
        known = set(map(_key, one))
        return [*one, *(item for item in other if _key(item) not in known)]
    if _key(one) != _key(other):
        said = others.setdefault(place, [])
        if other not in said:
            said.append(other)
    return one


def _complete(value: JsonValue, answer: JsonValue) -> JsonValue:
    if value is None or not (isinstance(value, dict) and isinstance(answer, dict)):
        return answer if value is None else value
    return {name: _complete(value.get(name), answer.get(name)) for name in dict.fromkeys((*value, *answer))}


def _put(value: JsonValue, place: Place, chosen: JsonValue) -> JsonValue:
    if not place:
        return chosen
    held = value if isinstance(value, dict) else {}
    return {**held, place[0]: _put(held.get(place[0]), place[1:], chosen)}


def _key(value: JsonValue) -> str:
    """Return what tells values apart: not by the order of names, nor by capitals and blanks around a text."""
    return json.dumps(value.strip().casefold() if isinstance(value, str) else value, sort_keys=True)
