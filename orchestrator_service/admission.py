"""Who is let in: new agents, agents whose card changed, and agents that are stopped at once.

A new agent is active, or waits ("pending") where AGENT_ADMISSION is "approval". One whose card changed in what matters
keeps the card that was accepted and is not called ("quarantined") until someone accepts the new one. The federation's
own services, at the addresses that the settings give them, need neither: whoever runs them runs the registry, too.
"""

from dataclasses import dataclass
from typing import Final, Literal, cast

from a2a.types import AgentCard
from pydantic import JsonValue
from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, select, update

from orchestrator_service import discovery
from orchestrator_service.registry import AgentType, card_hash, visible_to
from orchestrator_service.registry_models import Agent, AgentCapability
from orchestrator_service.verification.changes import Change, compare
from orchestrator_service.verification.imitations import is_imitation, skeleton
from shared.agent import JsonObject
from shared.agent_card import parse_card
from shared.auth import Caller
from shared.db import new_id, now
from shared.errors import ConflictError, NotFoundError

_SWITCHED_OFF: Final[JsonObject] = {"status": "inactive"}
_KEPT_OFF: Final = frozenset({"inactive", "suspended"})
_MOST_ALIKE: Final = 20


@dataclass(frozen=True, slots=True)
class Registration:
    """An agent to store, looked at already. None in the optional fields means: as the card says, or as it was.

    `is_own`: its card was fetched from a service of this federation, at the address that the settings give it.
    `verification` is what was found about the card; `pinned_key` the key it is signed with, if that is to be kept.
    `agent_id` is the known agent that was looked at again, if it was not registered anew.
    """

    endpoint: str
    card: AgentCard
    raw_card: JsonObject
    card_url: str | None
    health: JsonObject
    verification: JsonObject
    pinned_key: JsonObject | None = None
    is_own: bool = False
    name: str | None = None
    description: str | None = None
    agent_type: AgentType | None = None
    capabilities: tuple[str, ...] | None = None
    config: JsonObject | None = None
    metadata: JsonObject | None = None
    credentials: bytes | None = None
    source: Literal["file", "template"] | None = None
    agent_id: str | None = None


def save(
    connection: Connection, caller: Caller, new: Registration, *, needs_approval: bool = False
) -> tuple[str, bool]:
    """Store an agent, or bring the one with the same endpoint up to date. Returns its id and whether it is new.

    A known agent whose card changed in what matters keeps the card it has, and is quarantined.
    Raises: NotFoundError, when the agent that was looked at again was removed meanwhile.
    """
    asked = {"of_tenant": caller.tenant_id, "at_endpoint": new.endpoint}
    known = connection.execute(_KNOWN.with_for_update(), asked).mappings().one_or_none()
    if new.agent_id is not None and (known is None or known["id"] != new.agent_id):
        raise NotFoundError(f"There is no agent {new.agent_id!r}.")
    given: JsonObject = ({} if known is None else dict(known["given"])) | _given(new)
    optional: dict[str, object] = {
        "agent_type": new.agent_type,
        "config": new.config,
        "meta": new.metadata,
        "credentials": new.credentials,
        "source": new.source,
    }
    fields: dict[str, object] = {column: value for column, value in optional.items() if value is not None}
    fields |= {"given": given, "health": new.health, "updated_at": now()}
    if known is not None:
        _bring_up_to_date(connection, known, new, given, fields)
        return known["id"], False
    agent_id = new_id()
    created: dict[str, object] = {
        "id": agent_id,
        "tenant_id": caller.tenant_id,
        "endpoint": new.endpoint,
        "agent_type": "a2a_server",
        "config": {},
        "meta": {},
        "created_at": fields["updated_at"],
        "status": "pending" if needs_approval and not new.is_own else "active",
        "pinned_key": new.pinned_key,
    }
    connection.execute(insert(Agent).values(created | fields | _read(new, given)))
    _index(connection, agent_id, new.card, given)
    return agent_id, True


def accept(connection: Connection, caller: Caller, agent_id: str, seen: str | None = None) -> None:
    """Let a new agent in, or take over the changed card of a known one; `seen` is the hash of the card looked at.

    Raises: NotFoundError; ConflictError, also when another card than the one that was seen waits by now.
    """
    row = _find(connection, caller, agent_id)
    if row["status"] not in {"pending", "quarantined"}:
        raise ConflictError(f"The agent is {row['status']}: there is nothing to accept.")
    values: dict[str, object] = {"status": "active", "updated_at": now()}
    held = cast("JsonObject | None", row["pending"])
    waiting = row["card_hash"] if held is None else card_hash(cast("JsonObject", held["card"]))
    if seen not in {None, waiting}:
        raise ConflictError("The agent's card has changed again since it was looked at: look at it once more.")
    if held is not None:
        raw_card = cast("JsonObject", held["card"])
        card = parse_card(raw_card)
        verification = cast("JsonObject", held["verification"])
        values |= _of_card(card, raw_card, cast("str | None", held["card_url"]), verification, row["given"])
        values |= {"pending": None, "pinned_key": held["key"] or _key_after(row, verification)}
        _index(connection, agent_id, card, row["given"])
    connection.execute(update(Agent).where(Agent.id == agent_id).values(values))


def suspend(connection: Connection, caller: Caller, agent_id: str) -> None:
    """Have the agent not called any more, until it is resumed. Raises: NotFoundError, ConflictError."""
    row = _find(connection, caller, agent_id)
    if row["status"] == "pending":
        raise ConflictError("The agent is not accepted yet, so nothing is sent to it.")
    given = row["given"] | _SWITCHED_OFF if row["status"] == "inactive" else row["given"]
    values = {"status": "suspended", "given": given, "updated_at": now()}
    connection.execute(update(Agent).where(Agent.id == agent_id).values(values))


def resume(connection: Connection, caller: Caller, agent_id: str) -> None:
    """Let a suspended agent be called again, unless it was switched off or its changed card waits to be accepted.

    Raises: NotFoundError, ConflictError.
    """
    row = _find(connection, caller, agent_id)
    if row["status"] != "suspended":
        raise ConflictError(f"The agent is {row['status']}, not suspended.")
    given = {name: value for name, value in row["given"].items() if name not in _SWITCHED_OFF}
    status = "active" if row["pending"] is None else "quarantined"
    values = {"status": row["given"].get("status", status), "given": given, "updated_at": now()}
    connection.execute(update(Agent).where(Agent.id == agent_id).values(values))


@dataclass(frozen=True, slots=True)
class Alike:
    """A registered agent whose name looks like another one's; `is_imitated`: it is written otherwise."""

    name: str
    endpoint: str
    is_imitated: bool


def named_alike(connection: Connection, caller: Caller, name: str, endpoint: str) -> list[Alike]:
    """Return the agents at other endpoints whose name can be taken for `name`."""
    looks = skeleton(name)
    if not looks:
        return []
    named = {"of_tenant": caller.tenant_id, "looks": looks, "at_endpoint": endpoint}
    return [Alike(row.name, row.endpoint, is_imitation(name, row.name)) for row in connection.execute(_ALIKE, named)]


def known_at(connection: Connection, caller: Caller, endpoint: str) -> tuple[JsonObject | None, bytes | None]:
    """Return the pinned key and the credentials of the agent at an endpoint; None where there are none."""
    asked = {"of_tenant": caller.tenant_id, "at_endpoint": endpoint}
    row = connection.execute(_KNOWN, asked).mappings().one_or_none()
    return (None, None) if row is None else (row["pinned_key"], row["credentials"])


def _bring_up_to_date(
    connection: Connection, known: RowMapping, new: Registration, given: JsonObject, fields: dict[str, object]
) -> None:
    changes = compare(parse_card(known["card"]), new.card)
    if _is_no_longer_signed(known, new):
        changes.append(Change("signature", _signature(known["verification"]), _signature(new.verification)))
    if changes and not new.is_own and known["status"] != "pending":
        fields["status"] = known["status"] if known["status"] in _KEPT_OFF else "quarantined"
        fields["pending"] = {
            "card": new.raw_card,
            "card_url": new.card_url,
            "verification": new.verification,
            "key": new.pinned_key,
            "changes": [change.to_json() for change in changes],
            "found_at": now().isoformat(),
        }
    else:
        fields |= _read(new, given)
        fields["status"] = known["status"] if known["status"] in _KEPT_OFF | {"pending"} else "active"
        fields["pending"] = None
        fields["pinned_key"] = new.pinned_key or known["pinned_key"]
        _index(connection, known["id"], new.card, given)
    connection.execute(update(Agent).where(Agent.id == known["id"]).values(fields))


def _find(connection: Connection, caller: Caller, agent_id: str) -> RowMapping:
    """Return what is to be decided by, and let nobody else decide meanwhile."""
    query = select(Agent.status, Agent.pending, Agent.given, Agent.pinned_key, Agent.card_hash)
    query = query.where(visible_to(caller), Agent.id == agent_id).with_for_update(key_share=True)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"There is no agent {agent_id!r}.")
    return row


def _read(new: Registration, given: JsonObject) -> dict[str, object]:
    return _of_card(new.card, new.raw_card, new.card_url, new.verification, given)


def _of_card(
    card: AgentCard, raw_card: JsonObject, card_url: str | None, verification: JsonObject, given: JsonObject
) -> dict[str, object]:
    """Return the columns that follow from the card, and from what was given instead."""
    name = _name(card, given)
    grade = verification.get("grade")
    return {
        "card_url": card_url,
        "skills": _skills(card),
        "capabilities": _capabilities(card, given),
        "protocol": _protocol(card),
        "grade": grade["letter"] if isinstance(grade, dict) else None,
        "card": raw_card,
        "card_hash": card_hash(raw_card),
        "name": name,
        "description": given.get("description") or card.description,
        "skeleton": skeleton(name),
        "verification": verification,
    }


def _index(connection: Connection, agent_id: str, card: AgentCard, given: JsonObject) -> None:
    """Make the agent findable by its skills and capabilities."""
    discovery.index(connection, agent_id, _name(card, given), card)
    connection.execute(delete(AgentCapability).where(AgentCapability.agent_id == agent_id))
    rows = [{"agent_id": agent_id, "capability": capability} for capability in _capabilities(card, given)]
    if rows:
        connection.execute(insert(AgentCapability), rows)


def _name(card: AgentCard, given: JsonObject) -> str:
    return str(given.get("name") or card.name)


def _capabilities(card: AgentCard, given: JsonObject) -> list[str]:
    own = given.get("capabilities")
    offered = [word for skill in card.skills for word in (skill.id, *skill.tags)]
    return list(dict.fromkeys([*offered, *(map(str, own) if isinstance(own, list) else ())]))


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


def _signature(verification: JsonObject | None) -> JsonValue:
    return None if verification is None else verification.get("signature")


def _is_no_longer_signed(known: RowMapping, new: Registration) -> bool:
    """Tell whether a card was signed by someone we know, and the new one is not."""
    after = _signature(new.verification)
    return known["pinned_key"] is not None and not (isinstance(after, dict) and after["state"] in {"trusted", "pinned"})


def _key_after(row: RowMapping, verification: JsonObject) -> JsonObject | None:
    """Return the pinned key when a card is accepted that brings none: one that is not signed with it lets go of it."""
    signature = _signature(verification)
    is_kept = isinstance(signature, dict) and signature["state"] in {"trusted", "pinned"}
    return row["pinned_key"] if is_kept else None


_KNOWN: Final = select(
    Agent.id, Agent.given, Agent.status, Agent.card, Agent.verification, Agent.pinned_key, Agent.credentials
).where(Agent.tenant_id == bindparam("of_tenant"), Agent.endpoint == bindparam("at_endpoint"))
_ALIKE: Final = (
    select(Agent.name, Agent.endpoint)
    .where(
        Agent.tenant_id == bindparam("of_tenant"),
        Agent.skeleton == bindparam("looks"),
        Agent.endpoint != bindparam("at_endpoint"),
    )
    .order_by(Agent.id)
    .limit(_MOST_ALIKE)
)
