"""Runs that are being stopped, because their worker was lost or the service ends, keep nothing from going on."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import psycopg
import pytest

from shared.agent import AgentRequest, Answer, JsonObject, Progress, Update
from tests.orchestrator.stored_tasks import until_blocked
from tests.support import ready_made
from tests.support.federation import Federation, TestAgent, federation, names, step


class _Talker:
    """An agent that says one more thing, and goes on for ever."""

    def __init__(self) -> None:
        self.says = asyncio.Event()

    async def answer(self, _request: AgentRequest) -> AsyncGenerator[Update]:
        yield Progress("begun")
        await self.says.wait()
        yield Progress("more")
        await asyncio.Event().wait()
        yield Answer("done", "done")

    def served(self) -> TestAgent:
        return TestAgent("Talker", self.answer, ("echo",))


async def _blocked(running: Federation, talker: _Talker, other: psycopg.Connection, url: str) -> JsonObject:
    """Return a task whose agent has said something that cannot be written, for `other` has locked the task's row."""
    task = await running.run(step("a"), wait_s=None)
    await running.task_when(task, lambda found: "remote_task_id': '" in str(found["steps"]))
    other.execute("SELECT id FROM tasks WHERE id = %s FOR UPDATE", [str(task["id"])])
    talker.says.set()
    await until_blocked(url)
    return task


async def test_news_of_a_task_whose_run_is_being_stopped_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    monkeypatch.setattr(signal, "raise_signal", told.append)
    before = signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    talker = _Talker()
    try:
        with (
            ready_made.on_postgres() as url,
            psycopg.connect(url) as other,
            psycopg.connect(url, autocommit=True) as another,
        ):
            async with federation(tmp_path, talker.served(), database_url=url, drain_timeout_s=1) as running:
                task = await _blocked(running, talker, other, url)
                another.execute("UPDATE workers SET state = 'gone'")  # as who takes it for dead does
                await asyncio.sleep(2.5)  # the next beat sees it, and the run is being stopped
                another.execute(f"NOTIFY federation, 'input {task['id']}'".encode())
                await asyncio.sleep(0.5)
                other.rollback()
                assert names((await running.get("/api/tasks"))["items"], "id") == [task["id"]]
                assert not told
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_a_service_ends_though_the_database_does_not_answer(tmp_path: Path) -> None:
    talker = _Talker()
    with ready_made.on_postgres() as url, psycopg.connect(url) as other:
        async with asyncio.timeout(60):  # the row stays locked
            async with federation(tmp_path, talker.served(), database_url=url, drain_timeout_s=1) as running:
                await _blocked(running, talker, other, url)
