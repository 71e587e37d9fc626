"""The queue: tasks that want a worker, claimed fairly, and given back when their worker is gone.

A task's row is its place in the queue, written in the commit that accepts the task. A claim raises the task's `run`,
and only the newest run may write: a worker that was thought dead and wakes up finds its runs stale.
"""

from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, RowMapping, and_, bindparam, exists, func, or_, select, text, update
from sqlalchemy.orm import aliased

from orchestrator_service.engine.held import HELD, Held, taken
from orchestrator_service.engine.work import Run
from orchestrator_service.models import QUEUED, RUNNING, PendingInput, Task, Worker
from shared.db import UtcTime, now
from shared.prepared import prepared
from shared.telemetry import SAMPLED

_CLAIMS: Final = 4_270_003
_QUICK_RECOVERIES: Final = 3
_LONGEST_DELAY_S: Final = 60


def claim(connection: Connection, worker_id: str, room: int, tenant_share: int) -> tuple[list[Run], bool]:
    """Take up to `room` queued tasks for the worker; of one tenant at most `tenant_share` run at once, anywhere.

    The tenant with the fewest running tasks comes first, and of each the most urgent, then the oldest. Returns them,
    and whether others may be left that only lack a place.

    Sub-tasks for which a task waits that has none under way are taken whatever room there is, one of each: it keeps
    its place until they are over, and if they waited for one, too, all might wait for each other.
    """
    tenants = [row.tenant_id for row in connection.execute(_TENANTS)]
    if not tenants:
        return [], False
    at = now()
    sub_tasks = connection.execute(_QUEUED_SUB_TASKS, {"at": at}).scalars().all()
    if room <= 0 and not sub_tasks:
        return [], True
    if connection.dialect.name != "sqlite":  # there, a transaction that writes has the whole database
        connection.execute(_LOCK)
    runs = _take(connection, worker_id, sub_tasks)
    if room <= 0:
        return runs, True
    running = {row.tenant_id: row.tasks for row in connection.execute(_RUNNING)}
    waiting: dict[str, deque[str]] = {}
    is_left = False
    for tenant in tenants:
        most = max(min(room, tenant_share - running.get(tenant, 0)), 0)
        found = connection.execute(_OLDEST, {"of_tenant": tenant, "at": at, "at_most": most + 1}).scalars().all()
        waiting[tenant] = deque(found[:most])
        is_left = is_left or len(found) > most
    chosen = _take_turns(waiting, running, room)
    is_left = is_left or any(waiting.values())
    return runs + _take(connection, worker_id, chosen), is_left


def claim_at_once(connection: Connection, worker_id: str, task_id: str, tenant_share: int) -> Held | None:
    """Take a task that was stored in this transaction; None if another one waits, or its tenant's share is used up.

    Nobody is waited for: who claims at this moment may give the task away, too. The claim is written with what else
    changes of the task.
    """
    if connection.dialect.name != "sqlite" and not connection.execute(_TRY_LOCK).scalar_one():
        return None
    values = {"of_task": task_id, "at": now(), "share": tenant_share}
    row = connection.execute(_MAY_BEGIN, values).first()
    if row is None:
        return None
    held = taken(connection, _run(row), row)
    held.changes |= {"run": row.run, "run_state": "running", "worker": worker_id}
    return held


def claim_to_stop(connection: Connection, worker_id: str, task_ids: Sequence[str]) -> list[Run]:
    """Take those of the tasks for the worker that are queued only to be stopped: they wait for no room."""
    return [_run(row) for row in connection.execute(_CLAIM_TO_STOP, {"chosen": task_ids, "me": worker_id})]


def hand_over(connection: Connection, worker_id: str) -> list[str]:
    """Put what the worker still has back into the queue, because it stops; returns the tasks."""
    return list(connection.execute(_HAND_OVER, {"of_worker": worker_id}).scalars())


def recover(connection: Connection, worker_id: str) -> list[str]:
    """Put the tasks of a dead worker back into the queue; returns them.

    A task whose workers die again and again, with no step done between, waits longer each time: up to a minute.
    """
    return _put_back(connection, connection.execute(_LEFT_BY, {"of_worker": worker_id}).mappings().all())


def recover_orphans(connection: Connection) -> list[str]:
    """Put running tasks whose worker is not in the table (any more) back into the queue; returns them."""
    return _put_back(connection, connection.execute(_ORPHANS).mappings().all())


def owned(connection: Connection, worker_id: str) -> list[tuple[str, int]]:
    """Return the tasks that the worker has by the table, each with its run."""
    return [(row.id, row.run) for row in connection.execute(_OWNED, {"of_worker": worker_id})]


def answered(connection: Connection, worker_id: str) -> list[str]:
    """Return the worker's tasks with an answer that no step has taken up yet."""
    return list(connection.execute(_ANSWERED, {"of_worker": worker_id}).scalars())


def canceled(connection: Connection, worker_id: str) -> list[str]:
    """Return the tasks that are to be stopped by the worker, which has them, or by anyone, for they are queued."""
    return list(connection.execute(_CANCELED, {"of_worker": worker_id}).scalars())


def release(connection: Connection, worker_id: str, runs: Sequence[tuple[str, int]]) -> None:
    """Put runs that broke off back into the queue, though the worker lives. They wait as `recover` says."""
    left = connection.execute(_LEFT_BY, {"of_worker": worker_id}).mappings()
    _put_back(connection, [row for row in left if (row["id"], row["run"]) in runs])


def _take(connection: Connection, worker_id: str, task_ids: Sequence[str]) -> list[Run]:
    rows = (connection.execute(_CLAIM, {"of_task": task_id, "me": worker_id}).first() for task_id in task_ids)
    return [_run(row) for row in rows if row is not None]


def _put_back(connection: Connection, rows: Sequence[RowMapping]) -> list[str]:
    at = now()
    for row in rows:
        over = row["recoveries"] - _QUICK_RECOVERIES
        delay = timedelta(seconds=min(2**over, _LONGEST_DELAY_S)) if over > 0 else timedelta()
        connection.execute(_PUT_BACK, {"of_task": row["id"], "of_run": row["run"], "not_before": at + delay})
    return [row["id"] for row in rows]


def _run(row: Row[*tuple[Any, ...]]) -> Run:
    return Run(
        task_id=row.id,
        number=row.run,
        tenant_id=row.tenant_id,
        description=row.description,
        session_id=row.session_id,
        request=row.request,
        deadline_at=row.deadline_at,
        ancestry=row.ancestry,
        root_task_id=row.root_task_id,
        trace_id=row.trace_id,
        trace_flags=row.request.get("trace_flags", SAMPLED),  # what is older has none
    )


def _take_turns(waiting: dict[str, deque[str]], running: dict[str, int], room: int) -> list[str]:
    load = {tenant: running.get(tenant, 0) for tenant in waiting}
    chosen: list[str] = []
    while len(chosen) < room and (open_ := [tenant for tenant, tasks in waiting.items() if tasks]):
        tenant = min(open_, key=lambda tenant: (load[tenant], waiting[tenant][0]))
        chosen.append(waiting[tenant].popleft())
        load[tenant] += 1
    return chosen


_queued = Task.run_state == QUEUED
_LOCK: Final = text(f"SELECT pg_advisory_xact_lock({_CLAIMS})")
_TRY_LOCK: Final = prepared(select(func.pg_try_advisory_xact_lock(_CLAIMS)))
_TENANTS: Final = prepared(select(Task.tenant_id).where(_queued).distinct())
_RUNNING: Final = prepared(
    select(Task.tenant_id, func.count().label("tasks")).where(Task.run_state == RUNNING).group_by(Task.tenant_id)
)
_OLDEST: Final = prepared(
    select(Task.id)
    .where(
        _queued,
        Task.tenant_id == bindparam("of_tenant"),
        or_(Task.runnable_at.is_(None), Task.runnable_at <= bindparam("at")),
    )
    .order_by(Task.priority.desc(), Task.id)
    .limit(bindparam("at_most"))
)
_RUN: Final = (
    Task.id,
    Task.tenant_id,
    Task.description,
    Task.session_id,
    Task.request,
    Task.deadline_at,
    Task.ancestry,
    Task.root_task_id,
    Task.trace_id,
)
_taking = (
    update(Task)
    .where(_queued)
    .values(run=Task.run + 1, run_state="running", worker=bindparam("me"), runnable_at=None)
    .returning(Task.run, *_RUN)
)
_CLAIM: Final = prepared(_taking.where(Task.id == bindparam("of_task")))
_other, _parent = aliased(Task), aliased(Task)
_MAY_BEGIN: Final = prepared(
    select((Task.run + 1).label("run"), *_RUN, *HELD, Task.origin_task_id).where(
        _queued,
        Task.id == bindparam("of_task"),
        ~exists().where(
            _other.run_state == QUEUED,
            _other.id != bindparam("of_task"),
            or_(_other.runnable_at.is_(None), _other.runnable_at <= bindparam("at", type_=UtcTime())),
        ),
        select(func.count())
        .select_from(_other)
        .where(_other.run_state == RUNNING, _other.tenant_id == Task.tenant_id)
        .scalar_subquery()
        < bindparam("share"),
    )
)
_QUEUED_SUB_TASKS: Final = prepared(
    select(func.min(Task.id))
    .where(
        _queued,
        Task.parent_task_id.is_not(None),
        or_(Task.runnable_at.is_(None), Task.runnable_at <= bindparam("at", type_=UtcTime())),
        exists().where(_parent.id == Task.parent_task_id, _parent.run_state == RUNNING),
        ~exists().where(_other.parent_task_id == Task.parent_task_id, _other.run_state == RUNNING),
    )
    .group_by(Task.parent_task_id)
)
_CLAIM_TO_STOP: Final = _taking.where(Task.id.in_(bindparam("chosen", expanding=True)), Task.cancel_requested.is_(True))
_running = Task.run_state == RUNNING
_HAND_OVER: Final = (
    update(Task)
    .where(_running, Task.worker == bindparam("of_worker"))
    .values(run_state="queued", worker=None)
    .returning(Task.id)
)
_LEFT_BY: Final = select(Task.id, Task.run, Task.recoveries).where(_running, Task.worker == bindparam("of_worker"))
_ORPHANS: Final = select(Task.id, Task.run, Task.recoveries).where(
    _running, or_(Task.worker.is_(None), Task.worker.not_in(select(Worker.id).where(Worker.state != "gone")))
)
_PUT_BACK: Final = (
    update(Task)
    .where(_running, Task.id == bindparam("of_task"), Task.run == bindparam("of_run"))
    .values(run_state="queued", worker=None, recoveries=Task.recoveries + 1, runnable_at=bindparam("not_before"))
)
_OWNED: Final = select(Task.id, Task.run).where(_running, Task.worker == bindparam("of_worker"))
_CANCELED: Final = select(Task.id).where(
    Task.cancel_requested.is_(True), or_(_queued, and_(_running, Task.worker == bindparam("of_worker")))
)
_ANSWERED: Final = (
    select(Task.id)
    .join(PendingInput, PendingInput.task_id == Task.id)
    .where(
        _running,
        Task.worker == bindparam("of_worker"),
        PendingInput.answered_at.is_not(None),
        PendingInput.consumed.is_(False),
    )
    .distinct()
)
