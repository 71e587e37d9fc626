"""What is committed is known to the database before the worker hears of it: its upkeep may look in between."""
# pyright: reportPrivateUsage=false
# What is tested happens between a commit and the moment that its result is told.

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar, cast

import pytest
from pydantic import JsonValue
from sqlalchemy import Connection

from orchestrator_service.engine import engine, queue, task_records
from orchestrator_service.engine.at_once import Begun
from orchestrator_service.engine.held import Held
from orchestrator_service.engine.step_records import Rules
from orchestrator_service.engine.work import Move, Run
from orchestrator_service.planning.plan import Plan
from shared import transactions
from shared.agent import AgentRequest, Answer, InputRequired, JsonObject, Update
from shared.db import now
from tests.orchestrator.fleet import Holding
from tests.orchestrator.stored_tasks import add_task, tables
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
    assert "a run is another worker's by now, or its task is over" not in caplog.messages


async def test_a_task_that_just_began_as_it_was_stored_is_not_taken_for_left_behind(
    tmp_path: Path, database_url: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(engine, "_UPKEEP_S", 0.05)
    looking = look_before_it_is_told(monkeypatch, queue.owned, _is_begun)
    async with federation(tmp_path, ECHO, database_url=database_url) as running:
        assert await asyncio.to_thread(looking.wait, 20)
        assert await statuses(running, await running.run(step("a"))) == ["running", "completed"]
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
    return (
        isinstance(result, tuple)
        and isinstance(result[0], tuple)
        and any(isinstance(part, Begun) for part in result[0])  # pyright: ignore[reportUnknownVariableType]
    )


def _is_move(result: object) -> bool:
    return isinstance(result, tuple) and isinstance(result[0], Move)
