"""What is read of a task that runs: its newest plan, what its steps brought."""

from dataclasses import dataclass

from pydantic import JsonValue
from sqlalchemy import Connection, bindparam, select

from orchestrator_service import inputs
from orchestrator_service.engine import step_records
from orchestrator_service.engine.work import Run
from orchestrator_service.models import PendingInput, PlanRow, StepRow
from orchestrator_service.planning.plan import Plan, PlanStep
from orchestrator_service.planning.revision import Failure, is_replacement
from orchestrator_service.planning.synthesis import StepOutput
from orchestrator_service.planning.team import owner
from shared.agent import JsonObject
from shared.prepared import prepared


def outputs(connection: Connection, run: Run, plan: Plan) -> list[StepOutput]:
    """Return what the completed steps said, in the plan's order."""
    said = {row.step_id: row for row in connection.execute(_OUTPUTS, {"of_task": run.task_id})}
    return [
        StepOutput(
            step_number=step.step_number,
            step_id=step.id,
            instruction=step.instruction,
            agent_name=said[step.id].agent_name or "",
            text=said[step.id].output_text or "",
        )
        for step in plan.sort({step.id: step.depends_on for step in plan.steps})  # complete: the plan was checked
        if step.id in said
    ]


@dataclass(frozen=True, slots=True)
class Past:
    """What came of a task's steps so far: how they ended, what the completed ones said, and how the others failed."""

    outcomes: dict[str, str]
    outputs: dict[str, str]
    failures: list[Failure]
    step_ids: list[str]


def past(connection: Connection, run: Run, plan: Plan) -> Past:
    """Return what came of the task's steps, over all revisions of its plan."""
    rows = {row.step_id: row for row in connection.execute(_PAST, {"of_task": run.task_id})}
    ended = {step.id: rows[step.id] for step in plan.steps if rows[step.id].completed_at is not None}
    return Past(
        outcomes={step_id: row.status for step_id, row in ended.items()},
        outputs={step_id: row.output_text or "" for step_id, row in ended.items() if row.status == "completed"},
        failures=[
            _failure(connection, run.task_id, step_id, {each: row.status for each, row in rows.items()}, row.error)
            for step_id, row in ended.items()
            if row.status == "failed"
        ],
        step_ids=list(rows),
    )


def current_plan(connection: Connection, task_id: str) -> Plan | None:
    """Return the newest revision of the task's plan."""
    row = connection.execute(_PLAN, {"of_task": task_id}).one_or_none()
    if row is None:
        return None
    steps = [PlanStep.model_validate(step) for step in row.steps]
    return Plan(id=row.id, revision=row.revision, strategy=row.strategy, steps=steps)


def waits_for_approval(connection: Connection, task_id: str) -> bool:
    """Tell whether the plan waits for a person. Raises: InputExpiredError, PlanRejectedError."""
    row = connection.execute(_PLAN_QUESTION, {"of_task": task_id}).one_or_none()
    if row is not None and row.answer is not None and (refusal := inputs.refusal("plan", row.answer)) is not None:
        raise refusal
    return row is not None and row.answer is None


def given_inputs(request: JsonObject) -> JsonObject:
    """Return the inputs that the task was given."""
    given = request.get("inputs")
    return given if isinstance(given, dict) else {}


def given_history(request: JsonObject) -> list[tuple[str, str]]:
    """Return what was said before, as the task was told, oldest first, as (role, text)."""
    given = request.get("history")
    turns = given if isinstance(given, list) else []
    return [(str(turn[0]), str(turn[1])) for turn in turns if isinstance(turn, list)]


def plan_json(plan: Plan) -> JsonObject:
    """Return a plan as the API shows it."""
    steps: list[JsonValue] = [step.model_dump(mode="json") for step in plan.steps]
    return {"id": plan.id, "revision": plan.revision, "strategy": plan.strategy, "steps": steps}


def _failure(
    connection: Connection, task_id: str, step_id: str, ended: dict[str, str], error: JsonObject | None
) -> Failure:
    """Return how a step failed. `ended`: the status of all revisions' steps, and of each answer where several are."""
    own = [each for each in ended if owner(each) == step_id]
    failed = [each for each in ended if ended[owner(each)] == "failed"]
    replaced = [each for each in failed if is_replacement(step_id, owner(each))]
    tried = {
        part: [row["agent_id"] for row in step_records.tries_of(connection, task_id, part)] for part in own + replaced
    }
    error = error or {}
    return Failure(
        step_id,
        error,
        tried=tuple(dict.fromkeys(agent_id for part in tried.values() for agent_id in part)),
        may_have_acted=any(tried[part] for part in own)
        and error.get("type") in _UNSURE
        and error.get("reached") is not False,
    )


_UNSURE = frozenset({"agent-unavailable", "timed-out", "agent-protocol"})
_PAST = prepared(
    select(StepRow.step_id, StepRow.status, StepRow.error, StepRow.output_text, StepRow.completed_at).where(
        StepRow.task_id == bindparam("of_task")
    )
)
_PLAN = prepared(
    select(PlanRow.id, PlanRow.revision, PlanRow.strategy, PlanRow.steps)
    .where(PlanRow.task_id == bindparam("of_task"))
    .order_by(PlanRow.revision.desc())
    .limit(1)
)
_PLAN_QUESTION = prepared(
    select(PendingInput.answer)
    .where(PendingInput.task_id == bindparam("of_task"), PendingInput.kind == "plan")
    .order_by(PendingInput.id.desc())
    .limit(1)
)
_OUTPUTS = prepared(
    select(StepRow.step_id, StepRow.agent_name, StepRow.output_text).where(
        StepRow.task_id == bindparam("of_task"), StepRow.status == "completed"
    )
)
