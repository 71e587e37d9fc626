"""arXiv: papers with their abstracts. Source: https://info.arxiv.org/help/api/user-manual.html"""

# lxml has no types; they stop at `_entries`.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportAttributeAccessIssue=false

import re
from dataclasses import dataclass
from typing import Final

import httpx

from a2a_agent_service.sources.engine import Hit, read

_ATOM: Final = "{http://www.w3.org/2005/Atom}"


@dataclass(frozen=True, slots=True)
class Arxiv:
    """arXiv's search."""

    client: httpx.AsyncClient
    url: str
    name: str = "arXiv"

    async def search(self, query: str, most: int) -> list[Hit]:
        """See `Engine`."""
        words = re.findall(r"\w+", query)[:12]
        params = {"search_query": " AND ".join(f"all:{word}" for word in words), "max_results": str(most)}
        request = self.client.build_request("GET", f"{self.url.rstrip('/')}/api/query", params=params)
        return _entries(await read(self.client, request))[:most] if words else []


def _entries(feed: bytes) -> list[Hit]:
    """Return the papers in an Atom feed. Raises: ValueError."""
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
        if url.startswith(("http://", "https://")) and summary:
            hits.append(Hit(title, re.sub(r"^http://", "https://", url), summary))
    return hits
