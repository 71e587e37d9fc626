"""DuckDuckGo and others by `ddgs`, a library that opens its own connections, to public search engines only."""

import asyncio
import math
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, TypeAdapter

from a2a_agent_service.sources.engine import Hit
from shared.errors import UnavailableError

_NOTHING: Final = "No results found."


class _Result(BaseModel):
    title: str = ""
    href: str
    body: str = ""


@dataclass(frozen=True, slots=True)
class Ddgs:
    """Public search engines, without a key."""

    timeout_s: float
    name: str = "ddgs"

    async def search(self, query: str, most: int) -> list[Hit]:
        """See `Engine`."""
        return await asyncio.to_thread(_ask, query, most, math.ceil(self.timeout_s))


def _ask(query: str, most: int, timeout_s: int) -> list[Hit]:
    from ddgs import DDGS  # noqa: PLC0415 # pyright: ignore[reportUnknownVariableType] - native, and only needed here
    from ddgs.exceptions import DDGSException  # noqa: PLC0415

    try:
        found = DDGS(timeout=timeout_s).text(query, max_results=most)  # pyright: ignore[reportUnknownMemberType]
    except DDGSException as error:
        if str(error) == _NOTHING:
            return []
        raise UnavailableError(f"DuckDuckGo cannot be searched: {error}.") from error
    results = TypeAdapter(list[_Result]).validate_python(found)
    return [Hit(result.title, result.href, result.body) for result in results[:most]]
