"""The tools that a page itself offers to agents (WebMCP), where Chromium has it.

Source: https://webmachinelearning.github.io/webmcp/ - a page registers tools at `navigator.modelContext`.
What it says of them is peer text: shown, and called only when an action names the tool.
"""

import json

from playwright.async_api import Error, Page
from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError

from browser_service.deadlines import Deadlines
from browser_service.errors import ElementNotFoundError
from browser_service.findings import PartReading
from browser_service.page_content import Label, clean
from browser_service.page_scripts import CALL_TOOL, LIST_TOOLS
from browser_service.page_watch import PageWatch
from shared.agent import JsonObject

_MAX_CHARS = 50_000


class PageTool(BaseModel):
    """A tool of a page: its name, what it says it does, and the JSON Schema of its arguments."""

    name: Label
    description: Label = ""
    input_schema: dict[str, JsonValue] = {}


_TOOLS = TypeAdapter(list[PageTool])


class PageTools:
    """Lists and calls the tools of a session's page."""

    def __init__(self, watch: PageWatch, deadlines: Deadlines) -> None:
        self._watch = watch
        self._deadlines = deadlines

    async def list(self) -> list[PageTool]:
        """Return the tools that the page offers; none where Chromium does not have WebMCP."""
        try:
            raw = await self._deadlines.bound(self._page.evaluate(LIST_TOOLS))
            return _TOOLS.validate_json(str(raw))[:50]
        except (Error, ValidationError):
            return []

    async def call(self, name: str, arguments: JsonObject) -> PartReading:
        """Call the tool, and return its answer. Raises: ElementNotFoundError without such a tool, or when it fails."""
        there = [tool.name for tool in await self.list()]
        if name not in there:
            listed = f"It offers: {', '.join(map(repr, there))}." if there else "It offers none."
            raise ElementNotFoundError(f"{self._page.url} offers no tool {name!r}. {listed}")
        failure = f"The page's tool {name!r} failed"
        raw = await self._deadlines.act(
            self._page.evaluate(CALL_TOOL, [name, json.dumps(arguments)]),
            failure,
            limit_s=self._deadlines.action_timeout_s * 4,
        )
        text = clean(str(raw))[:_MAX_CHARS]
        return PartReading(f"Answer of the page's tool {name}", text, text)

    @property
    def _page(self) -> Page:
        return self._watch.page
