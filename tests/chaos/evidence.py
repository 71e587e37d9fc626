"""What is left of a run, and all that the checker reads: its history, the databases, the ledgers of the sinks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from a2a.types import TaskState
from sqlalchemy import Connection, select

from orchestrator_service.models import Attempt, Event, StepRow, Task, TenantSpending
from shared.agent import JsonObject
from shared.agent_tables import TASKS
from shared.db import open_engine
from tests.chaos.history import read_lines
from tests.chaos.sink import LEDGER


@dataclass(frozen=True, slots=True)
class TaskFound:
    """A row of `tasks`. `key` is the goal's, from the description."""

    id: str
    key: str
    status: str
    run_state: str
    last_seq: int
    usage: JsonObject
    error: JsonObject | None
    reserved: JsonObject | None
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class StepFound:
    """A row of `steps`."""

    task_id: str
    step_id: str
    status: str
    output_text: str | None
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class TryFound:
    """A row of `attempts`."""

    task_id: str
    step_id: str
    message_id: str
    started_at: datetime
    ended_at: datetime | None
    error: JsonObject | None


@dataclass(frozen=True, slots=True)
class EventFound:
    """A row of `events`, in the form in which clients see it."""

    task_id: str
    seq: int
    json: JsonObject


@dataclass(frozen=True, slots=True)
class RemoteTaskFound:
    """An A2A task in the store of an agent: its state without the prefix, as in "COMPLETED"."""

    agent: str
    id: str
    state: str


@dataclass(frozen=True, slots=True)
class SinkLine:
    """A line of a sink's ledger. `what` is "asked", "metered", "performed" or "failed"."""

    agent: str
    what: str
    at: datetime
    life: str
    message_id: str
    remote_task_id: str
    task_id: str
    step_id: str
    facts: JsonObject


@dataclass(frozen=True, slots=True)
class DayFound:
    """A row of `tenant_spending`."""

    tokens: int
    cost_usd: float
    reserved_tokens: int
    reserved_cost_usd: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is known of a run."""

    history: Sequence[JsonObject]
    tasks: Sequence[TaskFound]
    steps: Sequence[StepFound]
    tries: Sequence[TryFound]
    events: Sequence[EventFound]
    remote_tasks: Sequence[RemoteTaskFound]
    sink: Sequence[SinkLine]
    days: Sequence[DayFound]


@dataclass(frozen=True, slots=True)
class SinkPlace:
    """Where a sink keeps its ledger, and its A2A tasks."""

    folder: Path
    database_url: str


def gather(history: Path, database_url: str, sinks: Mapping[str, SinkPlace]) -> Evidence:
    """Read everything. The orchestrators must have stopped; `sinks` is by name."""
    engine = open_engine(database_url)
    try:
        with engine.connect() as connection:
            return Evidence(
                history=list(read_lines(history)),
                tasks=_tasks(connection),
                steps=[StepFound(*row) for row in connection.execute(_STEPS)],
                tries=[TryFound(*row) for row in connection.execute(_TRIES)],
                events=_events(connection),
                remote_tasks=[found for name, place in sinks.items() for found in remote_tasks(name, place)],
                sink=[line for name, place in sinks.items() for line in _ledger(name, place.folder / LEDGER)],
                days=[DayFound(*row) for row in connection.execute(_DAYS)],
            )
    finally:
        engine.dispose()


def remote_tasks(agent: str, place: SinkPlace) -> list[RemoteTaskFound]:
    """Return the A2A tasks of a sink as its store has them now; it may be running."""
    engine = open_engine(place.database_url)
    try:
        with engine.connect() as connection:
            rows = connection.execute(select(TASKS.c.id, TASKS.c.state))
            return [RemoteTaskFound(agent, task_id, _state_name(state)) for task_id, state in rows]
    finally:
        engine.dispose()


_DAYS = select(
    TenantSpending.tokens, TenantSpending.cost_usd, TenantSpending.reserved_tokens, TenantSpending.reserved_cost_usd
)
_STEPS = select(StepRow.task_id, StepRow.step_id, StepRow.status, StepRow.output_text, StepRow.completed_at)
_TRIES = select(
    Attempt.task_id, Attempt.step_id, Attempt.message_id, Attempt.started_at, Attempt.ended_at, Attempt.error
)


def _tasks(connection: Connection) -> list[TaskFound]:
    query = select(
        Task.id,
        Task.description,
        Task.status,
        Task.run_state,
        Task.last_seq,
        Task.usage,
        Task.error,
        Task.reserved,
        Task.completed_at,
    )
    found: list[TaskFound] = []
    for row in connection.execute(query).mappings():
        key = row["description"].split(" ")[1].partition(".")[0]
        found.append(TaskFound(key=key, **{name: row[name] for name in row if name != "description"}))
    return found


def _events(connection: Connection) -> list[EventFound]:
    rows = connection.execute(select(Event).order_by(Event.task_id, Event.seq)).mappings()
    return [
        EventFound(
            row["task_id"],
            row["seq"],
            {
                "type": row["type"],
                "task_id": row["task_id"],
                "seq": row["seq"],
                "at": row["at"].isoformat(),
                **row["data"],
            },
        )
        for row in rows
    ]


def _ledger(agent: str, path: Path) -> list[SinkLine]:
    lines: list[SinkLine] = []
    for line in read_lines(path):
        facts = dict(line)
        what, at, life, message_id, remote_task_id, task_id, step_id = (
            str(facts.pop(name))
            for name in ("what", "at", "life", "message_id", "remote_task_id", "task_id", "step_id")
        )
        lines.append(
            SinkLine(agent, what, datetime.fromisoformat(at), life, message_id, remote_task_id, task_id, step_id, facts)
        )
    return lines


def _state_name(state: int) -> str:
    return TaskState.Name(TaskState.ValueType(state)).removeprefix("TASK_STATE_")
