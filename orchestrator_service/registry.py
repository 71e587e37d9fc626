"""Registered agents: stored, found, changed. (`discovery` ranks, `choosing` picks one, `registrar` talks to them.)

An agent is its registry id and endpoint, never its name. What its card says is peer text. (`admission` lets agents in,
holds changed cards back, and suspends.)
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, cast

import orjson
from sqlalchemy import ColumnElement, Connection, RowMapping, case, delete, select, update

from orchestrator_service import discovery
from orchestrator_service import health as health_history
from orchestrator_service.meaning import Near
from orchestrator_service.registry_models import Agent, AgentCapability
from orchestrator_service.verification.imitations import skeleton
from shared.agent import JsonObject
from shared.agent_card import parse_card
from shared.auth import Caller
from shared.db import now
from shared.errors import ConflictError, NotFoundError

AgentType = Literal["a2a_server", "langgraph", "api", "browser"]
AgentStatus = Literal["active", "inactive", "error", "pending", "quarantined", "suspended"]
"""pending: new, not accepted yet; quarantined: its card changed, and nobody accepted that; suspended: stopped at once.

Only an active agent is chosen; one in "error" cannot be reached now.
"""

_HELD: Final = frozenset({"pending", "quarantined", "suspended"})
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
    Agent.verification,
    Agent.pending,
    Agent.source,
    Agent.card,
    Agent.card_hash,
    Agent.config,
    Agent.meta,
    Agent.created_at,
    Agent.updated_at,
)


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


def names(connection: Connection, caller: Caller, limit: int) -> list[tuple[str, datetime]]:
    """Return the names of active agents, by which `identify` finds each, and since when they are here, oldest first.

    Of those that share a name, the ids.
    """
    query = select(Agent.id, Agent.name, Agent.created_at).where(visible_to(caller), Agent.status == "active")
    rows = connection.execute(query.order_by(Agent.id).limit(limit)).all()
    times = Counter(row.name.lower() for row in rows)
    return [(row.name if times[row.name.lower()] == 1 else row.id, row.created_at) for row in rows]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which agents to list; None means any. `capability` is a skill id or tag, `q` words and `near` what they mean."""

    capability: str | None = None
    status: str | None = None
    q: str | None = None
    near: Mapping[str, Near] = field(default_factory=dict[str, Near])


def list_agents(
    connection: Connection, caller: Caller, filters: Filters, after: str | None, limit: int
) -> list[JsonObject]:
    """Return agents in the order of their ids, from above the id `after`."""
    found = select(Agent.id).where(visible_to(caller))
    by_id = Agent.id
    if filters.capability is not None:  # its index has the ids in order
        by_id = AgentCapability.agent_id
        found = found.join(AgentCapability, by_id == Agent.id).where(AgentCapability.capability == filters.capability)
    if after is not None:
        found = found.where(by_id > after)
    if filters.status is not None:
        found = found.where(Agent.status == filters.status)
    if filters.q is not None:
        statuses = None if filters.status is None else (filters.status,)
        among = discovery.Among(caller.tenant_id, statuses, filters.capability)
        found = found.where(Agent.id.in_(discovery.matching_agents(connection, filters.q, among, filters.near)))
    page = found.order_by(by_id).limit(limit)  # by id alone: cards are large, and only those of the page are read
    query = select(*_SHOWN).where(Agent.id.in_(page)).order_by(Agent.id)
    return [_to_json(row) for row in connection.execute(query).mappings()]


@dataclass(frozen=True, slots=True)
class Changes:
    """What to change of an agent; None leaves it as it is."""

    name: str | None = None
    description: str | None = None
    status: Literal["active", "inactive"] | None = None
    config: JsonObject | None = None
    metadata: JsonObject | None = None


def change(connection: Connection, caller: Caller, agent_id: str, changes: Changes) -> None:
    """Change an agent. A name or description given here stays when the card changes.

    One that was switched off and whose card has changed since is not active at once: the card waits to be accepted.
    Raises: NotFoundError, ConflictError (an agent that waits to be accepted, or is suspended, is not switched on so).
    """
    query = select(Agent.given, Agent.card, Agent.status, Agent.pending)
    query = query.where(visible_to(caller), Agent.id == agent_id).with_for_update(key_share=True)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no agent {agent_id!r}.")
    if changes.status is not None and row.status in _HELD:
        way = "POST .../resume" if row.status == "suspended" else "POST .../accept, after a look at what it says"
        raise ConflictError(f"The agent is {row.status}; use {way}.")
    named: JsonObject = {"name": changes.name, "description": changes.description}
    values: dict[str, object] = {
        **named,
        "status": "quarantined" if changes.status == "active" and row.pending is not None else changes.status,
        "skeleton": None if changes.name is None else skeleton(changes.name),
        "config": changes.config,
        "meta": changes.metadata,
    }
    values = {column: value for column, value in values.items() if value is not None}
    given: JsonObject = row.given | {key: value for key, value in named.items() if value is not None}
    connection.execute(update(Agent).where(Agent.id == agent_id).values(**values, given=given, updated_at=now()))
    if changes.name is not None:
        discovery.index(connection, agent_id, changes.name, parse_card(row.card))


def forget_credentials(connection: Connection, caller: Caller, agent_id: str) -> None:
    """Forget what the agent is shown. Raises: NotFoundError."""
    query = update(Agent).where(visible_to(caller), Agent.id == agent_id).values(credentials=None, updated_at=now())
    if connection.execute(query).rowcount == 0:
        raise NotFoundError(f"There is no agent {agent_id!r}.")


def remove(connection: Connection, caller: Caller, agent_id: str) -> None:
    """Forget an agent. Raises: NotFoundError."""
    find(connection, caller, agent_id)
    discovery.forget(connection, agent_id)
    connection.execute(delete(Agent).where(Agent.id == agent_id))


def record_health(connection: Connection, agent_id: str, health: JsonObject) -> str:
    """Keep the result of a health check, and return the state before: while checks fail, the status is "error"."""
    locked = select(Agent.health).where(Agent.id == agent_id).with_for_update()  # it may be removed meanwhile
    before = connection.execute(locked).one_or_none()
    if before is None:
        return "removed"
    seen = "active" if health["state"] == "healthy" else "error"
    # by what it is when the row is written: it may be suspended between a look and a change
    status = case((Agent.status.in_(("active", "error")), seen), else_=Agent.status)
    connection.execute(update(Agent).where(Agent.id == agent_id).values(health=health, status=status))
    health_history.record(connection, agent_id, health)
    return before.health["state"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where an agent can be checked, and what it needs to let us in; `card_hash` is that of the card we know."""

    agent_id: str
    tenant_id: str
    endpoint: str
    card_url: str | None
    card_hash: str
    credentials: bytes | None


def addresses(connection: Connection, agent_id: str | None = None) -> list[Address]:
    """Return where every agent, or that one, can be reached; inactive ones too."""
    query = select(
        Agent.id,
        Agent.tenant_id,
        Agent.endpoint,
        Agent.card_url,
        Agent.card_hash,
        Agent.credentials,
    )
    if agent_id is not None:
        query = query.where(Agent.id == agent_id)
    return [Address(*row) for row in connection.execute(query)]


def visible_to(caller: Caller) -> ColumnElement[bool]:
    """Return the condition under which an agent is the caller's to see."""
    return Agent.tenant_id == caller.tenant_id


def card_hash(raw_card: JsonObject) -> str:
    """Return the SHA-256 of a card as it was read, whatever the order of its keys."""
    return hashlib.sha256(orjson.dumps(raw_card, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _quarantine(pending: JsonObject | None) -> JsonObject | None:
    """Return what is to be known of a changed card before it is accepted."""
    if pending is None:
        return None
    known = {key: pending[key] for key in ("found_at", "changes", "verification", "card")}
    return known | {"card_hash": card_hash(cast("JsonObject", pending["card"]))}


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
        "verification": row["verification"],
        "quarantine": _quarantine(row["pending"]),
        "source": row["source"] or "api",
        "card": row["card"],
        "card_hash": row["card_hash"],
        "config": row["config"],
        "metadata": row["metadata"],
        "created_at": row["created_at"].isoformat(),
        "updated_at": row["updated_at"].isoformat(),
    }
