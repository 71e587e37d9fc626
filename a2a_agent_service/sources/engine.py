"""What every search engine is, and how one is asked over HTTP."""

from dataclasses import dataclass
from typing import Annotated, Final, Protocol, TypeVar

import httpx
from pydantic import BaseModel, BeforeValidator

from shared import http
from shared.errors import InvalidSettingError, UnavailableError

_MAX_BYTES: Final = 2_000_000
_REFUSED: Final = frozenset({401, 402, 403, 422, 432, 433})  # 422: a wrong key of Brave; 432, 433: a plan of Tavily
T = TypeVar("T", bound=BaseModel)
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
"""Text that some engines leave out, and others write as null."""


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

    title: Text = ""
    url: Text = ""
    content: Text = ""


class Results(BaseModel):
    """Pages, as Tavily and SearXNG write them."""

    results: list[Result] = []

    def hits(self, most: int) -> list[Hit]:
        """Return the first of them."""
        named = [result for result in self.results if result.url]
        return [Hit(result.title, result.url, result.content) for result in named[:most]]


async def read_json(
    client: httpx.AsyncClient, request: httpx.Request, form: type[T], engine: str, advice: str = ""
) -> T:
    """Send a request and return the answer in a form. Raises: as `read`, and ValidationError."""
    return form.model_validate_json(await read(client, request, engine, advice))


async def read(client: httpx.AsyncClient, request: httpx.Request, engine: str, advice: str = "") -> bytes:
    """Send a request and return the body of its answer.

    Raises: httpx.HTTPError; InvalidSettingError with the advice where the engine refuses who asks; UnavailableError,
    with `retry_after_s` among its facts where the engine says when to ask again.
    """
    request.extensions[http.MAX_BYTES] = _MAX_BYTES
    response = await client.send(request)
    if response.is_success:
        return response.content
    status = response.status_code
    if status in _REFUSED and advice:
        raise InvalidSettingError(f"{engine} refuses the request (HTTP {status}); {advice}.")
    pause = _pause_s(response.headers)
    facts = {} if pause is None else {"retry_after_s": pause}
    raise UnavailableError(f"{engine} answers HTTP {status}.", **facts)


def _pause_s(headers: httpx.Headers) -> float | None:
    """Return how long an engine wants to be left alone: Retry-After in seconds, or Brave's first window."""
    told = headers.get("retry-after") or headers.get("x-ratelimit-reset", "").split(",")[0]
    return float(told) if told.isascii() and told.isdecimal() else None
