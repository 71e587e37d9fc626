"""Pages that need a browser, read by whichever agent of the federation has the skill `extract-page`."""

from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import httpx
from pydantic import JsonValue

from a2a_agent_service.settings import Settings
from shared import agent_client, http, strict_json
from shared.agent import METADATA_KEY, AgentRequest, Usage
from shared.agent_client import AgentConnection, Deadlines, Ended, OutgoingMessage
from shared.db import new_id
from shared.documents import Document
from shared.errors import AgentFailedError, UnavailableError

_SKILL: Final = "extract-page"
_MOST_BYTES: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class BrowserPages:
    """Reads pages by the federation's browser, in the name of one request."""

    settings: Settings
    client: http.Client
    request: AgentRequest

    async def read(self, url: str) -> tuple[Document, Usage]:
        """Return what a page shows once its scripts have run, and what that cost. Raises: FederationError."""
        connection = await self._connect()
        call = self.request.onward()[METADATA_KEY]
        onward = call if isinstance(call, dict) else {}
        message = OutgoingMessage(new_id(), f"Extract the text of {url}", skill=_SKILL, metadata=onward)
        deadlines = Deadlines(total_s=self.settings.research_browser_timeout_s)
        ended: Ended | None = None
        async with aclosing(connection.send(message, deadlines=deadlines)) as events:
            async for event in events:
                if isinstance(event, Ended):
                    ended = event
        if ended is None or ended.state != "completed":
            why = ended.error.detail if ended and ended.error else "it did not finish"
            raise AgentFailedError(f"The browser could not read {url}: {why}")
        return Document(_title(ended.data) or url, ended.text), ended.usage

    async def _connect(self) -> AgentConnection:
        """Return a connection to an agent with the skill. Raises: FederationError."""
        registry = f"{self.settings.url_of('orchestrator')}/api/agents"
        query = {"capability": _SKILL, "status": "active", "limit": "1"}
        request = self.client.build_request("GET", registry, params=query, extensions={http.MAX_BYTES: _MOST_BYTES})
        try:
            response = await self.client.send(request)
            response.raise_for_status()
            found = strict_json.parse(response.content)
        except (httpx.HTTPError, strict_json.JsonError) as error:
            raise UnavailableError("The orchestrator's registry cannot be asked who reads pages.") from error
        listed = found.get("items") if isinstance(found, dict) else None
        agent = listed[0] if isinstance(listed, list) and listed else None
        card = agent.get("card") if isinstance(agent, dict) else None
        if not isinstance(card, dict):
            raise UnavailableError(f"No agent with the skill {_SKILL} is registered and active.")
        return agent_client.connect(self.client, agent_client.parse_card(card))


def _title(data: tuple[JsonValue, ...]) -> str:
    for each in data:
        title = each.get("title") if isinstance(each, dict) else None
        if isinstance(title, str):
            return title
    return ""
