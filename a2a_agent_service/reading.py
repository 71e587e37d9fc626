"""Reads what a request names or brings along: pages by their URL, attached files, earlier results."""

import asyncio
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import httpx

from a2a_agent_service.passages import Passage, Source, split
from a2a_agent_service.settings import Settings
from shared import http
from shared.agent import File
from shared.documents import Document, extract_text
from shared.errors import InvalidRequestError, TooLargeError, UnavailableError


async def read_page(settings: Settings, client: httpx.AsyncClient, url: str, name: str = "") -> list[Passage]:
    """Return the passages of a page or of a document at a URL. Raises: FederationError, naming the URL."""
    fetched = await http.fetch(
        client, url, timeout_s=settings.research_fetch_timeout_s, max_bytes=settings.max_file_bytes
    )
    if fetched.status >= 400:
        raise UnavailableError(f"It answered with status {fetched.status}.")
    name = name or PurePosixPath(unquote(urlsplit(fetched.url).path)).name or urlsplit(fetched.url).netloc
    document = await asyncio.to_thread(extract_text, fetched.content, fetched.media_type, name)
    passages = split(document, Source(document.title or name, url=url), name)
    if not passages:
        raise InvalidRequestError("It has no text.")
    return passages


async def read_file(settings: Settings, client: httpx.AsyncClient, file: File) -> list[Passage]:
    """Return the passages of an attached file, given as bytes or by its URL. Raises: FederationError."""
    if file.content is None:
        return await read_page(settings, client, file.url or "", file.name)
    if len(file.content) > settings.max_file_bytes:
        raise TooLargeError(f"It is larger than RESEARCH_MAX_FILE_MB, {settings.research_max_file_mb:g} MB.")
    document = await asyncio.to_thread(extract_text, file.content, file.media_type, file.name)
    passages = split(document, Source(document.title or file.name, path=file.name or "attached file"), file.name)
    if not passages:
        raise InvalidRequestError("It has no text.")
    return passages


def read_material(text: str) -> list[Passage]:
    """Return the passages of text that came with a request."""
    return split(Document("Text in the request", text), Source("Text in the request"))
