"""The A2A tasks that a service keeps: each a snapshot and a gap-free log of events, owned by whoever sent its message.

A snapshot is written when a task begins and whenever it comes to rest; in between only events are added, so a long
answer costs what it is long. Functions take a connection and run in one transaction (`shared.db.Database`).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias, cast

from a2a.types import (
    InvalidParamsError,
    ListTasksRequest,
    ListTasksResponse,
    Message,
    StreamResponse,
    Task,
    TaskNotFoundError,
    TaskState,
    TaskStatusUpdateEvent,
    UnsupportedOperationError,
)
from a2a.utils.constants import DEFAULT_LIST_TASKS_PAGE_SIZE
from a2a.utils.proto_utils import to_stream_response
from a2a.utils.task import (
    ListTasksCursor,
    apply_history_length,
    decode_list_tasks_cursor,
    encode_list_tasks_cursor,
    validate_history_length,
    validate_page_size,
)
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Select,
    String,
    Table,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from shared.agent_messages import AT_REST, ENDED, Event, apply, to_status
from shared.db import Base, UtcTime, new_id, now
from shared.settings import ServiceName

_Row: TypeAlias = Row[*tuple[Any, ...]]  # Core rows have no types

metadata: Final = MetaData(naming_convention=Base.metadata.naming_convention)

_tasks: Final = Table(
    "a2a_tasks",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("service", String(32), nullable=False),
    Column("owner", String(512), nullable=False),
    Column("context_id", String(256), nullable=False),
    Column("state", Integer, nullable=False),
    Column("status_ns", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("snapshot", LargeBinary, nullable=False),
    Column("snapshot_seq", BigInteger, nullable=False),
    Column("runner", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index("ix_a2a_tasks_listing", "service", "owner", "status_ns", "id"),
    Index("ix_a2a_tasks_state", "service", "state"),
)
_events: Final = Table(
    "a2a_events",
    metadata,
    Column("task_id", String(64), ForeignKey("a2a_tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("event", LargeBinary, nullable=False),
)
_messages: Final = Table(
    "a2a_messages",
    metadata,
    Column("service", String(32), primary_key=True),
    Column("owner", String(512), primary_key=True),
    Column("message_id", String(256), primary_key=True),
    Column("task_id", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False, index=True),
)
_runners: Final = Table(
    "a2a_runners",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("service", String(32), nullable=False),
    Column("seen_at", UtcTime, nullable=False),
)

_SAME_MESSAGE: Final = timedelta(hours=24)
_EVENTS_KEPT: Final = timedelta(hours=1)
_UNFINISHED: Final = (TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose tasks: those of one service that one owner sent."""

    service: ServiceName
    owner: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A task as it was when event `seq` was its last. `is_new`: this call made it or took it up again."""

    task: Task
    seq: int
    is_new: bool = False


def accept(connection: Connection, scope: Scope, message: Message, runner: str) -> Stored:
    """Begin the task that `message` asks for, or take up the one that it answers; `runner` will work on it.

    The same message id within 24 hours answers the same task and begins nothing.
    Raises: the SDK's InvalidParamsError (the id was another message's; another context), TaskNotFoundError,
    UnsupportedOperationError (the task does not wait for input).
    """
    task_id = message.task_id or new_id()
    earlier = _claim(connection, scope, message, task_id)
    if earlier is not None:
        return find(connection, scope, earlier)
    if message.task_id:
        return _take_up(connection, scope, message, runner)
    task = Task(id=task_id, context_id=message.context_id or new_id())
    task.history.append(message)
    task.history[0].task_id, task.history[0].context_id = task.id, task.context_id
    apply(task, to_status(task, TaskState.TASK_STATE_WORKING))
    connection.execute(
        insert(_tasks).values(
            id=task.id,
            service=scope.service,
            owner=scope.owner,
            context_id=task.context_id,
            last_seq=0,
            runner=runner,
            created_at=now(),
            **_snapshot_columns(task, 0),
        )
    )
    return Stored(task, 0, is_new=True)


def find(connection: Connection, scope: Scope, task_id: str) -> Stored:
    """Return a task as it is now. Raises: the SDK's TaskNotFoundError, also for another owner's."""
    row = connection.execute(_visible(scope).where(_tasks.c.id == task_id)).one_or_none()
    if row is None:
        raise TaskNotFoundError(f"There is no task '{task_id[:64]}'.")
    return _load(connection, [row])[0]


def add_events(connection: Connection, task: Task, seq: int, events: Sequence[Event], runner: str) -> bool:
    """Add `events`, the next after `seq`; `task` is the task with them applied.

    Returns False, and adds nothing, when the task is no longer at `seq` or no longer this runner's: someone else has
    changed it meanwhile.
    """
    last_seq = seq + len(events)
    if task.status.state in AT_REST:
        columns = _snapshot_columns(task, last_seq)
    else:
        columns = {"updated_at": now(), "state": task.status.state, "status_ns": _status_ns(task)}
    changed = connection.execute(
        update(_tasks)
        .where(_tasks.c.id == task.id, _tasks.c.last_seq == seq, _tasks.c.runner == runner)
        .values(last_seq=last_seq, **columns)
    )
    if changed.rowcount == 0:
        return False
    if events:
        connection.execute(
            insert(_events),
            [
                {"task_id": task.id, "seq": number, "event": to_stream_response(event).SerializeToString()}
                for number, event in enumerate(events, seq + 1)
            ],
        )
    return True


def end(connection: Connection, scope: Scope, task_id: str, event: TaskStatusUpdateEvent, runner: str) -> Stored:
    """End a task that no process of ours is heard working on; if it has ended meanwhile, leave it as it is."""
    connection.execute(update(_tasks).where(_tasks.c.id == task_id).values(runner=runner))
    stored = find(connection, scope, task_id)
    if stored.task.status.state in ENDED:
        return stored
    apply(stored.task, event)
    add_events(connection, stored.task, stored.seq, [event], runner)
    return Stored(stored.task, stored.seq + 1, is_new=True)


def events_after(connection: Connection, task_id: str, seq: int, limit: int = 500) -> list[tuple[int, Event]]:
    """Return the events after `seq` with their numbers, oldest first."""
    rows = connection.execute(
        select(_events.c.seq, _events.c.event)
        .where(_events.c.task_id == task_id, _events.c.seq > seq)
        .order_by(_events.c.seq)
        .limit(limit)
    )
    return [(number, _parse_event(content)) for number, content in rows]


def search(connection: Connection, scope: Scope, request: ListTasksRequest) -> ListTasksResponse:
    """Return a page of tasks, the last changed first. Raises: the SDK's InvalidParamsError."""
    size = request.page_size if request.HasField("page_size") else DEFAULT_LIST_TASKS_PAGE_SIZE
    validate_page_size(size)
    validate_history_length(request)
    wanted = _visible(scope)
    if request.context_id:
        wanted = wanted.where(_tasks.c.context_id == request.context_id)
    if request.status:
        wanted = wanted.where(_tasks.c.state == request.status)
    if request.HasField("status_timestamp_after"):
        wanted = wanted.where(_tasks.c.status_ns >= request.status_timestamp_after.ToNanoseconds())
    total = connection.execute(select(func.count()).select_from(wanted.subquery())).scalar_one()
    if request.page_token:
        cursor = decode_list_tasks_cursor(request.page_token)
        if cursor is None:
            raise InvalidParamsError("pageToken is not one that this service gave out.")
        wanted = wanted.where(tuple_(_tasks.c.status_ns, _tasks.c.id) < (cursor.timestamp_ns or 0, cursor.task_id))
    rows = connection.execute(wanted.order_by(_tasks.c.status_ns.desc(), _tasks.c.id.desc()).limit(size + 1)).all()
    page = _load(connection, rows[:size])
    following = ListTasksCursor(rows[size - 1].status_ns, rows[size - 1].id) if len(rows) > size else None
    tasks = [apply_history_length(stored.task, request) for stored in page]
    if not request.include_artifacts:
        for task in tasks:
            task.ClearField("artifacts")
    return ListTasksResponse(
        tasks=tasks,
        total_size=total,
        page_size=size,
        next_page_token="" if following is None else encode_list_tasks_cursor(following),
    )


def beat(connection: Connection, service: ServiceName, runner: str) -> None:
    """Note that `runner` is alive."""
    row = {"id": runner, "service": service, "seen_at": now()}
    connection.execute(
        _insert(connection, _runners).values(row).on_conflict_do_update(index_elements=["id"], set_={"seen_at": now()})
    )


def leave(connection: Connection, runner: str) -> None:
    """Note that `runner` is gone: others may take its unfinished tasks at once."""
    connection.execute(delete(_runners).where(_runners.c.id == runner))


def adopt(
    connection: Connection, service: ServiceName, runner: str, live: Sequence[str], silent_since: datetime | None
) -> list[tuple[Scope, Stored]]:
    """Make `runner` responsible for the service's unfinished tasks that nobody works on, and return them.

    Nobody does when the runner has not been seen since `silent_since` (None: no other runner can be alive), or when it
    is `runner` itself, does not have the task among its `live` ones, and has not just accepted it.
    """
    lost = _tasks.c.runner != runner
    if silent_since is not None:
        lost &= _tasks.c.runner.not_in(select(_runners.c.id).where(_runners.c.seen_at >= silent_since))
    dropped = and_(
        _tasks.c.runner == runner, _tasks.c.id.not_in(live), _tasks.c.updated_at < now() - timedelta(seconds=60)
    )
    rows = connection.execute(
        update(_tasks)
        .where(_tasks.c.service == service, _tasks.c.state.in_(_UNFINISHED), or_(lost, dropped))
        .values(runner=runner, updated_at=now())
        .returning(*_tasks.c)
    ).all()
    scopes = [Scope(service, row.owner) for row in rows]
    return list(zip(scopes, _load(connection, rows), strict=True))


def taken(connection: Connection, task_ids: Sequence[str], runner: str) -> list[str]:
    """Return those of the tasks that are no longer `runner`'s: another process has ended or adopted them."""
    wanted = select(_tasks.c.id).where(_tasks.c.id.in_(task_ids), _tasks.c.runner != runner)
    return list(connection.execute(wanted).scalars())


def prune(connection: Connection, service: ServiceName, kept: timedelta) -> None:
    """Delete what is no longer needed: tasks that ended longer than `kept` ago, old events, old message ids."""
    ended = and_(_tasks.c.service == service, _tasks.c.state.in_(ENDED))
    quiet = select(_tasks.c.id).where(ended, _tasks.c.updated_at < now() - _EVENTS_KEPT)
    connection.execute(delete(_events).where(_events.c.task_id.in_(quiet)))
    connection.execute(delete(_tasks).where(ended, _tasks.c.updated_at < now() - kept))
    connection.execute(
        delete(_messages).where(_messages.c.service == service, _messages.c.created_at < now() - _SAME_MESSAGE)
    )
    connection.execute(
        delete(_runners).where(_runners.c.service == service, _runners.c.seen_at < now() - _SAME_MESSAGE)
    )


def _claim(connection: Connection, scope: Scope, message: Message, task_id: str) -> str | None:
    """Reserve the message's id for `task_id`; return the task it already belongs to, if any."""
    key = {"service": scope.service, "owner": scope.owner, "message_id": message.message_id}
    value = {"task_id": task_id, "digest": _digest(message), "created_at": now()}
    claimed = connection.execute(
        _insert(connection, _messages)
        .values(**key, **value)
        .on_conflict_do_update(
            index_elements=list(key), set_=value, where=_messages.c.created_at < now() - _SAME_MESSAGE
        )
        .returning(_messages.c.task_id)
    ).one_or_none()
    if claimed is not None:
        return None
    earlier = connection.execute(
        select(_messages.c.task_id, _messages.c.digest).where(
            *(_messages.c[name] == part for name, part in key.items())
        )
    ).one()
    if earlier.digest != value["digest"]:
        raise InvalidParamsError(
            f"The message id '{message.message_id}' was used for another message. Give each message its own id."
        )
    return cast("str", earlier.task_id)


def _take_up(connection: Connection, scope: Scope, message: Message, runner: str) -> Stored:
    connection.execute(select(_tasks.c.id).where(_tasks.c.id == message.task_id).with_for_update())
    stored = find(connection, scope, message.task_id)
    task = stored.task
    if message.context_id and message.context_id != task.context_id:
        raise InvalidParamsError(f"Task {task.id} belongs to context {task.context_id}; leave contextId out.")
    if task.status.state != TaskState.TASK_STATE_INPUT_REQUIRED:
        name = TaskState.Name(task.status.state)
        raise UnsupportedOperationError(f"Task {task.id} takes no messages now: its state is {name}.")
    event = to_status(task, TaskState.TASK_STATE_WORKING)
    apply(task, event)
    task.history.append(message)
    task.history[-1].context_id = task.context_id
    seq = stored.seq + 1
    connection.execute(
        update(_tasks).where(_tasks.c.id == task.id).values(last_seq=seq, runner=runner, **_snapshot_columns(task, seq))
    )
    content = to_stream_response(event).SerializeToString()
    connection.execute(insert(_events).values(task_id=task.id, seq=seq, event=content))
    return Stored(task, seq, is_new=True)


def _visible(scope: Scope) -> Select[*tuple[Any, ...]]:
    return select(_tasks).where(_tasks.c.service == scope.service, _tasks.c.owner == scope.owner)


def _load(connection: Connection, rows: Sequence[_Row]) -> list[Stored]:
    """Return the tasks of rows of `_tasks`: each snapshot with the events after it."""
    loaded: list[Stored] = []
    for row in rows:
        task = Task.FromString(row.snapshot)
        seq: int = row.snapshot_seq
        while seq < row.last_seq:
            events = events_after(connection, task.id, seq)
            for _, event in events:
                apply(task, event)
            seq = events[-1][0]
        loaded.append(Stored(task, row.last_seq))
    return loaded


def _snapshot_columns(task: Task, seq: int) -> dict[str, object]:
    return {
        "state": task.status.state,
        "status_ns": _status_ns(task),
        "snapshot": task.SerializeToString(),
        "snapshot_seq": seq,
        "updated_at": now(),
    }


def _status_ns(task: Task) -> int:
    return task.status.timestamp.ToNanoseconds()


def _parse_event(content: bytes) -> Event:
    response = StreamResponse.FromString(content)
    return response.status_update if response.HasField("status_update") else response.artifact_update


def _digest(message: Message) -> str:
    """Return what two same messages share: their parts and the task they are for. A retry's metadata may differ."""
    digest = hashlib.sha256(message.task_id.encode())
    for part in message.parts:
        content = part.SerializeToString(deterministic=True)
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
