"""What of a card matters to those who trusted it, and how two cards differ in that.

A new version, another order, an example more or a new icon are no reason to hold an agent back; another skill,
interface, security, signing key, name or provider are.
"""

from dataclasses import dataclass
from typing import Final, cast

from a2a.types import AgentCard
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from pydantic import JsonValue

from shared.agent import JsonObject

_OF_SKILL: Final = ("name", "description", "tags", "inputModes", "outputModes", "securityRequirements")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference that matters. None: it was, or is, not there."""

    field: str
    before: JsonValue
    after: JsonValue

    def to_json(self) -> JsonObject:
        """Return it as the API shows it."""
        return {"field": self.field, "before": self.before, "after": self.after}


def compare(before: AgentCard, after: AgentCard) -> list[Change]:
    """Return how the cards differ in what matters, by field."""
    old, new = essence(before), essence(after)
    return [
        Change(field, old.get(field), new.get(field))
        for field in sorted({*old, *new})
        if old.get(field) != new.get(field)
    ]


def essence(card: AgentCard) -> JsonObject:
    """Return what matters of a card, by field; equal for cards that differ only in what does not matter."""
    plain = _plain(card)
    found: JsonObject = {"name": card.name, "provider": plain.get("provider")}
    for interface in card.supported_interfaces:
        found[f"interface {interface.protocol_binding} {interface.protocol_version} {interface.url}"] = interface.tenant
    for skill in card.skills:
        fields = _plain(skill)
        found[f"skill {skill.id}"] = {
            name: _unordered(fields[name]) if name == "tags" else fields[name] for name in _OF_SKILL if name in fields
        }
    schemes = plain.get("securitySchemes")
    for name, scheme in (schemes if isinstance(schemes, dict) else {}).items():
        found[f"security scheme {name}"] = scheme
    found["security requirements"] = _unordered(plain.get("securityRequirements", []))
    return found


def _unordered(value: JsonValue) -> JsonValue:
    return sorted(value, key=str) if isinstance(value, list) else value


def _plain(message: AgentCard | Message) -> JsonObject:
    return cast("JsonObject", MessageToDict(cast("Message", message)))
