"""The web, by the search engines that are set up: with keys or of one's own, else those that need neither.

Everything goes through `shared.http` except `ddgs`, which is therefore not used where EGRESS_ALLOW decides what may be
reached.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import httpx

from a2a_agent_service.outcome import Problem
from a2a_agent_service.passages import Passage, Source, split
from a2a_agent_service.settings import Settings
from a2a_agent_service.sources.arxiv import PAPERS, Arxiv
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

_REST_S: Final = 300.0
_MOST_QUERIES: Final = 2
_MOST_HITS: Final = 3
_MOST_WORDS: Final = 40
_MOST_CHARS: Final = 300  # what MediaWiki takes; Tavily and Brave take 400, Brave at most 50 words


@dataclass(frozen=True, slots=True)
class _Rest:
    """An engine that failed is left alone until then, by the monotonic clock."""

    until: float
    problem: Problem


class Web:
    """The search engines that the settings allow. One that fails is left alone, as long as it asks for or 5 minutes."""

    def __init__(self, settings: Settings, client: httpx.AsyncClient, tools: Tools) -> None:
        self._timeout_s = settings.research_web_timeout_s
        self._engines = [
            *_engines(settings, client),
            *(McpSearch(tools, name) for name in settings.research_mcp_tools),
        ]
        self._papers = Arxiv(client, settings.arxiv_url)
        self._resting: dict[str, _Rest] = {}

    def announce(self, queries: Sequence[str]) -> str:
        """See `Source`."""
        return f"Searching the web for: {'; '.join(queries[:_MOST_QUERIES])}"

    async def find(self, queries: Sequence[str], question: str) -> Found:
        """See `Source`. Where the question speaks of papers, arXiv is asked too.

        An engine that refuses its key is told as a problem; one that is only away, if no other one answers.
        """
        now = time.monotonic()
        wanted = [*self._engines, *([self._papers] if PAPERS.search(question) else [])]
        self._resting = {name: rest for name, rest in self._resting.items() if rest.until > now}
        engines = [engine for engine in wanted if engine.name not in self._resting]
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(self._ask(engine, _short(query)))
                for query in queries[:_MOST_QUERIES]
                for engine in engines
            ]
        answers = [hits for task in asked if (hits := task.result()) is not None]
        problems = [self._resting[engine.name].problem for engine in wanted if engine.name in self._resting]
        if not answers:
            reasons = " ".join(["The web cannot be searched now.", *(problem.reason for problem in problems)])
            return Found(problems=[Problem("", reasons, retryable=any(problem.retryable for problem in problems))])
        hits = {hit.url: hit for hits in answers for hit in hits}
        passages = [passage for hit in hits.values() for passage in _passages(hit)]
        pages = [url for url in hits if url.startswith("http")]
        return Found(passages, pages, ["the web"], [problem for problem in problems if not problem.retryable])

    async def _ask(self, engine: Engine, query: str) -> list[Hit] | None:
        """Return what one engine finds, or None if it cannot be asked: then it rests."""
        rest_s, retryable = _REST_S, True
        try:
            async with asyncio.timeout(self._timeout_s):
                return await engine.search(query, _MOST_HITS)
        except TimeoutError:
            reason = f"{engine.name} did not answer within {self._timeout_s:g} s (RESEARCH_WEB_TIMEOUT_S)."
        except httpx.HTTPError:
            reason = f"{engine.name} cannot be reached."
        except FederationError as error:
            reason, retryable = error.detail, error.retryable
            asked_s = error.facts.get("retry_after_s")
            rest_s = min(asked_s, _REST_S) if isinstance(asked_s, float) else _REST_S
        except ValueError:
            reason = f"{engine.name} answers something else than search results."
        logger.warning("web search failed", extra={"engine": engine.name, "reason": reason})
        self._resting[engine.name] = _Rest(time.monotonic() + rest_s, Problem("", reason, retryable))
        return None


def _short(query: str) -> str:
    """Return as much of a query, in whole words, as every engine takes."""
    words = " ".join(query.split()[:_MOST_WORDS])
    return words if len(words) <= _MOST_CHARS else words[:_MOST_CHARS].rpartition(" ")[0] or words[:_MOST_CHARS]


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
