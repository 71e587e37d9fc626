"""Questions to people: asked by an agent, a plan or a step, answered once, void after a time.

An answer changes rows only: it is stored, the task is back in the queue, and who takes it up goes on from there.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import orjson
from pydantic import JsonValue
from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from orchestrator_service import events, plan_edits, schemas, tasks
from orchestrator_service.models import PendingInput, StepRow, Task
from orchestrator_service.planning.plan import Plan
from shared.agent import JsonObject
from shared.auth import Caller
from shared.db import new_id, now
from shared.errors import ConflictError, FederationError, InvalidRequestError, NotFoundError

Kind = Literal["agent", "auth", "plan", "step"]
"""Who asks: an agent for input, an agent for authorization, a plan or a step for approval."""

_AT_ONCE: Final = 10_000
"""How many tasks are asked for in one statement: PostgreSQL takes 65,535 values."""
APPROVALS: Final = frozenset({"plan", "step"})
_EXPIRED: Final[JsonObject] = {"expired": True}


class InputExpiredError(ConflictError):
    """Nobody answered a question in time."""

    slug = "input-expired"
    title = "The question has expired"


class StepRejectedError(FederationError):
    """A person did not let a step run."""

    slug = "step-rejected"
    title = "A person rejected the step"
    status = 409


class PlanRejectedError(FederationError):
    """A person did not let a plan run."""

    slug = "plan-rejected"
    title = "A person rejected the plan"
    status = 409


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked. `path` leads from the task to who asks; `schema` is the form of the answer, if any."""

    kind: Kind
    prompt: str
    expires_at: datetime
    step_id: str | None = None
    schema: JsonObject | None = None
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person says: text or data to an agent, `approve` for a plan or step; `plan`: with these changes."""

    input_id: str
    text: str | None = None
    data: JsonValue = None
    approve: bool | None = None
    comment: str | None = None
    plan: Plan | None = None


def ask(connection: Connection, task_id: str, question: Question) -> events.Draft:
    """Store the question, and return the event that announces it."""
    input_id = new_id()
    connection.execute(
        insert(PendingInput).values(
            id=input_id,
            task_id=task_id,
            step_id=question.step_id,
            kind=question.kind,
            prompt=question.prompt,
            json_schema=question.schema,
            path=list(question.path) or None,
            expires_at=question.expires_at,
            consumed=False,
            created_at=now(),
        )
    )
    return events.draft(
        "input.required",
        input_id=input_id,
        kind=question.kind,
        step_id=question.step_id,
        prompt=question.prompt,
        schema=question.schema,
        expires_at=question.expires_at.isoformat(),
    )


def refusal(kind: str, answer: JsonObject) -> FederationError | None:
    """Return why the step that asked cannot go on with this answer; None if it can."""
    if answer == _EXPIRED:
        return InputExpiredError(
            "Nobody answered in time (input_timeout_s, INPUT_TIMEOUT_S); retry the task to ask again."
        )
    if kind in APPROVALS and answer.get("approve") is not True:
        return (PlanRejectedError if kind == "plan" else StepRejectedError)(_rejection(kind, answer.get("comment")))
    return None


def approval(text: str) -> bool:
    """Return what words say of a plan or step that waits for approval. Raises: InvalidRequestError."""
    word = text.strip().lower().rstrip(".!")
    if word in {"yes", "y", "ok", "approve", "approved", "go"}:
        return True
    if word in {"no", "n", "reject", "rejected", "stop"}:
        return False
    raise InvalidRequestError('Say "yes" to run it or "no" to drop it.')


def worded(question: JsonObject, text: str) -> Answer:
    """Return the answer to a question, as the API shows it, that somebody gives in words: JSON where it has a form.

    Raises: InvalidRequestError for an approval that says neither yes nor no.
    """
    input_id = str(question["input_id"])
    if question["kind"] in APPROVALS:
        return Answer(input_id, approve=approval(text))
    if question["schema"] is not None:
        with suppress(orjson.JSONDecodeError):
            data: JsonValue = orjson.loads(text)
            return Answer(input_id, data=data) if isinstance(data, dict) else Answer(input_id, text)
    return Answer(input_id, text)


def answer(connection: Connection, caller: Caller, task_id: str, given: Answer) -> bool:
    """Store the answer; True if the task is in the queue now, False if a run of it is under way or it is over.

    A plan that is rejected ends the task. Raises: NotFoundError, ConflictError (answered already, or the task is
    over), InputExpiredError, InvalidRequestError.
    """
    task = connection.execute(_TASK.where(tasks.visible_to(caller)), {"of_task": task_id}).one_or_none()
    if task is None:
        raise NotFoundError(f"There is no task {task_id!r}.")
    asked = connection.execute(_ASKED, {"of_task": task_id, "of_input": given.input_id}).one_or_none()
    if asked is None:
        raise NotFoundError(f"The task has no pending input {given.input_id!r}.")
    at = now()
    if asked.answer == _EXPIRED or (
        asked.answered_at is None and asked.expires_at is not None and asked.expires_at <= at
    ):
        raise InputExpiredError(f"This question could be answered until {asked.expires_at:%Y-%m-%d %H:%M:%S} UTC.")
    if asked.answered_at is not None:
        raise ConflictError("This input was answered already; an input is answered once.")
    if task.status in events.TERMINAL or task.cancel_requested:
        state = task.status if task.status in events.TERMINAL else "being canceled"
        raise ConflictError(f"The task is {state}; its questions are void.")
    is_approval = asked.kind in APPROVALS
    content = _approval(given, asked.kind) if is_approval else _reply(given, asked.json_schema)
    is_plan = asked.kind == "plan"
    if given.plan is not None and not (is_plan and given.approve):
        raise InvalidRequestError("A `plan` goes only with the approval of a plan.")
    connection.execute(_ANSWER, {"of_input": given.input_id, "given": content, "at": at, "is_consumed": is_plan})
    told = events.draft(
        "input.answered",
        input_id=given.input_id,
        approve=given.approve if is_approval else None,
        comment=given.comment if is_approval else None,
    )
    if is_plan and (rejected := refusal(asked.kind, content)) is not None:
        events.append(connection, task_id, [told])
        tasks.finish(connection, tasks.ending(connection, task_id), "canceled", error=rejected.to_metadata())
        return False
    changed = [] if given.plan is None else [plan_edits.store(connection, task_id, given.plan)]
    return _go_on(connection, task, [asked.step_id], [told, *changed], at)


def expire(connection: Connection, at: datetime, limit: int) -> list[str]:
    """Close questions that nobody answered in time; returns the tasks that go on, to hear of it.

    Their answer is `{"expired": true}`; `refusal` says what it means.
    """
    due = connection.execute(_DUE, {"at": at, "at_most": limit}).all()
    going_on: list[str] = []
    for task_id in sorted({row.task_id for row in due}):  # in one order everywhere: none waits in a circle
        task = connection.execute(_TASK_IF_FREE, {"of_task": task_id}).one_or_none()
        if task is None:  # somebody answers it, or ends the task, just now
            continue
        is_over = task.status in events.TERMINAL
        asked: list[str | None] = []
        told: list[events.Draft] = []
        for question in (row for row in due if row.task_id == task_id):
            values = {"of_input": question.id, "given": _EXPIRED, "at": at, "is_consumed": is_over}
            if connection.execute(_ANSWER, values).rowcount:
                asked.append(question.step_id)
                told.append(events.draft("input.answered", input_id=question.id, expired=True))
        if told and not is_over:
            _go_on(connection, task, asked, told, at)
            going_on.append(task_id)
    return going_on


def goes_on_after(connection: Connection, task_id: str) -> int | None:
    """Return the number of a task's newest event; None if it is over, or needs input: it does not go on by itself."""
    row = connection.execute(select(Task.status, Task.last_seq).where(Task.id == task_id)).one()
    return None if row.status in events.TERMINAL | {"input_required"} else row.last_seq


def gone_on(connection: Connection, since: Mapping[str, datetime]) -> list[str]:
    """Return those of the tasks that do not wait for input, or were answered after the time given; some, if many."""
    task_ids = list(since)
    found: list[str] = []
    for begin in range(0, len(task_ids), _AT_ONCE):
        found += [
            row.id
            for row in connection.execute(_ANSWERED, {"task_ids": task_ids[begin : begin + _AT_ONCE]})
            if row.status != "input_required" or (row.answered_at is not None and row.answered_at > since[row.id])
        ]
        if len(found) >= _AT_ONCE:
            break
    return found


def _go_on(
    connection: Connection,
    task: Row[str, str, str, bool, datetime, datetime | None],
    asked: list[str | None],
    told: list[events.Draft],
    at: datetime,
) -> bool:
    """Let the task go on with answers to what its steps asked; True if it was parked, and is in the queue now.

    A step that asked is pending again: who runs the task takes it up where it was.
    The time that a parked task waited is not counted: its deadline moves on by it.
    """
    for step_id in asked:
        if step_id is not None:
            connection.execute(_STEP, {"of_task": task.id, "of_step": step_id})
    changes: dict[str, object] = {}
    if task.status == "input_required" and connection.execute(_OPEN, {"of_task": task.id}).first() is None:
        changes["status"] = "executing"
        told = [*told, events.draft("task.status", status="executing")]
    is_parked = task.run_state == "idle"
    if is_parked:
        changes |= {"run_state": "queued", "runnable_at": None, "parked_at": None}
        if task.parked_at is not None and at > task.parked_at:
            changes["deadline_at"] = task.deadline_at + (at - task.parked_at)
    events.append(connection, task.id, told, **changes)
    return is_parked


def _approval(given: Answer, kind: str) -> JsonObject:
    if given.approve is None:
        raise InvalidRequestError(
            f"This input asks whether the {kind} may run; give `approve` as true or false.",
            errors=[{"pointer": "#/approve", "detail": "It is missing."}],
        )
    return {"approve": given.approve, "comment": given.comment}


def _reply(given: Answer, schema: JsonObject | None) -> JsonObject:
    if given.text is None and given.data is None:
        raise InvalidRequestError(
            "Give `text` or `data` as the answer.",
            errors=[{"pointer": "#/text", "detail": "It is missing, and so is data."}],
        )
    found = schemas.misfits(schema, given.data, given.text)
    if found:
        errors: list[JsonValue] = [{"pointer": misfit.pointer, "detail": misfit.detail} for misfit in found]
        first = found[0]
        raise InvalidRequestError(
            f"The answer does not fit what is asked: {first.pointer}: {first.detail}", errors=errors
        )
    return {"text": given.text, "data": given.data}


def _rejection(kind: str, comment: JsonValue) -> str:
    return f"A person rejected the {kind}: {comment}" if comment else f"A person rejected the {kind}."


_TASK: Final = (
    select(Task.id, Task.status, Task.run_state, Task.cancel_requested, Task.deadline_at, Task.parked_at)
    .where(Task.id == bindparam("of_task"))
    .with_for_update(key_share=True)
)
_TASK_IF_FREE: Final = _TASK.with_for_update(key_share=True, skip_locked=True)
_ASKED: Final = select(
    PendingInput.kind,
    PendingInput.step_id,
    PendingInput.json_schema,
    PendingInput.answer,
    PendingInput.answered_at,
    PendingInput.expires_at,
).where(PendingInput.task_id == bindparam("of_task"), PendingInput.id == bindparam("of_input"))
_ANSWER: Final = (
    update(PendingInput)
    .where(PendingInput.id == bindparam("of_input"), PendingInput.answered_at.is_(None))
    .values(answer=bindparam("given"), answered_at=bindparam("at"), consumed=bindparam("is_consumed"))
)
_STEP: Final = (
    update(StepRow)
    .where(
        StepRow.task_id == bindparam("of_task"),
        StepRow.step_id == bindparam("of_step"),
        StepRow.status == "input_required",
    )
    .values(status="pending")
)
_ANSWERED: Final = select(
    Task.id,
    Task.status,
    select(func.max(PendingInput.answered_at))
    .where(PendingInput.task_id == Task.id)
    .scalar_subquery()
    .label("answered_at"),
).where(Task.id.in_(bindparam("task_ids", expanding=True)))
_OPEN: Final = (
    select(PendingInput.id)
    .where(PendingInput.task_id == bindparam("of_task"), PendingInput.answered_at.is_(None))
    .limit(1)
)
_DUE: Final = (
    select(PendingInput.id, PendingInput.task_id, PendingInput.step_id, PendingInput.kind)
    .where(PendingInput.expires_at <= bindparam("at"), PendingInput.answered_at.is_(None))
    .order_by(PendingInput.expires_at)
    .limit(bindparam("at_most"))
)
