"""The cards of the agents that the host runs."""

from typing import cast

from a2a.types import AgentCard

from agent_host_service.settings import Settings
from agent_host_service.templates import Template
from shared import cards
from shared.settings import ServiceName


def service_of(template: Template) -> ServiceName:
    """Return the name under which the agent's tasks are kept: a service of its own."""
    return cast("ServiceName", f"host-{template.name}")


def build(settings: Settings, template: Template) -> AgentCard:
    """Return the card of the agent that the template makes."""
    return cards.build(
        settings,
        service_of(template),
        name=template.title or template.name,
        description=template.description,
        skills=[
            cards.Skill(skill.id, skill.name, skill.description, tuple(skill.tags), tuple(skill.examples))
            for skill in template.skills
        ],
        output_modes=("text/markdown",),
    )
