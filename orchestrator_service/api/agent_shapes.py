"""What registered agents look like in answers."""

from typing import Annotated, Literal, TypeAlias

from pydantic import JsonValue

from orchestrator_service.api.shapes import Answer, Json, Page, Shape
from orchestrator_service.registry import AgentStatus, AgentType
from shared.agent import JsonObject


class SkillOfAgent(Answer):
    """What an agent's card says it can do."""

    id: str
    name: str
    description: str
    tags: list[str]
    examples: list[str]


class Health(Answer):
    """How an agent was when it was asked last."""

    state: Literal["healthy", "unreachable"]
    checked_at: str
    latency_ms: float | None
    error: str | None


class HealthSpan(Answer):
    """How an agent was in the quarter of an hour that begins `at`; `latency_ms` is the mean of the good answers."""

    at: str
    checks: int
    failures: int
    latency_ms: float | None
    error: str | None


class CallRecord(Answer):
    """How calls went: `duration_ms` and `cost_usd` are the usual ones, `score` is what judged answers were worth."""

    calls: int
    failures: int
    duration_ms: float
    cost_usd: float
    score: float | None
    scored: int


class AgentRecord(CallRecord):
    """How an agent's latest calls went, and those for each of its skills."""

    skills: dict[str, CallRecord]


class HealthHistory(Page[HealthSpan]):
    """How an agent was, oldest first. `record`: how its calls went; null while there are too few to say."""

    record: AgentRecord | None


class Finding(Answer):
    """One thing that was found about an agent's card, or at its address."""

    severity: Literal["error", "warning", "note"]
    where: str
    text: str
    clause: str


class GradeReason(Answer):
    """How many points an agent has for what."""

    part: str
    points: float
    text: str


class Grade(Answer):
    """How well an agent keeps to the protocol, A to F."""

    letter: str
    reasons: list[GradeReason]


class Verification(Answer):
    """What was found when the agent was looked at last."""

    grade: Grade
    findings: list[Finding]
    probes: list[JsonObject]
    signature: JsonObject
    checked_at: str


class CardChange(Answer):
    """One difference between the card that was accepted and the new one."""

    field: str
    before: JsonValue
    after: JsonValue


class Quarantine(Answer):
    """A changed card that waits to be accepted."""

    found_at: str
    changes: list[CardChange]
    verification: Verification | None
    card: JsonObject
    card_hash: str


class Agent(Answer):
    """A registered agent."""

    id: str
    name: str
    description: str
    endpoint: str
    agent_type: AgentType
    capabilities: list[str]
    skills: list[SkillOfAgent]
    protocol: JsonObject
    status: AgentStatus
    health: Health
    grade: str | None
    verification: Verification | None
    quarantine: Quarantine | None
    source: Literal["api", "file", "template"]
    card: JsonObject
    card_hash: str
    config: JsonObject
    metadata: JsonObject
    created_at: str
    updated_at: str


class Preview(Answer):
    """What was found about an agent that is not registered yet."""

    endpoint: str
    name: str
    description: str
    card: JsonObject
    verification: Verification


class NamedAgent(Answer):
    """An agent's id and name."""

    id: str
    name: str


class Match(Answer):
    """A skill that fits a need."""

    agent: NamedAgent
    skill: str
    score: float
    why: str


AgentAnswer: TypeAlias = Annotated[Json, Shape(Agent)]
AgentsAnswer: TypeAlias = Annotated[Json, Shape(Page[Agent])]
HistoryAnswer: TypeAlias = Annotated[Json, Shape(HealthHistory)]
HealthAnswer: TypeAlias = Annotated[Json, Shape(Health)]
MatchesAnswer: TypeAlias = Annotated[Json, Shape(Page[Match])]
PreviewAnswer: TypeAlias = Annotated[Json, Shape(Preview)]
