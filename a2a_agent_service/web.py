"""Searches the web where that is allowed and possible: by Tavily or SearXNG if set up, else Wikipedia and DuckDuckGo.

Everything goes through `shared.http` except `ddgs`, a library that opens its own connections, to public search engines
only. It is therefore not used where EGRESS_ALLOW decides what may be reached.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from a2a_agent_service.settings import Settings
from shared import http
from shared.errors import FederationError, UnavailableError

logger = logging.getLogger(__name__)

_TAVILY_URL = "https://api.tavily.com/search"
_MAX_BYTES = 2_000_000
_QUIET_S = 300.0
T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Hit:
    """A page that a search found, and what the search says of it."""

    title: str
    url: str
    text: str


_Engine: TypeAlias = Callable[[str, int], Awaitable[list[Hit]]]


@dataclass(slots=True)
class WebSearch:
    """The search engines that the settings allow. One that fails is left alone for five minutes."""

    settings: Settings
    client: httpx.AsyncClient
    _quiet_until: dict[str, float] = field(default_factory=dict[str, float])

    async def search(self, query: str, most: int = 3) -> list[Hit]:
        """Return what all engines find, at most `most` from each. Raises: UnavailableError when none can be asked."""
        now = time.monotonic()
        engines = {name: engine for name, engine in self._engines().items() if self._quiet_until.get(name, 0.0) <= now}
        async with asyncio.TaskGroup() as group:
            asked = {name: group.create_task(self._ask(name, engine, query, most)) for name, engine in engines.items()}
        answers = [hits for task in asked.values() if (hits := task.result()) is not None]
        if not answers:
            raise UnavailableError("The web cannot be searched now: no search engine can be reached.")
        return list({hit.url: hit for hits in answers for hit in hits}.values())

    def _engines(self) -> dict[str, _Engine]:
        if self.settings.tavily_api_key is not None:
            return {"Tavily": self._ask_tavily}
        if self.settings.searxng_url:
            return {"SearXNG": self._ask_searxng}
        engines: dict[str, _Engine] = {"Wikipedia": self._ask_wikipedia}
        if not self.settings.egress_allow:
            engines["ddgs"] = self._ask_ddgs
        return engines

    async def _ask(self, name: str, engine: _Engine, query: str, most: int) -> list[Hit] | None:
        """Return what one engine finds, or None if it cannot be asked."""
        try:
            async with asyncio.timeout(self.settings.research_web_timeout_s):
                return await engine(query, most)
        except (TimeoutError, httpx.HTTPError, FederationError, ValidationError) as error:
            logger.info("web search failed", extra={"engine": name, "reason": str(error) or type(error).__name__})
            self._quiet_until[name] = time.monotonic() + _QUIET_S
            return None

    async def _ask_tavily(self, query: str, most: int) -> list[Hit]:
        key = self.settings.tavily_api_key
        headers = {"Authorization": f"Bearer {key.get_secret_value() if key else ''}"}
        body = {"query": query, "max_results": most}
        request = self.client.build_request("POST", _TAVILY_URL, json=body, headers=headers)
        found = await self._read(request, _Results)
        return [Hit(result.title, result.url, result.content) for result in found.results[:most]]

    async def _ask_searxng(self, query: str, most: int) -> list[Hit]:
        url = f"{(self.settings.searxng_url or '').rstrip('/')}/search"
        request = self.client.build_request("GET", url, params={"q": query, "format": "json"})
        found = await self._read(request, _Results)
        return [Hit(result.title, result.url, result.content) for result in found.results[:most]]

    async def _ask_wikipedia(self, query: str, most: int) -> list[Hit]:
        params = {
            "action": "query",
            "format": "json",
            "formatversion": "2",
            "generator": "search",
            "gsrsearch": query,
            "gsrlimit": str(most),
            "prop": "extracts|info",
            "inprop": "url",
            "explaintext": "1",
            "exintro": "1",
            "exlimit": str(most),
        }
        url = f"{self.settings.wikipedia_url.rstrip('/')}/w/api.php"
        found = await self._read(self.client.build_request("GET", url, params=params), _Wikipedia)
        pages = sorted(found.query.pages, key=lambda page: page.index)
        return [Hit(page.title, page.fullurl, page.extract) for page in pages]

    async def _ask_ddgs(self, query: str, most: int) -> list[Hit]:
        return await asyncio.to_thread(_ddgs, query, most, math.ceil(self.settings.research_web_timeout_s))

    async def _read(self, request: httpx.Request, form: type[T]) -> T:
        request.extensions[http.MAX_BYTES] = _MAX_BYTES
        response = await self.client.send(request)
        response.raise_for_status()
        return form.model_validate_json(response.content)


class _Result(BaseModel):
    title: str = ""
    url: str
    content: str = ""


class _Results(BaseModel):
    results: list[_Result] = []


class _Page(BaseModel):
    title: str
    fullurl: str
    extract: str = ""
    index: int = 0


class _Pages(BaseModel):
    pages: list[_Page] = []


class _Wikipedia(BaseModel):
    query: _Pages = _Pages()


class _DdgsResult(BaseModel):
    title: str = ""
    href: str
    body: str = ""


def _ddgs(query: str, most: int, timeout_s: int) -> list[Hit]:
    from ddgs import DDGS  # noqa: PLC0415 # pyright: ignore[reportUnknownVariableType] - native, and only needed here
    from ddgs.exceptions import DDGSException  # noqa: PLC0415

    try:
        found = DDGS(timeout=timeout_s).text(query, max_results=most)  # pyright: ignore[reportUnknownMemberType]
    except DDGSException as error:
        raise UnavailableError(f"DuckDuckGo cannot be searched: {error}.") from error
    results = TypeAdapter(list[_DdgsResult]).validate_python(found)
    return [Hit(result.title, result.href, result.body) for result in results[:most]]
