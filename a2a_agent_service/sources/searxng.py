"""SearXNG, with JSON switched on. Source: https://docs.searxng.org/dev/search_api.html"""

from dataclasses import dataclass

import httpx

from a2a_agent_service.sources.engine import Hit, Results, read_json


@dataclass(frozen=True, slots=True)
class SearXNG:
    """A SearXNG of one's own."""

    client: httpx.AsyncClient
    url: str
    name: str = "SearXNG"

    async def search(self, query: str, most: int) -> list[Hit]:
        """See `Engine`."""
        params = {"q": query, "format": "json"}
        request = self.client.build_request("GET", f"{self.url.rstrip('/')}/search", params=params)
        advice = "switch the format json on in its settings (search.formats)"
        return (await read_json(self.client, request, Results, self.name, advice)).hits(most)
