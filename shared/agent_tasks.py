"""The A2A tasks that a service keeps: each a snapshot and a gap-free log of events, owned by whoever sent its message.

A snapshot is written when a task begins and whenever it comes to rest; in between only events are added, so a long
answer costs what it is long. Functions take a connection and run in one transaction (`shared.db.Database`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
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
    Connection,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from shared import agent_push_records
from shared.agent_messages import AT_REST, ENDED, Event, apply, is_piece
from shared.agent_narration import to_status
from shared.agent_push_records import SealedConfig
from shared.agent_tables import EVENTS, MESSAGES, NOTIFICATIONS, RUNNERS, TASKS
from shared.db import new_id, now
from shared.settings import ServiceName

_Insert: TypeAlias = sqlite.Insert | postgresql.Insert
_Row: TypeAlias = Row[*tuple[Any, ...]]  # Core rows have no types


def _renewing(claim: _Insert) -> ReturningInsert[tuple[str]]:
    """Return an INSERT of a message that replaces one that has expired; it returns nothing when one still counts."""
    return claim.on_conflict_do_update(
        index_elements=["service", "owner", "message_id"],
        set_={name: claim.excluded[name] for name in ("task_id", "digest", "created_at")},
        where=MESSAGES.c.created_at < bindparam("expired", type_=MESSAGES.c.created_at.type),
    ).returning(MESSAGES.c.task_id)


_SAME_MESSAGE: Final = timedelta(hours=24)
_EVENTS_KEPT: Final = timedelta(hours=1)
_UNFINISHED: Final = (TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING)

# What every message needs is built once: SQLAlchemy takes longer to build a statement than SQLite to run it.
_INSERT_TASK: Final = insert(TASKS)
_INSERT_EVENT: Final = insert(EVENTS)
_SELECT_TASK: Final = select(TASKS).where(
    TASKS.c.service == bindparam("of_service"),
    TASKS.c.owner == bindparam("of_owner"),
    TASKS.c.id == bindparam("of_task"),
)
_SELECT_EVENTS: Final = (
    select(EVENTS.c.seq, EVENTS.c.event)
    .where(EVENTS.c.task_id == bindparam("of_task"), EVENTS.c.seq > bindparam("after_seq"))
    .order_by(EVENTS.c.seq)
    .limit(bindparam("limit", type_=Integer))
)
_SELECT_MESSAGE: Final = select(MESSAGES.c.task_id, MESSAGES.c.digest).where(
    MESSAGES.c.service == bindparam("of_service"),
    MESSAGES.c.owner == bindparam("of_owner"),
    MESSAGES.c.message_id == bindparam("of_message"),
)
_ADVANCE_TASK: Final = (
    update(TASKS)
    .where(
        TASKS.c.id == bindparam("of_task"),
        TASKS.c.last_seq == bindparam("at_seq"),
        TASKS.c.runner == bindparam("by_runner"),
    )
    .returning(TASKS.c.is_pushed)
)
_CLAIM_ON_SQLITE: Final = _renewing(sqlite.insert(MESSAGES))
_CLAIM_ON_POSTGRESQL: Final = _renewing(postgresql.insert(MESSAGES))


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose tasks: those of one service that one owner sent."""

    service: ServiceName
    owner: str


class Added(Enum):
    """Whether events were stored, and whether anybody is to be told of them by push notifications."""

    NOTHING = auto()
    STORED = auto()
    PUSHED = auto()


@dataclass(frozen=True, slots=True)
class Stored:
    """A task as it was when event `seq` was its last. `is_new`: this call made it or took it up again."""

    task: Task
    seq: int
    is_new: bool = False


def accept(connection: Connection, scope: Scope, message: Message, config: SealedConfig | None, runner: str) -> Stored:
    """Begin the task that `message` asks for, or take up the one that it answers; `runner` will work on it.

    `config` says who is to be told of it. The same message id within 24 hours answers the same task and begins nothing.
    Raises: the SDK's InvalidParamsError (the id was another message's; another context), TaskNotFoundError,
    UnsupportedOperationError (the task does not wait for input).
    """
    task_id = message.task_id or new_id()
    earlier = _claim(connection, scope, message, task_id)
    if earlier is not None:
        stored = find(connection, scope, earlier)
    elif message.task_id:
        stored = _take_up(connection, scope, message, runner)
    else:
        stored = _begin(connection, scope, message, task_id, runner)
    if config is not None and stored.task.status.state not in ENDED:
        agent_push_records.save(connection, stored.task.id, config)
    return stored


def find(connection: Connection, scope: Scope, task_id: str) -> Stored:
    """Return a task as it is now. Raises: the SDK's TaskNotFoundError, also for another owner's."""
    wanted = {"of_service": scope.service, "of_owner": scope.owner, "of_task": task_id}
    row = connection.execute(_SELECT_TASK, wanted).one_or_none()
    if row is None:
        raise TaskNotFoundError(f"There is no task '{task_id[:64]}'.")
    return _load(connection, [row])[0]


def add_events(connection: Connection, task: Task, seq: int, events: Sequence[Event], runner: str) -> Added:
    """Add `events`, the next after `seq`; `task` is the task with them applied.

    Adds nothing when the task is no longer at `seq` or no longer this runner's: someone else has changed it meanwhile.
    """
    last_seq = seq + len(events)
    if task.status.state in AT_REST:
        columns = _snapshot_columns(task, last_seq)
    else:
        columns = {"updated_at": now(), "state": task.status.state, "status_ns": _status_ns(task)}
    still = {"of_task": task.id, "at_seq": seq, "by_runner": runner}
    is_pushed = connection.execute(_ADVANCE_TASK, {**still, "last_seq": last_seq, **columns}).scalar_one_or_none()
    if is_pushed is None:
        return Added.NOTHING
    _insert_events(connection, task.id, seq, events, is_pushed=is_pushed)
    return Added.PUSHED if is_pushed else Added.STORED


def end(connection: Connection, scope: Scope, task_id: str, event: TaskStatusUpdateEvent, runner: str) -> Stored:
    """End a task that no process of ours is heard working on; if it has ended meanwhile, leave it as it is."""
    connection.execute(update(TASKS).where(TASKS.c.id == task_id).values(runner=runner))
    stored = find(connection, scope, task_id)
    if stored.task.status.state in ENDED:
        return stored
    apply(stored.task, event)
    add_events(connection, stored.task, stored.seq, [event], runner)
    return Stored(stored.task, stored.seq + 1, is_new=True)


def events_after(connection: Connection, task_id: str, seq: int, limit: int = 500) -> list[tuple[int, Event]]:
    """Return the events after `seq` with their numbers, oldest first."""
    rows = connection.execute(_SELECT_EVENTS, {"of_task": task_id, "after_seq": seq, "limit": limit})
    return [(number, _parse_event(content)) for number, content in rows]


def search(connection: Connection, scope: Scope, request: ListTasksRequest) -> ListTasksResponse:
    """Return a page of tasks, the last changed first. Raises: the SDK's InvalidParamsError."""
    size = request.page_size if request.HasField("page_size") else DEFAULT_LIST_TASKS_PAGE_SIZE
    validate_page_size(size)
    validate_history_length(request)
    wanted = _visible(scope)
    if request.context_id:
        wanted = wanted.where(TASKS.c.context_id == request.context_id)
    if request.status:
        wanted = wanted.where(TASKS.c.state == request.status)
    if request.HasField("status_timestamp_after"):
        wanted = wanted.where(TASKS.c.status_ns >= request.status_timestamp_after.ToNanoseconds())
    total = connection.execute(select(func.count()).select_from(wanted.subquery())).scalar_one()
    if request.page_token:
        cursor = decode_list_tasks_cursor(request.page_token)
        if cursor is None:
            raise InvalidParamsError("pageToken is not one that this service gave out.")
        wanted = wanted.where(tuple_(TASKS.c.status_ns, TASKS.c.id) < (cursor.timestamp_ns or 0, cursor.task_id))
    rows = connection.execute(wanted.order_by(TASKS.c.status_ns.desc(), TASKS.c.id.desc()).limit(size + 1)).all()
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


def adopt(connection: Connection, service: ServiceName, runner: str, live: Sequence[str]) -> list[tuple[Scope, Stored]]:
    """Make `runner` responsible for the service's unfinished tasks that nobody works on, and return them.

    Nobody does when their runner is not in the table, or when it is `runner` itself, does not have the task among its
    `live` ones, and has not just accepted it.
    """
    lost = TASKS.c.runner.not_in(select(RUNNERS.c.id).where(RUNNERS.c.service == service))
    dropped = and_(
        TASKS.c.runner == runner, TASKS.c.id.not_in(live), TASKS.c.updated_at < now() - timedelta(seconds=60)
    )
    rows = connection.execute(
        update(TASKS)
        .where(TASKS.c.service == service, TASKS.c.state.in_(_UNFINISHED), or_(lost, dropped))
        .values(runner=runner, updated_at=now())
        .returning(*TASKS.c)
    ).all()
    scopes = [Scope(service, row.owner) for row in rows]
    return list(zip(scopes, _load(connection, rows), strict=True))


def taken(connection: Connection, runners: Mapping[str, str]) -> list[str]:
    """Return those of the tasks (each with its runner) that another process has ended or adopted."""
    wanted = select(TASKS.c.id, TASKS.c.runner).where(TASKS.c.id.in_(runners))
    return [row.id for row in connection.execute(wanted) if row.runner != runners[row.id]]


def unfinished(connection: Connection, service: ServiceName) -> list[str]:
    """Return the ids of the service's tasks that are not over, in whatever process they are."""
    wanted = select(TASKS.c.id).where(TASKS.c.service == service, TASKS.c.state.not_in(ENDED))
    return list(connection.execute(wanted).scalars())


def prune(connection: Connection, service: ServiceName, kept: timedelta) -> None:
    """Delete what is no longer needed: tasks that ended longer than `kept` ago, old events, old message ids."""
    ended = and_(TASKS.c.service == service, TASKS.c.state.in_(ENDED))
    untold = select(NOTIFICATIONS.c.task_id)
    quiet = select(TASKS.c.id).where(ended, TASKS.c.updated_at < now() - _EVENTS_KEPT, TASKS.c.id.not_in(untold))
    connection.execute(delete(EVENTS).where(EVENTS.c.task_id.in_(quiet)))
    connection.execute(delete(TASKS).where(ended, TASKS.c.updated_at < now() - kept))
    connection.execute(
        delete(MESSAGES).where(MESSAGES.c.service == service, MESSAGES.c.created_at < now() - _SAME_MESSAGE)
    )


def _claim(connection: Connection, scope: Scope, message: Message, task_id: str) -> str | None:
    """Reserve the message's id for `task_id`; return the task it already belongs to, if any."""
    key = {"service": scope.service, "owner": scope.owner, "message_id": message.message_id}
    digest = _digest(message)
    at = now()
    value = {"task_id": task_id, "digest": digest, "created_at": at, "expired": at - _SAME_MESSAGE}
    claim = _CLAIM_ON_SQLITE if connection.dialect.name == "sqlite" else _CLAIM_ON_POSTGRESQL
    if connection.execute(claim, {**key, **value}).one_or_none() is not None:
        return None
    wanted = {"of_service": scope.service, "of_owner": scope.owner, "of_message": message.message_id}
    earlier = connection.execute(_SELECT_MESSAGE, wanted).one()
    if earlier.digest != digest:
        raise InvalidParamsError(
            f"The message id '{message.message_id}' was used for another message. Give each message its own id."
        )
    return cast("str", earlier.task_id)


def _begin(connection: Connection, scope: Scope, message: Message, task_id: str, runner: str) -> Stored:
    task = Task(id=task_id, context_id=message.context_id or new_id())
    task.history.append(message)
    task.history[0].task_id, task.history[0].context_id = task.id, task.context_id
    apply(task, to_status(task, TaskState.TASK_STATE_WORKING))
    fixed = {"id": task.id, "service": scope.service, "owner": scope.owner, "context_id": task.context_id}
    columns = _snapshot_columns(task, 0)
    changing = {"last_seq": 0, "runner": runner, "created_at": columns["updated_at"], **columns}
    connection.execute(_INSERT_TASK, {**fixed, **changing})
    return Stored(task, 0, is_new=True)


def _take_up(connection: Connection, scope: Scope, message: Message, runner: str) -> Stored:
    connection.execute(select(TASKS.c.id).where(TASKS.c.id == message.task_id).with_for_update())
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
    is_pushed = connection.execute(
        update(TASKS)
        .where(TASKS.c.id == task.id)
        .values(last_seq=seq, runner=runner, **_snapshot_columns(task, seq))
        .returning(TASKS.c.is_pushed)
    ).scalar_one()
    _insert_events(connection, task.id, stored.seq, [event], is_pushed=is_pushed)
    return Stored(task, seq, is_new=True)


def _visible(scope: Scope) -> Select[*tuple[Any, ...]]:
    return select(TASKS).where(TASKS.c.service == scope.service, TASKS.c.owner == scope.owner)


def _load(connection: Connection, rows: Sequence[_Row]) -> list[Stored]:
    """Return the tasks of rows of `TASKS`: each snapshot with the events after it."""
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


def _insert_events(connection: Connection, task_id: str, seq: int, events: Sequence[Event], *, is_pushed: bool) -> None:
    rows = [
        {"task_id": task_id, "seq": number, "event": to_stream_response(event).SerializeToString()}
        for number, event in enumerate(events, seq + 1)
    ]
    if rows:
        connection.execute(_INSERT_EVENT, rows)
    if is_pushed:
        told = [number for number, event in enumerate(events, seq + 1) if not _is_passing(event)]
        agent_push_records.plan(connection, task_id, told)


def _is_passing(event: Event) -> bool:
    """Tell whether `event` is of use only to those who look on now: a piece of a text, or a word on the progress."""
    if isinstance(event, TaskStatusUpdateEvent):
        return event.status.state == TaskState.TASK_STATE_WORKING and event.status.HasField("message")
    return is_piece(event)
