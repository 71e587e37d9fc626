"""Settings of the orchestrator."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from shared.settings import Address, FederationSettings, ServiceName


class Settings(FederationSettings):
    """What the orchestrator reads beside the common settings."""

    bundled_agents: Annotated[tuple[ServiceName, ...], NoDecode] = Field(
        default=("research", "api", "browser", "code"),
        description="Bundled agents that must be registered before GET /ready answers 200.",
    )
    agent_check_interval_s: float = Field(
        default=15.0, gt=0, description="Pause between two health checks of an agent, in seconds."
    )
    agent_admission: Literal["open", "approval"] = Field(
        default="open", description="open, or approval: new agents are not called until someone accepts them."
    )
    agent_trusted_keys: Path | None = Field(
        default=None, description="File with a JWK set: keys that signed agent cards are checked against."
    )
    agents_file: Path | None = Field(
        default=None, description="YAML file, or folder of them, with agents to register; read again when it changes."
    )
    max_running_tasks: int = Field(
        default=100,
        ge=1,
        description="Tasks this process works on at once; the rest wait, but no task for its only sub-task.",
    )
    tenant_max_running_tasks: int = Field(
        default=100, ge=1, description="Tasks of one tenant that run at once, over all processes."
    )
    agent_max_concurrency: int = Field(
        default=64,
        ge=1,
        description="Calls this process makes to one agent at once, unless its config.max_concurrency says else.",
    )
    max_queued_tasks: int = Field(default=20_000, ge=1, description="Tasks that may wait; more are refused with 429.")
    max_steps_at_once: int = Field(
        default=64, ge=1, description="Steps this process performs at once, over all tasks; as many of their sub-tasks."
    )
    step_attempts: int = Field(
        default=3, ge=1, le=10, description="How often a step is tried where trying again can help."
    )
    drain_timeout_s: float = Field(
        default=3.0, ge=0, description="How long steps under way may go on when the service stops, in seconds."
    )
    input_timeout_s: float = Field(
        default=604_800.0, gt=0, description="How long a question to a person may wait, in seconds."
    )
    max_revisions: int = Field(
        default=2, ge=0, description="How often a plan is changed after one of its steps failed."
    )
    learn_plans: bool = Field(
        default=True,
        description="Whether plans of the model that succeeded are kept: reused for the same request, and as examples.",
    )
    exploration_share: float = Field(
        default=0.1,
        ge=0,
        le=0.5,
        description="Share of steps that go to a little-known agent instead of the best one, to get to know it.",
    )
    max_hops: int = Field(
        default=8, ge=1, description="How many messages in a row may lead to a task, from agent to agent."
    )
    tenant_daily_cost_usd: float | None = Field(
        default=None, ge=0, description="What all tasks of a tenant may spend on one day (UTC), in US dollars."
    )
    tenant_daily_tokens: int | None = Field(
        default=None, ge=0, description="How many tokens all tasks of a tenant may use on one day (UTC)."
    )
    idempotency_hours: float = Field(
        default=24.0, gt=0, description="How long an Idempotency-Key is remembered, in hours."
    )
    history_turns: int = Field(
        default=20, ge=0, description="Earlier messages of a session that a new task is planned with."
    )
    max_artifact_bytes: int = Field(
        default=20_000_000, ge=1, description="Largest file a task may carry or produce, in bytes."
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        description="Key that webhooks are signed with, whsec_BASE64; default: one made from the secret key.",
    )
    frontend_url: Address | None = Field(default=None, description="Origin of a web UI served elsewhere (CORS).")

    @field_validator("bundled_agents", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
