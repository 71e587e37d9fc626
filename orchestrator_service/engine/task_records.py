"""What the engine keeps of tasks: each transition of a task is one transaction here.

All are plain functions on a connection, and safe to run again: a step of the durable function may be repeated after a
crash, and then finds what it wrote.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue
from sqlalchemy import Connection, insert, select, update

from orchestrator_service import artifacts, events, memory, registry, tasks
from orchestrator_service.engine.decide import Outcome
from orchestrator_service.models import PendingInput, PlanRow, StepRow, Task
from orchestrator_service.planning.plan import Plan, PlanStep, check, literal
from orchestrator_service.planning.synthesis import StepOutput, compose
from shared.agent import JsonObject, Usage
from shared.auth import Caller
from shared.db import new_id, now


@dataclass(frozen=True, slots=True)
class Run:
    """A task as its durable function finds it. `plan` is None until there is one; `outcomes` are of ended steps."""

    task_id: str
    number: int
    tenant_id: str
    description: str
    session_id: str | None
    request: JsonObject
    plan: Plan | None
    outcomes: dict[str, Outcome]


def begin_run(connection: Connection, task_id: str, number: int) -> Run | None:
    """Take the task up; None if there is nothing to run now. Without a plan its status becomes "planning".

    There is nothing to run when the task is over, when a later run has it (an answer came before a crash was mended),
    or when its plan still waits for approval. A plan that was given, or an agent that was named, becomes the plan here.
    Raises: PlanInvalidError, NotFoundError (the named agent), BudgetExhaustedError.
    """
    row = connection.execute(
        select(
            Task.tenant_id,
            Task.description,
            Task.session_id,
            Task.request,
            Task.cancel_requested,
            Task.status,
            Task.run,
            Task.run_state,
            Task.started_at,
        )
        .where(Task.id == task_id)
        .with_for_update(key_share=True)
    ).one_or_none()
    if row is None or row.status in events.TERMINAL or row.run != number:
        return None
    if row.cancel_requested:
        tasks.finish(connection, task_id, "canceled")
        return None
    is_fresh = row.started_at is None
    plan = None if is_fresh else current_plan(connection, task_id)
    if plan is not None and _waits_for_approval(connection, task_id):
        return None
    run = Run(
        task_id=task_id,
        number=number,
        tenant_id=row.tenant_id,
        description=row.description,
        session_id=row.session_id,
        request=row.request,
        plan=plan,
        outcomes={} if plan is None else outcomes(connection, task_id),
    )
    status = "planning" if plan is None else "executing"
    begun = [] if row.status == status else [events.draft("task.status", status=status)]
    started = {"run_state": "running", "started_at": row.started_at or now()}
    if plan is None and (direct := _direct_plan(connection, run)) is not None:
        return _store_plan(connection, run, direct, begun, **started)
    if row.run_state != "running":
        events.append(connection, task_id, begun, status=status, **started)
    return run


def current_plan(connection: Connection, task_id: str) -> Plan | None:
    """Return the newest revision of the task's plan."""
    row = connection.execute(
        select(PlanRow.id, PlanRow.revision, PlanRow.strategy, PlanRow.steps)
        .where(PlanRow.task_id == task_id)
        .order_by(PlanRow.revision.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    steps = [PlanStep.model_validate(step) for step in row.steps]
    return Plan(id=row.id, revision=row.revision, strategy=row.strategy, steps=steps)


def outcomes(connection: Connection, task_id: str) -> dict[str, Outcome]:
    """Return how the steps that ended went."""
    ended = ("completed", "failed", "skipped", "canceled")
    rows = connection.execute(
        select(StepRow.step_id, StepRow.status, StepRow.error).where(
            StepRow.task_id == task_id, StepRow.status.in_(ended)
        )
    )
    return {row.step_id: Outcome(row.status, row.error) for row in rows}


def keep_plan(connection: Connection, run: Run, plan: Plan, usage: Usage) -> Run | None:
    """Store the checked plan and its steps, and go on to "executing".

    None if a person has to approve the plan first: the run ends, and the answer starts the next.
    Raises: PlanInvalidError, BudgetExhaustedError.
    """
    task_id = run.task_id
    tasks.lock(connection, task_id)
    if (kept := current_plan(connection, task_id)) is not None:
        return None if _waits_for_approval(connection, task_id) else replace(run, plan=kept)
    return _store_plan(connection, run, plan, spend(connection, task_id, usage))


def history(connection: Connection, run: Run, limit: int) -> list[tuple[str, str]]:
    """Return what was said in the task's session before it."""
    return [] if run.session_id is None else memory.recent_turns(connection, run.session_id, run.task_id, limit)


def park(connection: Connection, task_id: str, number: int) -> bool:
    """End the run, because every way on leads through a person; False if an answer has come meanwhile."""
    row = connection.execute(
        select(Task.cancel_requested, Task.run).where(Task.id == task_id).with_for_update(key_share=True)
    ).one()
    if row.run != number:
        return True  # the answer has started the next run already
    answered = connection.execute(
        select(PendingInput.id).where(
            PendingInput.task_id == task_id, PendingInput.answered_at.is_not(None), PendingInput.consumed.is_(False)
        )
    ).first()
    if answered is not None or row.cancel_requested:
        return False
    connection.execute(update(Task).where(Task.id == task_id).values(run_state="idle"))
    return True


def outputs(connection: Connection, task_id: str, plan: Plan) -> tuple[str, list[StepOutput]]:
    """Return the goal, and what the completed steps said, in the plan's order."""
    goal = connection.execute(select(Task.description).where(Task.id == task_id)).scalar_one()
    rows = connection.execute(
        select(StepRow.step_id, StepRow.agent_name, StepRow.output_text).where(
            StepRow.task_id == task_id, StepRow.status == "completed"
        )
    )
    said = {row.step_id: row for row in rows}
    return goal, [
        StepOutput(
            step_number=step.step_number,
            step_id=step.id,
            instruction=step.instruction,
            agent_name=said[step.id].agent_name or "",
            text=said[step.id].output_text or "",
        )
        for step in plan.in_order()
        if step.id in said
    ]


def end_task(
    connection: Connection,
    task_id: str,
    number: int,
    plan: Plan,
    status: events.TerminalStatus,
    *,
    error: JsonObject | None = None,
    summary: str = "",
    usage: Usage | None = None,
) -> None:
    """Write the result and the terminal state; without a summary, the outputs are put together to one."""
    row = connection.execute(select(Task.run).where(Task.id == task_id).with_for_update(key_share=True)).one()
    if row.run != number:
        return
    goal, said = outputs(connection, task_id, plan)
    files = [artifact for _, artifact in artifacts.of_tasks(connection, [task_id]) if artifact["step_id"] is not None]
    result: JsonObject = {
        "summary": summary or compose(goal, said),
        "outputs": [{"step": output.instruction, "output": output.text} for output in said],
        "artifacts": list[JsonValue](files),
    }
    if usage is not None:
        events.append(connection, task_id, spend(connection, task_id, usage))
    tasks.finish(connection, task_id, status, result=result, error=error)


def fail(connection: Connection, task_id: str, number: int, error: JsonObject) -> None:
    """End the task with an error that has nothing to do with one of its steps."""
    run = connection.execute(select(Task.run).where(Task.id == task_id).with_for_update(key_share=True)).scalar_one()
    if run == number:
        tasks.finish(connection, task_id, "failed", error=error)


def ask_person(
    connection: Connection, task_id: str, step_id: str | None, kind: str, prompt: str, schema: JsonObject | None
) -> events.Draft:
    """Store a question to a person and return the event that announces it."""
    input_id = new_id()
    connection.execute(
        insert(PendingInput).values(
            id=input_id,
            task_id=task_id,
            step_id=step_id,
            kind=kind,
            prompt=prompt,
            json_schema=schema,
            consumed=False,
            created_at=now(),
        )
    )
    return events.draft("input.required", input_id=input_id, step_id=step_id, prompt=prompt, schema=schema)


def spend(connection: Connection, task_id: str, usage: Usage) -> list[events.Draft]:
    """Add to what models cost the task; returns the event that says so, if there was any cost."""
    if usage == Usage():
        return []
    used: JsonObject = connection.execute(
        select(Task.usage).where(Task.id == task_id).with_for_update(key_share=True)
    ).scalar_one()
    spent = usage_json(usage)
    total: JsonObject = {key: number_of(used.get(key)) + number_of(spent.get(key)) for key in tasks.NO_USAGE}
    connection.execute(update(Task).where(Task.id == task_id).values(usage=total))
    return [events.draft("usage", usage=total)]


def usage_json(usage: Usage) -> JsonObject:
    """Return usage as the API shows it."""
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": usage.cost_usd,
        "llm_calls": usage.llm_calls,
    }


def number_of(value: JsonValue) -> int | float:
    """Return a stored number; 0 for what is none."""
    return value if isinstance(value, int | float) else 0


def _store_plan(
    connection: Connection, run: Run, plan: Plan, before: Sequence[events.Draft], **changes: object
) -> Run | None:
    plan = check(plan, inputs=given_inputs(run.request))
    _check_steps(run.request, plan)
    stored = plan.model_copy(update={"id": new_id()})
    steps: list[JsonValue] = [step.model_dump(mode="json") for step in stored.steps]
    connection.execute(
        insert(PlanRow).values(
            id=stored.id,
            task_id=run.task_id,
            revision=stored.revision,
            strategy=stored.strategy,
            steps=steps,
            created_at=now(),
        )
    )
    rows = [{"task_id": run.task_id, "step_id": step.id, "status": "pending"} for step in stored.steps]
    connection.execute(insert(StepRow), rows)
    shown: JsonObject = {
        "id": stored.id,
        "revision": stored.revision,
        "strategy": stored.strategy,
        "steps": steps,
    }
    drafts = [*before, events.draft("plan.created", plan=shown)]
    ask = run.request.get("approve_plan") is True
    if ask:
        drafts.append(ask_person(connection, run.task_id, None, "plan", "Approve this plan?", None))
        changes["run_state"] = "idle"
    status = "input_required" if ask else "executing"
    drafts.append(events.draft("task.status", status=status))
    events.append(connection, run.task_id, drafts, status=status, **changes)
    return None if ask else replace(run, plan=stored)


def given_inputs(request: JsonObject) -> JsonObject:
    """Return the inputs that the task was given."""
    inputs = request.get("inputs")
    return inputs if isinstance(inputs, dict) else {}


def _direct_plan(connection: Connection, run: Run) -> Plan | None:
    """Return the plan that needs no planner: the one that was given, or one step for the agent that was named."""
    request = run.request
    if isinstance(written := request.get("plan"), dict):
        return Plan.model_validate({**written, "strategy": "given"})
    if isinstance(agent := request.get("agent"), str):
        inputs = given_inputs(request)
        agent_id = registry.identify(connection, Caller(run.tenant_id), agent)
        step = PlanStep(id="s1", agent=agent_id, instruction=literal(run.description, inputs), inputs=inputs)
        return Plan(strategy="direct", steps=[step])
    return None


def _waits_for_approval(connection: Connection, task_id: str) -> bool:
    query = select(PendingInput.id).where(
        PendingInput.task_id == task_id, PendingInput.kind == "plan", PendingInput.answered_at.is_(None)
    )
    return connection.execute(query).first() is not None


def _check_steps(request: JsonObject, plan: Plan) -> None:
    budget = request.get("budget")
    most = budget.get("steps") if isinstance(budget, dict) else None
    if isinstance(most, int) and len(plan.steps) > most:
        raise tasks.BudgetExhaustedError(
            f"The plan has {len(plan.steps)} steps, more than the {most} that the task's budget allows."
        )
