"""The tools that a page itself offers to agents (WebMCP), where Chromium has it.

Source: https://webmachinelearning.github.io/webmcp/ - a page registers tools at `document.modelContext`.
What it says of them is peer text: shown, and called only when an action names the tool.
"""

import json

from playwright.async_api import Error
from pydantic import BaseModel, Field, JsonValue, TypeAdapter, ValidationError

from browser_service.deadlines import Deadlines
from browser_service.errors import ElementNotFoundError
from browser_service.findings import PartReading
from browser_service.page_content import Label, clean
from browser_service.page_watch import PageWatch
from shared.agent import JsonObject

_MAX_CHARS = 50_000
_MAX_TOOLS = 50


class PageTool(BaseModel):
    """A tool of a page: its name, what it says it does, and the JSON Schema of its arguments."""

    name: Label
    description: Label = ""
    input_schema: dict[str, JsonValue] | None = Field(default=None, alias="inputSchema")

    def __str__(self) -> str:
        """Return it as a line: name, arguments ("?": may be left out), description."""
        schema = self.input_schema or {}
        given, needed = schema.get("properties"), schema.get("required")
        names = list(given) if isinstance(given, dict) else []
        must = needed if isinstance(needed, list) else []
        arguments = ", ".join(clean(name)[:40] + ("" if name in must else "?") for name in names[:12])
        return f"{self.name[:80]}({arguments}){f': {self.description[:120]}' if self.description else ''}"


_TOOLS = TypeAdapter(list[PageTool])


class PageTools:
    """Lists and calls the tools of a session's page."""

    def __init__(self, watch: PageWatch, deadlines: Deadlines) -> None:
        self._watch = watch
        self._deadlines = deadlines

    async def list(self) -> list[PageTool]:
        """Return the tools that the page offers; none where Chromium does not have WebMCP."""
        try:
            told = await self._deadlines.bound(self._watch.page.webmcp.tools(timeout=0))
            return _TOOLS.validate_python(told[:_MAX_TOOLS])
        except (Error, ValidationError):
            return []

    async def call(self, name: str, arguments: JsonObject) -> PartReading:
        """Call the tool, and return its answer. Raises: ElementNotFoundError without such a tool, or when it fails."""
        there = await self.list()
        if name not in (tool.name for tool in there):
            listed = f"It offers: {'; '.join(map(str, there))}." if there else "It offers none."
            raise ElementNotFoundError(f"{self._watch.page.url} offers no tool {name!r}. {listed}")
        told: object = await self._deadlines.act(
            self._watch.page.webmcp.call_tool(name, arguments, timeout=0),
            f"The page's tool {name!r} failed",
            limit_s=self._deadlines.action_timeout_s * 4,
        )
        text = clean(told if isinstance(told, str) else json.dumps(told, ensure_ascii=False))[:_MAX_CHARS]
        return PartReading(f"Answer of the page's tool {name}", text, text)
