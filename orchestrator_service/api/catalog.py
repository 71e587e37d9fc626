"""The registry for others: an AI catalog, and the search of the Agentic Resource Discovery proposal (draft 0.9).

Source: https://github.com/ards-project/ard-spec (spec/ard.md, sections 4.1, 4.2 and 7.2)
"""

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter
from pydantic import ConfigDict, Field, JsonValue
from sqlalchemy import Connection, RowMapping, bindparam, select

from orchestrator_service import discovery
from orchestrator_service.api.body import Body
from orchestrator_service.api.parts import OpenParts, WhoAsks
from orchestrator_service.meaning import Near
from orchestrator_service.registry_models import Agent
from orchestrator_service.settings import Settings
from shared.agent import JsonObject
from shared.auth import Caller

router = APIRouter(tags=["catalog"])

_CARD: Final = "application/a2a-agent-card+json"
_REGISTRY: Final = "application/ai-registry+json"
_MOST_ENTRIES: Final = 1_000
_MOST_SKILLS: Final = 50


class CatalogQuery(Body):
    """What is looked for: words, and values that fields of an entry must have one of."""

    text: str = Field(min_length=1, max_length=10_000)
    filter: dict[Literal["type", "tags", "capabilities", "publisher", "identifier"], str | list[str]] = Field(
        default_factory=dict
    )


class CatalogSearch(Body):
    """A search among the registered agents. This registry has no others to ask, whatever `federation` says."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"query": {"text": "summarize a report"}}]})

    query: CatalogQuery
    federation: Literal["auto", "referrals", "none"] = "auto"
    page_size: Annotated[int, Field(alias="pageSize", ge=1, le=100)] = 10
    page_token: Annotated[str | None, Field(alias="pageToken", pattern=r"^\d{1,3}$")] = None


@router.get("/.well-known/ai-catalog.json", summary="The registered agents as an AI catalog")
async def catalog(parts: OpenParts, who: WhoAsks) -> JsonObject:
    """Answer the active agents, and where they can be searched for."""
    settings = parts.settings
    agents = await parts.database.read(_active, who)
    own: JsonObject = {
        "identifier": f"urn:air:{_publisher(settings)}:registry:agents",
        "displayName": "Agent Federation registry",
        "type": _REGISTRY,
        "url": f"{settings.url_of('orchestrator')}/",
        "description": "Finds registered agents for a need in plain words.",
    }
    return {
        "specVersion": "1.0",
        "host": {"displayName": "Agent Federation", "identifier": _publisher(settings)},
        "entries": [own, *(_entry(row, settings) for row in agents)],
    }


@router.post("/search", summary="Search the registered agents (Agentic Resource Discovery)")
async def search(body: CatalogSearch, parts: OpenParts, who: WhoAsks) -> JsonObject:
    """Answer the agents that fit best, with a score from 0 to 100 that says nothing about trust."""
    settings = parts.settings
    found = await parts.database.read(_search, who, body.query.text, await parts.near(body.query.text))
    best = max((score for _, score in found), default=1.0)
    entries = [
        {**_entry(row, settings), "score": round(100 * score / best), "source": f"{settings.url_of('orchestrator')}/"}
        for row, score in found
    ]
    fitting = [entry for entry in entries if _fits(entry, body.query)]
    first = int(body.page_token or 0)
    page: JsonObject = {"results": list[JsonValue](fitting[first : first + body.page_size])}
    if first + body.page_size < len(fitting):
        page["pageToken"] = str(first + body.page_size)
    return page


def _active(connection: Connection, caller: Caller) -> list[RowMapping]:
    return [*connection.execute(_ACTIVE, {"of_tenant": caller.tenant_id, "at_most": _MOST_ENTRIES}).mappings()]


def _search(
    connection: Connection, caller: Caller, text: str, near: Mapping[str, Near]
) -> list[tuple[RowMapping, float]]:
    """Return the agents with a skill that fits, best first, each with the score of its best skill."""
    scores: dict[str, float] = {}
    for match in discovery.rank(connection, caller, text, _MOST_SKILLS, near):
        scores.setdefault(match.offer.agent_id, match.score)
    rows = {row["id"]: row for row in connection.execute(_NAMED, {"of_agents": list(scores)}).mappings()}
    return [(rows[agent_id], score) for agent_id, score in scores.items() if agent_id in rows]


def _entry(row: RowMapping, settings: Settings) -> JsonObject:
    skills: list[JsonObject] = row["skills"]
    ids: list[JsonValue] = [skill["id"] for skill in skills]
    examples = [example for skill in skills if isinstance(listed := skill["examples"], list) for example in listed]
    place: JsonObject = {"url": row["card_url"]} if row["card_url"] else {"data": row["card"]}
    return {
        "identifier": f"urn:air:{_publisher(settings)}:agents:{row['id']}",
        "displayName": row["name"],
        "type": _CARD,
        **place,
        "description": row["description"],
        "tags": [word for word in row["capabilities"] if word not in ids],
        "capabilities": ids,
        "representativeQueries": examples[:5],
        "version": str(row["card"].get("version", "")),
        "updatedAt": row["updated_at"].isoformat(),
        "metadata": {"grade": row["grade"]},
    }


def _fits(entry: JsonObject, query: CatalogQuery) -> bool:
    """Tell whether for each field that is asked for, one of its values is one of those that are wanted."""
    for field, wanted in query.filter.items():
        value = str(entry["identifier"]).split(":")[2] if field == "publisher" else entry[field]
        values = value if isinstance(value, list) else [value]
        if not {*map(str, values)} & ({wanted} if isinstance(wanted, str) else {*wanted}):
            return False
    return True


def _publisher(settings: Settings) -> str:
    """Return the domain that the orchestrator answers at; an address that has none is a reserved name."""
    host = urlsplit(settings.url_of("orchestrator")).hostname or "localhost"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host if "." in host else f"{host}.localhost" if host != "localhost" else "federation.localhost"
    return "federation.localhost"


_SHOWN: Final = (
    Agent.id,
    Agent.name,
    Agent.description,
    Agent.skills,
    Agent.capabilities,
    Agent.card,
    Agent.card_url,
    Agent.grade,
    Agent.updated_at,
)
_ACTIVE: Final = (
    select(*_SHOWN)
    .where(Agent.tenant_id == bindparam("of_tenant"), Agent.status == "active")
    .order_by(Agent.id)
    .limit(bindparam("at_most"))
)
_NAMED: Final = select(*_SHOWN).where(Agent.id.in_(bindparam("of_agents", expanding=True)))
