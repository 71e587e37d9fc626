"""Whether a task's result is good enough (its `evaluate`): what is judged, and the plan to do it again."""

from collections.abc import Collection
from typing import Final, cast

from sqlalchemy import Connection, bindparam, select

from orchestrator_service.engine import critique
from orchestrator_service.engine.work import Run
from orchestrator_service.models import Event, StepRow
from orchestrator_service.planning.plan import Plan, PlanStep, needs
from orchestrator_service.planning.team import Evaluation
from shared.agent import JsonObject

EVALUATED: Final = "task.evaluated"
"""Type of the event that tells how the result of a round was judged."""

_MOST_ID_CHARS: Final = 64


def wish(run: Run) -> Evaluation | None:
    """Return what the task's result has to be like, if anything was said of it."""
    given = run.request.get("evaluate")
    return Evaluation.model_validate(given) if isinstance(given, dict) else None


def last_steps(plan: Plan) -> list[PlanStep]:
    """Return the steps that no other needs: what they bring is the task's answer."""
    needed = set[str]().union(*(needs(step) for step in plan.steps))
    return [step for step in plan.in_order() if step.id not in needed]


def answer(connection: Connection, task_id: str, step_ids: Collection[str]) -> str:
    """Return what the steps said, as one text."""
    rows = connection.execute(_TEXTS, {"of_task": task_id, "of_steps": list(step_ids)})
    said = {row.step_id: row.output_text or "" for row in rows}
    return "\n\n".join(text for step_id in step_ids if (text := said.get(step_id, "").strip()))


def evaluations(connection: Connection, task_id: str) -> dict[int, JsonObject]:
    """Return the evaluations of the task's result so far, by round."""
    found = connection.execute(_EVALUATIONS, {"of_task": task_id}).scalars()
    return {number: cast("JsonObject", data["evaluation"]) for number, data in enumerate(found, start=1)}


def steps_of(evaluation: JsonObject) -> list[str]:
    """Return the steps whose answers were judged."""
    steps = evaluation.get("steps")
    return [str(step) for step in steps] if isinstance(steps, list) else []


def redo(connection: Connection, run: Run, plan: Plan, evaluation: JsonObject, taken: Collection[str]) -> Plan:
    """Return the plan's next revision: its last steps are done again, with the critique. `taken`: ids of all steps."""
    last = last_steps(plan)
    places = {step.id: place for place, step in enumerate(last)}
    revision = plan.revision + 1
    steps: list[PlanStep] = []
    ids = set(taken)
    for step in plan.steps:
        if step.id not in places:
            steps.append(step)
            continue
        earlier = answer(connection, run.task_id, [step.id])
        step_id = _fresh(step.id, revision, ids)
        ids.add(step_id)
        changes = {
            "id": step_id,
            "instruction": critique.again(step.instruction, evaluation, earlier),
        }
        steps.append(step.model_copy(update=changes))
    return plan.model_copy(update={"revision": revision, "steps": steps})


def _fresh(step_id: str, revision: int, taken: Collection[str]) -> str:
    """Return an id for a step that is done again."""
    for number in range(revision, revision + len(taken) + 1):
        ending = f"-r{number}"
        if (made := step_id[: _MOST_ID_CHARS - len(ending)] + ending) not in taken:
            return made
    raise AssertionError("There are more names than are taken.")


_TEXTS: Final = select(StepRow.step_id, StepRow.output_text).where(
    StepRow.task_id == bindparam("of_task"), StepRow.step_id.in_(bindparam("of_steps", expanding=True))
)
_EVALUATIONS: Final = (
    select(Event.data).where(Event.task_id == bindparam("of_task"), Event.type == EVALUATED).order_by(Event.seq)
)
