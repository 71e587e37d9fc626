"""What answers look like, for the OpenAPI document and for the clients that are generated from it.

A route's answer is JSON that is built from rows; `Annotated[Json, Shape(Task)]` as its type says what stands in
it without checking it again on the way out. Tests hold answers against these models.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from shared.agent import JsonObject

T = TypeVar("T")

Json: TypeAlias = dict[str, Any]
"""An answer as it was built. In a `JsonObject` pydantic would ask what each single value is."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Says in the OpenAPI document that an answer looks like `model`."""

    model: type[BaseModel]

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema of the model in place of that of any JSON object."""
        return handler(self.model.__pydantic_core_schema__)


def _without_additional(schema: dict[str, Any]) -> None:
    """Leave out that there may be more fields: generated types would take every misspelt name for one."""
    schema.pop("additionalProperties", None)


class Answer(BaseModel):
    """What every answer's model has in common: there may be more fields than it names."""

    model_config = ConfigDict(
        extra="allow",
        serialize_by_alias=True,
        validate_by_name=True,
        json_schema_extra=_without_additional,
        json_schema_serialization_defaults_required=True,
    )


class Sparse(Answer):
    """An answer in which a field that has a default may be left out."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)


class Page(Answer, Generic[T]):
    """One page of a list; `next_cursor` is null on the last one."""

    items: list[T]
    next_cursor: str | None


class Failure(Answer):
    """Why something failed: `detail` is a sentence for people."""

    type: str
    title: str
    detail: str
    retryable: bool = False


class Session(Answer):
    """A conversation."""

    id: str
    user_id: str | None
    title: str
    metadata: JsonObject
    created_at: str
    updated_at: str


class Message(Answer):
    """A turn of a conversation."""

    id: str
    role: Literal["user", "assistant", "system", "agent"]
    content: str
    task_id: str | None
    created_at: str


SessionAnswer: TypeAlias = Annotated[Json, Shape(Session)]
SessionsAnswer: TypeAlias = Annotated[Json, Shape(Page[Session])]
MessageAnswer: TypeAlias = Annotated[Json, Shape(Message)]
MessagesAnswer: TypeAlias = Annotated[Json, Shape(Page[Message])]
