"""Registered agents: stored, found, changed. (`discovery` ranks, `choosing` picks one, `registrar` talks to them.)

An agent is its registry id and endpoint, never its name. What its card says is peer text.
"""

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

import orjson
from a2a.types import AgentCard
from pydantic import JsonValue
from sqlalchemy import ColumnElement, Connection, RowMapping, delete, insert, select, update

from orchestrator_service import discovery
from orchestrator_service.models import Agent
from shared.agent import JsonObject
from shared.agent_card import parse_card
from shared.auth import Caller
from shared.db import new_id, now
from shared.errors import NotFoundError

AgentType = Literal["a2a_server", "langgraph", "api", "browser"]
AgentStatus = Literal["active", "inactive", "error"]

_SHOWN: Final = (
    Agent.id,
    Agent.name,
    Agent.description,
    Agent.endpoint,
    Agent.agent_type,
    Agent.capabilities,
    Agent.skills,
    Agent.protocol,
    Agent.status,
    Agent.health,
    Agent.grade,
    Agent.card,
    Agent.config,
    Agent.meta,
    Agent.created_at,
    Agent.updated_at,
)


@dataclass(frozen=True, slots=True)
class Registration:
    """An agent to store. None in the optional fields means: as the card says, or as it was."""

    endpoint: str
    card: AgentCard
    raw_card: JsonObject
    card_url: str | None
    health: JsonObject
    name: str | None = None
    description: str | None = None
    agent_type: AgentType | None = None
    capabilities: tuple[str, ...] | None = None
    config: JsonObject | None = None
    metadata: JsonObject | None = None
    credentials: bytes | None = None


def save(connection: Connection, caller: Caller, new: Registration) -> tuple[str, bool]:
    """Store an agent, or bring the one with the same endpoint up to date. Returns its id and whether it is new."""
    at = now()
    known = connection.execute(
        select(Agent.id, Agent.given).where(visible_to(caller), Agent.endpoint == new.endpoint)
    ).one_or_none()
    given: JsonObject = {} if known is None else dict(known.given)
    given |= _given(new)
    name = str(given.get("name") or new.card.name)
    capabilities = given.get("capabilities")
    own = [str(tag) for tag in capabilities] if isinstance(capabilities, list) else []
    offered = [word for skill in new.card.skills for word in (skill.id, *skill.tags)]
    fields: dict[str, object] = {
        "card_url": new.card_url,
        "skills": _skills(new.card),
        "capabilities": list(dict.fromkeys([*offered, *own])),
        "protocol": _protocol(new.card),
        "status": "active",
        "health": new.health,
        "card": new.raw_card,
        "card_hash": hashlib.sha256(orjson.dumps(new.raw_card, option=orjson.OPT_SORT_KEYS)).hexdigest(),
        "updated_at": at,
        "name": name,
        "description": given.get("description") or new.card.description,
        "given": given,
    }
    optional = {
        "agent_type": new.agent_type,
        "config": new.config,
        "meta": new.metadata,
        "credentials": new.credentials,
    }
    fields |= {column: value for column, value in optional.items() if value is not None}
    if known is not None:
        connection.execute(update(Agent).where(Agent.id == known.id).values(fields))
        agent_id = known.id
    else:
        agent_id = new_id()
        created: dict[str, object] = {
            "id": agent_id,
            "tenant_id": caller.tenant_id,
            "endpoint": new.endpoint,
            "agent_type": "a2a_server",
            "config": {},
            "meta": {},
            "created_at": at,
        }
        connection.execute(insert(Agent).values({**created, **fields}))
    discovery.index(connection, agent_id, name, new.card)
    return agent_id, known is None


def find(connection: Connection, caller: Caller, agent_id: str) -> JsonObject:
    """Return the agent as the API shows it. Raises: NotFoundError."""
    row = connection.execute(select(*_SHOWN).where(visible_to(caller), Agent.id == agent_id)).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"There is no agent {agent_id!r}.")
    return _to_json(row)


def identify(connection: Connection, caller: Caller, name_or_id: str) -> str:
    """Return the id of the agent with that id, or with that name if only one has it. Raises: NotFoundError."""
    rows = connection.execute(
        select(Agent.id, Agent.name)
        .where(visible_to(caller), (Agent.id == name_or_id) | (Agent.name.ilike(_literal(name_or_id), escape="\\")))
        .limit(3)
    ).all()
    exact = [row.id for row in rows if row.id == name_or_id] or [row.id for row in rows]
    if len(exact) == 1:
        return exact[0]
    if len(exact) > 1:
        raise NotFoundError(f"Several agents are named {name_or_id!r}; give the id of the one you mean.")
    known = connection.execute(select(Agent.name).where(visible_to(caller)).order_by(Agent.name).limit(20)).scalars()
    raise NotFoundError(f"There is no agent {name_or_id!r}. Registered: {', '.join(known) or 'none'}.")


@dataclass(frozen=True, slots=True)
class Filters:
    """Which agents to list; None means any. `capability` is a skill id or tag, `q` plain words."""

    capability: str | None = None
    status: str | None = None
    q: str | None = None


def list_agents(
    connection: Connection, caller: Caller, filters: Filters, after: str | None, limit: int
) -> list[JsonObject]:
    """Return agents in the order of their ids, from above the id `after`."""
    query = select(*_SHOWN).where(visible_to(caller)).order_by(Agent.id)
    if after is not None:
        query = query.where(Agent.id > after)
    if filters.status is not None:
        query = query.where(Agent.status == filters.status)
    if filters.q is not None:
        query = query.where(Agent.id.in_(discovery.matching_agents(connection, filters.q)))
    if filters.capability is None:
        return [_to_json(row) for row in connection.execute(query.limit(limit)).mappings()]
    wanted = filters.capability
    found = (_to_json(row) for row in connection.execute(query).mappings() if wanted in row["capabilities"])
    return [agent for agent, _ in zip(found, range(limit), strict=False)]


@dataclass(frozen=True, slots=True)
class Changes:
    """What to change of an agent; None leaves it as it is."""

    name: str | None = None
    description: str | None = None
    status: Literal["active", "inactive"] | None = None
    config: JsonObject | None = None
    metadata: JsonObject | None = None
    credentials: bytes | None = None


def change(connection: Connection, caller: Caller, agent_id: str, changes: Changes) -> None:
    """Change an agent. A name or description given here stays when the card changes. Raises: NotFoundError."""
    row = connection.execute(
        select(Agent.given, Agent.card).where(visible_to(caller), Agent.id == agent_id)
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no agent {agent_id!r}.")
    named: JsonObject = {"name": changes.name, "description": changes.description}
    values: dict[str, object] = {
        **named,
        "status": changes.status,
        "config": changes.config,
        "meta": changes.metadata,
        "credentials": changes.credentials,
    }
    values = {column: value for column, value in values.items() if value is not None}
    given: JsonObject = row.given | {key: value for key, value in named.items() if value is not None}
    connection.execute(update(Agent).where(Agent.id == agent_id).values(**values, given=given, updated_at=now()))
    if changes.name is not None:
        discovery.index(connection, agent_id, changes.name, parse_card(row.card))


def remove(connection: Connection, caller: Caller, agent_id: str) -> None:
    """Forget an agent. Raises: NotFoundError."""
    find(connection, caller, agent_id)
    discovery.forget(connection, agent_id)
    connection.execute(delete(Agent).where(Agent.id == agent_id))


def record_health(connection: Connection, agent_id: str, health: JsonObject) -> str:
    """Keep the result of a health check, and return the state before: while checks fail, the status is "error"."""
    row = connection.execute(select(Agent.health, Agent.status).where(Agent.id == agent_id)).one_or_none()
    if row is None:
        return "removed"
    status = "active" if health["state"] == "healthy" else "error"
    values = {"health": health} if row.status == "inactive" else {"health": health, "status": status}
    connection.execute(update(Agent).where(Agent.id == agent_id).values(values))
    return row.health["state"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where an agent can be checked, and what it needs to let us in."""

    agent_id: str
    endpoint: str
    card_url: str | None
    credentials: bytes | None


def addresses(connection: Connection, agent_id: str | None = None) -> list[Address]:
    """Return where every agent, or that one, can be reached; inactive ones too."""
    query = select(Agent.id, Agent.endpoint, Agent.card_url, Agent.credentials)
    if agent_id is not None:
        query = query.where(Agent.id == agent_id)
    return [Address(*row) for row in connection.execute(query)]


def visible_to(caller: Caller) -> ColumnElement[bool]:
    """Return the condition under which an agent is the caller's to see."""
    return Agent.tenant_id == caller.tenant_id


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _given(new: Registration) -> JsonObject:
    """Return what whoever registered the agent wants it to be called, whatever its card says."""
    given: JsonObject = {}
    if new.name:
        given["name"] = new.name
    if new.description:
        given["description"] = new.description
    if new.capabilities is not None:
        given["capabilities"] = list(new.capabilities)
    return given


def _skills(card: AgentCard) -> list[JsonObject]:
    return [
        {
            "id": skill.id,
            "name": skill.name,
            "description": skill.description,
            "tags": list[JsonValue](skill.tags),
            "examples": list[JsonValue](skill.examples),
        }
        for skill in card.skills
    ]


def _protocol(card: AgentCard) -> JsonObject:
    interfaces = card.supported_interfaces
    return {
        "versions": list[JsonValue](sorted({interface.protocol_version for interface in interfaces}, reverse=True)),
        "bindings": list[JsonValue](dict.fromkeys(interface.protocol_binding for interface in interfaces)),
        "streaming": card.capabilities.streaming,
        "push_notifications": card.capabilities.push_notifications,
    }


def _to_json(row: RowMapping) -> JsonObject:
    return {
        "id": row["id"],
        "name": row["name"],
        "description": row["description"],
        "endpoint": row["endpoint"],
        "agent_type": row["agent_type"],
        "capabilities": row["capabilities"],
        "skills": row["skills"],
        "protocol": row["protocol"],
        "status": row["status"],
        "health": row["health"],
        "grade": row["grade"],
        "card": row["card"],
        "config": row["config"],
        "metadata": row["metadata"],
        "created_at": row["created_at"].isoformat(),
        "updated_at": row["updated_at"].isoformat(),
    }
