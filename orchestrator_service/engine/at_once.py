"""A task that is stored and begun in one commit: where there is room for it and no other waits, it needs no queue."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from orchestrator_service import tasks
from orchestrator_service.engine import queue, task_records
from orchestrator_service.engine.step_records import Rules
from orchestrator_service.engine.work import Move, Run
from orchestrator_service.planning.plan import Plan


class CannotBeginError(Exception):
    """The task cannot begin as it is; nothing was stored. Who takes it from the queue will say why."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that was begun as its task was stored, and what comes next."""

    run: Run
    move: Move


def store_and_begin(
    connection: Connection,
    store: Callable[[Connection], tasks.Submitted],
    worker_id: str,
    tenant_share: int,
    rules: Rules,
    plan: Plan | None,
) -> tuple[tasks.Submitted, Begun | None]:
    """Store a task and take it up for the worker; None: it is in the queue, or was there before.

    `plan` is the one that it brings in its request, checked. Raises: as `store`; CannotBeginError.
    """
    submitted = store(connection)
    held = queue.claim_at_once(connection, worker_id, submitted.task_id, tenant_share) if submitted.is_new else None
    if held is None:
        return submitted, None
    run = held.run
    try:
        return submitted, Begun(run, task_records.take_up(held, rules, plan))
    except SQLAlchemyError:
        raise
    except Exception as error:  # a fault of ours, too, must not keep the task from being accepted
        raise CannotBeginError from error
