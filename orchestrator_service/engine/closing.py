"""How the run of a task ends: with the task, or parked until a person answers; and what has to be stopped for that.

Each function is a part of a transition on a task that is held.
"""

from collections.abc import Sequence
from dataclasses import replace

from pydantic import JsonValue

from orchestrator_service import artifacts, events, tasks
from orchestrator_service.engine import step_records, task_reads, teams
from orchestrator_service.engine.decide import Outcome
from orchestrator_service.engine.held import Held
from orchestrator_service.engine.step_records import Rules
from orchestrator_service.engine.work import Move, StepWork
from orchestrator_service.planning.plan import PlanStep
from orchestrator_service.planning.synthesis import compose
from orchestrator_service.planning.team import is_member, owner
from shared.agent import JsonObject
from shared.db import now
from shared.errors import FederationError


def end(
    held: Held,
    status: events.TerminalStatus,
    error: JsonObject | None = None,
    *,
    summary: str = "",
    more: JsonObject | None = None,
) -> Move:
    """Write the result and the terminal state; without a summary, the outputs are put together to one.

    `more` goes into the result, too.
    """
    run = held.run
    result: JsonObject | None = None
    if run.plan is not None:
        said = task_reads.outputs(held.connection, run, run.plan)
        files = [
            artifact
            for _, artifact in artifacts.of_tasks(held.connection, [run.task_id])
            if isinstance(step_id := artifact["step_id"], str) and not is_member(step_id)
        ]
        result = {
            "summary": summary or compose(run.description, said),
            "outputs": [{"step": output.instruction, "output": output.text} for output in said],
            "artifacts": list[JsonValue](files),
            **(more or {}),
        }
    ending = tasks.Ending(run.task_id, run.tenant_id, run.session_id, run.request, run.ancestry, held.reserved)
    tasks.finish(held.connection, ending, status, result=result, error=error, before=held.drafts, changes=held.changes)
    held.drafts, held.changes = [], {}
    return Move(run, then="ended")


def park(held: Held) -> Move:
    """End the run: every way on leads through a person, and the answer puts the task back into the queue."""
    held.changes |= {"run_state": "idle", "worker": None, "parked_at": now()}
    held.write()
    return Move(held.run, then="park")


def stop(held: Held, rules: Rules) -> Move:
    """End the task as canceled, when nobody performs a step; first what agents still work on, or wait for."""
    stopping = _to_stop(held, _parts(held), rules)
    if not stopping:
        return end(held, "canceled")
    held.write()
    return Move(held.run, tuple(stopping))


def stop_waiting(held: Held, rules: Rules) -> list[StepWork]:
    """Return the steps to be stopped that wait for a person: they have a remote task, and nobody performs them."""
    waiting = [step for step in _parts(held) if held.steps[step.id].status in {"input_required", "pending"}]
    return _to_stop(held, waiting, rules)


def end_waiting(held: Held, rules: Rules) -> list[StepWork]:
    """Return the steps to be performed that wait for a person, though the task's time is up: each fails."""
    ending: list[StepWork] = []
    for step in _waiting(held):
        if held.steps[step.id].status == "input_required":
            tries = step_records.tries_of(held.connection, held.run.task_id, step.id)
            try:
                is_open = bool(tries) and tries[-1]["ended_at"] is None
                work = step_records.resume(held, step, tries[-1], rules) if is_open else StepWork(held.run, step, None)
            except FederationError as error:
                work = StepWork(held.run, step, None, error)
            step_records.mark_running(held, step)
            ending.append(work)
    return ending


def _to_stop(held: Held, steps: Sequence[PlanStep], rules: Rules) -> list[StepWork]:
    """Return those of the steps that have a try under way, to be stopped because the task is canceled."""
    stopping: list[StepWork] = []
    for step in steps:
        if held.steps[step.id].begun and held.steps[step.id].outcome in {None, Outcome("input_required")}:
            tries = step_records.tries_of(held.connection, held.run.task_id, step.id)
            if tries and tries[-1]["ended_at"] is None:
                try:
                    work = step_records.resume(held, step, tries[-1], rules)
                except FederationError as error:  # its agent was removed: nobody is left to be told
                    step_records.end(held, step.id, "canceled", error=error.to_metadata(), with_try=True)
                else:
                    stopping.append(replace(work, canceling=True))
    return stopping


def _parts(held: Held) -> list[PlanStep]:
    plan = held.run.plan
    return [] if plan is None else [*plan.steps, *teams.members(held, plan)]


def _waiting(held: Held) -> list[PlanStep]:
    """Return the parts that wait for a person by themselves; a step whose answers wait is none."""
    parts = _parts(held)
    owners = {owner(part.id) for part in parts if is_member(part.id)}
    return [part for part in parts if part.id not in owners]
