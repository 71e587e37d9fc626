"""The tables of the orchestrator; `registry_models` and `page_test_models` have those of agents and of page tests."""

from datetime import datetime
from typing import Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Text,
    literal_column,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.agent import JsonObject
from shared.db import JSON_COLUMN, NAMING, UtcTime


class Base(DeclarativeBase):
    """Base of every table: named constraints, aware times, JSON as JSONB on PostgreSQL."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own name and form
        datetime: UtcTime,
        JsonObject: JSON_COLUMN,
    }


def insert_or_skip(connection: Connection, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT into `table` that leaves a row that is there already as it is."""
    insert = sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
    return insert.on_conflict_do_nothing()


class Session(Base):
    """Tasks and messages that belong together (A2A's context)."""

    __tablename__ = "sessions"
    __table_args__ = (Index("ix_sessions_tenant_created_at", "tenant_id", "created_at", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str]
    user_id: Mapped[str | None]
    title: Mapped[str]
    meta: Mapped[JsonObject] = mapped_column("metadata")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Message(Base):
    """One turn of a session."""

    __tablename__ = "messages"
    __table_args__ = (Index("ix_messages_session", "session_id", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    role: Mapped[str]
    content: Mapped[str] = mapped_column(Text)
    task_id: Mapped[str | None]
    created_at: Mapped[datetime]


def _index_of_known(name: str, column: str, *more: str) -> Index:
    """Return an index of the rows in which `column` is known: most have none, and cost nothing then."""
    is_known = text(f"{column} IS NOT NULL")
    return Index(name, column, *more, sqlite_where=is_known, postgresql_where=is_known)


QUEUED: Final[ColumnElement[str]] = literal_column("'queued'")
RUNNING: Final[ColumnElement[str]] = literal_column("'running'")
"""What `run_state` is compared with. Written out: SQLite compiles a statement anew each time it runs, if it compares a
parameter with a column that an index names in its own condition."""

_IS_QUEUED_SUB_TASK = text("run_state = 'queued' AND parent_task_id IS NOT NULL")
_IS_OPEN = text("answered_at IS NULL")


class Task(Base):
    """One goal given to the orchestrator.

    `run_state` is "queued" (wants a worker; not before `runnable_at`, if set), "running" (`worker` has it) or "idle"
    (over, or waits for a person since `parked_at`). `run` counts how often it was taken up: it is the fencing token,
    only the newest run may write. `recoveries` counts take-overs since a step last ended. `last_seq` is the number of
    its newest event. `origin` says which task it is a retry or fork of; `ancestry` which call of an agent led to it.
    `reserved` is what calls under way may still spend.
    """

    __tablename__ = "tasks"
    __table_args__ = (
        Index("ix_tasks_queue", "run_state", "tenant_id", text("priority DESC"), "id"),
        _index_of_known("ix_tasks_worker", "worker"),
        Index(
            "ix_tasks_queued_sub_tasks",
            "parent_task_id",
            sqlite_where=_IS_QUEUED_SUB_TASK,
            postgresql_where=_IS_QUEUED_SUB_TASK,
        ),
        Index("ix_tasks_tenant_status", "tenant_id", "status", "id"),
        _index_of_known("ix_tasks_session", "session_id", "id"),
        _index_of_known("ix_tasks_user", "user_id", "id"),
        _index_of_known("ix_tasks_parent_task_id", "parent_task_id"),
        _index_of_known("ix_tasks_origin_task_id", "origin_task_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str]
    user_id: Mapped[str | None]
    session_id: Mapped[str | None] = mapped_column(ForeignKey("sessions.id", ondelete="SET NULL"))
    description: Mapped[str] = mapped_column(Text)
    request: Mapped[JsonObject]
    status: Mapped[str]
    run: Mapped[int]
    run_state: Mapped[str]
    worker: Mapped[str | None]
    recoveries: Mapped[int] = mapped_column(default=0, server_default="0")
    runnable_at: Mapped[datetime | None]
    parked_at: Mapped[datetime | None]
    root_task_id: Mapped[str | None]
    parent_task_id: Mapped[str | None]
    origin_task_id: Mapped[str | None]
    origin: Mapped[JsonObject | None]
    ancestry: Mapped[JsonObject | None]
    reserved: Mapped[JsonObject | None]
    priority: Mapped[int]
    last_seq: Mapped[int]
    result: Mapped[JsonObject | None]
    error: Mapped[JsonObject | None]
    usage: Mapped[JsonObject]
    trace_id: Mapped[str]
    cancel_requested: Mapped[bool]
    deadline_at: Mapped[datetime]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]


class PlanRow(Base):
    """One revision of a task's plan."""

    __tablename__ = "plans"
    __table_args__ = (Index("uq_plans_task_revision", "task_id", "revision", unique=True),)

    id: Mapped[str] = mapped_column(primary_key=True)
    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    revision: Mapped[int]
    strategy: Mapped[str]
    steps: Mapped[list[JsonObject]] = mapped_column(JSON_COLUMN)
    reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]


class StepRow(Base):
    """How a plan's step went. What it was told to do stands in the plan. `kept_from`: the task that did it already."""

    __tablename__ = "steps"

    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    step_id: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str]
    agent_id: Mapped[str | None]
    agent_name: Mapped[str | None]
    why_chosen: Mapped[str | None] = mapped_column(Text)
    output_text: Mapped[str | None] = mapped_column(Text)
    output_data: Mapped[list[JsonObject] | None] = mapped_column(JSON_COLUMN)
    error: Mapped[JsonObject | None]
    usage: Mapped[JsonObject | None]
    kept_from: Mapped[str | None]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]


class Attempt(Base):
    """One try of a step with one agent. `remote_task_id` is kept as soon as it is known; `why` it was this agent.

    `stop_at` is when the agent is next to be told that a try which is over is not to go on: it did not answer before.
    """

    __tablename__ = "attempts"
    __table_args__ = (
        _index_of_known("ix_attempts_stop_at", "stop_at"),
        _index_of_known("ix_attempts_remote_task_id", "remote_task_id"),
    )

    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    step_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    agent_id: Mapped[str]
    agent_name: Mapped[str | None]
    why: Mapped[str | None] = mapped_column(Text)
    skill: Mapped[str | None]
    message_id: Mapped[str]
    remote_task_id: Mapped[str | None]
    remote_context_id: Mapped[str | None]
    reserved: Mapped[JsonObject | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    error: Mapped[JsonObject | None]
    stop_at: Mapped[datetime | None]


class PendingInput(Base):
    """A question to a person, by an agent, a plan or a step. `answer` is null until it is answered, once.

    `path` holds the ids from the task to who asks (task, step, remote task); after `expires_at` nobody can answer.
    """

    __tablename__ = "pending_inputs"
    __table_args__ = (
        Index("ix_pending_inputs_task", "task_id", "id"),
        Index("ix_pending_inputs_open", "id", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
        Index("ix_pending_inputs_expires_at", "expires_at", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    step_id: Mapped[str | None]
    kind: Mapped[str]
    prompt: Mapped[str] = mapped_column(Text)
    json_schema: Mapped[JsonObject | None]
    path: Mapped[list[str] | None] = mapped_column(JSON_COLUMN)
    expires_at: Mapped[datetime | None]
    answer: Mapped[JsonObject | None]
    consumed: Mapped[bool]
    created_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]


class Event(Base):
    """An entry of a task's log: `seq` is 1, 2, 3, … without a gap."""

    __tablename__ = "events"

    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    data: Mapped[JsonObject]
    at: Mapped[datetime]


class Artifact(Base):
    """A file of a task: brought along (`step_id` null) or produced by a step."""

    __tablename__ = "artifacts"
    __table_args__ = (Index("ix_artifacts_task", "task_id", "step_id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    step_id: Mapped[str | None]
    name: Mapped[str] = mapped_column(Text)
    media_type: Mapped[str]
    size_bytes: Mapped[int]
    sha256: Mapped[str]
    created_at: Mapped[datetime]


class Blob(Base):
    """Bytes by their SHA-256: the same content is stored once."""

    __tablename__ = "blobs"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class IdempotencyKey(Base):
    """A caller's `Idempotency-Key`: the body it came with and the task it made."""

    __tablename__ = "idempotency_keys"

    tenant_id: Mapped[str] = mapped_column(primary_key=True)
    caller: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    body_sha256: Mapped[str]
    task_id: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(index=True)


class Worker(Base):
    """A process that runs tasks. It counts its `beat` up all the time; `state` is "working", "draining" or "gone"."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    version: Mapped[str]
    state: Mapped[str]
    beat: Mapped[int] = mapped_column(BigInteger)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class LearnedPlan(Base):
    """A plan that succeeded. `key` is the same for the same request; `words` and `vector` find it for similar ones.

    `vector` is what the request means to the embedding model `vector_model` (float32, length 1), if there was one.
    """

    __tablename__ = "learned_plans"
    __table_args__ = (
        Index("uq_learned_plans_tenant_key", "tenant_id", "key", unique=True),
        Index("ix_learned_plans_tenant_used_at", "tenant_id", "used_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str]
    key: Mapped[str]
    goal: Mapped[str] = mapped_column(Text)
    words: Mapped[list[str]] = mapped_column(JSON_COLUMN)
    vector: Mapped[bytes | None] = mapped_column(LargeBinary)
    vector_model: Mapped[str | None]
    steps: Mapped[list[JsonObject]] = mapped_column(JSON_COLUMN)
    task_id: Mapped[str]
    successes: Mapped[int]
    failures: Mapped[int]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime]


class TenantSpending(Base):
    """What a tenant's tasks spent on one day (UTC, YYYY-MM-DD), and what calls under way have reserved."""

    __tablename__ = "tenant_spending"

    tenant_id: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[str] = mapped_column(primary_key=True)
    cost_usd: Mapped[float]
    tokens: Mapped[int] = mapped_column(BigInteger)
    reserved_cost_usd: Mapped[float]
    reserved_tokens: Mapped[int] = mapped_column(BigInteger)


class ModelCallRow(Base):
    """A call of a language model, or several alike: who spent what on which one. It stays when its task is deleted.

    `step_id` is null for the orchestrator's own calls. `llm_calls` were made, `saved_calls` answered from the cache.
    """

    __tablename__ = "model_calls"
    __table_args__ = (Index("ix_model_calls_tenant_at", "tenant_id", "at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str]
    user_id: Mapped[str | None]
    task_id: Mapped[str] = mapped_column(index=True)
    step_id: Mapped[str | None]
    workflow: Mapped[str | None]
    agent: Mapped[str | None]
    model: Mapped[str]
    role: Mapped[str]
    input_tokens: Mapped[int] = mapped_column(BigInteger)
    output_tokens: Mapped[int] = mapped_column(BigInteger)
    cached_tokens: Mapped[int] = mapped_column(BigInteger)
    cost_usd: Mapped[float]
    llm_calls: Mapped[int] = mapped_column(BigInteger)
    saved_calls: Mapped[int] = mapped_column(BigInteger)
    saved_usd: Mapped[float]
    latency_ms: Mapped[float]
    day: Mapped[str]
    at: Mapped[datetime]


class Delivery(Base):
    """A webhook to deliver: `state` is "due" (at `next_at`), "delivered" or "given_up". The id stays over all tries."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("ix_deliveries_state_next_at", "state", "next_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    url: Mapped[str] = mapped_column(Text)
    payload: Mapped[JsonObject]
    state: Mapped[str]
    attempts: Mapped[int]
    next_at: Mapped[datetime]
    last_error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
