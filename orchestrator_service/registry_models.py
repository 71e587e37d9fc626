"""The tables of the registry: agents, what they offer, how they do."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from orchestrator_service.models import Base
from shared.agent import JsonObject
from shared.db import JSON_COLUMN


class Agent(Base):
    """A registered A2A server. What its card says is peer text; `given` is what whoever registered it said instead.

    `skeleton` is what its name looks like, `verification` what was found when it was looked at last, `pinned_key` the
    key of its first signed card, `pending` a changed card that waits to be accepted; `source` is "file" if it comes
    from AGENTS_FILE, "template" if it was begun for a plan.
    """

    __tablename__ = "agents"
    __table_args__ = (
        Index("uq_agents_tenant_endpoint", "tenant_id", "endpoint", unique=True),
        Index("ix_agents_tenant_id", "tenant_id", "id"),
        Index("ix_agents_tenant_skeleton", "tenant_id", "skeleton"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str]
    name: Mapped[str] = mapped_column(index=True)
    description: Mapped[str] = mapped_column(Text)
    endpoint: Mapped[str]
    card_url: Mapped[str | None]
    agent_type: Mapped[str]
    capabilities: Mapped[list[str]] = mapped_column(JSON_COLUMN)
    skills: Mapped[list[JsonObject]] = mapped_column(JSON_COLUMN)
    protocol: Mapped[JsonObject]
    status: Mapped[str]
    health: Mapped[JsonObject]
    grade: Mapped[str | None]
    card: Mapped[JsonObject]
    card_hash: Mapped[str]
    credentials: Mapped[bytes | None] = mapped_column(LargeBinary)
    given: Mapped[JsonObject]
    config: Mapped[JsonObject]
    meta: Mapped[JsonObject] = mapped_column("metadata")
    skeleton: Mapped[str] = mapped_column(default="", server_default="")
    verification: Mapped[JsonObject | None]
    pinned_key: Mapped[JsonObject | None]
    pending: Mapped[JsonObject | None]
    source: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class AgentCapability(Base):
    """A skill id or tag of an agent, so that those who have it are found at once."""

    __tablename__ = "agent_capabilities"

    capability: Mapped[str] = mapped_column(primary_key=True)
    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True, index=True)


class AgentStats(Base):
    """How an agent's latest calls went: how many, how many failed, the usual duration and cost of one.

    `score` is the mean of what `scored` answers were judged to be worth; `skills` holds the same by skill.
    """

    __tablename__ = "agent_stats"

    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True)
    calls: Mapped[int]
    failures: Mapped[int]
    duration_ms: Mapped[float]
    cost_usd: Mapped[float]
    score: Mapped[float | None]
    scored: Mapped[int] = mapped_column(default=0, server_default="0")
    skills: Mapped[JsonObject | None]
    updated_at: Mapped[datetime]


class AgentHealth(Base):
    """How an agent was in a quarter of an hour, which begins `at`: how often it was asked, and did not answer well.

    `latency_ms` is the sum of what the good answers took; `error` what was wrong last.
    """

    __tablename__ = "agent_health"

    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    checks: Mapped[int]
    failures: Mapped[int]
    latency_ms: Mapped[float]
    error: Mapped[str | None] = mapped_column(Text)


class AgentSkill(Base):
    """A skill of an agent, as rows that full-text search reads (FTS5 on SQLite, tsvector on PostgreSQL)."""

    __tablename__ = "agent_skills"
    __table_args__ = (Index("uq_agent_skills_agent_skill", "agent_id", "skill_id", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"))
    skill_id: Mapped[str] = mapped_column(index=True)
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    tags: Mapped[str] = mapped_column(Text)
    examples: Mapped[str] = mapped_column(Text)
    agent_name: Mapped[str] = mapped_column(Text, server_default="")
    digest: Mapped[str] = mapped_column(default="", server_default="", index=True)


class SkillVector(Base):
    """What a skill's text means, by an embedding model: `vector` has 32-bit floats, the lowest byte first."""

    __tablename__ = "skill_vectors"
    __table_args__ = (Index("uq_skill_vectors_digest_model", "digest", "model", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    model: Mapped[str]
    digest: Mapped[str]
    vector: Mapped[bytes] = mapped_column(LargeBinary)
