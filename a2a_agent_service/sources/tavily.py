"""Tavily. Source: https://docs.tavily.com/documentation/api-reference/endpoint/search"""

from dataclasses import dataclass

import httpx
from pydantic import SecretStr

from a2a_agent_service.sources.engine import Hit, Results, read_json


@dataclass(frozen=True, slots=True)
class Tavily:
    """Tavily's search, with a key."""

    client: httpx.AsyncClient
    url: str
    key: SecretStr
    name: str = "Tavily"

    async def search(self, query: str, most: int) -> list[Hit]:
        """See `Engine`."""
        headers = {"Authorization": f"Bearer {self.key.get_secret_value()}"}
        body = {"query": query, "max_results": most}
        request = self.client.build_request("POST", f"{self.url.rstrip('/')}/search", json=body, headers=headers)
        found = await read_json(self.client, request, Results, self.name, "check TAVILY_API_KEY and its plan")
        return found.hits(most)
