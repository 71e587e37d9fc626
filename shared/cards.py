"""Builds a service's A2A agent card: what it can do, and where and how it is called."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentProvider, AgentSkill

from shared.settings import FederationSettings, ServiceName


@dataclass(frozen=True, slots=True)
class Skill:
    """Something an agent can do. `examples` are requests in plain words; the registry ranks by all of these texts."""

    id: str
    name: str
    description: str
    tags: tuple[str, ...]
    examples: tuple[str, ...] = ()


def build(
    settings: FederationSettings,
    service: ServiceName,
    *,
    name: str,
    description: str,
    skills: Sequence[Skill],
    input_modes: Sequence[str] = ("text/plain",),
    output_modes: Sequence[str] = ("text/plain",),
) -> AgentCard:
    """Return the card of `service`: A2A 1.0 and 0.3, JSON-RPC and HTTP+JSON, all at the service's own URL."""
    url = settings.url_of(service)
    return AgentCard(
        name=name,
        description=description,
        version=version("agent-federation"),
        provider=AgentProvider(organization="Agent Federation", url=url),
        supported_interfaces=[
            AgentInterface(url=url, protocol_binding=binding, protocol_version=protocol)
            for protocol in ("1.0", "0.3")
            for binding in ("JSONRPC", "HTTP+JSON")
        ],
        capabilities=AgentCapabilities(streaming=True, push_notifications=True, extended_agent_card=False),
        default_input_modes=list(input_modes),
        default_output_modes=list(output_modes),
        skills=[
            AgentSkill(
                id=skill.id,
                name=skill.name,
                description=skill.description,
                tags=list(skill.tags),
                examples=list(skill.examples),
            )
            for skill in skills
        ],
    )
