"""Pages that need a browser, read by whichever agent of the federation has the skill `extract-page`."""

from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from a2a_agent_service.settings import Settings
from shared import http
from shared.agent import AgentRequest, Usage
from shared.documents import Document
from shared.federation_skills import FederationSkills

_SKILL: Final = "extract-page"


@dataclass(frozen=True, slots=True)
class BrowserPages:
    """Reads pages by the federation's browser, in the name of one request."""

    settings: Settings
    client: http.Client
    request: AgentRequest

    async def read(self, url: str) -> tuple[Document, Usage]:
        """Return what a page shows once its scripts have run, and what that cost. Raises: FederationError."""
        skills = FederationSkills(self.settings, self.client)
        timeout_s = self.settings.research_browser_timeout_s
        ended = await skills.ask(_SKILL, f"Extract the text of {url}", self.request, timeout_s=timeout_s)
        return Document(_title(ended.data) or url, ended.text), ended.usage


def _title(data: tuple[JsonValue, ...]) -> str:
    for each in data:
        title = each.get("title") if isinstance(each, dict) else None
        if isinstance(title, str):
            return title
    return ""
