"""What a task's events look like."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from orchestrator_service import inputs
from orchestrator_service.api.shapes import Answer, Failure, Page
from orchestrator_service.api.task_shapes import (
    EvaluationReport,
    FileOfTask,
    Spent,
    StepStatus,
    TaskPlan,
    TaskResult,
)
from orchestrator_service.tasks import TaskStatus
from shared.agent import JsonObject


class _EventData(Answer):
    task_id: str
    seq: int
    at: str


class TaskStatusEvent(_EventData):
    """The task has another status."""

    type: Literal["task.status"]
    status: TaskStatus
    error: Failure | None = None


class PlanCreatedEvent(_EventData):
    """The task has a plan."""

    type: Literal["plan.created"]
    plan: TaskPlan


class PlanRevisedEvent(_EventData):
    """The rest of the plan changed."""

    type: Literal["plan.revised"]
    plan: TaskPlan
    reason: str


class StepStatusEvent(_EventData):
    """A step has another status."""

    type: Literal["step.status"]
    step_id: str
    status: StepStatus
    agent_name: str | None = None
    why_chosen: str | None = None
    error: Failure | None = None
    kept_from: str | None = None


class StepProgressEvent(_EventData):
    """What a step does just now."""

    type: Literal["step.progress"]
    step_id: str
    text: str


class StepOutputEvent(_EventData):
    """What a step says; `append`: it goes on from the text before."""

    type: Literal["step.output"]
    step_id: str
    text: str
    append: bool


class StepArtifactEvent(_EventData):
    """A step produced a file."""

    type: Literal["step.artifact"]
    step_id: str
    artifact: FileOfTask


class InputRequiredEvent(_EventData):
    """A person is asked."""

    type: Literal["input.required"]
    input_id: str
    kind: inputs.Kind
    step_id: str | None = None
    prompt: str
    json_schema: JsonObject | None = Field(default=None, alias="schema")
    expires_at: str | None = None


class InputAnsweredEvent(_EventData):
    """A question was answered, or nobody did in time."""

    type: Literal["input.answered"]
    input_id: str
    approve: bool | None = None
    comment: str | None = None
    expired: bool | None = None


class UsageEvent(_EventData):
    """What the task has cost so far."""

    type: Literal["usage"]
    usage: Spent


class ResultDeltaEvent(_EventData):
    """A piece of the result's summary, as it is written."""

    type: Literal["result.delta"]
    text: str


class TaskEvaluatedEvent(_EventData):
    """The task's result was judged."""

    type: Literal["task.evaluated"]
    evaluation: EvaluationReport


class TaskResultEvent(_EventData):
    """The task's result."""

    type: Literal["task.result"]
    result: TaskResult


Event: TypeAlias = Annotated[
    TaskStatusEvent
    | PlanCreatedEvent
    | PlanRevisedEvent
    | StepStatusEvent
    | StepProgressEvent
    | StepOutputEvent
    | StepArtifactEvent
    | InputRequiredEvent
    | InputAnsweredEvent
    | UsageEvent
    | ResultDeltaEvent
    | TaskEvaluatedEvent
    | TaskResultEvent,
    Field(discriminator="type"),
]


class EventPage(Page[Event]):
    """A task's events so far."""
