"""What was said to the agent of a try, put together again from what is stored, for people who look at it.

Messages are not kept: a try keeps the id of its message, and all that its text was made of is kept for other reasons.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import JsonValue
from sqlalchemy import Connection, RowMapping, bindparam, select

from orchestrator_service import ancestry, budgets, inputs
from orchestrator_service.budgets import Amount
from orchestrator_service.engine import step_inputs, teams
from orchestrator_service.engine.conversations import reply_id
from orchestrator_service.models import Attempt, Event, PendingInput, PlanRow, StepRow, Task
from orchestrator_service.planning import team
from orchestrator_service.planning.plan import PlanStep
from orchestrator_service.registry_models import Agent
from shared.agent import JsonObject
from shared.agent_client import OutgoingMessage
from shared.errors import FederationError, NotFoundError

_MOST_TOLD: Final = 200
_ANY_HOPS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Said:
    """A message that went to an agent, and when."""

    at: datetime
    message: OutgoingMessage


@dataclass(frozen=True, slots=True)
class Try:
    """One try of a step: `part` is the id of the answer that it was for, if the step has several.

    `told` are the entries of the task's log that came of it, texts that go on from each other as one; `left_out` of
    them are not among them. `problem`: why what was said cannot be put together any more.
    """

    number: int
    part: str | None
    agent_id: str
    agent_name: str | None
    remote_task_id: str | None
    began_at: datetime
    said: tuple[Said, ...]
    told: tuple[JsonObject, ...]
    left_out: int
    problem: FederationError | None = None


def tries(connection: Connection, task_id: str, step_id: str) -> list[Try]:
    """Return every try of a step, in the order in which they began. Raises: NotFoundError."""
    rows = connection.execute(_TRIES, {"of_task": task_id}).mappings().all()
    of_step = [row for row in rows if team.owner(row["step_id"]) == step_id]
    if not of_step:
        if connection.execute(_STEP, {"of_task": task_id, "of_step": step_id}).first() is None:
            raise NotFoundError(f"The task has no step {step_id[:200]!r}.")
        return []
    task = connection.execute(_TASK, {"of_task": task_id}).mappings().one()
    step = _planned(connection, task_id, step_id)
    events = connection.execute(_EVENTS, {"of_task": task_id}).mappings().all()
    return [_try(connection, task, step, row, _came_of(row, of_step, events)) for row in of_step]


def _try(
    connection: Connection, task: RowMapping, step: PlanStep | None, row: RowMapping, events: Sequence[RowMapping]
) -> Try:
    said: list[Said] = []
    problem: FederationError | None = None
    try:
        if step is not None:
            said = [_first(connection, task, _as_asked(connection, task["id"], step, row["step_id"]), row)]
        said += _replies(connection, row)
    except FederationError as error:
        problem = error
    told = _merged(events)
    kept = told if len(told) <= _MOST_TOLD else [*told[: _MOST_TOLD // 2], *told[-_MOST_TOLD // 2 :]]
    return Try(
        row["number"],
        row["step_id"] if team.is_member(row["step_id"]) else None,
        row["agent_id"],
        row["agent_name"],
        row["remote_task_id"],
        row["started_at"],
        tuple(said),
        tuple(kept),
        len(told) - len(kept),
        problem,
    )


def _first(connection: Connection, task: RowMapping, step: PlanStep, row: RowMapping) -> Said:
    """Return the message that began the try. Raises: FederationError, if it would not be sent any more."""
    values = step_inputs.values(connection, task["id"], step, task["request"])
    text, data, marks = step_inputs.told(step, values)
    come = ancestry.child_metadata(
        task_id=task["id"],
        root_task_id=task["root_task_id"],
        ancestry=task["ancestry"],
        step_id=step.id,
        agent=row["endpoint"] or "",
        request_text=text,
        max_hops=_ANY_HOPS,
    )
    granted = None if row["reserved"] is None else Amount.model_validate(row["reserved"])
    wishes = step_inputs.wishes(task["request"], task["session_id"])
    budget = budgets.to_metadata(granted, task["request"], task["deadline_at"], at=row["started_at"])
    message = OutgoingMessage(
        message_id=row["message_id"],
        text=text,
        data=(data,) if data else (),
        files=tuple(step_inputs.files(connection, task["id"], step, task["request"], values)),
        skill=step.skill,
        metadata=come | wishes | budget | marks,
    )
    return Said(row["started_at"], message)


def _replies(connection: Connection, row: RowMapping) -> list[Said]:
    """Return people's answers that went to the try's remote task."""
    if row["remote_task_id"] is None:
        return []
    answers = connection.execute(_ANSWERS, {"of_task": row["task_id"], "of_step": row["step_id"]}).mappings()
    return [
        Said(
            answer["answered_at"],
            OutgoingMessage(
                message_id=reply_id(answer["id"]),
                text=str(answer["answer"].get("text") or ""),
                data=() if answer["answer"].get("data") is None else (answer["answer"]["data"],),
                task_id=row["remote_task_id"],
                context_id=row["remote_context_id"],
            ),
        )
        for answer in answers
        if (answer["path"] or [None])[-1] == row["remote_task_id"]
        and inputs.refusal(answer["kind"], answer["answer"]) is None
    ]


def _as_asked(connection: Connection, task_id: str, step: PlanStep, asked: str) -> PlanStep:
    """Return the step as the agent was asked: one of several answers has its own words and agent."""
    if not team.is_member(asked):
        return step
    before = team.verdict_id(step.id, team.round_of(asked) - 1)
    verdict = connection.execute(_VERDICT, {"of_task": task_id, "of_step": before}).one_or_none()
    if verdict is None or not verdict.output_data:
        return teams.as_step(step, asked, None, "")
    evaluation: JsonObject | None = verdict.output_data[0].get("evaluation")
    return teams.as_step(step, asked, evaluation, verdict.output_text or "")


def _planned(connection: Connection, task_id: str, step_id: str) -> PlanStep | None:
    """Return the step as it was planned last."""
    for steps in connection.execute(_PLANS, {"of_task": task_id}).scalars():
        for step in steps:
            if step.get("id") == step_id:
                return PlanStep.model_validate(step)
    return None


def _came_of(row: RowMapping, rows: Sequence[RowMapping], events: Sequence[RowMapping]) -> list[RowMapping]:
    """Return the entries of the log from when the try began until the next one for the same answer did.

    What an agent said last is written down a moment after its try has ended; that it runs is what we say.
    """
    later = [
        each["started_at"] for each in rows if each["step_id"] == row["step_id"] and each["number"] > row["number"]
    ]
    until = min(later, default=None)
    return [
        event
        for event in events
        if event["data"].get("step_id") == row["step_id"]
        and event["data"].get("status") != "running"
        and row["started_at"] <= event["at"]
        and (until is None or event["at"] < until)
    ]


def _merged(events: Sequence[RowMapping]) -> list[JsonObject]:
    """Return the entries as clients see them; a text that goes on from the one before is a part of that."""
    found: list[JsonObject] = []
    for event in events:
        last: JsonObject = found[-1] if found else {}
        data: dict[str, JsonValue] = event["data"]
        told: JsonObject = {"type": event["type"], "seq": event["seq"], "at": event["at"].isoformat(), **data}
        if event["type"] == "step.output" == last.get("type") and data.get("append") is True:
            found[-1] = {**last, "text": f"{last.get('text')}{data.get('text')}"}
        else:
            found.append(told)
    return found


_STEP: Final = select(StepRow.step_id).where(
    StepRow.task_id == bindparam("of_task"), StepRow.step_id == bindparam("of_step")
)
_TRIES: Final = (
    select(*Attempt.__table__.c, Agent.endpoint)
    .outerjoin(Agent, Agent.id == Attempt.agent_id)
    .where(Attempt.task_id == bindparam("of_task"))
    .order_by(Attempt.started_at, Attempt.step_id, Attempt.number)
)
_TASK: Final = select(Task.id, Task.request, Task.session_id, Task.root_task_id, Task.ancestry, Task.deadline_at).where(
    Task.id == bindparam("of_task")
)
_PLANS: Final = select(PlanRow.steps).where(PlanRow.task_id == bindparam("of_task")).order_by(PlanRow.revision.desc())
_EVENTS: Final = (
    select(Event.seq, Event.type, Event.data, Event.at)
    .where(Event.task_id == bindparam("of_task"), Event.type.startswith("step."))
    .order_by(Event.seq)
)
_VERDICT: Final = select(StepRow.output_text, StepRow.output_data).where(
    StepRow.task_id == bindparam("of_task"), StepRow.step_id == bindparam("of_step")
)
_ANSWERS: Final = (
    select(PendingInput.id, PendingInput.kind, PendingInput.answer, PendingInput.answered_at, PendingInput.path)
    .where(
        PendingInput.task_id == bindparam("of_task"),
        PendingInput.step_id == bindparam("of_step"),
        PendingInput.kind.in_(("agent", "auth")),
        PendingInput.answered_at.is_not(None),
    )
    .order_by(PendingInput.answered_at)
)
