"""HTTP to the orchestrator: requests, pages of lists, event streams, and what went wrong as errors."""

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Literal, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from federation.events import EVENT, Event
from federation.models import JsonObject, Problem
from shared.errors import AgentProtocolError, FederationError, InvalidRequestError, UnavailableError
from shared.event_stream import EventReader

_Model = TypeVar("_Model", bound=BaseModel)
_Method = Literal["GET", "POST", "DELETE"]

_SILENCE_S = 60.0
_PAGE = 200
_LONGEST_EVENT_BYTES = 8_000_000


class RefusedError(FederationError):
    """The orchestrator refused a request; the text is its own. `problem` has the rest of what it said."""

    slug = "refused"
    title = "The orchestrator refused the request"

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def check_address(url: str) -> None:
    """See that an orchestrator could answer at `url`. Raises: InvalidRequestError."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        parts = httpx.URL()
    if parts.scheme not in {"http", "https"} or not parts.host:
        raise InvalidRequestError(f"{url!r} is no address; write it like http://127.0.0.1:8000.")


class Connection:
    """Connections to one orchestrator. Raises UnavailableError when nobody answers, RefusedError when it says no."""

    def __init__(self, url: str, *, headers: Mapping[str, str] | None, timeout_s: float) -> None:
        self._url = url
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout_s, trust_env=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def succeeds(self, path: str) -> bool:
        """Tell whether `path` answers, and with success."""
        try:
            return (await self._http.get(path, timeout=5.0)).is_success
        except httpx.TransportError:
            return False

    async def ask(
        self,
        method: _Method,
        path: str,
        body: JsonObject | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Return the answer to one request, a success."""
        try:
            response = await self._http.request(method, path, json=body, headers=headers, params=query)
        except httpx.TransportError as error:
            raise _no_answer(self._url, error) from error
        if not response.is_success:
            raise _refusal(response)
        return response

    async def call(
        self,
        method: _Method,
        path: str,
        model: type[_Model],
        body: JsonObject | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> _Model:
        """Return the answer to one request as a `model`."""
        response = await self.ask(method, path, body, headers=headers, query=query)
        try:
            return model.model_validate_json(response.content)
        except ValidationError as error:
            raise _not_understood(str(response.url), error) from error

    async def list(self, path: str, model: type[_Model], limit: int | None, **filters: str | None) -> list[_Model]:
        """Return up to `limit` items of a list, page by page; None: all of them."""
        found: list[_Model] = []
        cursor: str | None = None
        while limit is None or len(found) < limit:
            size = _PAGE if limit is None else min(limit - len(found), _PAGE)
            query = {"limit": str(size), "cursor": cursor, **filters}
            page = await self.call("GET", path, _Page, query={name: value for name, value in query.items() if value})
            try:
                found += [model.model_validate(item) for item in page.items]
            except ValidationError as error:
                raise _not_understood(self._url + path, error) from error
            cursor = page.next_cursor
            if not cursor:
                break
        return found[:limit]

    async def events(self, path: str, after: int, *, opened: Callable[[], None]) -> AsyncGenerator[Event]:
        """Yield the events that one stream sends, from number `after` on; `opened` is called when it begins."""
        headers = {"Accept": "text/event-stream"}
        if after:
            headers["Last-Event-ID"] = str(after)
        reader = EventReader(_LONGEST_EVENT_BYTES)
        timeout = httpx.Timeout(10.0, read=_SILENCE_S)
        try:
            async with self._http.stream("GET", path, headers=headers, timeout=timeout) as response:
                if not response.is_success:
                    await response.aread()
                    raise _refusal(response)
                opened()
                async for chunk in response.aiter_bytes():
                    for data in reader.feed(chunk):
                        yield EVENT.validate_json(data)
        except httpx.TransportError as error:
            raise _no_answer(self._url, error) from error
        except ValidationError as error:
            raise _not_understood(self._url + path, error) from error


def segment(text: str) -> str:
    """Return an id as one segment of a path. Raises: InvalidRequestError when it is empty: that is another path."""
    if not text:
        raise InvalidRequestError("The id is empty.")
    return quote(text, safe="")


class _Page(BaseModel):
    items: list[JsonObject]
    next_cursor: str | None = None


def _not_understood(url: str, error: ValidationError) -> AgentProtocolError:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return AgentProtocolError(
        f"{url} answered something else than an orchestrator does ({where}: {first['msg']}). Is the address right?"
    )


def _no_answer(url: str, error: httpx.TransportError) -> UnavailableError:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return UnavailableError(
            f"No orchestrator answers at {url}. Start it with `federation up`, or name another address with --url."
        )
    return UnavailableError(f"The connection to the orchestrator at {url} broke ({type(error).__name__}). Try again.")


def _refusal(response: httpx.Response) -> FederationError:
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        problem = Problem(detail=f"{response.url} answered {response.status_code} {response.reason_phrase}.")
    away = response.status_code == httpx.codes.SERVICE_UNAVAILABLE.value
    if away or (not problem.type and response.status_code in {502, 504}):
        return UnavailableError(f"The orchestrator is not ready ({response.status_code}): {problem}")
    return RefusedError(problem)
