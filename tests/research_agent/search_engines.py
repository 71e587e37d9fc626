"""Search engines for tests, each in the form that its maker documents, on one local server that can also refuse.

Sources: https://docs.tavily.com/documentation/api-reference/endpoint/search,
https://api-dashboard.search.brave.com/app/documentation/web-search/responses,
https://info.arxiv.org/help/api/user-manual.html, https://docs.searxng.org/dev/search_api.html,
https://www.mediawiki.org/wiki/API:Search and the HTML that the library `ddgs` reads off DuckDuckGo
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.support.serving import serve

KEY: Final = "the right key"
SAID: Final = "The tidal range in the bay is 16 metres."
ARXIV_ERROR: Final = "incorrect id format for 1234"


@dataclass(slots=True)
class SearchEngines:
    """The running server. `broken` answers come instead of the right ones; `asked` are the requests, with bodies."""

    url: str = ""
    broken: Response | None = None
    asked: list[tuple[Request, JsonValue]] = field(default_factory=list[tuple[Request, JsonValue]])

    @property
    def page(self) -> str:
        """The page that every engine finds."""
        return f"{self.url}/pages/tides"

    async def answer(self, request: Request) -> Response:
        """Answer as the engine does whose path this is."""
        if request.url.path == "/pages/tides":
            return HTMLResponse(f"<html><head><title>Tides</title></head><body><p>{SAID}</p></body></html>")
        body = await request.json() if request.headers.get("content-type") == "application/json" else None
        self.asked.append((request, body))
        if self.broken is not None:
            return self.broken
        engines: Mapping[str, Callable[[Request], Response]] = {
            "POST /search": self._tavily,
            "GET /search": self._searxng,
            "GET /res/v1/web/search": self._brave,
            "GET /api/query": self._arxiv,
            "GET /w/api.php": self._mediawiki,
            "POST /html/": self._duckduckgo,
        }
        engine = engines.get(f"{request.method} {request.url.path}")
        return PlainTextResponse("There is nothing here.", 404) if engine is None else engine(request)

    def _tavily(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return JSONResponse({"detail": {"error": "Unauthorized: missing or invalid API key."}}, 401)
        found: JsonValue = {"title": "Tides", "url": self.page, "content": SAID, "score": 0.81, "raw_content": None}
        return JSONResponse(
            {
                "query": "tidal range",
                "answer": None,
                "images": [],
                "results": [found],
                "response_time": "1.67",
                "request_id": "123e4567-e89b-12d3-a456-426614174111",
            }
        )

    def _searxng(self, request: Request) -> Response:
        if request.query_params.get("format") != "json":
            return HTMLResponse("Forbidden", 403)
        found: JsonValue = {"title": "Tides", "url": self.page, "content": SAID, "engine": "mojeek", "score": 1.0}
        nothing: JsonValue = {"title": "Empty", "url": self.page + "?2", "content": None, "engine": "mojeek"}
        return JSONResponse(
            {
                "query": "tidal range",
                "number_of_results": 0,
                "results": [found, nothing],
                "answers": [],
                "suggestions": [],
                "unresponsive_engines": [["brave", "too many requests"]],
            }
        )

    def _brave(self, request: Request) -> Response:
        if request.headers.get("x-subscription-token") != KEY:
            error = {"code": "SUBSCRIPTION_TOKEN_INVALID", "detail": "The key is invalid.", "status": 422}
            return JSONResponse({"type": "ErrorResponse", "error": error}, 422)
        found: JsonValue = {
            "type": "search_result",
            "title": "<strong>Tides</strong>",
            "url": self.page,
            "description": "The <strong>tidal range</strong> in the bay is 16 metres.",
            "family_friendly": True,
            "extra_snippets": ["It is the &lt;highest&gt; <strong>tidal range</strong>."],
        }
        query: JsonValue = {"original": "tidal range", "more_results_available": False}
        return JSONResponse({"type": "search", "query": query, "web": {"type": "search", "results": [found]}})

    def _arxiv(self, _request: Request) -> Response:
        entry = f"""<entry><id>http://arxiv.org/abs/2101.00001v2</id><published>2021-01-01T00:00:00Z</published>
          <title>Tides of\n  Bays</title><summary>  We measure the tidal range\n of one bay for ten years.\n</summary>
          <author><name>A. Mariner</name></author><link href="{self.page}" rel="alternate" type="text/html"/></entry>"""
        return _atom(entry)

    def _mediawiki(self, _request: Request) -> Response:
        page: JsonValue = {"pageid": 1, "title": "Tide", "index": 1, "fullurl": self.page, "extract": SAID}
        return JSONResponse({"batchcomplete": True, "query": {"pages": [page]}})

    def _duckduckgo(self, _request: Request) -> Response:
        found = f'<div class="result__body"><h2><a>Tides</a></h2><a href="{self.page}">{SAID}</a></div>'
        return HTMLResponse(f"<html><body>{found}</body></html>")


def arxiv_error() -> Response:
    """Return how arXiv tells an error: as an entry, with status 200."""
    return _atom(
        "<entry><id>https://arxiv.org/api/errors#incorrect_id_format_for_1234</id><title>Error</title>"
        f"<summary>{ARXIV_ERROR}</summary></entry>"
    )


@asynccontextmanager
async def open_engines() -> AsyncGenerator[SearchEngines]:
    """Serve the engines on a free port of 127.0.0.1."""
    engines = SearchEngines()
    routes = [Route("/{path:path}", engines.answer, methods=["GET", "POST"])]
    async with serve(Starlette(routes=routes)) as url:
        engines.url = url
        yield engines


def _atom(entry: str) -> Response:
    head = '<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Query</title>'
    return Response(f"{head}{entry}</feed>", media_type="application/atom+xml")
