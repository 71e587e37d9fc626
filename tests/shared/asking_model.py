"""Asks a language model in tests: settings that the environment does not touch, and streams collected."""

from contextlib import aclosing

from pydantic import BaseModel, Field

from shared.agent import Usage
from shared.llm import Model
from shared.settings import FederationSettings

KEY = "sk-secret-0123456789"


class City(BaseModel):
    name: str
    people: int = Field(ge=0)


def settings(**changes: object) -> FederationSettings:
    """Return settings that the environment does not touch."""
    return FederationSettings.model_construct(None, **{"llm_timeout_s": 20.0, **changes})


async def collect(model: Model, prompt: str, pieces: list[str]) -> Usage | None:
    """Append the pieces of a streamed answer as they come, and return its usage."""
    async with aclosing(model.stream(prompt)) as stream:
        async for piece in stream:
            if isinstance(piece, Usage):
                return piece
            pieces.append(piece)
    return None
