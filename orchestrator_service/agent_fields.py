"""What is given to register an agent: the same in a request and in AGENTS_FILE."""

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from orchestrator_service.credentials import SecretFields
from orchestrator_service.registrar import NewAgent
from orchestrator_service.registry import AgentType


class AgentFields(SecretFields):
    """An agent to register: its address or its card, and what it is to be called whatever that says."""

    endpoint: str | None = Field(default=None, min_length=1, max_length=2000, description="Base URL, or the card's.")
    card: dict[str, JsonValue] | None = None
    name: str | None = Field(default=None, min_length=1, max_length=200)
    description: str | None = Field(default=None, max_length=10_000)
    agent_type: AgentType | None = None
    capabilities: tuple[Annotated[str, Field(max_length=500)], ...] | None = Field(default=None, max_length=200)
    config: dict[str, JsonValue] | None = None
    metadata: dict[str, JsonValue] | None = None

    @model_validator(mode="after")
    def _has_a_way(self) -> Self:
        if self.endpoint is None and self.card is None:
            raise ValueError("give `endpoint`, the agent's URL, or `card`, its agent card")
        return self

    def to_new_agent(self, source: Literal["file"] | None = None) -> NewAgent:
        """Return what the registrar takes; `source` is where it comes from, if that is not a request."""
        return NewAgent(
            endpoint=self.endpoint,
            card=self.card,
            name=self.name,
            description=self.description,
            agent_type=self.agent_type,
            capabilities=self.capabilities,
            config=self.config,
            metadata=self.metadata,
            secrets=self.to_secrets(),
            source=source,
        )
