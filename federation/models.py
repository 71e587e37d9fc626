"""What the orchestrator's API answers, as typed values. Fields that a newer orchestrator adds are kept, not refused."""

from datetime import datetime
from typing import Literal, TypeAlias, cast

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, JsonValue

JsonObject: TypeAlias = dict[str, JsonValue]
TaskStatus: TypeAlias = Literal["pending", "planning", "executing", "input_required", "completed", "failed", "canceled"]
StepStatus: TypeAlias = Literal["pending", "running", "input_required", "completed", "failed", "skipped", "canceled"]

TERMINAL: frozenset[TaskStatus] = frozenset({"completed", "failed", "canceled"})


class Answered(BaseModel):
    """Anything the orchestrator answers."""

    model_config = ConfigDict(extra="allow", frozen=True)


class WrongField(Answered):
    """One thing that is wrong in a request's body."""

    pointer: str = ""
    detail: str = ""


class Problem(Answered):
    """Why something failed (RFC 9457). `str(problem)` is a text for people."""

    type: str = ""
    title: str = ""
    status: int | None = None
    detail: str = ""
    errors: list[WrongField] = Field(default_factory=list[WrongField])

    def __str__(self) -> str:
        wrong = [f"{error.pointer}: {error.detail}" for error in self.errors[:5] if error.detail != self.detail]
        return "\n".join([self.detail or self.title or "No reason was given.", *wrong])


class Usage(Answered):
    """What was spent."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    llm_calls: int = 0
    agent_calls: int = 0


class Artifact(Answered):
    """A file that a step produced; its bytes: `Client.artifact`. The name is text from the agent, never a path."""

    id: str
    name: str = ""
    media_type: str = "application/octet-stream"
    size_bytes: int | None = None


class PlanStep(Answered):
    """One message to one agent, as planned."""

    id: str
    step_number: int = 0
    skill: str | None = None
    agent: str | None = None
    instruction: str = ""
    depends_on: list[str] = Field(default_factory=list[str])
    approve: bool = False


class Plan(Answered):
    """A graph of steps."""

    id: str = ""
    revision: int = 1
    strategy: str = ""
    steps: list[PlanStep] = Field(default_factory=list[PlanStep])


class OutputData(Answered):
    """What a step brought: text for people, and JSON where it has a form."""

    text: str | None = None
    data: list[JsonValue] | None = None


class Step(PlanStep):
    """How a planned step went."""

    status: StepStatus = "pending"
    agent_id: str | None = None
    agent_name: str | None = None
    why_chosen: str | None = None
    artifacts: list[Artifact] = Field(default_factory=list[Artifact])
    error: Problem | None = None
    usage: Usage | None = None
    output_data: OutputData = OutputData()
    kept_from: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None


class Output(Answered):
    """What one step of a task contributed: its instruction and its output."""

    step: str
    output: str


class Result(Answered):
    """What came out of a task."""

    summary: str = ""
    outputs: list[Output] = Field(default_factory=list[Output])
    artifacts: list[Artifact] = Field(default_factory=list[Artifact])


class PendingInput(Answered):
    """A question to a person; answer it with `Client.answer`. `kind` "plan" or "step" asks whether that may run."""

    input_id: str = Field(validation_alias=AliasChoices("input_id", "id"))
    step_id: str | None = None
    kind: str = "agent"
    prompt: str = ""
    path: list[str] = Field(default_factory=list[str])
    expires_at: datetime | None = None

    @property
    def is_approval(self) -> bool:
        """Whether it is answered with yes or no."""
        return self.kind in {"plan", "step"}

    @property
    def form(self) -> JsonObject | None:
        """The JSON Schema of the answer, if it has one (the field `schema`: a name that Pydantic has taken)."""
        schema = (self.model_extra or {}).get("schema")
        return cast("JsonObject", schema) if isinstance(schema, dict) else None


class Origin(Answered):
    """Which task a task is a retry or fork of."""

    kind: str = ""
    task_id: str
    from_step: str | None = None


class Task(Answered):
    """One goal given to the orchestrator."""

    id: str
    session_id: str | None = None
    description: str = ""
    status: TaskStatus
    plan: Plan | None = None
    steps: list[Step] = Field(default_factory=list[Step])
    result: Result | None = None
    error: Problem | None = None
    pending_inputs: list[PendingInput] = Field(default_factory=list[PendingInput])
    usage: Usage = Usage()
    origin: Origin | None = None
    descendants: list[str] = Field(default_factory=list[str])
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether the status is terminal: it never changes again."""
        return self.status in TERMINAL

    @property
    def summary(self) -> str:
        """The result in words; empty when there is none."""
        return self.result.summary if self.result else ""


class Skill(Answered):
    """What an agent's card says it can do."""

    id: str
    name: str = ""
    description: str = ""
    tags: list[str] = Field(default_factory=list[str])
    examples: list[str] = Field(default_factory=list[str])


class Health(Answered):
    """An agent's health when it was last asked."""

    state: str = "unknown"
    checked_at: datetime | None = None
    latency_ms: float | None = None
    error: JsonValue = None


class Finding(Answered):
    """One thing that was found about an agent: where in its card or at which address, and what says so."""

    severity: str = "note"
    where: str = ""
    text: str = ""
    clause: str = ""


class Reason(Answered):
    """What a part of a grade cost, and why."""

    part: str
    points: int = 0
    text: str = ""


class Grade(Answered):
    """A to F, with a reason for each part."""

    letter: str
    reasons: list[Reason] = Field(default_factory=list[Reason])


class Signature(Answered):
    """Who signed the card, as far as it is known."""

    state: str = "unsigned"
    kid: str | None = None


class Verification(Answered):
    """What was found when an agent was looked at last."""

    grade: Grade
    findings: list[Finding] = Field(default_factory=list[Finding])
    signature: Signature = Signature()
    checked_at: datetime | None = None


class CardChange(Answered):
    """One difference between the card that was accepted and the one the agent has now."""

    field: str
    before: JsonValue = None
    after: JsonValue = None


class Quarantine(Answered):
    """A changed card that waits to be accepted."""

    found_at: datetime | None = None
    changes: list[CardChange] = Field(default_factory=list[CardChange])
    card_hash: str | None = None


class Agent(Answered):
    """A registered A2A server. What its card says is text from elsewhere."""

    id: str
    name: str
    description: str = ""
    endpoint: str = ""
    agent_type: str = ""
    skills: list[Skill] = Field(default_factory=list[Skill])
    status: str = ""
    health: Health = Health()
    grade: str | None = None
    verification: Verification | None = None
    quarantine: Quarantine | None = None
    card_hash: str | None = None
