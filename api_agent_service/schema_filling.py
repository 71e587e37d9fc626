"""Structured data by a JSON schema of the caller's: filled by a model, or by rules as far as they go; then checked."""

import re
from collections.abc import Mapping
from typing import Protocol, cast

from pydantic import BaseModel, GetJsonSchemaHandler, JsonValue, RootModel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from api_agent_service import extraction
from api_agent_service.vocabulary import normalize
from shared.agent import JsonObject
from shared.errors import InvalidRequestError

_MOST_PROBLEMS = 5
_WRAPPED = "result"


class Checker(Protocol):
    """A compiled schema."""

    def problems(self, value: JsonValue) -> list[str]:
        """Return what is wrong with a value, in sentences; empty when it fits."""
        ...


class _Compiled:
    def __init__(self, schema: JsonObject) -> None:
        import jsonschema_rs  # noqa: PLC0415 - 10 MB that only a schema needs

        self._error = jsonschema_rs.ValidationError
        # Offline: a schema cannot make this service fetch. Its regular expressions are bounded by the library.
        self._validator = jsonschema_rs.validator_for(schema, offline=True)

    def problems(self, value: JsonValue) -> list[str]:
        found: list[str] = []
        for error in self._validator.iter_errors(value):
            place = "/".join(map(str, error.instance_path)) or "the whole"
            found.append(f"{place}: {error.message[:200]}")
            if len(found) == _MOST_PROBLEMS:
                break
        return found
