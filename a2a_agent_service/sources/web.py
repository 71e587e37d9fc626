"""The web, by the search engines that are set up: with keys or of one's own, else those that need neither.

Everything goes through `shared.http` except `ddgs`, which is therefore not used where EGRESS_ALLOW decides what may be
reached.
"""

import asyncio
import logging
import re
import time
from collections.abc import Sequence

import httpx

from a2a_agent_service.outcome import Problem
from a2a_agent_service.passages import Passage, Source, split
from a2a_agent_service.settings import Settings
from a2a_agent_service.sources.arxiv import Arxiv
from a2a_agent_service.sources.brave import Brave
from a2a_agent_service.sources.ddgs import Ddgs
from a2a_agent_service.sources.engine import Engine, Hit
from a2a_agent_service.sources.mcp import McpSearch
from a2a_agent_service.sources.searxng import SearXNG
from a2a_agent_service.sources.source import Found
from a2a_agent_service.sources.tavily import Tavily
from a2a_agent_service.sources.wikipedia import Wikipedia
from shared.documents import Document
from shared.errors import FederationError
from shared.mcp_tools import Tools

logger = logging.getLogger(__name__)

_QUIET_S = 300.0
_MOST_QUERIES = 2
_MOST_HITS = 3
_PAPERS = re.compile(r"\b(?:arxiv|papers?|preprints?|publications?|literature|stud(?:y|ies))\b", re.IGNORECASE)


class Web:
    """The search engines that the settings allow. One that fails is left alone for five minutes."""

    def __init__(self, settings: Settings, client: httpx.AsyncClient, tools: Tools) -> None:
        self._timeout_s = settings.research_web_timeout_s
        self._engines = [
            *_engines(settings, client),
            *(McpSearch(tools, name) for name in settings.research_mcp_tools),
        ]
        self._papers = Arxiv(client, settings.arxiv_url)
        self._quiet_until: dict[str, float] = {}

    def announce(self, queries: Sequence[str]) -> str:
        """See `Source`."""
        return f"Searching the web for: {'; '.join(queries[:_MOST_QUERIES])}"

    async def find(self, queries: Sequence[str], question: str) -> Found:
        """See `Source`. Where the question speaks of papers, arXiv is asked too."""
        now = time.monotonic()
        wanted = [*self._engines, *([self._papers] if _PAPERS.search(question) else [])]
        engines = [engine for engine in wanted if self._quiet_until.get(engine.name, 0.0) <= now]
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(self._ask(engine, query)) for query in queries[:_MOST_QUERIES] for engine in engines
            ]
        answers = [hits for task in asked if (hits := task.result()) is not None]
        if not answers:
            detail = "The web cannot be searched now: no search engine can be reached."
            return Found(problems=[Problem("", detail, retryable=True)])
        hits = {hit.url: hit for hits in answers for hit in hits}
        passages = [passage for hit in hits.values() for passage in _passages(hit)]
        return Found(passages, [url for url in hits if url.startswith("http")], ["the web"])

    async def _ask(self, engine: Engine, query: str) -> list[Hit] | None:
        """Return what one engine finds, or None if it cannot be asked."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await engine.search(query, _MOST_HITS)
        except (TimeoutError, httpx.HTTPError, FederationError, ValueError) as error:
            logger.info(
                "web search failed", extra={"engine": engine.name, "reason": str(error) or type(error).__name__}
            )
            self._quiet_until[engine.name] = time.monotonic() + _QUIET_S
            return None


def _passages(hit: Hit) -> list[Passage]:
    return split(Document(hit.title, hit.text), Source(hit.title, url=hit.url))


def _engines(settings: Settings, client: httpx.AsyncClient) -> list[Engine]:
    """Return those that are set up; without any, those that need nothing."""
    engines: list[Engine] = []
    if settings.tavily_api_key is not None:
        engines.append(Tavily(client, settings.tavily_url, settings.tavily_api_key))
    if settings.brave_api_key is not None:
        engines.append(Brave(client, settings.brave_url, settings.brave_api_key))
    if settings.searxng_url:
        engines.append(SearXNG(client, settings.searxng_url))
    if not engines:
        engines.append(Wikipedia(client, settings.wikipedia_url))
        if not settings.egress_allow:
            engines.append(Ddgs(settings.research_web_timeout_s))
    return engines
