"""Builds a service's A2A agent card: what it can do, and where and how it is called."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentProvider, AgentSkill
from google.protobuf.json_format import ParseDict, ParseError

from shared import agent_sequence, strict_json
from shared.errors import InvalidSettingError
from shared.settings import FederationSettings, ServiceName

_SECURITY: Final = {"security_schemes", "security_requirements"}


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
    """Return the card of `service`: A2A 1.0 and 0.3, JSON-RPC and HTTP+JSON, all at the service's own URL.

    Raises: InvalidSettingError.
    """
    url = settings.url_of(service)
    card = AgentCard(
        name=name,
        description=description,
        version=version("agent-federation"),
        provider=AgentProvider(organization="Agent Federation", url=url),
        supported_interfaces=[
            AgentInterface(url=url, protocol_binding=binding, protocol_version=protocol)
            for protocol in ("1.0", "0.3")
            for binding in ("JSONRPC", "HTTP+JSON")
        ],
        capabilities=AgentCapabilities(
            streaming=True, push_notifications=True, extended_agent_card=True, extensions=[agent_sequence.declare()]
        ),
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
    card.MergeFrom(read_security(settings))
    return card


def read_security(settings: FederationSettings) -> AgentCard:
    """Return a card that says nothing but how callers prove who they are. Raises: InvalidSettingError."""
    if settings.card_security is None:
        return AgentCard()
    try:
        given = strict_json.parse(settings.card_security.encode())
        security = ParseDict(given if isinstance(given, dict) else {}, AgentCard())
    except (strict_json.JsonError, ParseError) as error:
        first = str(error).splitlines()[0].rstrip(".")
        raise InvalidSettingError(f"CARD_SECURITY is not the JSON that an agent card may hold: {first}.") from error
    named = {name for each in security.security_requirements for name in each.schemes}
    fields = {field.name for field, _ in security.ListFields()}
    if not named <= set(security.security_schemes) or not {"security_schemes"} <= fields <= _SECURITY:
        raise InvalidSettingError(
            "CARD_SECURITY must be JSON with securitySchemes, and securityRequirements that name only those, such as "
            '{"securitySchemes": {"key": {"apiKeySecurityScheme": {"location": "header", "name": "X-API-Key"}}}, '
            '"securityRequirements": [{"schemes": {"key": {"list": []}}}]}.'
        )
    return security
