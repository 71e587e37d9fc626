"""What is committed is known to the database before the worker hears of it: its upkeep may look in between."""
# pyright: reportPrivateUsage=false
# What is tested happens between a commit and the moment that its result is told.

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import pytest
from pydantic import JsonValue
from sqlalchemy import Connection

from orchestrator_service.engine import engine, queue
from orchestrator_service.engine.work import Move, Run
from shared import transactions
from shared.agent import AgentRequest, Answer, InputRequired, JsonObject, Update
from tests.support.echo import ECHO
from tests.support.federation import Federation, TestAgent, federation, step

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
    looking = look_before_it_is_told(monkeypatch, queue.owned, _is_claim)
    async with federation(tmp_path, ECHO, database_url=database_url) as running:
        assert await asyncio.to_thread(looking.wait, 20)
        assert await statuses(running, await running.run(step("a"))) == ["running", "completed"]
    assert "a run is another worker's by now, or its task is over" not in caplog.messages


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


def _is_move(result: object) -> bool:
    return isinstance(result, tuple) and isinstance(result[0], Move)
