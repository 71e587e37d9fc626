"""Wikipedia, or another MediaWiki. Source: https://www.mediawiki.org/wiki/API:Search"""

from dataclasses import dataclass

import httpx
from pydantic import BaseModel

from a2a_agent_service.sources.engine import Hit, Text, read_json
from shared.errors import UnavailableError


class _Page(BaseModel):
    title: str
    fullurl: str
    extract: Text = ""
    index: int = 0


class _Pages(BaseModel):
    pages: list[_Page] = []


class _Error(BaseModel):
    code: str = ""
    info: str = ""


class _Answer(BaseModel):
    query: _Pages = _Pages()
    error: _Error | None = None


@dataclass(frozen=True, slots=True)
class Wikipedia:
    """A MediaWiki."""

    client: httpx.AsyncClient
    url: str
    name: str = "Wikipedia"

    async def search(self, query: str, most: int) -> list[Hit]:
        """See `Engine`: with the introduction of each page."""
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
        request = self.client.build_request("GET", f"{self.url.rstrip('/')}/w/api.php", params=params)
        found = await read_json(self.client, request, _Answer, self.name)
        if found.error is not None:  # told with status 200: https://www.mediawiki.org/wiki/API:Errors_and_warnings
            raise UnavailableError(f"{self.name} answers {found.error.code!r}: {found.error.info[:200]}")
        pages = sorted(found.query.pages, key=lambda page: page.index)
        return [Hit(page.title, page.fullurl, page.extract) for page in pages]
