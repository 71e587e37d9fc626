"""How a task stands, folded from its events, and each event as a line of text. Pure."""

import json
from dataclasses import dataclass, field, replace

from federation.events import (
    Event,
    InputAnswered,
    InputRequired,
    PlanMade,
    StepArtifact,
    StepProgress,
    StepStatusChanged,
    TaskStatusChanged,
)
from federation.models import TERMINAL, PendingInput, Plan, StepStatus, TaskStatus


@dataclass(frozen=True, slots=True)
class StepView:
    """A step as people see it. `note` is what it does now, or why it failed."""

    id: str
    number: int
    instruction: str
    skill: str = ""
    agent: str = ""
    status: StepStatus = "pending"
    note: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as people see it. `questions` are those that wait for a person."""

    status: TaskStatus = "pending"
    strategy: str = ""
    steps: tuple[StepView, ...] = field(default=())
    questions: tuple[InputRequired, ...] = field(default=())

    def step(self, step_id: str) -> StepView:
        """Return the step; one the plan does not tell of when it is not in the plan."""
        return next((step for step in self.steps if step.id == step_id), StepView(step_id, 0, step_id))


def apply(view: TaskView, event: Event) -> TaskView:
    """Return the view after `event`."""
    after = view
    match event:
        case TaskStatusChanged(status=status):
            after = replace(view, status=status, questions=() if status in TERMINAL else view.questions)
        case PlanMade(plan=plan):
            after = _with_plan(view, plan)
        case StepStatusChanged(step_id=step_id, status=status, agent_name=agent, error=error):
            note = str(error) if error else ""
            after = _with_step(view, replace(view.step(step_id), status=status, note=note), agent)
        case StepProgress(step_id=step_id, text=text):
            after = _with_step(view, replace(view.step(step_id), note=text))
        case StepArtifact(step_id=step_id, artifact=artifact):
            step = view.step(step_id)
            after = _with_step(view, replace(step, files=(*step.files, artifact.name)))
        case InputRequired():
            after = replace(view, questions=(*view.questions, event))
        case InputAnswered(input_id=input_id):
            after = replace(view, questions=tuple(asked for asked in view.questions if asked.input_id != input_id))
        case _:
            pass
    return after


def describe(view: TaskView, event: Event) -> str:
    """Return a line on what `event` brought, or nothing when it is not worth one. `view` is the view after it."""
    line = ""
    match event:
        case PlanMade(plan=plan, reason=reason):
            made = f"new plan, {reason}" if reason else f"plan by {plan.strategy}" if plan.strategy else "plan"
            line = f"{made}: {len(plan.steps)} step{'s' if len(plan.steps) != 1 else ''}"
        case StepStatusChanged(step_id=step_id, status="running"):
            step = view.step(step_id)
            line = f"{_name(step)} {step.agent or 'an agent'}: {first_line(step.instruction)}"
        case StepStatusChanged(step_id=step_id, kept_from=str(origin)):
            line = f"{_name(view.step(step_id))} kept from task {origin}"
        case StepStatusChanged(step_id=step_id, status=status) if status != "pending":
            step = view.step(step_id)
            line = f"{_name(step)} {status}" + (f": {step.note}" if step.note else "")
        case StepProgress(step_id=step_id, text=text):
            line = f"{_name(view.step(step_id))} {text}"
        case StepArtifact(step_id=step_id, artifact=artifact):
            line = f"{_name(view.step(step_id))} made the file {artifact.name}"
        case InputRequired(prompt=prompt):
            line = f"needs an answer: {prompt}"
        case InputAnswered(expired=True):
            line = "nobody answered in time"
        case InputAnswered(approve=bool(approve), comment=comment):
            line = ("approved" if approve else "rejected") + (f": {comment}" if comment else "")
        case _:
            pass
    return line


def how_to_answer(task_id: str, pending: PendingInput, *, is_only: bool) -> str:
    """Return the command that answers a question; it names the question when the task waits for several."""
    command = f"federation answer {task_id}" if is_only else f"federation answer {task_id} {pending.input_id}"
    if pending.is_approval:
        return f"{command} --approve (or --reject)"
    if pending.form is not None:
        return f"{command} --data '{{...}}', as this JSON Schema says: {json.dumps(pending.form, ensure_ascii=False)}"
    return f'{command} --text "..."'


def first_line(text: str, longest: int = 100) -> str:
    """Return the first line of `text`, cut to `longest` characters."""
    line = text.strip().split("\n", 1)[0].strip()
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _with_plan(view: TaskView, plan: Plan) -> TaskView:
    known = {step.id: step for step in view.steps}
    steps = tuple(
        replace(
            known.get(step.id, StepView(step.id, 0, "")),
            number=step.step_number or place,
            instruction=step.instruction,
            skill=step.skill or "",
        )
        for place, step in enumerate(plan.steps, start=1)
    )
    return replace(view, strategy=plan.strategy, steps=steps)


def _with_step(view: TaskView, changed: StepView, agent: str | None = None) -> TaskView:
    if agent:
        changed = replace(changed, agent=agent)
    if all(step.id != changed.id for step in view.steps):
        return replace(view, steps=(*view.steps, changed))
    return replace(view, steps=tuple(changed if step.id == changed.id else step for step in view.steps))


def _name(step: StepView) -> str:
    return f"step {step.number}" if step.number else f"step {step.id}"
