"""What the engine keeps of steps and their tries: each transition is one transaction, safe to run again."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal
from uuid import UUID, uuid5

from pydantic import JsonValue
from sqlalchemy import Connection, Row, bindparam, insert, select, update

from orchestrator_service import artifacts, choosing, events, tasks
from orchestrator_service.engine import step_inputs
from orchestrator_service.engine.decide import Outcome
from orchestrator_service.engine.task_records import ask_person, number_of, outcomes, spend, usage_json
from orchestrator_service.models import Attempt, PendingInput, StepRow, Task
from orchestrator_service.planning.plan import PlanStep, Reference
from shared.agent import File, JsonObject, Usage
from shared.db import now

_MESSAGES: Final = UUID("6f1d8a52-9d0e-4d3c-8a55-0c3a6f6e2b11")


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """A try that has begun. The message id is the same however often the message is sent again."""

    number: int
    agent_id: str
    agent_name: str
    card: JsonObject
    card_hash: str
    credentials: bytes | None
    message_id: str
    remote_task_id: str | None
    remote_context_id: str | None


@dataclass(frozen=True, slots=True)
class Reply:
    """A person's answer that goes to the remote task that asked."""

    input_id: str
    text: str
    data: JsonValue


@dataclass(frozen=True, slots=True)
class StepWork:
    """Everything a step needs. `ended` if it is over already; `attempt` if one was under way; `reply` if it asked."""

    task_id: str
    run: int
    tenant_id: str
    step: PlanStep
    ended: Outcome | None
    cancel_requested: bool
    deadline_at: datetime
    values: dict[Reference, str]
    files: tuple[File, ...]
    tried: tuple[str, ...]
    attempt: OpenAttempt | None
    reply: Reply | None
    request: JsonObject


def begin_step(connection: Connection, task_id: str, step: PlanStep) -> StepWork:
    """Return what the step needs, with a try under way: the one it had, or a first one with an agent chosen now.

    Raises: NoAgentError, AgentUnavailableError, NotFoundError, BudgetExhaustedError; nothing has begun then.
    """
    work = step_work(connection, task_id, step)
    if work.ended is not None or work.cancel_requested or work.attempt is not None:
        return work
    choice = choosing.choose(connection, work.tenant_id, step.skill, step.agent, step.instruction, work.tried)
    return replace(work, attempt=begin_attempt(connection, work, choice))


def step_work(connection: Connection, task_id: str, step: PlanStep) -> StepWork:
    """Return what the step needs to be performed, or performed on."""
    row = connection.execute(_WORK, {"of_task": task_id, "of_step": step.id}).one()
    is_new = row.status == "pending"
    tries = () if is_new else _tries(connection, task_id, step.id)
    attempt = None
    if tries and tries[-1].ended_at is None:
        last = tries[-1]
        agent = choosing.reach(connection, last.agent_id)
        if agent is not None:
            attempt = OpenAttempt(
                last.number,
                last.agent_id,
                agent.name,
                agent.card,
                agent.card_hash,
                agent.credentials,
                last.message_id,
                last.remote_task_id,
                last.remote_context_id,
            )
    ended = Outcome(row.status, row.error) if row.status in {"completed", "failed", "skipped", "canceled"} else None
    request: JsonObject = row.request
    return StepWork(
        task_id=task_id,
        run=row.run,
        tenant_id=row.tenant_id,
        step=step,
        ended=ended,
        cancel_requested=row.cancel_requested,
        deadline_at=row.deadline_at,
        values=step_inputs.values(connection, task_id, step, request),
        files=tuple(step_inputs.files(connection, task_id, step, request)),
        tried=tuple(tried.agent_id for tried in tries),
        attempt=attempt,
        reply=None if is_new else _reply(connection, task_id, step.id),
        request=request,
    )


_WORK: Final = (
    select(
        Task.tenant_id,
        Task.run,
        Task.request,
        Task.cancel_requested,
        Task.deadline_at,
        StepRow.status,
        StepRow.error,
    )
    .join(StepRow, StepRow.task_id == Task.id)
    .where(Task.id == bindparam("of_task"), StepRow.step_id == bindparam("of_step"))
)


def begin_attempt(connection: Connection, work: StepWork, choice: choosing.Choice) -> OpenAttempt:
    """Record that the step goes to an agent, before anything is sent. Raises: BudgetExhaustedError."""
    tasks.lock(connection, work.task_id)
    _check_budget(connection, work)
    number = len(work.tried) + 1
    message_id = str(uuid5(_MESSAGES, f"{work.task_id}/{work.step.id}/{number}"))
    at = now()
    connection.execute(
        insert(Attempt).values(
            task_id=work.task_id,
            step_id=work.step.id,
            number=number,
            agent_id=choice.agent_id,
            message_id=message_id,
            started_at=at,
        )
    )
    connection.execute(
        update(StepRow)
        .where(StepRow.task_id == work.task_id, StepRow.step_id == work.step.id)
        .values(
            status="running",
            agent_id=choice.agent_id,
            agent_name=choice.name,
            why_chosen=choice.why,
            started_at=at,
        )
    )
    running = events.draft(
        "step.status",
        step_id=work.step.id,
        status="running",
        agent_name=choice.name,
        why_chosen=choice.why,
    )
    events.append(connection, work.task_id, [running])
    return OpenAttempt(
        number, choice.agent_id, choice.name, choice.card, choice.card_hash, choice.credentials, message_id, None, None
    )


def keep_progress(
    connection: Connection,
    work: StepWork,
    number: int,
    remote: tuple[str, str] | None,
    drafts: Sequence[events.Draft],
) -> None:
    """Keep the remote task's id and context as soon as they are known, and what was told on the way."""
    tasks.lock(connection, work.task_id)
    if remote is not None:
        _change_attempt(connection, work, number, remote_task_id=remote[0], remote_context_id=remote[1])
    events.append(connection, work.task_id, drafts)


def end_attempt(connection: Connection, work: StepWork, number: int, error: JsonObject, next_try: str) -> None:
    """Record that a try failed and another follows."""
    tasks.lock(connection, work.task_id)
    _change_attempt(connection, work, number, ended_at=now(), error=error)
    events.append(connection, work.task_id, [events.draft("step.progress", step_id=work.step.id, text=next_try)])


@dataclass(frozen=True, slots=True)
class Output:
    """What a step brought: text for people, JSON, files."""

    text: str
    data: tuple[JsonValue, ...] = ()
    files: tuple[File, ...] = ()
    usage: Usage = field(default_factory=Usage)


def end_step(
    connection: Connection,
    work: StepWork,
    number: int | None,
    status: Literal["completed", "failed", "canceled"],
    *,
    output: Output | None = None,
    error: JsonObject | None = None,
    remote: tuple[str, str] | None = None,
    drafts: Sequence[events.Draft] = (),
) -> Outcome:
    """Close the step and its last try; a step that is closed already stays as it is."""
    tasks.lock(connection, work.task_id)
    step_id = work.step.id
    at = now()
    changed = connection.execute(
        update(StepRow)
        .where(
            StepRow.task_id == work.task_id,
            StepRow.step_id == step_id,
            StepRow.status.in_(("pending", "running", "input_required")),
        )
        .values(
            status=status,
            error=error,
            completed_at=at,
            output_text=None if output is None else output.text,
            output_data=None if output is None else list(output.data),
            usage=None if output is None else usage_json(output.usage),
        )
    )
    if changed.rowcount == 0:
        return outcomes(connection, work.task_id)[step_id]
    if number is not None:
        found = {} if remote is None else {"remote_task_id": remote[0], "remote_context_id": remote[1]}
        _change_attempt(connection, work, number, ended_at=at, error=error, **found)
    if work.reply is not None:
        connection.execute(update(PendingInput).where(PendingInput.id == work.reply.input_id).values(consumed=True))
    last = list(drafts)
    if output is not None:
        for file in output.files:
            if file.content is not None:
                artifact = artifacts.store(connection, work.task_id, step_id, file)
                last.append(events.draft("step.artifact", step_id=step_id, artifact=artifact))
        last += spend(connection, work.task_id, output.usage)
    last.append(events.draft("step.status", step_id=step_id, status=status, error=error))
    events.append(connection, work.task_id, last)
    return Outcome(status, error)


def ask(
    connection: Connection,
    work: StepWork,
    number: int,
    prompt: str,
    schema: JsonObject | None,
    remote: tuple[str, str] | None,
    drafts: Sequence[events.Draft],
) -> None:
    """Record that the remote task waits for a person: one pending input, announced."""
    tasks.lock(connection, work.task_id)
    if remote is not None:
        _change_attempt(connection, work, number, remote_task_id=remote[0], remote_context_id=remote[1])
    if work.reply is not None:
        connection.execute(update(PendingInput).where(PendingInput.id == work.reply.input_id).values(consumed=True))
    open_question = select(PendingInput.id).where(
        PendingInput.task_id == work.task_id, PendingInput.step_id == work.step.id, PendingInput.consumed.is_(False)
    )
    if connection.execute(open_question).first() is not None:
        return
    connection.execute(
        update(StepRow)
        .where(StepRow.task_id == work.task_id, StepRow.step_id == work.step.id)
        .values(status="input_required")
    )
    connection.execute(update(Task).where(Task.id == work.task_id).values(status="input_required"))
    events.append(
        connection,
        work.task_id,
        [
            *drafts,
            events.draft("step.status", step_id=work.step.id, status="input_required"),
            ask_person(connection, work.task_id, work.step.id, "agent", prompt, schema),
            events.draft("task.status", status="input_required"),
        ],
    )


def _reply(connection: Connection, task_id: str, step_id: str) -> Reply | None:
    row = connection.execute(
        select(PendingInput.id, PendingInput.answer)
        .where(
            PendingInput.task_id == task_id,
            PendingInput.step_id == step_id,
            PendingInput.answered_at.is_not(None),
            PendingInput.consumed.is_(False),
        )
        .order_by(PendingInput.id)
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return Reply(row.id, str(row.answer.get("text") or ""), row.answer.get("data"))


def _tries(
    connection: Connection, task_id: str, step_id: str
) -> Sequence[Row[int, str, str, str | None, str | None, datetime | None]]:
    query = (
        select(
            Attempt.number,
            Attempt.agent_id,
            Attempt.message_id,
            Attempt.remote_task_id,
            Attempt.remote_context_id,
            Attempt.ended_at,
        )
        .where(Attempt.task_id == task_id, Attempt.step_id == step_id)
        .order_by(Attempt.number)
    )
    return connection.execute(query).all()


def _check_budget(connection: Connection, work: StepWork) -> None:
    budget = work.request.get("budget")
    if not isinstance(budget, dict) or not budget:
        return
    used: JsonObject = connection.execute(select(Task.usage).where(Task.id == work.task_id)).scalar_one()
    spent = {
        "cost_usd": number_of(used.get("cost_usd")),
        "tokens": number_of(used.get("input_tokens")) + number_of(used.get("output_tokens")),
    }
    for name, amount in spent.items():
        most = budget.get(name)
        if isinstance(most, int | float) and amount >= most:
            raise tasks.BudgetExhaustedError(
                f"The task has spent {amount:g} of the {most:g} {name} that its budget allows; give it a larger one."
            )


def _change_attempt(connection: Connection, work: StepWork, number: int, **values: object) -> None:
    connection.execute(
        update(Attempt)
        .where(Attempt.task_id == work.task_id, Attempt.step_id == work.step.id, Attempt.number == number)
        .values(**values)
    )
