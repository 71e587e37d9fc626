"""Tasks: every door comes to `submit`; cancel and the end are here too. (What is seen of a task: `task_views`.)"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import timedelta
from typing import Final, Literal

import orjson
from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator_service import ancestry, artifacts, budgets, deliveries, events, idempotency, memory
from orchestrator_service.models import (
    QUEUED,
    Attempt,
    StepRow,
    Task,
)
from orchestrator_service.page_test_models import PageTestRow, PageTestRun
from orchestrator_service.planning.plan import Plan
from shared import telemetry
from shared.agent import File, JsonObject
from shared.auth import Caller
from shared.db import new_id, now
from shared.errors import ConflictError, FederationError, NotFoundError
from shared.prepared import prepared

TaskStatus = Literal["pending", "planning", "executing", "input_required", "completed", "failed", "canceled"]

NO_USAGE: Final[JsonObject] = {"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0, "llm_calls": 0}
"""What models cost a task, as it is stored; the calls of agents are counted by its tries."""

NO_CHANGES: Final[Mapping[str, object]] = {}

_FULL_RETRY_AFTER_S: Final = 5.0


class UnknownWorkflowError(NotFoundError):
    """There is no workflow of that name."""

    slug = "unknown-workflow"
    title = "There is no such workflow"


class QueueFullError(FederationError):
    """Too many tasks wait; nothing was stored."""

    slug = "queue-full"
    title = "Too many tasks are waiting"
    status = 429
    retryable = True


@dataclass(frozen=True, slots=True)
class TestRun:
    """The page test that a task is a run of, what is tested in it, and whether its schedule began it."""

    __test__ = False

    test_id: str
    url: str
    goal: str
    origin: Literal["request", "schedule"] = "request"


@dataclass(frozen=True, slots=True)
class NewTask:
    """A goal to submit. `id` is given by doors that have one already (A2A); `user_id` is already hashed.

    `budget` may hold cost_usd, tokens, steps, seconds and depth; `deadlines` connect_s, first_byte_s, gap_s, step_s and
    task_s. `agent` skips planning, `plan` is run as it is, `evaluate` says what the result has to be like. `history`
    is what was said before, oldest first, as (role, text), where no session keeps it. `ancestry` is what came with an
    agent's call, `origin` the task that this one retries or forks, `test_run` the page test that this one runs.
    """

    description: str
    id: str = field(default_factory=new_id)
    session_id: str | None = None
    user_id: str | None = None
    history: tuple[tuple[str, str], ...] = ()
    inputs: JsonObject = field(default_factory=dict)
    files: tuple[File, ...] = ()
    agent: str | None = None
    plan: Plan | None = None
    approve_plan: bool = False
    budget: JsonObject = field(default_factory=dict)
    priority: int = 5
    metadata: JsonObject = field(default_factory=dict)
    timeout_s: float = 3600.0
    trace_id: str = ""
    trace_flags: str = telemetry.SAMPLED
    callback_url: str | None = None
    replan: bool | None = None
    deadlines: JsonObject = field(default_factory=dict)
    evaluate: JsonObject | None = None
    ancestry: JsonObject | None = None
    root_task_id: str | None = None
    parent_task_id: str | None = None
    origin: JsonObject | None = None
    test_run: TestRun | None = None

    def body_sha256(self) -> str:
        """Return a hash of what was asked for, the same for the same request: also after fields were added here."""
        named = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in _HASHED_OTHERWISE}
        asked = {name: value for name, value in named.items() if value != getattr(_NOTHING_ASKED, name)}
        parts = [
            orjson.dumps(asked, option=orjson.OPT_SORT_KEYS),
            b"" if self.plan is None else self.plan.model_dump_json(exclude_defaults=True).encode(),
            *(orjson.dumps([file.name, file.media_type, _sha256(file.content or b"")]) for file in self.files),
        ]
        return _sha256(b"\0".join(parts))  # JSON holds no such byte


_NOTHING_ASKED: Final = NewTask("")
_HASHED_OTHERWISE: Final = frozenset({"id", "timeout_s", "trace_id", "trace_flags", "files", "plan"})
"""Fields that no client gives, and those that are hashed by what they hold."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """The task that stands for the request: a new one, or the one that the same request made before."""

    task_id: str
    is_new: bool


def submit(
    connection: Connection, caller: Caller, task: NewTask, key: idempotency.Key | None, *, is_full: bool
) -> Submitted:
    """Store the task, its first event and its place in the queue, in one commit.

    The same `task.id` or the same idempotency key and body give the task that is there already, even if the queue
    `is_full`.
    Raises: NotFoundError (session), IdempotencyConflictError, QueueFullError.
    """
    if key is not None:
        earlier = idempotency.claim(connection, caller, key, task.id, task.body_sha256())
        if earlier is not None:
            return Submitted(earlier, is_new=False)
    if is_full and connection.execute(select(Task.id).where(Task.id == task.id)).first() is None:
        raise QueueFullError(
            "As many tasks are waiting already as may wait (MAX_QUEUED_TASKS); try again later.",
            retry_after_s=_FULL_RETRY_AFTER_S,
        )
    if task.session_id is not None:
        memory.find_session(connection, caller, task.session_id)
    if task.parent_task_id is not None:
        ancestry.require_open(connection, task.parent_task_id)
    at = now()
    first = [events.draft("task.status", status="pending")]
    stored = connection.execute(
        _ADD[connection.dialect.name],
        {
            "id": task.id,
            "tenant_id": caller.tenant_id,
            "user_id": task.user_id,
            "session_id": task.session_id,
            "description": task.description,
            "request": {
                "inputs": task.inputs,
                "history": task.history,
                "files": [file.name for file in task.files],
                "agent": task.agent,
                "plan": None if task.plan is None else task.plan.model_dump(mode="json"),
                "approve_plan": task.approve_plan,
                "budget": task.budget,
                "metadata": task.metadata,
                "callback_url": task.callback_url,
                "replan": task.replan,
                "deadlines": task.deadlines,
                "evaluate": task.evaluate,
                "trace_flags": task.trace_flags,
            },
            "status": "pending",
            "run": 0,
            "run_state": "queued",
            "recoveries": 0,
            "root_task_id": task.root_task_id,
            "parent_task_id": task.parent_task_id,
            "origin_task_id": None if task.origin is None else task.origin["task_id"],
            "origin": task.origin,
            "ancestry": task.ancestry,
            "priority": task.priority,
            "last_seq": len(first),
            "usage": NO_USAGE,
            "trace_id": task.trace_id,
            "cancel_requested": False,
            "deadline_at": at + timedelta(seconds=_life_s(task)),
            "created_at": at,
        },
    ).one_or_none()
    if stored is None:
        return Submitted(task.id, is_new=False)
    events.write(connection, task.id, first, 1)
    if task.test_run is not None:
        if connection.execute(_TEST, {"of_test": task.test_run.test_id}).one_or_none() is None:
            raise NotFoundError(f"There is no page test {task.test_run.test_id!r}.")
        connection.execute(_ADD_TEST_RUN, {"task_id": task.id, **asdict(task.test_run)})
    for file in task.files:
        artifacts.store(connection, task.id, None, file)
    if task.session_id is not None:
        memory.add_message(connection, task.session_id, memory.NewMessage("user", task.description, task.id))
    return Submitted(task.id, is_new=True)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _life_s(task: NewTask) -> float:
    """Return how long the task may take: the shortest of what its request and its budget say, else the setting."""
    asked = task.deadlines.get("task_s")
    life_s = float(asked) if isinstance(asked, int | float) else task.timeout_s
    seconds = task.budget.get("seconds")
    return min(life_s, float(seconds)) if isinstance(seconds, int | float) else life_s


def request_cancel(connection: Connection, caller: Caller, task_id: str) -> bool:
    """Ask for the task's end. True if a worker has to do it, because agents work on it or wait; else it is over.

    Raises: NotFoundError, ConflictError when the task is over.
    """
    row = connection.execute(
        select(Task.status, Task.run_state)
        .where(visible_to(caller), Task.id == task_id)
        .with_for_update(key_share=True)
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no task {task_id!r}.")
    if row.status in events.TERMINAL:
        raise ConflictError(f"The task is {row.status} already; what is over cannot be canceled.")
    if row.run_state != "running" and connection.execute(_UNDER_WAY, {"of_task": task_id}).first() is None:
        finish(connection, ending(connection, task_id), "canceled", changes={"cancel_requested": True})
        return False
    run_state = "queued" if row.run_state == "idle" else row.run_state
    connection.execute(
        update(Task).where(Task.id == task_id).values(cancel_requested=True, run_state=run_state, runnable_at=None)
    )
    return True


@dataclass(frozen=True, slots=True)
class Ending:
    """What is to be known of a task that ends."""

    task_id: str
    tenant_id: str
    session_id: str | None
    request: JsonObject
    ancestry: JsonObject | None
    reserved: JsonObject | None


def ending(connection: Connection, task_id: str) -> Ending:
    """Return what `finish` has to know of the task, whose row is locked."""
    return Ending(task_id, *connection.execute(_ENDING, {"of_task": task_id}).one())


def finish(
    connection: Connection,
    task: Ending,
    status: events.TerminalStatus,
    *,
    result: JsonObject | None = None,
    error: JsonObject | None = None,
    before: Sequence[events.Draft] = (),
    changes: Mapping[str, object] = NO_CHANGES,
) -> None:
    """Bring the task, which is locked and not over yet, to its terminal state, with its last events.

    Steps that never ended are closed: canceled with the task, else skipped. `before` are events that come first,
    `changes` further columns to write.
    """
    if task.reserved is not None:
        payer = budgets.payer(task.task_id, task.tenant_id, task.request, task.ancestry)
        budgets.close(connection, payer, task.reserved)
    drafts = [*before, *([] if status == "completed" else _close_steps(connection, task.task_id, status))]
    if result is not None:
        drafts.append(events.draft("task.result", result=result))
        if task.session_id is not None and (summary := result.get("summary")):
            message = memory.NewMessage("assistant", str(summary), task.task_id)
            with suppress(NotFoundError):  # the session was deleted meanwhile
                memory.add_message(connection, task.session_id, message)
    drafts.append(events.draft("task.status", status=status, error=error))
    events.append(
        connection,
        task.task_id,
        drafts,
        **{
            **changes,
            "status": status,
            "run_state": "idle",
            "worker": None,
            "reserved": None,
            "result": result,
            "error": error,
            "completed_at": now(),
        },
    )
    if isinstance(url := task.request.get("callback_url"), str):
        deliveries.announce(connection, task.task_id, url)


def _close_steps(connection: Connection, task_id: str, status: events.TerminalStatus) -> list[events.Draft]:
    left = "canceled" if status == "canceled" else "skipped"
    closed = connection.execute(
        update(StepRow)
        .where(StepRow.task_id == task_id, StepRow.status.in_(("pending", "running", "input_required")))
        .values(status=left, completed_at=now())
        .returning(StepRow.step_id)
    ).scalars()
    return [events.draft("step.status", step_id=step_id, status=left) for step_id in sorted(closed)]


def lock(connection: Connection, task_id: str) -> None:
    """Take the task's row lock: every transition takes it first of all, so that none wait in a circle."""
    if connection.dialect.name != "sqlite":  # there, a transaction that writes has the whole database
        connection.execute(select(Task.id).where(Task.id == task_id).with_for_update(key_share=True))


def require(connection: Connection, caller: Caller, task_id: str) -> None:
    """Raise NotFoundError unless the task is there and the caller's."""
    if connection.execute(select(Task.id).where(visible_to(caller), Task.id == task_id)).one_or_none() is None:
        raise NotFoundError(f"There is no task {task_id!r}.")


def visible_to(caller: Caller) -> ColumnElement[bool]:
    """Return the condition under which a task is the caller's to see."""
    return Task.tenant_id == caller.tenant_id


def count_queued(connection: Connection) -> int:
    """Return how many tasks wait for a worker."""
    return connection.execute(_QUEUED).scalar_one()


_UNDER_WAY: Final = prepared(
    select(Attempt.number).where(Attempt.task_id == bindparam("of_task"), Attempt.ended_at.is_(None)).limit(1)
)
_ENDING: Final = prepared(
    select(Task.tenant_id, Task.session_id, Task.request, Task.ancestry, Task.reserved).where(
        Task.id == bindparam("of_task")
    )
)
_QUEUED: Final = prepared(select(func.count()).where(Task.run_state == QUEUED))
_TEST: Final = select(PageTestRow.id).where(PageTestRow.id == bindparam("of_test"))
_ADD_TEST_RUN: Final = prepared(insert(PageTestRun))
_ADD: Final = {
    "sqlite": prepared(sqlite.insert(Task).on_conflict_do_nothing().returning(Task.id)),
    "postgresql": prepared(postgresql.insert(Task).on_conflict_do_nothing().returning(Task.id)),
}
