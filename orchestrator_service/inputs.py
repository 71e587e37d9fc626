"""Answers of people: a pending input is answered once, and the answer starts the task's next run."""

from dataclasses import dataclass

from pydantic import JsonValue
from sqlalchemy import Connection, select, update

from orchestrator_service import events, tasks
from orchestrator_service.models import PendingInput, StepRow, Task
from shared.agent import JsonObject
from shared.auth import Caller
from shared.db import now
from shared.errors import ConflictError, InvalidRequestError, NotFoundError


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person says: text or data for an agent's question, `approve` for a plan."""

    input_id: str
    text: str | None = None
    data: JsonValue = None
    approve: bool | None = None
    comment: str | None = None


def answer(connection: Connection, caller: Caller, task_id: str, given: Answer) -> int | None:
    """Store the answer; returns the number of the run that goes on with it, None if one is under way or none is needed.

    Raises: NotFoundError, ConflictError (answered already, or the task is over), InvalidRequestError.
    """
    task = connection.execute(
        select(Task.status, Task.run, Task.run_state)
        .where(tasks.visible_to(caller), Task.id == task_id)
        .with_for_update(key_share=True)
    ).one_or_none()
    if task is None:
        raise NotFoundError(f"There is no task {task_id!r}.")
    asked = connection.execute(
        select(PendingInput.kind, PendingInput.step_id, PendingInput.json_schema, PendingInput.answered_at).where(
            PendingInput.task_id == task_id, PendingInput.id == given.input_id
        )
    ).one_or_none()
    if asked is None:
        raise NotFoundError(f"The task has no pending input {given.input_id!r}.")
    if asked.answered_at is not None:
        raise ConflictError("This input was answered already; an input is answered once.")
    if task.status in events.TERMINAL:
        raise ConflictError(f"The task is {task.status}; its questions are void.")
    is_plan = asked.kind == "plan"
    content = _approval(given) if is_plan else _reply(given, asked.json_schema)
    connection.execute(
        update(PendingInput)
        .where(PendingInput.id == given.input_id)
        .values(answer=content, answered_at=now(), consumed=is_plan)
    )
    events.append(connection, task_id, [events.draft("input.answered", input_id=given.input_id)])
    if is_plan and given.approve is False:
        tasks.finish(connection, task_id, "canceled")
        return None
    if asked.step_id is not None:
        connection.execute(
            update(StepRow).where(StepRow.task_id == task_id, StepRow.step_id == asked.step_id).values(status="running")
        )
    open_questions = connection.execute(
        select(PendingInput.id).where(PendingInput.task_id == task_id, PendingInput.answered_at.is_(None))
    ).first()
    if open_questions is None:
        connection.execute(update(Task).where(Task.id == task_id).values(status="executing"))
        events.append(connection, task_id, [events.draft("task.status", status="executing")])
    if task.run_state != "idle":
        return None
    connection.execute(update(Task).where(Task.id == task_id).values(run=task.run + 1, run_state="queued"))
    return task.run + 1


def _approval(given: Answer) -> JsonObject:
    if given.approve is None:
        raise InvalidRequestError("This input asks whether to run a plan; give `approve` as true or false.")
    return {"approve": given.approve, "comment": given.comment}


def _reply(given: Answer, schema: JsonObject | None) -> JsonObject:
    if given.text is None and given.data is None:
        raise InvalidRequestError("Give `text` or `data` as the answer.")
    if schema is not None:
        found = _misfits(schema, given.data)
        if found:
            errors: list[JsonValue] = [{"pointer": pointer, "detail": message} for pointer, message in found]
            pointer, message = found[0]
            raise InvalidRequestError(f"The answer does not fit what is asked: {pointer}: {message}.", errors=errors)
    return {"text": given.text, "data": given.data}


def _misfits(schema: JsonObject, data: JsonValue) -> list[tuple[str, str]]:
    """Return what of the data does not fit, as (JSON pointer, message). An agent's schema that is none asks nothing."""
    import jsonschema_rs  # noqa: PLC0415 - 10 MB that only an answer to a form needs

    try:
        validator = jsonschema_rs.validator_for(schema, offline=True)
    except (ValueError, jsonschema_rs.ReferencingError):
        return []
    return sorted(
        ("/data" + "".join(f"/{part}" for part in error.instance_path), error.message)
        for error in validator.iter_errors(data)
    )
