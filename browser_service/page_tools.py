"""The tools that a page itself offers to agents (WebMCP), where Chromium has it.

Source: https://webmachinelearning.github.io/webmcp/ - a page registers tools at `document.modelContext`.
What it says of them is peer text: shown, and called only when an action names the tool.
"""

import asyncio
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from playwright.async_api import Error, Frame
from pydantic import BaseModel, Field, JsonValue, TypeAdapter, ValidationError

from browser_service.deadlines import Deadlines
from browser_service.elements import MAX_FRAMES
from browser_service.errors import ElementNotFoundError
from browser_service.findings import PartReading
from browser_service.page_content import Label, clean
from browser_service.page_watch import PageWatch
from shared.agent import JsonObject
from shared.errors import TimedOutError

_MAX_CHARS = 50_000
_MAX_TOOLS = 50
_FRAME_S = 1.0  # a frame that hangs spoils not the page


class PageTool(BaseModel):
    """A tool of a page: its name, what it says it does, and the JSON Schema of its arguments."""

    name: Label
    description: Label = ""
    input_schema: dict[str, JsonValue] | None = Field(default=None, alias="inputSchema")

    @property
    def signature(self) -> str:
        """Its name and arguments ("?": may be left out)."""
        schema = self.input_schema or {}
        given, needed = schema.get("properties"), schema.get("required")
        names = list(given) if isinstance(given, dict) else []
        must = needed if isinstance(needed, list) else []
        arguments = ", ".join(clean(name)[:40] + ("" if name in must else "?") for name in names[:12])
        return f"{self.name[:80]}({arguments})"


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A tool, the frame that offers it, and that frame's origin; none for the page itself."""

    tool: PageTool
    frame: Frame
    origin: str | None

    def __str__(self) -> str:
        """Return it as a line: what it is called with, where it is if not in the page itself, its description."""
        where = f" [origin {self.origin}]" if self.origin else ""
        return f"{self.tool.signature}{where}{f': {self.tool.description[:120]}' if self.tool.description else ''}"


_TOOLS = TypeAdapter(list[PageTool])


class PageTools:
    """Lists and calls the tools of a session's page and of the frames in it."""

    def __init__(self, watch: PageWatch, deadlines: Deadlines) -> None:
        self._watch = watch
        self._deadlines = deadlines

    async def offered(self) -> list[OfferedTool]:
        """Return the tools of the page, then those of its frames; none where Chromium does not have WebMCP."""
        main = self._watch.page.main_frame
        frames = [frame for frame in self._watch.page.frames if frame is not main][: MAX_FRAMES - 1]
        told = await asyncio.gather(self._list_of(main), *(self._list_of(frame, _FRAME_S) for frame in frames))
        return [tool for tools in told for tool in tools][:_MAX_TOOLS]

    async def call(self, name: str, arguments: JsonObject, origin: str | None = None) -> PartReading:
        """Call a tool of the page, or of its frame of this `origin`, and return its answer.

        Raises: ElementNotFoundError without such a tool, or when it fails.
        """
        there = await self.offered()
        found = next((each for each in there if (each.tool.name, each.origin) == (name, origin)), None)
        if found is None:
            where = f"A frame of {origin} in {self._watch.page.url}" if origin else self._watch.page.url
            listed = f"There is: {'; '.join(map(str, there))}." if there else "It offers none."
            raise ElementNotFoundError(f"{where} offers no tool {name!r}. {listed}")
        told: object = await self._deadlines.act(
            found.frame.webmcp.call_tool(name, arguments, timeout=0),
            f"The page's tool {name!r} failed",
            limit_s=self._deadlines.action_timeout_s * 4,
        )
        text = clean(told if isinstance(told, str) else json.dumps(told, ensure_ascii=False))[:_MAX_CHARS]
        return PartReading(f"Answer of the page's tool {name}", text, text)

    async def _list_of(self, frame: Frame, limit_s: float | None = None) -> list[OfferedTool]:
        try:
            told = await self._deadlines.bound(frame.webmcp.tools(timeout=0), limit_s)
            tools = _TOOLS.validate_python(told[:_MAX_TOOLS])
        except (Error, ValidationError):
            return []
        except TimedOutError:
            if limit_s is None:
                raise
            return []
        return [OfferedTool(tool, frame, None if frame.parent_frame is None else _origin(frame)) for tool in tools]


def _origin(frame: Frame) -> str:
    """Return the origin of a frame's address; of one that has none of its own (`about:srcdoc`), the address."""
    parts = urlsplit(frame.url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else frame.url[:80]
