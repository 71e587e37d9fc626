"""Steps of several answers or rounds (`planning.team`): begins their answers, decides on them, begins the next round.

Each function is a part of a transition on a task that is held. All that a round needs stands in rows: after a crash the
answers that are there stay, those under way are gone on with, and only what was to be decided is decided anew.
"""

from collections.abc import Sequence
from typing import Final, cast

from pydantic import JsonValue
from sqlalchemy import RowMapping, bindparam, func, select, update

from orchestrator_service import budgets, inputs
from orchestrator_service.engine import critique, questions, step_inputs, step_records
from orchestrator_service.engine.consensus import Given
from orchestrator_service.engine.held import Held, StepState
from orchestrator_service.engine.step_records import Rules
from orchestrator_service.engine.work import Output, Settling, StepWork
from orchestrator_service.models import Artifact, StepRow
from orchestrator_service.planning import team
from orchestrator_service.planning.plan import Plan, PlanStep, fill
from shared.agent import JsonObject
from shared.db import UtcTime, now
from shared.errors import FederationError

_OPEN: Final = frozenset({"running", "input_required"})
_ENDED: Final = frozenset({"completed", "failed", "skipped", "canceled"})


class NoAnswerError(FederationError):
    """None of the agents that were asked answered."""

    slug = "no-answer"
    title = "No agent answered"
    status = 502


def begin(held: Held, step: PlanStep, rules: Rules) -> StepWork | None:
    """Begin a step of the plan, or go on with it; None if it waits for approval, failed, or `advance` begins it."""
    if not step.is_team:
        return step_records.begin(held, step, rules)
    try:
        if step.approve and not questions.is_approved(held, step, rules.input_timeout_s):
            return None
        critique.check_judge(step.evaluate, has_model=rules.has_model)
    except FederationError as error:
        status = "skipped" if isinstance(error, inputs.StepRejectedError) else "failed"
        step_records.end(held, step.id, status, error=error.to_metadata())
    else:
        _show(held, step, "running")
    return None


def advance(held: Held, plan: Plan, rules: Rules) -> list[StepWork]:
    """Return what is to be performed next for the steps that are under way; ends those that are done."""
    works: list[StepWork] = []
    for step in plan.steps:
        if step.is_team:
            if held.cancel_requested:
                _cancel(held, step)
            elif held.steps[step.id].status in _OPEN:
                works += _advance(held, step, rules)
    return works


def members(held: Held, plan: Plan) -> list[PlanStep]:
    """Return the answers that are not over, as steps."""
    return [
        _member(held, step, member)
        for step in plan.steps
        if step.is_team
        for member in _parts(held, step)
        if held.steps[member].status not in _ENDED and not team.is_verdict(member)
    ]


def _advance(held: Held, step: PlanStep, rules: Rules) -> list[StepWork]:
    works: list[StepWork] = []
    while True:
        parts = _parts(held, step)
        if not parts:
            if held.steps[step.id].status == "running" and rules.may_begin and _ask(held, step, 1):
                continue
            return works  # it waits for approval, or could not begin
        number = max(map(team.round_of, parts))
        verdict = team.verdict_id(step.id, number)
        asked = [part for part in parts if team.round_of(part) == number and part != verdict]
        if verdict in held.steps:
            if held.steps[verdict].status == "pending" and rules.may_begin:
                return [*works, _begin_verdict(held, step, number, asked, rules)]
            if _goes_on(held, step, number, rules) and _ask(held, step, number + 1):
                continue
            return works
        works += _begin_members(held, step, asked, rules)
        states = {held.steps[member].status for member in asked}
        if not states <= _ENDED:
            _show(held, step, "running" if states & {"running", "pending"} else "input_required")
            return works
        if "completed" not in states:
            _give_up(held, step, _why_none(held, asked), number)
            return works
        step_records.add(held, [verdict])


def _begin_members(held: Held, step: PlanStep, asked: Sequence[str], rules: Rules) -> list[StepWork]:
    """Begin those of a round's answers that nobody works on."""
    if not rules.may_begin:
        return []
    pending = [member for member in asked if held.steps[member].status == "pending"]
    works = [step_records.begin(held, _member(held, step, member), rules) for member in pending]
    return [work for work in works if work is not None]


def _goes_on(held: Held, step: PlanStep, number: int, rules: Rules) -> bool:
    """Take up what came of deciding on a round; True if another round is to begin now."""
    verdict = held.steps[team.verdict_id(step.id, number)]
    match verdict.status:
        case "completed":
            return _conclude(held, step, number) and rules.may_begin
        case "failed":
            _give_up(held, step, verdict.error or {}, number)
            return False
        case _:
            return False


def _ask(held: Held, step: PlanStep, number: int) -> bool:
    """Add the answers of a round; False if the budget allows no more of them: the step has failed then."""
    run = held.run
    agents = team.wanted(step.agent, step.agents, step.consensus)
    try:
        budgets.check_steps(held.connection, run.task_id, run.request, run.root_task_id, len(agents))
    except budgets.BudgetExhaustedError as error:
        _give_up(held, step, error.to_metadata(), number)
        return False
    step_records.add(held, [team.member_id(step.id, number, place) for place in range(1, len(agents) + 1)])
    return True


def _begin_verdict(held: Held, step: PlanStep, number: int, asked: Sequence[str], rules: Rules) -> StepWork:
    """Begin to decide on a round's answers. Where the budget is spent, it is decided without a model."""
    verdict = team.verdict_id(step.id, number)
    granted, may_ask = None, rules.has_model
    if may_ask:
        try:
            granted = held.reserve(verdict, rules.daily, lambda: 2)
        except budgets.BudgetExhaustedError:
            may_ask = False
    rows = _rows(held, asked)
    held.connection.execute(_SET, {"of_task": held.run.task_id, "of_step": verdict, "to": "running", "at": now()})
    held.steps[verdict] = StepState("running", begun=True)
    values = step_inputs.values(held.connection, held.run.task_id, step, held.run.request)
    settling = Settling(
        step=step,
        round=number,
        task=str(fill(step.instruction, values)),
        answers=tuple(_given(row) for row in rows if row["status"] == "completed"),
        silent=tuple(_failure(row) for row in rows if row["status"] != "completed"),
        may_ask=may_ask,
        granted=granted,
    )
    return StepWork(held.run, step.model_copy(update={"id": verdict}), None, settling=settling)


def _conclude(held: Held, step: PlanStep, number: int) -> bool:
    """Take up what was decided on a round: close the step, or return True if another round is to begin."""
    found = _decided(held, step)
    evaluations = _evaluations(found)
    if step.evaluate is None or critique.has_passed(evaluations.get(number)):
        _close(held, step, number, found)
        return False
    if number < step.evaluate.max_rounds:
        return True
    error = None if step.evaluate.unmet == "keep" else critique.not_met(evaluations)
    _close(held, step, critique.best(evaluations), found, error)
    return False


def _close(
    held: Held, step: PlanStep, number: int, found: dict[int, JsonObject], error: JsonObject | None = None
) -> None:
    """End the step with what was decided on a round; what it brought is the step's own from now on."""
    task_id, decided = held.run.task_id, found[number]
    [verdict] = _rows(held, [team.verdict_id(step.id, number)])
    chosen = decided.get("chosen")
    rows = _rows(held, [str(each) for each in chosen] if isinstance(chosen, list) else [])
    told = {key: decided[key] for key in ("consensus", "evaluation") if decided.get(key) is not None}
    if step.evaluate is not None:
        told["rounds"] = [*_evaluations(found).values()]
    data: list[JsonValue] = [*(part for row in rows for part in row["output_data"] or ()), told]
    text: str = verdict["output_text"] or ""
    held.tell("step.output", step_id=step.id, text=text, append=False)
    parts = [row["step_id"] for row in rows]
    held.connection.execute(_TAKE_FILES, {"of_task": task_id, "of_parts": parts, "to": step.id})
    step_records.end(
        held, step.id, "completed" if error is None else "failed", output=Output(text, tuple(data)), error=error
    )
    first = rows[0] if rows else verdict
    held.connection.execute(
        _NAME,
        {
            "of_task": task_id,
            "of_step": step.id,
            "to_agent": first["agent_id"],
            "to_name": ", ".join(dict.fromkeys(row["agent_name"] for row in rows)) or None,
            "because": str(decided.get("why") or ""),
        },
    )


def _give_up(held: Held, step: PlanStep, error: JsonObject, number: int) -> None:
    """End the step as failed; a better answer that could not be had leaves the best one, where that is wished."""
    found = _decided(held, step)
    evaluations = _evaluations(found)
    if step.evaluate is not None and step.evaluate.unmet == "keep" and evaluations:
        held.tell("step.progress", step_id=step.id, text=f"Round {number}: {error.get('detail', 'it failed')}")
        _close(held, step, critique.best(evaluations), found)
        return
    step_records.end(held, step.id, "failed", error=error)


def _cancel(held: Held, step: PlanStep) -> None:
    """Wait for the answers that are being stopped; when they are, the step is canceled."""
    parts = _parts(held, step)
    if any(held.steps[part].status == "running" for part in parts):
        held.steps[step.id] = StepState("running", begun=True)
    elif parts and held.steps[step.id].status not in _ENDED:
        step_records.end(held, step.id, "canceled")


def _member(held: Held, step: PlanStep, member: str) -> PlanStep:
    """Return an answer as a step, after the first round with the critique of the last one."""
    number = team.round_of(member)
    if number == 1:
        return as_step(step, member, None, "")
    [verdict] = _rows(held, [team.verdict_id(step.id, number - 1)])
    return as_step(step, member, _evaluations(_decided(held, step))[number - 1], verdict["output_text"] or "")


def as_step(step: PlanStep, member: str, evaluation: JsonObject | None, earlier: str) -> PlanStep:
    """Return an answer as a step: what the step says, and how the answer of the round before was judged, if it was."""
    place = int(member.rpartition(".")[2])
    more = "" if evaluation is None else critique.again("", evaluation, earlier)
    changes = {
        "id": member,
        "agent": team.wanted(step.agent, step.agents, step.consensus)[place - 1],
        "agents": None,
        "consensus": None,
        "evaluate": None,
        "approve": False,
        "instruction": step.instruction + more,
    }
    return step.model_copy(update=changes)


def _why_none(held: Held, asked: Sequence[str]) -> JsonObject:
    """Return why no answer came: of one that was asked for, its own reason."""
    if len(asked) == 1:
        return held.steps[asked[0]].error or NoAnswerError("The step was not performed.").to_metadata()
    rows = _rows(held, asked)
    return NoAnswerError(f"None of {len(asked)} agents answered. {'; '.join(map(_failure, rows))}").to_metadata()


def _failure(row: RowMapping) -> str:
    error: JsonObject = row["error"] or {}
    return f"{row['agent_name'] or 'no agent'}: {error.get('detail', row['status'])}"


def _decided(held: Held, step: PlanStep) -> dict[int, JsonObject]:
    """Return what was decided on each round, by its number."""
    verdicts = [part for part in _parts(held, step) if team.is_verdict(part)]
    return {
        team.round_of(row["step_id"]): cast("JsonObject", row["output_data"][0])
        for row in _rows(held, verdicts)
        if row["status"] == "completed" and row["output_data"]
    }


def _evaluations(found: dict[int, JsonObject]) -> dict[int, JsonObject]:
    """Return the evaluations of the rounds, by their numbers, in order."""
    told = {number: found[number].get("evaluation") for number in sorted(found)}
    return {number: evaluation for number, evaluation in told.items() if isinstance(evaluation, dict)}


def _parts(held: Held, step: PlanStep) -> list[str]:
    """Return the ids of the step's answers and verdicts, in order."""
    prefix = f"{step.id}:"
    return sorted(part for part in held.steps if part.startswith(prefix))


def _rows(held: Held, parts: Sequence[str]) -> Sequence[RowMapping]:
    if not parts:
        return []
    return held.connection.execute(_ROWS, {"of_task": held.run.task_id, "of_parts": list(parts)}).mappings().all()


def _given(row: RowMapping) -> Given:
    return Given(row["step_id"], row["agent_name"] or "", row["output_text"] or "", tuple(row["output_data"] or ()))


def _show(held: Held, step: PlanStep, status: str) -> None:
    if held.steps[step.id].status != status:
        held.connection.execute(_SET, {"of_task": held.run.task_id, "of_step": step.id, "to": status, "at": now()})
        held.tell("step.status", step_id=step.id, status=status)
    held.steps[step.id] = StepState(status, begun=True)


_of_step = (StepRow.task_id == bindparam("of_task"), StepRow.step_id == bindparam("of_step"))
_SET: Final = (
    update(StepRow)
    .where(*_of_step)
    .values(status=bindparam("to"), started_at=func.coalesce(StepRow.started_at, bindparam("at", type_=UtcTime())))
)
_NAME: Final = (
    update(StepRow)
    .where(*_of_step)
    .values(agent_id=bindparam("to_agent"), agent_name=bindparam("to_name"), why_chosen=bindparam("because"))
)
_ROWS: Final = (
    select(
        StepRow.step_id,
        StepRow.status,
        StepRow.agent_id,
        StepRow.agent_name,
        StepRow.output_text,
        StepRow.output_data,
        StepRow.error,
    )
    .where(StepRow.task_id == bindparam("of_task"), StepRow.step_id.in_(bindparam("of_parts", expanding=True)))
    .order_by(StepRow.step_id)
)
_TAKE_FILES: Final = (
    update(Artifact)
    .where(Artifact.task_id == bindparam("of_task"), Artifact.step_id.in_(bindparam("of_parts", expanding=True)))
    .values(step_id=bindparam("to"))
)
