"""A2A tasks that wait for input: which there are, and how work on one goes on that was answered elsewhere."""

from collections.abc import Collection
from datetime import datetime

from a2a.types import TaskState
from sqlalchemy import ColumnElement, Connection, select, update

from shared import agent_tasks
from shared.agent_messages import apply
from shared.agent_narration import to_status
from shared.agent_tables import TASKS
from shared.agent_tasks import Scope, Stored
from shared.settings import ServiceName


def waiting(connection: Connection, service: ServiceName) -> dict[str, datetime]:
    """Return the ids of the service's tasks that wait for input, and since when."""
    rows = connection.execute(select(TASKS.c.id, TASKS.c.updated_at).where(*_waits(service)))
    return {row.id: row.updated_at for row in rows}


def take_up(
    connection: Connection, service: ServiceName, task_ids: Collection[str], runner: str
) -> list[tuple[Scope, Stored]]:
    """Make `runner` responsible for those of the tasks that still wait for input: they work again."""
    taken: list[tuple[Scope, Stored]] = []
    changed = update(TASKS).where(*_waits(service), TASKS.c.id.in_(task_ids)).values(runner=runner)
    for row in connection.execute(changed.returning(TASKS.c.id, TASKS.c.owner)).all():
        scope = Scope(service, row.owner)
        stored = agent_tasks.find(connection, scope, row.id)
        event = to_status(stored.task, TaskState.TASK_STATE_WORKING)
        apply(stored.task, event)
        agent_tasks.add_events(connection, stored.task, stored.seq, [event], runner)
        taken.append((scope, Stored(stored.task, stored.seq + 1)))
    return taken


def _waits(service: ServiceName) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return TASKS.c.service == service, TASKS.c.state == TaskState.TASK_STATE_INPUT_REQUIRED
