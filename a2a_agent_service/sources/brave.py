"""Brave Search. Source: https://api-dashboard.search.brave.com/app/documentation/web-search/responses"""

from dataclasses import dataclass

import httpx
from pydantic import BaseModel, SecretStr

from a2a_agent_service.sources.engine import Hit, Text, read_json
from shared.documents import extract_text


class _Result(BaseModel):
    title: Text = ""
    url: str
    description: Text = ""
    extra_snippets: list[str] | None = None


class _Web(BaseModel):
    results: list[_Result] = []


class _Answer(BaseModel):
    web: _Web | None = None


@dataclass(frozen=True, slots=True)
class Brave:
    """Brave's search, with a key."""

    client: httpx.AsyncClient
    url: str
    key: SecretStr
    name: str = "Brave"

    async def search(self, query: str, most: int) -> list[Hit]:
        """See `Engine`. What it says of a page is HTML: words that were looked for are marked."""
        request = self.client.build_request(
            "GET",
            f"{self.url.rstrip('/')}/res/v1/web/search",
            params={"q": query, "count": str(most)},
            headers={"X-Subscription-Token": self.key.get_secret_value(), "Accept": "application/json"},
        )
        found = await read_json(self.client, request, _Answer, self.name, "check BRAVE_API_KEY and its plan")
        results = found.web.results if found.web is not None else []
        return [
            Hit(_plain(each.title), each.url, _plain(" ".join([each.description, *(each.extra_snippets or ())])))
            for each in results[:most]
        ]


def _plain(html: str) -> str:
    return extract_text(html.encode(errors="replace"), "text/html; charset=utf-8").text if "<" in html else html
