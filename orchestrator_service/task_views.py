"""What clients see of tasks: one JSON form, read with a fixed number of statements however many tasks are listed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from pydantic import JsonValue
from sqlalchemy import ColumnElement, Connection, RowMapping, bindparam, exists, select
from sqlalchemy.orm import aliased

from orchestrator_service import artifacts
from orchestrator_service.events import TERMINAL
from orchestrator_service.models import Artifact, Attempt, PendingInput, PlanRow, StepRow, Task
from orchestrator_service.planning import team
from orchestrator_service.tasks import visible_to
from shared.agent import JsonObject
from shared.auth import Caller
from shared.db import UtcTime, now
from shared.errors import NotFoundError
from shared.prepared import OneOrMany, prepared


@dataclass(frozen=True, slots=True)
class Filters:
    """Which tasks to list; None means any. `q` is looked for in the description, `agent` is a name or id."""

    statuses: Sequence[str] | None = None
    session_id: str | None = None
    user_id: str | None = None
    agent: str | None = None
    q: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def find(connection: Connection, caller: Caller, task_id: str) -> JsonObject:
    """Return the task with its steps. Raises: NotFoundError."""
    named = {"of_tenant": caller.tenant_id, "of_task": task_id}
    row = connection.execute(_TASK, named).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"There is no task {task_id!r}.")
    return _views(connection, [row])[0]


def search(
    connection: Connection, caller: Caller, filters: Filters, before: str | None, limit: int
) -> list[JsonObject]:
    """Return tasks, newest first, from below the id `before`."""
    mine = _from_the_end(connection, caller) if filters.statuses is None else visible_to(caller)
    query = select(*_SEEN).where(mine).order_by(Task.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Task.id < before)
    if filters.statuses is not None:
        query = query.where(Task.status.in_(filters.statuses))
    if filters.session_id is not None:
        query = query.where(Task.session_id == filters.session_id)
    if filters.user_id is not None:
        query = query.where(Task.user_id == filters.user_id)
    if filters.agent is not None:
        used = (StepRow.agent_id == filters.agent) | (StepRow.agent_name == filters.agent)
        query = query.where(exists().where(StepRow.task_id == Task.id, used))
    if filters.q is not None:
        query = query.where(Task.description.icontains(filters.q, autoescape=True))
    if filters.since is not None:
        query = query.where(Task.created_at >= filters.since)
    if filters.until is not None:
        query = query.where(Task.created_at < filters.until)
    return _views(connection, connection.execute(query).mappings().all())


def open_questions(connection: Connection, caller: Caller, after: str | None, limit: int) -> list[JsonObject]:
    """Return what people are asked by any task, oldest first, from above the id `after`.

    Each question has its task, and what the step that asks was told; one about a plan has that plan.
    """
    query = _OPEN.where(_from_the_end(connection, caller)).limit(limit)
    if after is not None:
        query = query.where(PendingInput.id > after)
    asked = connection.execute(query, {"at": now()}).all()
    rows = connection.execute(_TASKS, {"task_ids": {row.task_id for row in asked}}).mappings().all()
    tasks = {str(task["id"]): task for task in _views(connection, rows)}
    found = [(row.id, tasks[row.task_id]) for row in asked if row.task_id in tasks]
    return [
        _with_task(question, task)
        for input_id, task in found
        for question in _objects(task["pending_inputs"])
        if question["input_id"] == input_id
    ]


def _from_the_end(connection: Connection, caller: Caller) -> ColumnElement[bool]:
    """Return `visible_to` for a list in the order of ids, which is read from its end until there is enough.

    SQLite would begin with the index of tenants, and sort all that a tenant has; the empty text keeps it from that.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    return Task.tenant_id + "" == caller.tenant_id if is_sqlite else visible_to(caller)


def _with_task(question: JsonObject, task: JsonObject) -> JsonObject:
    asker = next((step for step in _objects(task["steps"]) if step["id"] == question["step_id"]), None)
    return {
        "id": question["input_id"],
        **question,
        "task": {key: task[key] for key in ("id", "description", "status", "session_id")},
        "agent_name": None if asker is None else asker["agent_name"],
        "instruction": None if asker is None else asker["instruction"],
        "plan": task["plan"] if question["kind"] == "plan" else None,
    }


def _objects(items: JsonValue) -> list[JsonObject]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _views(connection: Connection, rows: Sequence[RowMapping]) -> list[JsonObject]:
    """Return the tasks, by their rows, in that order."""
    if not rows:
        return []
    task_ids = [str(row["id"]) for row in rows]
    plans = _PLANS.execute(connection, task_ids)
    plan_of: dict[str, JsonObject] = {
        row.task_id: {
            "id": row.id,
            "revision": row.revision,
            "strategy": row.strategy,
            "steps": list[JsonValue](row.steps),
        }
        for row in plans
    }
    files_of = _files(connection, [str(row["id"]) for row in rows if row["has_files"]])
    steps_of = _steps(connection, task_ids, plan_of, files_of)
    inputs_of: defaultdict[str, list[JsonValue]] = defaultdict(list)
    open_ids = [str(row["id"]) for row in rows if row["status"] not in TERMINAL]
    for row in _QUESTIONS.execute(connection, open_ids).mappings() if open_ids else ():
        inputs_of[row["task_id"]].append(
            {
                "input_id": row["id"],
                "step_id": row["step_id"],
                "kind": row["kind"],
                "prompt": row["prompt"],
                "schema": row["json_schema"],
                "path": row["path"] or [part for part in (row["task_id"], row["step_id"]) if part],
                "created_at": _iso(row["created_at"]),
                "expires_at": _iso(row["expires_at"]),
            }
        )
    made_of: defaultdict[str, list[JsonValue]] = defaultdict(list)
    origins = [str(row["id"]) for row in rows if row["has_descendants"]]
    for row in _DESCENDANTS.execute(connection, origins) if origins else ():
        made_of[row.origin].append(row.id)
    return [
        _view(
            row,
            plan_of.get(row["id"]),
            steps_of[row["id"]],
            files_of[row["id"], None],
            inputs_of[row["id"]],
            made_of[row["id"]],
        )
        for row in rows
    ]


def _view(
    row: RowMapping,
    plan: JsonObject | None,
    steps: Sequence[JsonObject],
    files: list[JsonValue],
    questions: list[JsonValue],
    descendants: list[JsonValue],
) -> JsonObject:
    return {
        "id": row["id"],
        "task_id": row["id"],
        "session_id": row["session_id"],
        "user_id": row["user_id"],
        "description": row["description"],
        "status": row["status"],
        "plan": plan,
        "steps": list[JsonValue](steps),
        "files": files,
        "result": row["result"],
        "error": row["error"],
        "pending_inputs": questions,
        "usage": {**row["usage"], "agent_calls": _count_tries(steps)},
        "budget": row["request"].get("budget", {}),
        "deadlines": row["request"].get("deadlines", {}),
        "callback_url": row["request"].get("callback_url"),
        "priority": row["priority"],
        "metadata": row["request"].get("metadata", {}),
        "origin": row["origin"],
        "descendants": descendants,
        "parent_task_id": row["parent_task_id"],
        "root_task_id": row["root_task_id"],
        "trace_id": row["trace_id"],
        "created_at": _iso(row["created_at"]),
        "started_at": _iso(row["started_at"]),
        "completed_at": _iso(row["completed_at"]),
    }


_MADE: Final = aliased(Task)
_SEEN: Final = (
    *Task.__table__.c,
    exists().where(Artifact.task_id == Task.id).label("has_files"),
    exists().where(_MADE.origin_task_id == Task.id).label("has_descendants"),
)
"""The columns of a task, and whether there is more to read that few tasks have."""
_OPEN: Final = (
    select(PendingInput.id, PendingInput.task_id)
    .join(Task, Task.id == PendingInput.task_id)
    .where(
        PendingInput.answered_at.is_(None),
        PendingInput.expires_at.is_(None) | (PendingInput.expires_at > bindparam("at", type_=UtcTime())),
        Task.status.not_in(TERMINAL),
        Task.cancel_requested.is_(False),
    )
    .order_by(PendingInput.id)
)
_TASK: Final = prepared(select(*_SEEN).where(Task.tenant_id == bindparam("of_tenant"), Task.id == bindparam("of_task")))
_TASKS: Final = select(*_SEEN).where(Task.id.in_(bindparam("task_ids", expanding=True)))
_STEPS: Final = OneOrMany(lambda among: select(*StepRow.__table__.c).where(among(StepRow.task_id)))
_TRIES: Final = OneOrMany(
    lambda among: select(*Attempt.__table__.c).where(among(Attempt.task_id)).order_by(Attempt.step_id, Attempt.number)
)
_QUESTIONS: Final = OneOrMany(
    lambda among: (
        select(*PendingInput.__table__.c)
        .where(among(PendingInput.task_id), PendingInput.answered_at.is_(None))
        .order_by(PendingInput.id)
    )
)
_DESCENDANTS: Final = OneOrMany(
    lambda among: (
        select(Task.origin_task_id.label("origin"), Task.id).where(among(Task.origin_task_id)).order_by(Task.id)
    )
)
_LATER: Final = aliased(PlanRow)
_PLANS: Final = OneOrMany(
    lambda among: select(PlanRow.task_id, PlanRow.id, PlanRow.revision, PlanRow.strategy, PlanRow.steps).where(
        among(PlanRow.task_id),
        ~exists().where(_LATER.task_id == PlanRow.task_id, _LATER.revision > PlanRow.revision),
    )
)


_FilesOf: TypeAlias = defaultdict[tuple[str, str | None], list[JsonValue]]


def _files(connection: Connection, task_ids: Sequence[str]) -> _FilesOf:
    """Return the files by task and step; with None for the step those that came with the task."""
    files: _FilesOf = defaultdict(list)
    for task_id, artifact in artifacts.of_tasks(connection, task_ids) if task_ids else ():
        step_id = artifact["step_id"]
        files[task_id, step_id if isinstance(step_id, str) else None].append(artifact)
    return files


def _steps(
    connection: Connection, task_ids: Sequence[str], plan_of: dict[str, JsonObject], files: _FilesOf
) -> defaultdict[str, list[JsonObject]]:
    attempts: defaultdict[tuple[str, str], list[JsonValue]] = defaultdict(list)
    rows = _STEPS.execute(connection, task_ids).mappings()
    row_of = {(row["task_id"], row["step_id"]): row for row in rows}
    for row in _TRIES.execute(connection, task_ids).mappings():
        part = row_of[row["task_id"], row["step_id"]] if team.is_member(row["step_id"]) else None
        attempts[row["task_id"], team.owner(row["step_id"])].append(
            {
                **({} if part is None else {"part": row["step_id"], "answer": _answer(row, part)}),
                "agent_id": row["agent_id"],
                "agent_name": row["agent_name"],
                "why": row["why"],
                "remote_task_id": row["remote_task_id"],
                "started_at": _iso(row["started_at"]),
                "ended_at": _iso(row["ended_at"]),
                "error": row["error"],
            }
        )
    spent, rounds = _spent_by_teams(row_of), _rounds(row_of)
    found: defaultdict[str, list[JsonObject]] = defaultdict(list)
    for task_id, plan in plan_of.items():
        planned = plan["steps"]
        for step in planned if isinstance(planned, list) else []:
            if not isinstance(step, dict):
                continue
            key = (task_id, str(step["id"]))
            row = row_of[key]
            found[task_id].append(
                {
                    **step,
                    "status": row["status"],
                    "agent_id": row["agent_id"],
                    "agent_name": row["agent_name"],
                    "why_chosen": row["why_chosen"],
                    "attempts": attempts[key],
                    "output_data": {"text": row["output_text"], "data": row["output_data"]},
                    "artifacts": files[key],
                    "error": row["error"],
                    "usage": spent.get(key, row["usage"]),
                    "kept_from": row["kept_from"],
                    "started_at": _iso(row["started_at"]),
                    "completed_at": _iso(row["completed_at"]),
                    **({"rounds": rounds[key]} if key in rounds else {}),
                }
            )
    return found


def _rounds(row_of: Mapping[tuple[str, str], RowMapping]) -> dict[tuple[str, str], list[JsonValue]]:
    """Return what was decided on each round of the steps that have several answers, or answers that are judged."""
    rounds: defaultdict[tuple[str, str], list[JsonValue]] = defaultdict(list)
    for (task_id, part), row in sorted(row_of.items()):
        if team.is_verdict(part):
            decided: JsonObject = row["output_data"][0] if row["output_data"] else {}
            kept: JsonObject = {"round": team.round_of(part), "status": row["status"], "error": row["error"]}
            kept |= {name: decided[name] for name in _DECIDED if decided.get(name) is not None}
            rounds[task_id, team.owner(part)].append(kept)
    return dict(rounds)


_DECIDED: Final = ("chosen", "why", "consensus", "evaluation")


def _answer(row: RowMapping, part: RowMapping) -> JsonValue:
    """Return what came of a try for one of several answers: the newest one stands for the answer."""
    is_answer = row["ended_at"] is not None and row["error"] is None
    return {"text": part["output_text"], "data": part["output_data"]} if is_answer else None


def _spent_by_teams(row_of: Mapping[tuple[str, str], RowMapping]) -> dict[tuple[str, str], JsonObject]:
    """Return what the answers and verdicts of each step that has such have spent together."""
    spent: dict[tuple[str, str], JsonObject] = {}
    for (task_id, step_id), row in row_of.items():
        if team.is_member(step_id) and (usage := row["usage"]):
            total = spent.setdefault((task_id, team.owner(step_id)), dict.fromkeys(usage, 0))
            for name, amount in usage.items():
                total[name] = total[name] + amount
    return spent


def _count_tries(steps: Sequence[JsonObject]) -> int:
    return sum(len(tries) for step in steps if isinstance(tries := step["attempts"], list))


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
