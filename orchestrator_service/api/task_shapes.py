"""What tasks, their plans, steps and questions look like in answers."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, JsonValue

from orchestrator_service import inputs
from orchestrator_service.api.shapes import Answer, Failure, Json, Page, Shape, Sparse
from orchestrator_service.planning.team import Consensus, Evaluation
from orchestrator_service.tasks import TaskStatus
from shared.agent import JsonObject

StepStatus: TypeAlias = Literal["pending", "running", "input_required", "completed", "failed", "skipped", "canceled"]


class Spent(Answer):
    """What models cost."""

    input_tokens: int
    output_tokens: int
    cost_usd: float
    llm_calls: int


class TaskUsage(Spent):
    """What a task cost so far, and how often agents were called."""

    agent_calls: int = 0


class PlannedStep(Sparse):
    """A step as it was planned."""

    id: str
    step_number: int
    skill: str | None
    agent: str | None
    instruction: str
    depends_on: list[str]
    inputs: JsonObject | None = None
    success_criteria: str | None = None
    timeout_s: float | None = None
    idempotent: bool | None = None
    approve: bool = False
    agents: int | list[str] | None = None
    consensus: Consensus | None = None
    evaluate: Evaluation | None = None


class TaskPlan(Answer):
    """A task's plan in its newest revision."""

    id: str
    revision: int
    strategy: Literal["rules", "llm", "workflow", "direct", "given", "learned"]
    steps: list[PlannedStep]


class FileOfTask(Answer):
    """A file that a task brought along (`step_id` null) or that a step produced; `url` leads to its bytes."""

    id: str
    step_id: str | None
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    url: str


class PartialAnswer(Answer):
    """What one of several answers of a step says."""

    text: str | None
    data: list[JsonValue] | None


class AttemptOfStep(Sparse):
    """One try of a step with one agent. Where a step has several answers: `part` says for which, `answer` what came."""

    agent_id: str
    agent_name: str | None
    why: str | None
    remote_task_id: str | None
    started_at: str
    ended_at: str | None
    error: Failure | None
    part: str | None = None
    answer: PartialAnswer | None = None


class CriterionScore(Answer):
    """How well an answer meets a criterion, from 0 to 1, and why."""

    criterion: str
    score: float
    reason: str
    by: Literal["check", "model"]


class EvaluationReport(Answer):
    """How an answer, or a task's result, was judged in a round."""

    round: int
    score: float
    passed: bool
    threshold: float | None
    criteria: list[CriterionScore]


class AgentSays(Answer):
    """What an agent answered where several were asked; answers of the same `group` say the same."""

    agent: str
    group: int
    text: str


class ConsensusReport(Sparse):
    """How one answer was made of several: `method` was wished for, `decided_by` says what decided.

    `agreed` of those `asked` said what most said; `silent` tells of those that did not answer; `reasons` are a judge's.
    """

    method: Consensus
    decided_by: Literal["majority", "model", "union"]
    asked: int
    agreed: int
    disagreement: bool
    answers: list[AgentSays]
    silent: list[str]
    reasons: str | None = None


class RoundOfStep(Sparse):
    """What was decided on the answers of a round: which were taken (ids of parts), why, and how they were judged."""

    round: int
    status: StepStatus
    chosen: list[str] = Field(default=[])
    why: str | None = None
    consensus: ConsensusReport | None = None
    evaluation: EvaluationReport | None = None
    error: Failure | None = None


class StepOutput(Answer):
    """What a step said, and its data parts."""

    text: str | None
    data: list[JsonValue] | None


class Step(PlannedStep):
    """A step, and how it went. `rounds`: what was decided on its answers, if it has several or they are judged."""

    status: StepStatus
    agent_id: str | None
    agent_name: str | None
    why_chosen: str | None
    attempts: list[AttemptOfStep]
    output_data: StepOutput
    artifacts: list[FileOfTask]
    error: Failure | None
    usage: Spent | None
    kept_from: str | None
    started_at: str | None
    completed_at: str | None
    rounds: list[RoundOfStep] | None = None


class Question(Answer):
    """What a task waits for: a question to a person. `schema` is the form of the answer, if it has one."""

    input_id: str
    step_id: str | None
    kind: inputs.Kind
    prompt: str
    json_schema: JsonObject | None = Field(alias="schema")
    path: list[str]
    created_at: str
    expires_at: str | None


class TaskResult(Sparse):
    """What came of a task. `evaluation` and `rounds`: how it was judged, if that was asked for."""

    summary: str
    outputs: list[JsonObject]
    artifacts: list[JsonObject]
    evaluation: EvaluationReport | None = None
    rounds: list[EvaluationReport] | None = None


class Origin(Sparse):
    """Which task this one repeats."""

    kind: Literal["retry", "fork"]
    task_id: str
    from_step: str | None = None


class Task(Answer):
    """A task with its steps. `files` came along with it; those that were made are its steps'."""

    id: str
    task_id: str
    session_id: str | None
    user_id: str | None
    description: str
    status: TaskStatus
    plan: TaskPlan | None
    steps: list[Step]
    files: list[FileOfTask]
    result: TaskResult | None
    error: Failure | None
    pending_inputs: list[Question]
    usage: TaskUsage
    budget: JsonObject
    deadlines: JsonObject
    callback_url: str | None
    priority: int
    metadata: JsonObject
    origin: Origin | None
    descendants: list[str]
    parent_task_id: str | None
    root_task_id: str | None
    trace_id: str
    created_at: str
    started_at: str | None
    completed_at: str | None


class WaitingTask(Answer):
    """The task that a question is of."""

    id: str
    description: str
    status: TaskStatus
    session_id: str | None


class OpenQuestion(Question):
    """A question that nobody has answered, with its task, and what the step that asks was told to do."""

    task: WaitingTask
    agent_name: str | None
    instruction: str | None
    plan: TaskPlan | None


TaskAnswer: TypeAlias = Annotated[Json, Shape(Task)]
TasksAnswer: TypeAlias = Annotated[Json, Shape(Page[Task])]
QuestionsAnswer: TypeAlias = Annotated[Json, Shape(Page[OpenQuestion])]
