"""Whether an answer fits the form that was asked for, a JSON Schema of an agent's; and if not, which field is wrong."""

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from pydantic import JsonValue

from shared.agent import JsonObject

if TYPE_CHECKING:
    from jsonschema_rs import Validator

_MAX_ERRORS: Final = 20
_MAX_UNFOLDED: Final = 5_000
_MAX_DETAIL_CHARS: Final = 300


@dataclass(frozen=True, slots=True, order=True)
class Misfit:
    """What is wrong: where in the body, as a JSON pointer (a URI fragment, RFC 6901), and a sentence."""

    pointer: str
    detail: str


def misfits(schema: JsonObject | None, data: JsonValue, text: str | None) -> list[Misfit]:
    """Return what of the data does not fit; of the text, if there is no data. A schema that is none asks nothing."""
    import jsonschema_rs  # noqa: PLC0415 - 10 MB that only an answer to a form needs

    if schema is None or (validator := validator_of(schema)) is None:
        return []
    if data is None and text is not None:
        problem = next(validator.iter_errors(text), None)
        return (
            [] if problem is None else [Misfit("#/data", f"Give `data` in the form asked for: {_cut(problem.message)}")]
        )
    found: set[Misfit] = set()
    for error in islice(validator.iter_errors(data), _MAX_ERRORS):
        path = [str(part) for part in error.instance_path]
        match error.kind:
            case jsonschema_rs.ValidationErrorKind.Required(property=missing):
                found.add(Misfit(_pointer([*path, missing]), "It is missing."))
            case jsonschema_rs.ValidationErrorKind.AdditionalProperties(unexpected=names):
                found |= {Misfit(_pointer([*path, name]), "There is no such field; leave it out.") for name in names}
            case _:
                found.add(Misfit(_pointer(path), _cut(error.message)))
    return sorted(found)


def validator_of(schema: JsonObject) -> "Validator | None":
    """Return what holds JSON against a schema; None for what is no schema, or one that could take for ever.

    Such has references that lead back to it, or elsewhere than into it, or is too large with each one's target in its
    place: a few hundred bytes can ask for 2^40 looks.
    """
    import jsonschema_rs  # noqa: PLC0415 - as in `misfits`

    try:
        _unfolded(schema, schema, {})
        return jsonschema_rs.validator_for(schema, offline=True)
    except (ValueError, RecursionError, jsonschema_rs.ReferencingError):
        return None


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


def _pointer(path: list[str]) -> str:
    return "#/data" + "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def _cut(message: str) -> str:
    return message if len(message) <= _MAX_DETAIL_CHARS else message[: _MAX_DETAIL_CHARS - 1] + "…"
