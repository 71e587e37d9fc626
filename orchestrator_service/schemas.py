"""Whether an answer fits the form that was asked for, a JSON Schema of an agent's; and if not, which field is wrong."""

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from pydantic import JsonValue

from shared import json_schemas
from shared.agent import JsonObject

if TYPE_CHECKING:
    from jsonschema_rs import Validator

_MAX_ERRORS: Final = 20
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
    """Return what holds JSON against a schema; None for what is no schema, or one that could take for ever."""
    import jsonschema_rs  # noqa: PLC0415 - as in `misfits`

    try:
        json_schemas.check_size(schema)
        return jsonschema_rs.validator_for(schema, offline=True)
    except (ValueError, jsonschema_rs.ReferencingError):
        return None


def _pointer(path: list[str]) -> str:
    return "#/data" + "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def _cut(message: str) -> str:
    return message if len(message) <= _MAX_DETAIL_CHARS else message[: _MAX_DETAIL_CHARS - 1] + "…"
