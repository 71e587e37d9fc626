"""Chooses the agent for a step: the one it names, else the best of those that have the skill and can be reached."""

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, RowMapping, bindparam, select

from orchestrator_service import discovery, registry, statistics
from orchestrator_service.registry_models import Agent, AgentSkill
from shared.agent import JsonObject
from shared.auth import Caller
from shared.errors import AgentUnavailableError, FederationError
from shared.prepared import prepared


class NoAgentError(FederationError):
    """No registered agent can take the step, now or later, unless someone changes the registry."""

    slug = "no-agent"
    title = "No agent can do this"
    status = 422


class AgentsAwayError(FederationError):
    """Agents with the skill are registered, but none can be reached now; the text says why."""

    slug = "agents-away"
    title = "No agent can do this now"
    status = 503
    retryable = True


@dataclass(frozen=True, slots=True)
class Choice:
    """The agent a step goes to, and why. `max_concurrency` is how many calls it takes at once, if it says so.

    `is_suspended`: it was stopped after it got the step; nothing but a cancel is to be sent to it.
    """

    agent_id: str
    name: str
    endpoint: str
    card_hash: str
    credentials: bytes | None
    max_concurrency: int | None
    why: str
    is_suspended: bool = False


def reach(connection: Connection, agent_id: str) -> Choice | None:
    """Return the agent that a step was given to, however it is now; None if it was removed."""
    row = connection.execute(_BY_ID, {"of_agent": agent_id}).mappings().one_or_none()
    return None if row is None else _chosen(row, "has the step already")


def suspended(connection: Connection, agent_ids: Collection[str]) -> list[str]:
    """Return which of these agents are suspended."""
    return list(connection.execute(_SUSPENDED, {"of_agents": list(agent_ids)}).scalars())


def card(connection: Connection, agent_id: str) -> JsonObject:
    """Return the agent's card; empty if it was removed."""
    return connection.execute(_CARD, {"of_agent": agent_id}).scalar_one_or_none() or {}


def choose(
    connection: Connection,
    tenant_id: str,
    skill: str | None,
    agent: str | None,
    need: str,
    avoid: Collection[str] = (),
    resting: Collection[str] = (),
    taken: Collection[str] = (),
    lot: str = "",
    exploration: float = 0.0,
) -> Choice:
    """Choose the agent for a step: the one it names, else the best of those that have the skill and are reachable.

    `avoid` holds ids of agents that failed the step already; they are taken only if there is no other. `resting` those
    that have failed much lately, at whoever's calls: they are taken only when they are named. `taken` are asked the
    same already, for another opinion: they are asked again only if there is no other. Of all lots, the share
    `exploration` gives the step to an agent of which little is known.
    Raises: NoAgentError, AgentsAwayError, AgentUnavailableError, NotFoundError (a named agent that is not registered).
    """
    caller = Caller(tenant_id)
    if agent is not None:
        return _named(connection, caller, agent)
    rows = connection.execute(_WITH_SKILL, {"tenant": tenant_id, "skill": skill}).mappings().all()
    active = [row for row in rows if row["status"] == "active"]
    ready = [row for row in active if row["id"] not in resting]
    if not ready:
        raise _why_none(skill, rows)
    untaken = [row for row in ready if row["id"] not in taken]
    fresh = [row for row in untaken or ready if row["id"] not in avoid] or untaken or ready
    again = "" if untaken else f"asked again, for {len(ready)} reachable agents are fewer than the answers wanted; "
    if len(fresh) == 1:
        return _chosen(fresh[0], again + _why_only(skill, active, avoid, resting, taken))
    if _is_drawn(lot, exploration) and (little_known := _little_known(connection, skill, fresh)) is not None:
        return little_known
    scores = {
        match.offer.agent_id: match
        for match in discovery.rank(connection, caller, need, 50)
        if match.offer.skill_id == skill
    }
    best = max(fresh, key=lambda row: (scores[row["id"]].score if row["id"] in scores else 0.0, -_latency_ms(row)))
    reason = scores[best["id"]].why if best["id"] in scores else "answers fastest"
    return _chosen(best, f"{again}best of {len(fresh)} reachable agents with the skill {skill}: {reason}")


_LOTS: Final = 10_000
_WELL_KNOWN: Final = 20
_WORTH_TRYING: Final = 0.5

_COLUMNS: Final = (
    Agent.id,
    Agent.name,
    Agent.endpoint,
    Agent.card_hash,
    Agent.credentials,
    Agent.status,
    Agent.health,
    Agent.config,
)
_BY_ID: Final = prepared(select(*_COLUMNS).where(Agent.id == bindparam("of_agent")))
_OF_TENANT: Final = prepared(_BY_ID.where(Agent.tenant_id == bindparam("tenant")))
_SUSPENDED: Final = select(Agent.id).where(
    Agent.id.in_(bindparam("of_agents", expanding=True)), Agent.status == "suspended"
)
_CARD: Final = select(Agent.card).where(Agent.id == bindparam("of_agent"))
_WITH_SKILL: Final = prepared(
    select(*_COLUMNS)
    .join(AgentSkill, AgentSkill.agent_id == Agent.id)
    .where(Agent.tenant_id == bindparam("tenant"), AgentSkill.skill_id == bindparam("skill"))
    .order_by(Agent.id)
)


def _is_drawn(lot: str, share: float) -> bool:
    """Tell whether the lot is one of the share: the same lot always, evenly over many."""
    return bool(lot) and zlib.crc32(lot.encode()) % _LOTS < share * _LOTS


def _little_known(connection: Connection, skill: str | None, rows: Sequence[RowMapping]) -> Choice | None:
    """Return the agent that has done least at the skill, if others have done much; not one that mostly fails."""
    records = statistics.read(connection, [row["id"] for row in rows])
    calls = {agent_id: record.of(skill or "").calls for agent_id, record in records.items()}
    row = min(rows, key=lambda row: calls.get(row["id"], 0))
    known = calls.get(row["id"], 0)
    record = records.get(row["id"])
    is_bad = record is not None and record.of(skill or "").success_rate < _WORTH_TRYING
    if known >= _WELL_KNOWN or is_bad or max(calls.values(), default=0) < _WELL_KNOWN:
        return None
    return _chosen(row, f"to get to know it: it has done {skill} only {known} times lately, others more often")


def _named(connection: Connection, caller: Caller, agent: str) -> Choice:
    named = {"of_agent": agent, "tenant": caller.tenant_id}
    row = connection.execute(_OF_TENANT, named).mappings().one_or_none()
    if row is None:
        named["of_agent"] = registry.identify(connection, caller, agent)
        row = connection.execute(_OF_TENANT, named).mappings().one()
    match row["status"]:
        case "active":
            return _chosen(row, "named by the plan")
        case "inactive" | "suspended" | "pending" | "quarantined":
            raise NoAgentError(f"The agent {row['name']!r} {_why_not(row)}.")
        case _:
            text = f"The agent {row['name']!r} is not reachable: {row['health'].get('error')}"
            raise AgentUnavailableError(text, reached=False)


def _chosen(row: RowMapping, why: str) -> Choice:
    most = row["config"].get("max_concurrency")
    limit = most if isinstance(most, int) and most > 0 else None
    return Choice(
        row["id"],
        row["name"],
        row["endpoint"],
        row["card_hash"],
        row["credentials"],
        limit,
        why,
        is_suspended=row["status"] == "suspended",
    )


def _why_only(
    skill: str | None,
    active: Sequence[RowMapping],
    avoid: Collection[str],
    resting: Collection[str],
    taken: Collection[str],
) -> str:
    if len(active) == 1:
        return f"the only reachable agent with the skill {skill}"
    tired = [row["name"] for row in active if row["id"] in resting]
    failed = [row["name"] for row in active if row["id"] in avoid and row["id"] not in resting]
    asked = [row["name"] for row in active if row["id"] in taken]
    reasons = [
        *([f"{', '.join(failed)} failed it"] if failed else []),
        *([f"{', '.join(asked)} is asked the same"] if asked else []),
        *([f"{', '.join(tired)} failed too often lately"] if tired else []),
    ]
    return f"the other agent with {skill}" + (f": {'; '.join(reasons)}" if reasons else "")


def _why_none(skill: str | None, rows: Sequence[RowMapping]) -> FederationError:
    if not rows:
        return NoAgentError(
            f"No registered agent has the skill {skill!r}. Register one that has it, or choose another skill.",
            missing_skill=skill,
        )
    reasons = "; ".join(f"{row['name']} {_why_not(row)}" for row in rows)
    text = f"No agent with the skill {skill!r} is reachable. {reasons}"
    return AgentsAwayError(text) if any(row["status"] in {"active", "error"} for row in rows) else NoAgentError(text)


def _why_not(row: RowMapping) -> str:
    match row["status"]:
        case "active":
            return "failed too often lately and is left alone for a moment"
        case "inactive":
            return "is switched off (status inactive)"
        case "suspended":
            return "is suspended"
        case "pending":
            return "waits to be accepted: see what it says, then POST /api/agents/ID/accept"
        case "quarantined":
            return "has a changed card that nobody has accepted yet: see `quarantine`, then POST /api/agents/ID/accept"
        case _:
            return f"cannot be reached: {row['health'].get('error')}"


def _latency_ms(row: RowMapping) -> float:
    latency = row["health"].get("latency_ms")
    return latency if isinstance(latency, int | float) else 1e9
