"""arXiv: papers with their abstracts. Source: https://info.arxiv.org/help/api/user-manual.html"""

# lxml has no types; they stop at `_entries`.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportAttributeAccessIssue=false

import re
from dataclasses import dataclass
from typing import Final

import httpx

from a2a_agent_service.sources.engine import Hit, read
from shared.errors import UnavailableError

PAPERS: Final = re.compile(r"\b(?:arxiv|papers?|preprints?|publications?|literature|stud(?:y|ies))\b", re.IGNORECASE)
"""How a question speaks of papers; those words are in few abstracts, so they are not searched for."""

_ATOM: Final = "{http://www.w3.org/2005/Atom}"
_ERRORS: Final = "/api/errors"


@dataclass(frozen=True, slots=True)
class Arxiv:
    """arXiv's search."""

    client: httpx.AsyncClient
    url: str
    name: str = "arXiv"

    async def search(self, query: str, most: int) -> list[Hit]:
        """See `Engine`."""
        words = [word for word in re.findall(r"\w+", query) if not PAPERS.fullmatch(word)][:12]
        params = {"search_query": " AND ".join(f"all:{word}" for word in words), "max_results": str(most)}
        request = self.client.build_request("GET", f"{self.url.rstrip('/')}/api/query", params=params)
        return _entries(await read(self.client, request, self.name))[:most] if words else []


def _entries(feed: bytes) -> list[Hit]:
    """Return the papers in an Atom feed. Raises: ValueError; UnavailableError for what arXiv tells as an entry."""
    from lxml import etree  # noqa: PLC0415 - needed for few questions

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(feed, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"arXiv answered no feed: {error}") from error
    hits: list[Hit] = []
    for entry in root.iter(f"{_ATOM}entry"):
        title, url, summary = (
            " ".join((entry.findtext(f"{_ATOM}{name}") or "").split()) for name in ("title", "id", "summary")
        )
        if _ERRORS in url:
            raise UnavailableError(f"arXiv answers: {summary[:200]}.")
        if url.startswith(("http://", "https://")) and summary:
            hits.append(Hit(title, re.sub(r"^http://", "https://", url), summary))
    return hits
