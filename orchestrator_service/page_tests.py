"""Page tests that are kept: goals for pages, their history, and when they run by themselves.

A run is a task of one step, at an agent with the skill "verify-page"; what it brought is read from that step.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import JsonValue, ValidationError
from sqlalchemy import ColumnElement, Connection, RowMapping, String, bindparam, delete, func, insert, select, update

from orchestrator_service.events import TERMINAL
from orchestrator_service.models import StepRow, Task
from orchestrator_service.page_test_models import PageTestRow, PageTestRun
from orchestrator_service.planning.plan import Plan, PlanStep, literal
from orchestrator_service.tasks import NewTask, TaskStatus, TestRun
from shared import page_tests
from shared.agent import JsonObject
from shared.auth import Caller
from shared.db import new_id, now
from shared.errors import InvalidRequestError, NotFoundError
from shared.page_tests import BrowserResult, PageTest, PageTestRequest, Verdict

_STEP: Final = "test"
_LAST_RUNS: Final = 10
_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class NewPageTest:
    """A page test to keep. `cron` has five fields and counts in `timezone` (an IANA name)."""

    name: str
    url: str
    goal: str
    cron: str | None = None
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Due:
    """A kept test whose time has come; `at` is when it was to run."""

    test_id: str
    tenant_id: str
    request: PageTestRequest
    at: datetime
    is_running: bool


@dataclass(frozen=True, slots=True)
class Run:
    """A run with what is known of it; `test` is None while it goes on, and when it could not be run."""

    task_id: str
    test_name: str
    request: PageTestRequest
    origin: str
    status: str
    error: str | None
    test: PageTest | None
    created_at: datetime
    completed_at: datetime | None

    def to_json(self) -> JsonObject:
        """Return it as the API shows it. What could not be run has an `error`."""
        known: JsonObject = {"plan": None, "browser_result": None, "result": None}
        if self.test is not None:
            known = self.test.model_dump(mode="json")
        elif self.status in TERMINAL:
            error = self.error or f"The task is {self.status}."
            verdict = Verdict(
                passed=False, duration_ms=0, steps_passed=0, steps_total=0, details=error, step_results=(), error=error
            )
            known["browser_result"] = BrowserResult(success=False, error=error).model_dump(mode="json")
            known["result"] = verdict.model_dump(mode="json")
        return {
            "task_id": self.task_id,
            "url": self.request.url,
            "goal": self.request.goal,
            "origin": self.origin,
            "status": self.status,
            "created_at": self.created_at.isoformat(),
            "completed_at": None if self.completed_at is None else self.completed_at.isoformat(),
            **known,
        }


def to_task(test_id: str | None, request: PageTestRequest, *, scheduled_at: datetime | None = None) -> NewTask:
    """Return the task that runs a test. That of a schedule has the same id whoever makes it, so that it runs once."""
    wanted: dict[str, JsonValue] = {"url": literal(request.url), "goal": literal(request.goal)}
    step = PlanStep(
        id=_STEP,
        skill=page_tests.SKILL,
        instruction=literal(f"Test the page {request.url}. Goal: {request.goal}"),
        inputs={page_tests.REQUEST: wanted},
        success_criteria="The page does what the goal says.",
    )
    run = None
    if test_id is not None:
        run = TestRun(test_id, request.url, request.goal, "request" if scheduled_at is None else "schedule")
    task_id = new_id() if test_id is None or scheduled_at is None else _id_of(test_id, scheduled_at)
    return NewTask(
        f"Test {request.url}: {request.goal}", id=task_id, plan=Plan(steps=[step]), replan=False, test_run=run
    )


def next_run(cron: str | None, timezone: str, after: datetime) -> datetime | None:
    """Return when a test runs next after `after`, in UTC. Raises: InvalidRequestError for a bad cron text or zone."""
    if cron is None:
        return None
    try:
        if len(cron.split()) != 5:
            raise CronSimError("it needs five fields: minute, hour, day of month, month, day of week")
        return next(CronSim(cron, after.astimezone(ZoneInfo(timezone)))).astimezone(UTC)
    except (CronSimError, StopIteration) as error:
        why = str(error).lower() or "it never comes"
        detail = f"{cron!r} is no time that comes again ({why}); write it like '0 9 * * 1-5'."
        raise InvalidRequestError(detail, errors=[{"pointer": "#/cron", "detail": detail}]) from error
    except (KeyError, ValueError, OSError) as error:  # what ZoneInfo raises for names that are none
        detail = f"There is no time zone {timezone[:100]!r}; write it like 'Europe/Oslo'."
        raise InvalidRequestError(detail, errors=[{"pointer": "#/timezone", "detail": detail}]) from error


def create(connection: Connection, caller: Caller, new: NewPageTest) -> str:
    """Keep a test and return its id. Raises: InvalidRequestError."""
    at = now()
    test_id = new_id()
    connection.execute(
        insert(PageTestRow).values(
            id=test_id,
            tenant_id=caller.tenant_id,
            name=new.name,
            url=new.url,
            goal=new.goal,
            cron=new.cron,
            timezone=new.timezone,
            next_run_at=next_run(new.cron, new.timezone, at),
            created_at=at,
            updated_at=at,
        )
    )
    return test_id


def change(connection: Connection, caller: Caller, test_id: str, new: NewPageTest) -> None:
    """Replace what a test is. Raises: NotFoundError, InvalidRequestError."""
    require(connection, caller, test_id)
    at = now()
    connection.execute(
        update(PageTestRow)
        .where(PageTestRow.id == test_id)
        .values(
            name=new.name,
            url=new.url,
            goal=new.goal,
            cron=new.cron,
            timezone=new.timezone,
            next_run_at=next_run(new.cron, new.timezone, at),
            updated_at=at,
        )
    )


def require(connection: Connection, caller: Caller, test_id: str) -> NewPageTest:
    """Return what a test is. Raises: NotFoundError unless it is there and the caller's."""
    row = connection.execute(
        select(PageTestRow.__table__).where(_visible_to(caller), PageTestRow.id == test_id)
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no page test {test_id!r}.")
    return NewPageTest(row.name, row.url, row.goal, row.cron, row.timezone)


def find(connection: Connection, caller: Caller, test_id: str) -> JsonObject:
    """Return a test with its last runs. Raises: NotFoundError."""
    require(connection, caller, test_id)
    (found,) = _views(connection, [test_id])
    return found


def search(connection: Connection, caller: Caller, before: str | None, limit: int) -> list[JsonObject]:
    """Return tests with their last runs, newest first, from below the id `before`."""
    query = select(PageTestRow.id).where(_visible_to(caller)).order_by(PageTestRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(PageTestRow.id < before)
    return _views(connection, list(connection.execute(query).scalars()))


def remove(connection: Connection, caller: Caller, test_id: str) -> None:
    """Forget a test and its history; the tasks stay. Raises: NotFoundError."""
    require(connection, caller, test_id)
    connection.execute(delete(PageTestRow).where(PageTestRow.id == test_id))


def runs(connection: Connection, caller: Caller, test_id: str, before: str | None, limit: int) -> list[Run]:
    """Return a test's runs, newest first, from below the task id `before`. Raises: NotFoundError."""
    require(connection, caller, test_id)
    query = _RUNS.where(PageTestRun.test_id == test_id).order_by(PageTestRun.task_id.desc()).limit(limit)
    if before is not None:
        query = query.where(PageTestRun.task_id < before)
    return [_to_run(row) for row in connection.execute(query).mappings()]


def find_run(connection: Connection, caller: Caller, test_id: str, task_id: str) -> Run:
    """Return one run. Raises: NotFoundError."""
    query = _RUNS.where(_visible_to(caller), PageTestRun.test_id == test_id, PageTestRun.task_id == task_id)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"The page test {test_id!r} has no run {task_id!r}.")
    return _to_run(row)


def find_passing_run(connection: Connection, caller: Caller, task_id: str, request: PageTestRequest) -> Run:
    """Return a run of a test that is not kept. Raises: NotFoundError."""
    row = connection.execute(_PASSING.where(Task.tenant_id == caller.tenant_id, Task.id == task_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no task {task_id!r}.")
    return Run(
        task_id=task_id,
        test_name=request.url,
        request=request,
        origin="request",
        status=row.status,
        error=_detail(row.error),
        test=_read_result(row.output_data),
        created_at=row.created_at,
        completed_at=row.completed_at,
    )


def due(connection: Connection) -> list[Due]:
    """Return the tests whose time has come, of all tenants."""
    rows = connection.execute(_DUE, {"at": now()}).all()
    if not rows:
        return []
    asked = {"tests": [row.id for row in rows], "tenants": [row.tenant_id for row in rows]}
    busy = set(connection.execute(_BUSY, asked).scalars())
    return [
        Due(row.id, row.tenant_id, PageTestRequest(url=row.url, goal=row.goal), row.next_run_at, row.id in busy)
        for row in rows
    ]


def next_due(connection: Connection) -> datetime | None:
    """Return when the next test runs by itself."""
    return connection.execute(_NEXT_DUE).scalar_one()


def move_on(connection: Connection, done: Due) -> None:
    """Note that a due test was begun, or left out, at its time: the next time counts. Missed times are not made up."""
    row = connection.execute(
        select(PageTestRow.cron, PageTestRow.timezone).where(
            PageTestRow.id == done.test_id, PageTestRow.next_run_at == done.at
        )
    ).one_or_none()
    if row is not None:
        try:
            upcoming = next_run(row.cron, row.timezone, now())
        except InvalidRequestError:  # the zone was known to the machine that stored it
            upcoming = None
        connection.execute(update(PageTestRow).where(PageTestRow.id == done.test_id).values(next_run_at=upcoming))


def _id_of(test_id: str, at: datetime) -> str:
    """Return a UUIDv7 that time and test alone determine."""
    digest = int.from_bytes(hashlib.sha256(f"{test_id} {at.isoformat()}".encode()).digest()[:10])
    number = (int(at.timestamp() * 1000) << 80) | digest
    number = number & ~(0xF << 76) | (0x7 << 76)
    return str(UUID(int=number & ~(0x3 << 62) | (0x2 << 62)))


def _views(connection: Connection, test_ids: Sequence[str]) -> list[JsonObject]:
    if not test_ids:
        return []
    found: dict[str, JsonObject] = {}
    for row in connection.execute(_TESTS, {"tests": test_ids}):
        found[row.id] = {
            "id": row.id,
            "name": row.name,
            "url": row.url,
            "goal": row.goal,
            "cron": row.cron,
            "timezone": row.timezone,
            "next_run_at": None if row.next_run_at is None else row.next_run_at.isoformat(),
            "created_at": row.created_at.isoformat(),
            "updated_at": row.updated_at.isoformat(),
            "last_runs": _last_runs(connection, row.id),
        }
    return [found[test_id] for test_id in test_ids if test_id in found]


def _last_runs(connection: Connection, test_id: str) -> list[JsonValue]:
    """Return a test's last runs in short. For each test alone: to rank those of all, every run there was is read."""
    last: list[JsonValue] = []
    for row in connection.execute(_LAST, {"of_test": test_id}).mappings():
        run = _to_run(row).to_json()
        result = run["result"] if isinstance(run["result"], dict) else {}
        told = {key: run[key] for key in ("task_id", "status", "origin", "created_at")}
        last.append({**told, **{key: result.get(key) for key in ("passed", "duration_ms", "error")}})
    return last


def _to_run(values: RowMapping) -> Run:
    return Run(
        task_id=values["task_id"],
        test_name=values["name"],
        request=PageTestRequest(url=values["url"], goal=values["goal"]),
        origin=values["origin"],
        status=values["status"],
        error=_detail(values["error"]),
        test=_read_result(values["output_data"]),
        created_at=values["created_at"],
        completed_at=values["completed_at"],
    )


def _detail(error: JsonObject | None) -> str | None:
    return None if error is None else str(error.get("detail", ""))


def _read_result(output: list[JsonObject] | None) -> PageTest | None:
    for part in output or ():
        try:
            return PageTest.model_validate(part)
        except ValidationError:
            continue
    return None


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    return PageTestRow.tenant_id == caller.tenant_id


_UNDER_WAY: Final = sorted(set(get_args(TaskStatus)) - TERMINAL)
_IDS: Final = bindparam("tests", type_=String(), expanding=True)
_TESTS: Final = select(*PageTestRow.__table__.c).where(PageTestRow.id.in_(_IDS))
_OF_TASK: Final = (Task.id, Task.status, Task.error, Task.created_at, Task.completed_at, StepRow.output_data)
_PASSING: Final = select(*_OF_TASK).outerjoin(StepRow, (StepRow.task_id == Task.id) & (StepRow.step_id == _STEP))
_RUNS: Final = (
    select(
        PageTestRun.task_id,
        PageTestRun.url,
        PageTestRun.goal,
        PageTestRun.origin,
        PageTestRow.name,
        *_OF_TASK,
    )
    .join(PageTestRow, PageTestRow.id == PageTestRun.test_id)
    .join(Task, Task.id == PageTestRun.task_id)
    .outerjoin(StepRow, (StepRow.task_id == PageTestRun.task_id) & (StepRow.step_id == _STEP))
)
_LAST: Final = (
    _RUNS.where(PageTestRun.test_id == bindparam("of_test")).order_by(PageTestRun.task_id.desc()).limit(_LAST_RUNS)
)
_DUE: Final = (
    select(PageTestRow.id, PageTestRow.tenant_id, PageTestRow.url, PageTestRow.goal, PageTestRow.next_run_at)
    .where(PageTestRow.next_run_at <= bindparam("at"))
    .order_by(PageTestRow.next_run_at)
    .limit(_AT_ONCE)
)
_BUSY: Final = (
    select(PageTestRun.test_id)
    .join(Task, Task.id == PageTestRun.task_id)
    .where(
        PageTestRun.test_id.in_(_IDS),
        Task.tenant_id.in_(bindparam("tenants", type_=String(), expanding=True)),
        Task.status.in_(_UNDER_WAY),  # by name: few tasks are, and they are found by index
    )
)
_NEXT_DUE: Final = select(func.min(PageTestRow.next_run_at))
