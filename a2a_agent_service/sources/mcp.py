"""Search tools of MCP servers: each tool that RESEARCH_MCP_TOOLS names is a search engine of its own.

A tool is given the query in its first required text argument. What it answers is peer text: JSON with a list of pages
(`url`, and `title`, `text`, `content`, `snippet`) is taken as pages, anything else as one text with the tool as origin.
"""

from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from a2a_agent_service.sources.engine import Hit
from shared import strict_json
from shared.agent import JsonObject
from shared.errors import NotFoundError
from shared.mcp_tools import Tool, Tools

_LISTS: Final = ("results", "items", "pages", "documents", "hits")
_TEXTS: Final = ("text", "content", "snippet", "description")
_MOST_CHARS: Final = 8_000


@dataclass(frozen=True, slots=True)
class McpSearch:
    """One tool, SERVER.TOOL, as a search engine."""

    tools: Tools
    name: str

    async def search(self, query: str, most: int) -> list[Hit]:
        """See `Engine`."""
        server, _, tool = self.name.partition(".")
        offered = await self.tools.offered(server, [tool])
        if not offered:
            raise NotFoundError(f"The MCP server {server!r} offers no tool {tool!r} that is allowed.")
        answer = await self.tools.call(self.name, {_argument(offered[0]): query})
        pages = _pages(answer)
        if pages:
            return pages[:most]
        return [Hit(self.name, f"mcp:{self.name}", answer[:_MOST_CHARS])] if answer.strip() else []


def _argument(tool: Tool) -> str:
    """Return the name of the argument that takes the query."""
    properties, required = tool.schema.get("properties"), tool.schema.get("required")
    known = properties if isinstance(properties, dict) else {}
    wanted = [str(name) for name in required] if isinstance(required, list) else []
    texts = [name for name in [*wanted, *known] if _is_text(known.get(name))]
    return texts[0] if texts else "query"


def _is_text(schema: JsonValue) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "string"


def _pages(answer: str) -> list[Hit]:
    try:
        found = strict_json.parse(answer.encode())
    except strict_json.JsonError:
        return []
    if isinstance(found, dict):
        found = next((found[name] for name in _LISTS if isinstance(found.get(name), list)), [found])
    pages = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    return [hit for page in pages if (hit := _hit(page)) is not None]


def _hit(page: JsonObject) -> Hit | None:
    url = page.get("url") or page.get("link")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        return None
    text = next((str(page[name]) for name in _TEXTS if isinstance(page.get(name), str)), "")
    return Hit(str(page.get("title") or url), url, text[:_MOST_CHARS])
