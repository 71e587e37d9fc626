"""What every search engine is, and how one is asked over HTTP."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

import httpx
from pydantic import BaseModel

from shared import http

_MAX_BYTES = 2_000_000
T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Hit:
    """A page that a search found, and what the search says of it."""

    title: str
    url: str
    text: str


class Engine(Protocol):
    """A search engine."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    async def search(self, query: str, most: int) -> list[Hit]:
        """Return at most `most` pages. Raises: httpx.HTTPError, FederationError, ValueError."""
        ...


class Result(BaseModel):
    """A page, as Tavily and SearXNG write it."""

    title: str = ""
    url: str
    content: str = ""


class Results(BaseModel):
    """Pages, as Tavily and SearXNG write them."""

    results: list[Result] = []

    def hits(self, most: int) -> list[Hit]:
        """Return the first of them."""
        return [Hit(result.title, result.url, result.content) for result in self.results[:most]]


async def read_json(client: httpx.AsyncClient, request: httpx.Request, form: type[T]) -> T:
    """Send a request and return the answer in a form. Raises: httpx.HTTPError, FederationError, ValidationError."""
    return form.model_validate_json(await read(client, request))


async def read(client: httpx.AsyncClient, request: httpx.Request) -> bytes:
    """Send a request and return the body of its answer. Raises: httpx.HTTPError, FederationError."""
    request.extensions[http.MAX_BYTES] = _MAX_BYTES
    response = await client.send(request)
    response.raise_for_status()
    return response.content
