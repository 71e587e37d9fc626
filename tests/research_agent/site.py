"""A web site, a MediaWiki and a SearXNG for tests; it remembers what it was asked."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.support.serving import serve

TIDES = """<html><head><title>Tides</title></head><body><nav><a href="/">Home</a></nav>
<main><h1>Tides</h1><h2>Range</h2><p>The tidal range in the bay is 16 metres.</p>
<h2>Cause</h2><p>Tides are caused by the moon and the sun.</p></main></body></html>"""


@dataclass(slots=True)
class Site:
    """The running site."""

    url: str = ""
    asked: list[str] = field(default_factory=list[str])
    search_status: int = 200

    async def answer(self, request: Request) -> Response:
        """Answer any path."""
        self.asked.append(request.url.path)
        match request.url.path:
            case "/tides":
                return HTMLResponse(TIDES)
            case "/big":
                return PlainTextResponse("tides " * 500_000)
            case "/empty":
                return HTMLResponse("<html></html>")
            case "/search":
                hit = {"title": "Tides", "url": f"{self.url}/tides", "content": "About tides."}
                return JSONResponse({"results": [hit]}, self.search_status)
            case "/w/api.php":
                page = {
                    "title": "Tide",
                    "fullurl": f"{self.url}/wiki/Tide",
                    "extract": "Tides are rises and falls.",
                    "index": 1,
                }
                return JSONResponse({"query": {"pages": [page]}})
            case _:
                return PlainTextResponse("There is nothing here.", 404)


@asynccontextmanager
async def open_site() -> AsyncGenerator[Site]:
    """Serve the site on a free port of 127.0.0.1."""
    site = Site()
    async with serve(Starlette(routes=[Route("/{path:path}", site.answer)])) as url:
        site.url = url
        yield site
