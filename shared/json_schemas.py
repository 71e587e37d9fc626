"""Whether it is known how long holding JSON against a schema of somebody else's can take. Pure."""

from typing import Final
from urllib.parse import unquote

from pydantic import JsonValue

from shared.agent import JsonObject

_MAX_UNFOLDED: Final = 5_000


def check_size(schema: JsonObject) -> None:
    """Refuse a schema that could take for ever: a few hundred bytes can ask for 2^40 looks.

    Such has references that lead back to where they stand, or elsewhere than into it, or is too large with each one's
    target in its place. Raises: ValueError.
    """
    try:
        _unfolded(schema, schema, {})
    except RecursionError as error:
        raise ValueError("its references are too deep") from error


def _unfolded(value: JsonValue, root: JsonObject, known: dict[int, int]) -> int:
    """Return how many objects a part of a schema is, each reference counted as its target. Raises: ValueError.

    `known` has the objects that were counted already, by `id`; 0 for those that are being counted.
    """
    if isinstance(value, list):
        return sum(_unfolded(item, root, known) for item in value)
    if not isinstance(value, dict):
        return 0
    if (size := known.get(id(value))) is not None:
        if size == 0:
            raise ValueError("a reference leads back to where it stands")
        return size
    known[id(value)] = 0
    names = ("$id", "id") if "$schema" in root else ("$id",)  # "id" is for dialects of long ago
    is_moved = value is not root and any(isinstance(value.get(name), str) for name in names)
    if is_moved or "$dynamicRef" in value or "$recursiveRef" in value:
        raise ValueError("a reference may mean something else than it says")
    reference = value.get("$ref")
    target = _at(reference, root) if isinstance(reference, str) else None
    size = 1 + sum(_unfolded(item, root, known) for item in (*value.values(), target))
    if size > _MAX_UNFOLDED:
        raise ValueError("it is too large")
    known[id(value)] = size
    return size


def _at(reference: str, root: JsonObject) -> JsonValue:
    """Return the part of a schema that a reference names. Raises: ValueError."""
    if reference.partition("/")[0] != "#":
        raise ValueError("a reference leads elsewhere")
    found: JsonValue = root
    for step in unquote(reference).split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        match found:
            case dict():
                found = found.get(name)
            case list() if name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            case _:
                return None
    return found
