"""Structured data in the form of a caller's JSON schema: filled by a model, or by rules as far as they go."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import cast

from pydantic import BaseModel, JsonValue, RootModel

from api_agent_service import extraction, merging
from api_agent_service.vocabulary import normalize
from shared import json_schemas
from shared.agent import JsonObject
from shared.errors import InvalidRequestError

_MOST_PROBLEMS = 5
_WRAPPED = "result"


@dataclass(frozen=True, slots=True)
class Schema:
    """A JSON schema that was checked. `problems` returns what is wrong with a value; nothing when it fits."""

    form: JsonObject
    problems: Callable[[JsonValue], list[str]]

    @property
    def is_object(self) -> bool:
        """Whether what it describes is an object."""
        return self.form.get("type") == "object" or "properties" in self.form


def compile_schema(form: JsonObject) -> Schema:
    """Check a schema and make it ready. It cannot make this service fetch, and is bounded in time.

    Raises: InvalidRequestError for what is no JSON schema, refers to other documents, or could take for ever.
    """
    import jsonschema_rs  # noqa: PLC0415 - 10 MB that only a schema needs

    try:
        validator = jsonschema_rs.validator_for(form, offline=True)
        json_schemas.check_size(form)
    except ValueError as error:
        reason = str(error).partition("\n")[0][:300]
        raise InvalidRequestError(f"The schema is no JSON schema that can be used: {reason}.") from error

    def problems(value: JsonValue) -> list[str]:
        errors = islice(validator.iter_errors(value), _MOST_PROBLEMS)
        return [f"{'/'.join(map(str, error.instance_path)) or 'the whole'}: {error.message[:200]}" for error in errors]

    return Schema(form, problems)


def answer_model(schema: Schema) -> type[BaseModel]:
    """Return the form a model is asked to answer in: the schema itself, wrapped into an object where it is none."""
    inner: JsonObject = {key: value for key, value in schema.form.items() if key not in {"$defs", "$schema"}}
    wrapped: JsonObject = {
        "type": "object",
        "properties": {_WRAPPED: inner},
        "required": [_WRAPPED],
        "$defs": schema.form.get("$defs", {}),
    }
    form = schema.form if schema.is_object else wrapped

    class Extracted(RootModel[JsonObject]):
        """The data found in the text."""

        @classmethod
        def model_json_schema(cls, *_args: object, **_options: object) -> JsonObject:
            return form

    return Extracted


def read_answer(schema: Schema, answer: BaseModel, *, nulls_are_absent: bool = False) -> JsonValue:
    """Return what a model answered. Raises: InvalidRequestError, with the problems, when it does not fit."""
    value = cast("JsonObject", answer.model_dump(mode="json"))
    found = value if schema.is_object else value.get(_WRAPPED)
    if nulls_are_absent:
        found = merging.without_nulls(found)
    if problems := schema.problems(found):
        raise InvalidRequestError("; ".join(problems))
    return found


def fill(schema: Schema, text: str) -> JsonObject:
    """Return an object filled by rules: from `key: value` lines by name, else from facts of the kind that a name says.

    Raises: InvalidRequestError when that is not enough for the schema.
    """
    properties = schema.form.get("properties")
    if not isinstance(properties, dict):
        raise InvalidRequestError(
            "Without a language model only a schema of type object with properties can be filled. Configure a model "
            "(LLM_BASE_URL, OPENAI_API_KEY or GROQ_API_KEY), or give such a schema."
        )
    pairs = _pairs(text)
    found: JsonObject = {}
    for name, form in properties.items():
        wanted = form if isinstance(form, dict) else {}
        value = _coerce(pairs.get(normalize(name)), wanted)
        value = _fact(name, wanted, text) if value is None else value
        if value is not None:
            found[name] = value
    if problems := schema.problems(found):
        raise InvalidRequestError(
            f"Without a language model, rules found {', '.join(found) or 'nothing'} of the schema, which is not enough "
            f"({'; '.join(problems)}). Configure a model (LLM_BASE_URL, OPENAI_API_KEY or GROQ_API_KEY), or write the "
            "text as 'name: value' lines."
        )
    return found


def _pairs(text: str) -> dict[str, str]:
    kinds = [kind for kind in extraction.KINDS if kind.key == "pairs"]
    pairs: dict[str, str] = {}
    for kind in kinds:
        for item in kind.find(text):
            if isinstance(item, dict):
                pairs.setdefault(normalize(str(item["key"])), str(item["value"]))
    return pairs


_NUMBER = re.compile(r"[+-]?\d[\d.,' ]*")
_FACTS = {
    "email": ("emails", ""),
    "mail": ("emails", ""),
    "phone": ("phones", ""),
    "telephone": ("phones", ""),
    "url": ("urls", ""),
    "uri": ("urls", ""),
    "website": ("urls", ""),
    "link": ("urls", ""),
    "date": ("dates", "iso"),
    "amount": ("amounts", "amount"),
    "price": ("amounts", "amount"),
    "cost": ("amounts", "amount"),
    "total": ("amounts", "amount"),
    "currency": ("amounts", "currency"),
    "percent": ("percentages", "value"),
    "percentage": ("percentages", "value"),
    "ip": ("ips", ""),
}


def _fact(name: str, form: JsonObject, text: str) -> JsonValue:
    """Return the first fact, or for an array all, of the kind that the last word of a name, or its format, says."""
    words = [*normalize(name).split(), str(form.get("format", ""))]
    key, part = next((_FACTS[word] for word in reversed(words) if word in _FACTS), ("", ""))
    kind = next((kind for kind in extraction.KINDS if kind.key == key), None)
    if kind is None:
        return None
    values = (item.get(part) if isinstance(item, dict) else item for item in kind.find(text))
    found: list[JsonValue] = [value for value in values if value is not None]
    if form.get("type") == "array":
        return found
    return _coerce(found[0], form) if found else None


def _coerce(value: JsonValue, form: JsonObject) -> JsonValue:  # noqa: PLR0911 - one line for each type
    """Return a value in the type that a property asks for, or None where it cannot be had."""
    if value is None:
        return None
    text = str(value).strip()
    match form.get("type"):
        case "integer" | "number" as kind:
            digits = _NUMBER.search(text)
            if digits is None:
                return None
            number = extraction.read_number(digits[0].strip("+-., '")) * (-1 if digits[0].startswith("-") else 1)
            return int(number) if kind == "integer" or number.is_integer() else number
        case "boolean":
            return {"true": True, "yes": True, "false": False, "no": False}.get(text.casefold())
        case "array":
            return [part.strip() for part in re.split(r"[,;]", text) if part.strip()]
        case "string" | None:
            return text
        case _:
            return None
