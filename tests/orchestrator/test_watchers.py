"""Watchers of a task's log: each sees every event once and in order, however often it comes back."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import httpx
import pytest
from sqlalchemy import Connection, insert, select

from orchestrator_service import events
from orchestrator_service.event_log import EventLog
from orchestrator_service.models import Base, Task
from orchestrator_service.signals import open_signals
from shared.agent import AgentRequest, Answer, JsonObject, Progress, Update
from shared.db import Database, now, open_database, open_engine
from tests.orchestrator.fleet import Holding
from tests.orchestrator.stored_tasks import add_task, tables
from tests.support.echo import ECHO
from tests.support.federation import Federation, TestAgent, federation, step

P = ParamSpec("P")
T = TypeVar("T")

_WATCHERS = 50
_PIECES = 40


async def test_watchers_that_come_and_go_see_every_event_once_and_in_order(
    tmp_path: Path, database_url: str | None
) -> None:
    async def talk(request: AgentRequest) -> AsyncGenerator[Update]:
        for number in range(_PIECES):
            yield Progress(f"{request.text} {number}")
            await asyncio.sleep(0.01)  # the agent takes its time
        yield Answer("done", "done")

    async with federation(tmp_path, TestAgent("Talker", talk, ("echo",)), database_url=database_url) as running:
        tasks = [
            await running.submit("test", wait_s=None, plan={"steps": [step("a"), step("b"), step("c")]})
            for _ in range(2)
        ]
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=running.url, timeout=40, limits=limits) as client, asyncio.timeout(120):
            watched = await asyncio.gather(
                *(_watch(client, tasks[number % 2], random.Random(number)) for number in range(_WATCHERS))
            )
        for number, (seen, _) in enumerate(watched):
            log = await running.events(tasks[number % 2])
            assert seen == [event["seq"] for event in log] == list(range(1, len(log) + 1))
        assert sum(comebacks for _, comebacks in watched) >= 200


async def test_a_wait_that_begins_when_waits_are_ended_returns_at_once(
    tmp_path: Path, database_url: str | None
) -> None:
    async with tables(tmp_path, database_url) as database:
        log = EventLog(database)
        task_id = await database.write(add_task)
        log.end_waits()
        async with asyncio.timeout(30):
            await log.wait_for(task_id, lambda _: False, 3600)


async def _watch(client: httpx.AsyncClient, task: JsonObject, choice: random.Random) -> tuple[list[int], int]:
    """Read some events, hang up, come back after the last one, until the stream ends by itself."""
    seen: list[int] = []
    comebacks = 0
    while True:
        some = choice.randint(1, 12)
        headers = {"Last-Event-ID": str(seen[-1])} if seen else {}
        async with client.stream("GET", f"/api/tasks/{task['id']}/events", headers=headers) as response:
            assert response.status_code == 200
            async for line in response.aiter_lines():
                if line.startswith("id:"):
                    seen.append(int(line.removeprefix("id:")))
                    some -= 1
                if not some and not line:
                    break
            else:
                return seen, comebacks
        comebacks += 1


async def test_who_comes_back_after_the_end_is_not_kept_waiting(tmp_path: Path) -> None:
    async with _log(f"sqlite:///{tmp_path}/test.db") as (_, log):
        await log.write(events.append, "t", [events.draft("task.status", status="completed")], status="completed")
        async with asyncio.timeout(20), aclosing(log.follow("t", 1)) as rest:
            assert [event async for event in rest] == []


@pytest.fixture
async def two_processes(database_url: str | None, tmp_path: Path) -> AsyncGenerator[tuple[EventLog, EventLog]]:
    """The logs of two processes on PostgreSQL; on SQLite, where there is one process, the same one twice."""
    async with AsyncExitStack() as stack:
        url = "" if database_url is None else database_url.replace("postgresql://", "postgresql+psycopg://")
        _, first = await stack.enter_async_context(_log(url or f"sqlite:///{tmp_path}/test.db"))
        if url:
            _, second = await stack.enter_async_context(_log(url, is_new=False))
        else:
            second = first
        yield first, second


async def test_followers_in_every_process_see_what_all_write(two_processes: tuple[EventLog, EventLog]) -> None:
    sizes = [1 + number % 3 for number in range(48)]
    total = 6 * sum(sizes)

    async def write(log: EventLog) -> None:
        for size in sizes:
            drafts = [events.draft("step.progress", step_id="a", text="x")] * size
            await log.write(events.append, "t", drafts)

    async def follow(log: EventLog, after: int, *, slowly: bool) -> list[int]:
        seen: list[int] = []
        async with aclosing(log.follow("t", after)) as following:
            async for event in following:
                seen.append(event.seq)
                if slowly:
                    await asyncio.sleep(0.001)
                if event.seq == total:
                    break
        return seen

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        followers = [
            (after, group.create_task(follow(log, after, slowly=slowly)))
            for log in two_processes
            for after in (0, 7, 450)
            for slowly in (False, True)
        ]
        for log in two_processes:
            for _ in range(3):
                group.create_task(write(log))
    for after, follower in followers:
        assert follower.result() == list(range(after + 1, total + 1))


async def test_what_changes_with_events_is_stored_as_it_was_given(two_processes: tuple[EventLog, EventLog]) -> None:
    log, _ = two_processes
    at = now()
    await log.write(
        events.append,
        "t",
        [],
        status="failed",
        error={"slug": "x"},
        result=None,
        completed_at=at,
        run=Task.run + 1,
    )
    await log.write(events.append, "t", [], status="canceled", error={"slug": "y"}, completed_at=at)

    def find(connection: Connection) -> tuple[object, ...]:
        query = select(Task.status, Task.error, Task.result, Task.completed_at, Task.run)
        return tuple(connection.execute(query).one())

    assert await log.database.read(find) == ("canceled", {"slug": "y"}, None, at, 2)


@asynccontextmanager
async def _log(url: str, *, is_new: bool = True) -> AsyncGenerator[tuple[Database, EventLog]]:
    async with open_database(url) as database, open_signals(database) as signals:
        if is_new:
            await database.write(_make_task)
        yield database, EventLog(database, signals)


def _make_task(connection: Connection) -> None:
    Base.metadata.create_all(connection)
    connection.execute(
        insert(Task),
        {
            "id": "t",
            "tenant_id": "local",
            "description": "test",
            "request": {},
            "status": "executing",
            "run": 1,
            "run_state": "running",
            "priority": 0,
            "last_seq": 0,
            "usage": {},
            "trace_id": "",
            "cancel_requested": False,
            "deadline_at": now(),
            "created_at": now(),
        },
    )


class _EndsBetween(Database):
    """A database in which the task ends right after it was read for the first time."""

    reads = 0

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read; then, once, write the end."""
        found = await super().read(work, *args, **kwargs)
        self.reads += 1
        if self.reads == 1:
            await self.write(_end_the_only_task)
        return found


def _end_the_only_task(connection: Connection) -> None:
    task_id = connection.execute(select(Task.id)).scalar_one()
    events.append(connection, task_id, [events.draft("task.status", status="completed")], status="completed")


async def test_who_begins_to_follow_as_the_task_ends_sees_the_end(tmp_path: Path) -> None:
    async with tables(tmp_path, None) as database:
        task_id = await database.write(add_task)
        between = _EndsBetween(open_engine(database.url))
        try:
            async with asyncio.timeout(20):
                seen = [event.seq async for event in EventLog(between).follow(task_id) if event.is_last]
        finally:
            await between.close()
    assert seen == [1]


async def test_a_follower_goes_on_when_another_one_leaves_while_it_reads_for_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_read, reads = asyncio.Event(), asyncio.Event()
    is_slow = False
    read = Database.read

    async def read_slowly(
        database: Database, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if is_slow and work is events.read:
            reads.set()
            await may_read.wait()
        return await read(database, work, *args, **kwargs)

    monkeypatch.setattr(Database, "read", read_slowly)
    url = f"sqlite:///{tmp_path}/test.db"
    async with _log(url) as (_, log), _log(url, is_new=False) as (_, elsewhere):
        await log.write(events.append, "t", [events.draft("step.progress", step_id="a", text="x")])
        seen: tuple[list[int], list[int]] = ([], [])
        both_wait = asyncio.Event()

        async def follow(numbers: list[int]) -> None:
            async with aclosing(log.follow("t")) as following:
                async for event in following:
                    numbers.append(event.seq)
                    if seen == ([1], [1]):
                        both_wait.set()

        first, second = (asyncio.create_task(follow(numbers)) for numbers in seen)
        await both_wait.wait()
        is_slow = True
        await elsewhere.write(events.append, "t", [events.draft("task.status", status="completed")], status="completed")
        async with asyncio.timeout(30):
            await reads.wait()
            await asyncio.sleep(0.1)  # the second has seen that someone reads
            first.cancel()
            await asyncio.sleep(0.1)
            is_slow = False
            may_read.set()
            await second
        assert seen[1] == [1, 2]


async def test_who_comes_back_to_an_address_that_says_where_to_begin_gets_only_what_is_new(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO) as running:
        task = await running.run(step("a"), step("b"))
        log = await running.events(task)
        assert await _numbers(running, task, "after=2", {"Last-Event-ID": "6"}) == list(range(7, len(log) + 1))
        assert await _numbers(running, task, "after=6", {"Last-Event-ID": "2"}) == list(range(7, len(log) + 1))


async def test_who_begins_beyond_the_end_of_the_log_gets_what_is_new(tmp_path: Path) -> None:
    holding = Holding()
    async with federation(tmp_path, holding.served()) as running:
        task = await running.run(step("a", "held", skill="work"), wait_s=None)
        await holding.has("held")
        watcher = asyncio.create_task(_numbers(running, task, "after=500"))
        asyncio.get_running_loop().call_later(0.5, holding.let_go, "held")
        async with asyncio.timeout(20):
            seen = await watcher
        assert seen[-1] == len(await running.events(task))


async def test_a_long_log_is_listed_in_pages(tmp_path: Path) -> None:
    async def talk(_request: AgentRequest) -> AsyncGenerator[Update]:
        for number in range(1_200):
            yield Progress(f"{number}")
        yield Answer("done", "done")

    async with federation(tmp_path, TestAgent("Talker", talk, ("echo",))) as running:
        task = await running.run(step("a"))
        path = f"/api/tasks/{task['id']}/events"
        headers = {"Accept": "application/json"}
        seen: list[int] = []
        page = (await running.client.get(path, headers=headers)).json()
        while True:
            seen += [event["seq"] for event in page["items"]]
            if page["next_cursor"] is None:
                break
            page = (await running.client.get(path, headers=headers, params={"cursor": page["next_cursor"]})).json()
        assert seen == list(range(1, len(seen) + 1))
        assert len(seen) > 1_200
        assert seen == await _numbers(running, task, "after=0")


async def _numbers(
    running: Federation, task: JsonObject, query: str, headers: dict[str, str] | None = None
) -> list[int]:
    path = f"/api/tasks/{task['id']}/events?{query}"
    async with running.client.stream("GET", path, headers=headers or {}) as stream:
        return [int(line[3:]) async for line in stream.aiter_lines() if line.startswith("id:")]
