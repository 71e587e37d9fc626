"""What a skill works on, brought together: text in the message, data parts, files, URLs, files of DATA_FILES."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from api_agent_service import material
from api_agent_service.material import MESSAGE, Parts, Source
from api_agent_service.settings import Settings
from shared import documents
from shared.agent import AgentRequest, JsonObject, Progress
from shared.errors import InvalidRequestError, NotFoundError, TooLargeError, UnavailableError
from shared.http import fetch_to
from shared.llm import Model

_MOST_SOURCES = 10
_LONGEST_INSTRUCTION = 2_000


@dataclass(frozen=True, slots=True)
class Resources:
    """What a request is answered with. `folder` is its own; nothing in it outlives the request."""

    settings: Settings
    client: httpx.AsyncClient
    model: Model | None
    folder: Path


@dataclass(slots=True)
class Work:
    """A request made ready: what is asked for, what it is asked of, and addresses that are still to be fetched."""

    instruction: str
    schema: JsonObject | None
    sheet: str
    sources: list[Source]
    addresses: list[str]

    def question(self) -> str:
        """Return the instruction without the URLs and file names in it."""
        return material.without_names(self.instruction)


async def prepare(request: AgentRequest, split: Callable[[str], Parts], resources: Resources) -> Work:
    """Tell apart what a request asks for and what it brings along.

    URLs in the instruction and names of files in DATA_FILES count only where nothing was sent along; addresses inside
    the material are never followed.
    Raises: InvalidRequestError for a file that is not there, and for too many sources.
    """
    parameters = material.read_parameters(request)
    parts = await asyncio.to_thread(split, request.text)
    instruction = "\n".join(filter(None, (parameters.instruction, parts.instruction)))[:_LONGEST_INSTRUCTION]
    found = [material.file_source(file) for file in request.files if file.content is not None]
    found += parameters.sources
    for name, text in (("the text", parameters.text), (MESSAGE, parts.material)):
        if text:
            found.append(Source(name, "text/plain", text.encode("utf-8", "replace")))
    addresses = [*parameters.urls, *(file.url for file in request.files if file.url)]
    if not found and not addresses:
        addresses += material.urls(instruction)
    if not found and not addresses:
        named = await asyncio.to_thread(material.find_file, instruction, resources.settings.data_files)
        found += [named] if named else []
    if len(addresses) + len(found) > _MOST_SOURCES:
        raise InvalidRequestError(f"At most {_MOST_SOURCES} files and URLs are taken in one request; send fewer.")
    return Work(instruction, parameters.schema, parameters.sheet, found, list(dict.fromkeys(addresses)))


async def fetch_all(work: Work, resources: Resources) -> AsyncGenerator[Progress]:
    """Fetch the addresses of some work and add them to its sources, saying so. Raises: what fetching raises."""
    for number, address in enumerate(work.addresses):
        yield Progress(f"Fetching {address[:200]}")
        work.sources.append(await _fetch(address, resources, resources.folder / f"fetched-{number}"))


async def read_text(source: Source, settings: Settings) -> documents.Document:
    """Return a source as text. Raises: InvalidRequestError, TooLargeError."""
    document = await asyncio.to_thread(_read_document, source, settings.max_document_bytes)
    if len(document.text) > settings.max_text_chars:
        raise TooLargeError(
            f"The text of {source.name} has {len(document.text):,} characters; at most {settings.max_text_chars:,} are "
            "read (MAX_TEXT_CHARS). Send a part of it."
        )
    return document


def content_of(source: Source, max_bytes: int) -> bytes:
    """Return all of a source. Blocking. Raises: TooLargeError."""
    if source.size_bytes > max_bytes:
        raise TooLargeError(f"{source.name} has more than {max_bytes:,} bytes (MAX_DOCUMENT_BYTES). Send a part of it.")
    return source.head(max_bytes)


def _read_document(source: Source, max_bytes: int) -> documents.Document:
    return documents.extract_text(content_of(source, max_bytes), source.media_type, _file_name(source))


async def _fetch(address: str, resources: Resources, to: Path) -> Source:
    settings = resources.settings
    found = await fetch_to(
        resources.client, address, to, timeout_s=settings.fetch_timeout_s, max_bytes=settings.max_data_bytes
    )
    if found.status in {404, 410}:
        raise NotFoundError(f"There is nothing at {address[:200]} (HTTP {found.status}). Check the address.")
    if found.status == 429 or found.status >= 500:
        raise UnavailableError(f"{address[:200]} answered with HTTP {found.status}; try again later.")
    if found.status >= 400:
        raise InvalidRequestError(
            f"{address[:200]} answered with HTTP {found.status}; it cannot be read without permission."
        )
    if not found.size_bytes:
        raise InvalidRequestError(f"{address[:200]} answered with nothing to read.")
    return Source(address, found.media_type, path=to)


def _file_name(source: Source) -> str:
    """Return a name whose ending tells the kind of file, also where the source is a URL."""
    return re.sub(r"[?#].*$", "", source.name) if "://" in source.name else source.name
