"""Looks once more at a page on which something failed, so that the failure tells and shows what was there.

The page may hang, or be gone: then what was known of it before is told, and there is no picture.
"""

import asyncio
from contextlib import suppress

from playwright.async_api import Error, Page

from browser_service import redaction
from browser_service.browser_session import BrowserSession
from browser_service.page_content import clean
from shared.agent import File
from shared.errors import FederationError

_MOST_S = 4.0
_ANSWER_S = 1.0
_MAX_CHARS = 200
_TITLE = "() => `${document.title}`"
_TEXT = "() => (document.body?.innerText ?? '').slice(0, 2000)"


async def take(session: BrowserSession, error: FederationError) -> File | None:
    """Tell in `error` at which address it was and what was seen last; return a picture if there is a page.

    Its facts get `url`, unless they name what could not be opened, and `last_seen` (`title`, `text`, `status`; peer
    text), its sentence the title or the text, and where that was.
    """
    if "last_seen" in error.facts:  # what broke a page ends all that is done on it
        return None
    title, text, picture = session.title, "", None
    if session.shows_page:
        with suppress(Error, TimeoutError):
            async with asyncio.timeout(_MOST_S):
                await _wake(session)
                title = await _read(session.page, _TITLE) or title
                text = await _read(session.page, _TEXT)
                picture = await session.page.screenshot(type="jpeg", quality=70, scale="css", timeout=0)
    title, text = (redaction.redact(clean(told), session.secrets)[:_MAX_CHARS] for told in (title, text))
    address = redaction.redact(session.address, session.secrets)
    wanted = error.facts.get("url")
    url = redaction.redact(wanted, session.secrets) if isinstance(wanted, str) else address
    error.facts.update(url=url, last_seen={"title": title, "text": text, "status": session.status})
    if seen := title or text:
        error.detail = f"{error.detail} Last seen at {address}: {seen!r}."
        error.args = (error.detail,)
    return None if picture is None else File("last-seen.jpg", "image/jpeg", picture)


async def _wake(session: BrowserSession) -> None:
    """Stop what keeps a page from answering, if it does not."""
    with suppress(TimeoutError):
        if not session.is_broken:
            async with asyncio.timeout(_ANSWER_S):
                await _read(session.page, _TITLE)
                return
    with suppress(TimeoutError):
        async with asyncio.timeout(_ANSWER_S):
            await session.calm()


async def _read(page: Page, script: str) -> str:
    told: object = await page.evaluate(script)
    return told if isinstance(told, str) else ""
