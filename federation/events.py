"""The events of a task, as typed values. Those that a newer orchestrator adds are kept, not refused."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import Discriminator, Tag, TypeAdapter

from federation.models import Answered, Artifact, Plan, Problem, Result, StepStatus, TaskStatus


class _Event(Answered):
    """`seq` numbers the task's log 1, 2, 3, …; 0 is news that the log does not keep, such as pieces of a text."""

    seq: int = 0
    task_id: str = ""
    at: datetime | None = None


class TaskStatusChanged(_Event):
    """The task has another status; a terminal one is the task's last event."""

    type: Literal["task.status"] = "task.status"
    status: TaskStatus
    error: Problem | None = None


class PlanMade(_Event):
    """The task has a plan, or another revision of it."""

    type: Literal["plan.created", "plan.revised"]
    plan: Plan
    reason: str | None = None


class StepStatusChanged(_Event):
    """A step has another status."""

    type: Literal["step.status"] = "step.status"
    step_id: str
    status: StepStatus
    agent_name: str | None = None
    why_chosen: str | None = None
    kept_from: str | None = None
    error: Problem | None = None


class StepProgress(_Event):
    """What a step is doing now, in a sentence."""

    type: Literal["step.progress"] = "step.progress"
    step_id: str
    text: str


class StepOutput(_Event):
    """A piece of a step's output, or (`append` false) all of it."""

    type: Literal["step.output"] = "step.output"
    step_id: str
    text: str
    append: bool = False


class StepArtifact(_Event):
    """A step produced a file."""

    type: Literal["step.artifact"] = "step.artifact"
    step_id: str
    artifact: Artifact


class InputRequired(_Event):
    """The task waits for a person."""

    type: Literal["input.required"] = "input.required"
    input_id: str
    kind: str = "agent"
    step_id: str | None = None
    prompt: str = ""
    expires_at: datetime | None = None


class InputAnswered(_Event):
    """A question has its answer, or (`expired`) nobody gave one in time."""

    type: Literal["input.answered"] = "input.answered"
    input_id: str
    approve: bool | None = None
    comment: str | None = None
    expired: bool = False


class ResultDelta(_Event):
    """The next piece of the summary."""

    type: Literal["result.delta"] = "result.delta"
    text: str


class TaskResult(_Event):
    """The task's result is there."""

    type: Literal["task.result"] = "task.result"
    result: Result


class OtherEvent(_Event):
    """An event this client has no form for; its fields are kept."""

    type: str


_KNOWN = {
    "task.status": "status",
    "plan.created": "plan",
    "plan.revised": "plan",
    "step.status": "step_status",
    "step.progress": "progress",
    "step.output": "output",
    "step.artifact": "artifact",
    "input.required": "required",
    "input.answered": "answered",
    "result.delta": "delta",
    "task.result": "result",
}


def _tag(value: object) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return _KNOWN.get(kind, "other") if isinstance(kind, str) else "other"


Event: TypeAlias = Annotated[
    Annotated[TaskStatusChanged, Tag("status")]
    | Annotated[PlanMade, Tag("plan")]
    | Annotated[StepStatusChanged, Tag("step_status")]
    | Annotated[StepProgress, Tag("progress")]
    | Annotated[StepOutput, Tag("output")]
    | Annotated[StepArtifact, Tag("artifact")]
    | Annotated[InputRequired, Tag("required")]
    | Annotated[InputAnswered, Tag("answered")]
    | Annotated[ResultDelta, Tag("delta")]
    | Annotated[TaskResult, Tag("result")]
    | Annotated[OtherEvent, Tag("other")],
    Discriminator(_tag),
]

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
