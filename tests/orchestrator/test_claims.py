"""What is committed is known to the database before the worker hears of it: its upkeep may look in between."""
# pyright: reportPrivateUsage=false
# What is tested happens between a commit and the moment that its result is told.

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Concatenate, LiteralString, ParamSpec, TypeVar, cast

import psycopg
import pytest
from psycopg.sql import SQL
from pydantic import JsonValue
from sqlalchemy import Connection, insert, select, update

from orchestrator_service import event_log
from orchestrator_service.engine import engine, queue, task_records
from orchestrator_service.engine.at_once import Begun
from orchestrator_service.engine.held import Held
from orchestrator_service.engine.step_records import Rules
from orchestrator_service.engine.work import Move, Run
from orchestrator_service.models import Task, Worker
from orchestrator_service.planning.plan import Plan
from shared import transactions
from shared.agent import AgentRequest, Answer, InputRequired, JsonObject, Update
from shared.db import database_url as url_of
from shared.db import now, open_database
from tests.orchestrator.fleet import Holding
from tests.orchestrator.stored_tasks import add_task, tables, until_blocked
from tests.support import ready_made
from tests.support.echo import ECHO
from tests.support.federation import Federation, TestAgent, federation, step, until

P = ParamSpec("P")
T = TypeVar("T")


def look_before_it_is_told(
    monkeypatch: pytest.MonkeyPatch, look: Callable[Concatenate[Connection, P], T], is_late: Callable[[object], bool]
) -> threading.Event:
    """Tell results that are so only late, and let the upkeep's `look` of `queue` see what they say before.

    Returns what is set when it is about to look.
    """
    written, looking = threading.Event(), threading.Event()
    settle = transactions._settle

    def wait_and_look(connection: Connection, *args: P.args, **kwargs: P.kwargs) -> T:
        looking.set()
        written.wait(1.0)
        return look(connection, *args, **kwargs)

    def tell_late(batch: Sequence[transactions._Job], results: Sequence[tuple[object, BaseException | None]]) -> None:
        if any(is_late(result) for result, _ in results):
            written.set()
            time.sleep(0.3)  # its thread gets no turn
            written.clear()
        settle(batch, results)

    monkeypatch.setattr(queue, look.__name__, wait_and_look)
    monkeypatch.setattr(transactions, "_settle", tell_late)
    return looking


async def statuses(running: Federation, task: JsonObject) -> list[JsonValue]:
    return [event["status"] for event in await running.events(task) if event["type"] == "step.status"]


def runs(connection: Connection) -> list[int]:
    """Return how often each task was taken up."""
    return list(connection.execute(select(Task.run)).scalars())


async def test_a_task_that_was_just_claimed_is_not_taken_for_left_behind(
    tmp_path: Path, database_url: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(engine, "_UPKEEP_S", 0.05)
    agent = Holding()
    async with federation(tmp_path, agent.served(), database_url=database_url, max_running_tasks=1) as running:
        first, second = [await running.run(step("a", text, skill="work"), wait_s=None) for text in ("held", "next")]
        await agent.has("held")
        looking = look_before_it_is_told(monkeypatch, queue.owned, _is_claim)
        assert await asyncio.to_thread(looking.wait, 20)
        agent.let_go("held")
        for task in (first, second):
            await running.task_when(task, lambda found: bool(found["completed_at"]))
            assert await statuses(running, task) == ["running", "completed"]
        async with open_database(url_of(running.settings, "orchestrator")) as database:
            assert await database.read(runs) == [1, 1]
    assert "a run is another worker's by now, or its task is over" not in caplog.messages


@pytest.mark.parametrize(
    "changes",
    [
        {"run": Task.run + 1, "worker": "another"},
        {"run_state": "queued", "runnable_at": datetime.max.replace(tzinfo=UTC)},
        {"status": "canceled"},
    ],
    ids=["claimed", "handed over", "over"],
)
async def test_what_a_run_brings_that_has_lost_its_task_is_not_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, changes: dict[str, object]
) -> None:
    caplog.set_level(logging.INFO)
    agent = Holding()

    def lose(connection: Connection) -> None:
        connection.execute(update(Task).values(**changes))

    async def said() -> JsonObject:
        return {"events": [*await running.events(task)], "messages": [*caplog.messages]}

    async with federation(tmp_path, agent.served()) as running:
        task = await running.run(step("a", "held", skill="work"), wait_s=None)
        await until(said, lambda now: "'begun'" in str(now))
        async with open_database(url_of(running.settings, "orchestrator")) as database:
            await database.write(lose)
        told = await running.events(task)
        agent.let_go("held")
        await until(said, lambda now: "a run is another worker's by now, or its task is over" in str(now))
        assert await running.events(task) == told


async def test_a_task_that_just_began_as_it_was_stored_is_not_taken_for_left_behind(
    tmp_path: Path, database_url: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(engine, "_UPKEEP_S", 0.05)
    looking = look_before_it_is_told(monkeypatch, queue.owned, _is_begun)
    async with federation(tmp_path, ECHO, database_url=database_url) as running:
        assert await asyncio.to_thread(looking.wait, 20)
        for task in (await running.run(step("a")), await running.submit("Please echo this.")):
            assert await statuses(running, task) == ["running", "completed"]
        async with open_database(url_of(running.settings, "orchestrator")) as database:
            assert await database.read(runs) == [1, 1]
    assert "a run is another worker's by now, or its task is over" not in caplog.messages


async def test_a_cancel_that_comes_before_the_begin_is_told_ends_the_task(
    tmp_path: Path, database_url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_UPKEEP_S", 600.0)
    agent = Holding()
    async with federation(tmp_path, agent.served(), database_url=database_url) as running:
        look_before_it_is_told(monkeypatch, queue.owned, _is_begun)
        submitting = asyncio.create_task(running.run(step("a", "held", skill="work"), wait_s=None))
        listed = await until(lambda: running.get("/api/tasks"), lambda found: bool(found["items"]))
        [task] = cast("list[JsonObject]", listed["items"])
        canceled = await running.post(f"/api/tasks/{task['id']}/cancel", {})
        assert canceled["status"] == "canceled"
        await submitting


async def test_a_fault_of_ours_as_a_task_begins_fails_the_task_and_not_its_submission(
    tmp_path: Path, database_url: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(_held: Held, _rules: Rules, _given: Plan | None) -> Move:
        raise KeyError("a bug")

    async with federation(tmp_path, ECHO, database_url=database_url) as running:
        monkeypatch.setattr(task_records, "take_up", stumble)
        task = await running.run(step("a", "one"))
        assert task["status"] == "failed"
        assert isinstance(error := task["error"], dict)
        assert "failed unexpectedly" in str(error["detail"])
        assert "could not begin as it was stored" in caplog.text


async def test_a_new_task_does_not_begin_before_one_that_waits(tmp_path: Path, database_url: str | None) -> None:
    async with tables(tmp_path, database_url) as database:
        for day in ("earlier", "later"):
            at = now() + timedelta(days=-1 if day == "earlier" else 1)
            waiting = await database.write(add_task, run=0, run_state="queued", runnable_at=at)
            new = await database.write(add_task, run=0, run_state="queued")
            begun = await database.write(queue.claim_at_once, "me", new, 10)
            if day == "earlier":
                assert begun is None
                claimed, _ = await database.write(queue.claim, "me", 2, 10)
                assert [run.task_id for run in claimed] == [waiting, new]
            else:  # its time has not come: it holds nobody up
                assert begun is not None
                assert (begun.run.task_id, begun.run.number) == (new, 1)


async def test_a_task_is_not_claimed_before_its_time(tmp_path: Path, database_url: str | None) -> None:
    async with tables(tmp_path, database_url) as database:
        later = now() + timedelta(hours=1)
        await database.write(add_task, run=0, run_state="queued", runnable_at=later)
        assert await database.write(queue.claim, "me", 2, 10) == ([], False)


async def test_only_what_is_queued_and_canceled_is_claimed_to_be_stopped(
    tmp_path: Path, database_url: str | None
) -> None:
    async with tables(tmp_path, database_url) as database:
        queued = await database.write(add_task, run_state="queued", cancel_requested=True)
        others = await database.write(add_task, worker="other", cancel_requested=True)
        wanted = await database.write(add_task, run_state="queued")
        claimed = await database.write(queue.claim_to_stop, "me", [queued, others, wanted])
        assert [run.task_id for run in claimed] == [queued]


async def test_a_worker_hands_over_what_is_its_own(tmp_path: Path, database_url: str | None) -> None:
    async with tables(tmp_path, database_url) as database:
        mine = await database.write(add_task, worker="me")
        await database.write(add_task, worker="other")
        assert await database.write(queue.hand_over, "me") == [mine]


async def test_a_task_whose_workers_die_again_and_again_waits_longer_each_time(
    tmp_path: Path, database_url: str | None
) -> None:
    async with tables(tmp_path, database_url) as database:
        task_id = await database.write(add_task, worker="dead")

        def die(connection: Connection) -> float:
            """Return how long the task has to wait for its next worker."""
            assert queue.recover(connection, "dead") == [task_id]
            at = connection.execute(select(Task.runnable_at).where(Task.id == task_id)).scalar_one()
            assert at is not None
            connection.execute(update(Task).values(run_state="running", worker="dead"))
            return round((at - now()).total_seconds())

        assert [await database.write(die) for _ in range(12)] == [0, 0, 0, 0, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_a_task_of_a_worker_that_is_gone_is_queued_again(tmp_path: Path, database_url: str | None) -> None:
    async with tables(tmp_path, database_url) as database:

        def add_worker(connection: Connection, worker_id: str, state: str) -> str:
            at = now()
            told = {"host": "h", "pid": 1, "version": "v", "beat": 0, "started_at": at, "seen_at": at}
            connection.execute(insert(Worker).values(id=worker_id, state=state, **told))
            return add_task(connection, worker=worker_id)

        left = [await database.write(add_worker, state, state) for state in ("gone", "working", "draining")]
        assert await database.write(queue.recover_orphans) == left[:1]


@pytest.mark.parametrize("change", ["run = 2, worker = 'other'", "run_state = 'idle'"])
async def test_a_task_that_goes_on_just_as_its_worker_is_found_dead_is_left_as_it_is(
    tmp_path: Path, change: LiteralString
) -> None:
    with ready_made.on_postgres() as url, psycopg.connect(url) as other:
        async with tables(tmp_path, url) as database:
            task_id = await database.write(add_task, worker="dead")
            other.execute(SQL("UPDATE tasks SET {}").format(SQL(change)))
            recovering = asyncio.create_task(database.write(queue.recover, "dead"))
            await until_blocked(url)
            other.commit()
            await recovering
        found = other.execute("SELECT run_state, recoveries FROM tasks WHERE id = %s", [task_id]).fetchone()
        assert found == ("idle" if "idle" in change else "running", 0)


async def test_a_new_task_does_not_begin_beyond_its_tenants_share(tmp_path: Path, database_url: str | None) -> None:
    async with tables(tmp_path, database_url) as database:
        new = await database.write(add_task, run=0, run_state="queued")
        for tenant in ("default", "default", "other"):
            await database.write(add_task, tenant_id=tenant)
        assert await database.write(queue.claim_at_once, "me", new, 2) is None
        assert await database.write(queue.claim_at_once, "me", new, 3) is not None


async def test_an_answer_is_taken_up_once_by_the_run_that_it_began(
    tmp_path: Path, database_url: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask(request: AgentRequest) -> AsyncGenerator[Update]:
        if not request.history:
            yield InputRequired("Which colour?")
            return
        await asyncio.sleep(1.0)  # meanwhile the upkeep looks for answers again
        yield Answer("answer", f"<{request.text}>")

    monkeypatch.setattr(engine, "_UPKEEP_S", 0.05)
    agent = TestAgent("Asker", ask, ("ask",))
    async with federation(tmp_path, agent, database_url=database_url) as running:
        task = await running.run(step("a", skill="ask"))
        assert task["status"] == "input_required"
        looking = look_before_it_is_told(monkeypatch, queue.answered, _is_move)
        assert await asyncio.to_thread(looking.wait, 20)
        asked = task["pending_inputs"]
        assert isinstance(asked, list)
        assert isinstance(asked[0], dict)
        await running.post(f"/api/tasks/{task['id']}/input", {"input_id": asked[0]["input_id"], "text": "blue"})
        done = await running.task_when(task, lambda found: bool(found["completed_at"]))
        assert done["status"] == "completed"
        assert await statuses(running, task) == ["running", "input_required", "running", "completed"]
    assert "a run broke off; the task is queued again" not in caplog.messages


def _is_claim(result: object) -> bool:
    return isinstance(result, tuple) and isinstance(result[0], list) and any(isinstance(run, Run) for run in result[0])  # pyright: ignore[reportUnknownVariableType]


def _is_begun(result: object) -> bool:
    parts = _done(result)
    return isinstance(parts, tuple) and any(isinstance(part, Begun) for part in parts)  # pyright: ignore[reportUnknownVariableType]


def _is_move(result: object) -> bool:
    return isinstance(_done(result), Move)


def _done(result: object) -> object:
    """Return what a transaction of the log brought."""
    return result.result if isinstance(result, event_log._Done) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
