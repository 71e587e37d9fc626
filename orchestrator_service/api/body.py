"""What every request body has in common: unknown fields are refused, and so is what no database can hold."""

from collections.abc import Iterator
from math import isfinite
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
        if b"\\u0000" in written and any("\0" in each for each in _leaves(value) if isinstance(each, str)):
            raise ValueError("a text holds the character NUL (\\u0000); leave it out")
        if b"null" in written and not all(isfinite(each) for each in _leaves(value) if isinstance(each, float)):
            raise ValueError("a number is NaN, or beyond 1.8e308; leave it out, or send it as text")
        return value


def _leaves(value: object) -> Iterator[object]:
    match value:
        case dict():
            for key, item in cast("dict[object, object]", value).items():
                yield key
                yield from _leaves(item)
        case list():
            for item in cast("list[object]", value):
                yield from _leaves(item)
        case _:
            yield value
