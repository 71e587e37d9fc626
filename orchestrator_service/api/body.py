"""What every request body has in common: unknown fields are refused, and so is what no database can hold."""

from collections.abc import Iterator
from typing import cast

import orjson
from pydantic import BaseModel, ConfigDict, model_validator


class Body(BaseModel):
    """A request body."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_cannot_be_stored(cls, value: object) -> object:
        try:
            written = orjson.dumps(value, default=str)
        except TypeError as error:  # a number beyond 64 bits, half of a surrogate pair
            raise ValueError(f"{error}; leave it out, or send it as text") from error
        if b"\\u0000" in written and any("\0" in text for text in _texts(value)):
            raise ValueError("a text holds the character NUL (\\u0000); leave it out")
        return value


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for key, item in cast("dict[object, object]", value).items():
                yield from _texts(key)
                yield from _texts(item)
        case list():
            for item in cast("list[object]", value):
                yield from _texts(item)
        case _:
            return
