"""What steps ask people, and what comes back. Each function is a part of a transition on a task that is held."""

from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, func, select, update

from orchestrator_service import inputs
from orchestrator_service.engine.held import Held, StepState
from orchestrator_service.engine.work import Reply
from orchestrator_service.models import Attempt, PendingInput, StepRow
from orchestrator_service.planning.plan import PlanStep
from shared.agent import JsonObject
from shared.db import now


def ask(
    held: Held,
    step: PlanStep | None,
    kind: inputs.Kind,
    prompt: str,
    schema: JsonObject | None,
    longest_s: float,
    remote_task_id: str | None = None,
) -> None:
    """Store a question to a person and announce it: by a step (its agent, or for approval), or about the plan.

    `longest_s` is how long it may wait if the step does not say it.
    """
    timeout_s = None if step is None else step.input_timeout_s
    step_id = None if step is None else step.id
    question = inputs.Question(
        kind,
        prompt,
        now() + timedelta(seconds=timeout_s or longest_s),
        step_id=step_id,
        schema=schema,
        path=tuple(part for part in (held.run.task_id, step_id, remote_task_id) if part is not None),
    )
    asked = inputs.ask(held.connection, held.run.task_id, question)
    if step is not None:
        held.connection.execute(_WAIT, {"of_task": held.run.task_id, "of_step": step.id})
        held.steps[step.id] = StepState("input_required", begun=held.steps[step.id].begun)
        held.tell("step.status", step_id=step.id, status="input_required")
    held.drafts.append(asked)
    held.is_news = True
    if held.status != "input_required":
        held.status = "input_required"
        held.changes["status"] = "input_required"
        held.tell("task.status", status="input_required")


def consume(held: Held, input_id: str) -> None:
    """Mark an answer as used."""
    held.connection.execute(_CONSUME, {"of_input": input_id})


def prompts_of(connection: Connection, task_id: str, step_id: str) -> list[str]:
    """Return what the step's agent asked so far in the try under way, in order."""
    return list(connection.execute(_PROMPTS, {"of_task": task_id, "of_step": step_id}).scalars())


def reply(connection: Connection, task_id: str, step_id: str) -> Reply | None:
    """Return the answer that the step has not used yet."""
    row = connection.execute(_ANSWERS, {"of_task": task_id, "of_step": step_id}).one_or_none()
    if row is None:
        return None
    refusal = inputs.refusal(row.kind, row.answer)
    return Reply(row.id, str(row.answer.get("text") or ""), row.answer.get("data"), refusal)


def is_approved(held: Held, step: PlanStep, longest_s: float) -> bool:
    """Tell whether a person approved the step; ask if nobody was asked.

    Raises: StepRejectedError, InputExpiredError.
    """
    asked = held.connection.execute(_APPROVAL, {"of_task": held.run.task_id, "of_step": step.id}).one_or_none()
    if asked is None:
        ask(held, step, "step", f"Run this step? {step.instruction[:500]}", None, longest_s)
        return False
    if asked.answer is None:
        return False
    consume(held, asked.id)
    if (refusal := inputs.refusal("step", asked.answer)) is not None:
        raise refusal
    return True


_asked = (PendingInput.task_id == bindparam("of_task"), PendingInput.step_id == bindparam("of_step"))
_WAIT: Final = (
    update(StepRow)
    .where(StepRow.task_id == bindparam("of_task"), StepRow.step_id == bindparam("of_step"))
    .values(status="input_required")
)
_CONSUME: Final = update(PendingInput).where(PendingInput.id == bindparam("of_input")).values(consumed=True)
_ANSWERS: Final = (
    select(PendingInput.id, PendingInput.kind, PendingInput.answer)
    .where(
        *_asked,
        PendingInput.kind.in_(("agent", "auth")),
        PendingInput.answered_at.is_not(None),
        PendingInput.consumed.is_(False),
    )
    .order_by(PendingInput.id)
    .limit(1)
)
_APPROVAL: Final = (
    select(PendingInput.id, PendingInput.answer)
    .where(*_asked, PendingInput.kind == "step")
    .order_by(PendingInput.id.desc())
    .limit(1)
)
_try_began = (
    select(func.max(Attempt.started_at))
    .where(Attempt.task_id == bindparam("of_task"), Attempt.step_id == bindparam("of_step"))
    .scalar_subquery()
)
_PROMPTS: Final = (
    select(PendingInput.prompt)
    .where(*_asked, PendingInput.kind.in_(("agent", "auth")), PendingInput.created_at >= _try_began)
    .order_by(PendingInput.id)
)
