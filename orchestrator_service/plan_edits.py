"""A plan that waits for approval, changed by the person who approves it: its next revision."""

from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from orchestrator_service import budgets, events
from orchestrator_service.models import PlanRow, StepRow, Task
from orchestrator_service.planning.plan import Plan, PlanStep, check
from shared.agent import JsonObject
from shared.db import new_id, now
from shared.errors import InvalidRequestError

_REASON: Final = "A person changed it before approving it."


def store(connection: Connection, task_id: str, plan: Plan) -> events.Draft:
    """Store the changed plan in place of the one that waits, and return the event that tells of it.

    Steps that are done, as in a fork, stay as they are. Raises: PlanInvalidError, BudgetExhaustedError,
    InvalidRequestError.
    """
    task = connection.execute(_TASK, {"of_task": task_id}).one()
    request: JsonObject = task.request
    inputs = request.get("inputs")
    before = Plan.model_validate({"steps": task.steps})
    done = {row.step_id for row in connection.execute(_STEPS, {"of_task": task_id}) if row.status != "pending"}
    checked = check(plan, inputs=inputs if isinstance(inputs, dict) else {})
    for step_id in done:
        if not checked.has(step_id) or not _is_same(checked.step(step_id), before.step(step_id)):
            raise InvalidRequestError(f"The step {step_id!r} is done; leave it in the plan as it is.")
    stored = checked.model_copy(update={"id": new_id(), "revision": task.revision + 1, "strategy": "given"})
    new = [step.id for step in stored.steps if step.id not in done]
    connection.execute(delete(StepRow).where(StepRow.task_id == task_id, StepRow.step_id.not_in(done)))
    budgets.check_steps(connection, task_id, request, task.root_task_id, len(new))
    shown: JsonObject = stored.model_dump(mode="json")
    connection.execute(
        insert(PlanRow).values(
            id=stored.id,
            task_id=task_id,
            revision=stored.revision,
            strategy=stored.strategy,
            steps=shown["steps"],
            reason=_REASON,
            created_at=now(),
        )
    )
    not_begun: JsonObject = {"task_id": task_id, "status": "pending"}
    rows: list[JsonObject] = [{**not_begun, "step_id": step_id} for step_id in new]
    if rows:
        connection.execute(insert(StepRow), rows)
    return events.draft("plan.revised", plan=shown, reason=_REASON)


def _is_same(one: PlanStep, other: PlanStep) -> bool:
    return one.model_copy(update={"step_number": 0}) == other.model_copy(update={"step_number": 0})


_NEWEST: Final = select(func.max(PlanRow.revision)).where(PlanRow.task_id == bindparam("of_task")).scalar_subquery()
_TASK: Final = (
    select(Task.request, Task.root_task_id, PlanRow.revision, PlanRow.steps)
    .join(PlanRow, PlanRow.task_id == Task.id)
    .where(Task.id == bindparam("of_task"), PlanRow.revision == _NEWEST)
)
_STEPS: Final = select(StepRow.step_id, StepRow.status).where(StepRow.task_id == bindparam("of_task"))
