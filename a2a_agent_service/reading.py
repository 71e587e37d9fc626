"""Reads what a request names or brings along: pages by their URL, attached files, earlier results."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from a2a_agent_service.browser_pages import BrowserPages
from a2a_agent_service.passages import Passage, Source, split
from a2a_agent_service.settings import Settings
from shared import http
from shared.agent import File, Usage
from shared.documents import Document, extract_text
from shared.errors import FederationError, InvalidRequestError, TooLargeError, UnavailableError

_LEAST_CHARS = 200
_SCRIPTED = re.compile(rb"<script\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads pages and files. `browser` reads pages that show nothing without their scripts; None: nobody does."""

    settings: Settings
    client: http.Client
    browser: BrowserPages | None = None

    async def read_page(self, url: str, name: str = "") -> tuple[list[Passage], Usage]:
        """Return the passages of a page or of a document at a URL, and what reading it cost.

        Raises: FederationError, naming the URL.
        """
        settings = self.settings
        fetched = await http.fetch(
            self.client, url, timeout_s=settings.research_fetch_timeout_s, max_bytes=settings.max_file_bytes
        )
        if fetched.status >= 400:
            raise UnavailableError(f"It answered with status {fetched.status}.")
        name = name or PurePosixPath(unquote(urlsplit(fetched.url).path)).name or urlsplit(fetched.url).netloc
        document = await asyncio.to_thread(extract_text, fetched.content, fetched.media_type, name)
        usage = Usage()
        if len(document.text) < _LEAST_CHARS and self.browser is not None and _SCRIPTED.search(fetched.content):
            try:
                document, usage = await self.browser.read(url)
            except FederationError:
                if not document.text.strip():
                    raise
        passages = split(document, Source(document.title or name, url=url), name)
        if not passages:
            raise InvalidRequestError("It has no text.")
        return passages, usage

    async def read_file(self, file: File) -> list[Passage]:
        """Return the passages of an attached file, given as bytes or by its URL. Raises: FederationError."""
        if file.content is None:
            return (await self.read_page(file.url or "", file.name))[0]
        if len(file.content) > self.settings.max_file_bytes:
            limit = f"{self.settings.research_max_file_mb:g} MB"
            raise TooLargeError(f"It is larger than RESEARCH_MAX_FILE_MB, {limit}.")
        document = await asyncio.to_thread(extract_text, file.content, file.media_type, file.name)
        passages = split(document, Source(document.title or file.name, path=file.name or "attached file"), file.name)
        if not passages:
            raise InvalidRequestError("It has no text.")
        return passages


def read_material(text: str) -> list[Passage]:
    """Return the passages of text that came with a request."""
    return split(Document("Text in the request", text), Source("Text in the request"))
