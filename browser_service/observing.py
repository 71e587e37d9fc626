"""Looks at a session's page and tells it in few words, the page's own tools included, without any secret."""

from browser_service import observation, redaction
from browser_service.browser_session import BrowserSession
from browser_service.observation import Level
from browser_service.targets import Target

_MAX_TOOLS_PART = 3  # at most a third of what is told is about tools


async def observe(session: BrowserSession, level: Level, of: Target | None = None) -> str:
    """Return what is on the page at this level; `of` names the thing for level "scoped".

    Raises: ElementNotFoundError, PageNotLoadedError, TimedOutError.
    """
    scope = None
    if of is not None:
        scope, seen = await session.elements.find(of, "read")
    else:
        seen = await session.elements.look("viewport" if level == "interactive" else "all")
    limit = observation.MAX_BYTES[level]
    tools = "" if level == "scoped" else await _tools(session, limit // _MAX_TOOLS_PART)
    told = observation.observe(seen, level, scope=scope, max_bytes=limit - len(tools.encode()))
    return redaction.redact(told + tools, session.secrets)


async def _tools(session: BrowserSession, limit: int) -> str:
    lines = [f"tool {tool}" for tool in await session.page_tools.offered()]
    return f"\n{observation.cut(['Tools of the page (call_tool):', *lines], limit)}" if lines else ""
