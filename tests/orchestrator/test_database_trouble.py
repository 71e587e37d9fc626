"""A database in trouble, seen through the HTTP API: callers are told soon, what was accepted waits and goes on."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from orchestrator_service.engine.workers import Membership
from shared.agent import AgentRequest, Answer, JsonObject, Progress, Update
from shared.db import open_database, patience
from tests.orchestrator.fickle import Fickle
from tests.support import ready_made
from tests.support.federation import Federation, TestAgent, federation, names, step, until
from tests.support.postgres_server import PrivatePostgres, private_postgres

_OF_BEATS = ("cannot beat: the database is away", "beats again: the database is back")


class _Agent:
    """An agent that waits for the word to go on, and counts."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.times = 0

    async def answer(self, request: AgentRequest) -> AsyncGenerator[Update]:
        self.times += 1
        yield Progress("begun")
        await self.may_end.wait()
        yield Answer("done", f"<{request.text}>")


@pytest.fixture
def server() -> Generator[PrivatePostgres]:
    """A PostgreSQL that only this test uses."""
    with private_postgres() as server:
        yield server


async def test_while_sqlite_is_locked_submissions_are_refused_and_running_tasks_wait(tmp_path: Path) -> None:
    agent = _Agent()
    async with federation(tmp_path, TestAgent("Agent", agent.answer, ("echo",))) as running:
        task = await _begun(running)
        with _locked(tmp_path / "orchestrator" / "orchestrator.db"):
            agent.may_end.set()
            await _is_refused(running, "locked by another process")
            assert (await running.get(f"/api/tasks/{task['id']}"))["status"] == "executing"  # reading goes on
        await _has_gone_well(running, task, agent)


async def test_that_postgresql_is_away_is_logged_once_and_so_is_that_it_is_back(
    tmp_path: Path, server: PrivatePostgres, caplog: pytest.LogCaptureFixture
) -> None:
    agent = _Agent()
    url = server.url.replace("postgresql+psycopg://", "postgresql://")
    said = [f"the {who} {what}" for who in ("worker", "runner") for what in _OF_BEATS]

    async def logged() -> JsonObject:
        return {line: caplog.messages.count(line) for line in said}

    with caplog.at_level(logging.INFO):
        async with federation(tmp_path, TestAgent("Agent", agent.answer, ("echo",)), database_url=url) as running:
            await asyncio.to_thread(server.stop)
            await _is_refused(running, "does not answer")
            await asyncio.to_thread(server.start)
            await until(logged, lambda counts: all(counts.values()))
    assert await logged() == dict.fromkeys(said, 1)


async def test_a_service_that_starts_waits_for_postgresql(
    tmp_path: Path, server: PrivatePostgres, caplog: pytest.LogCaptureFixture
) -> None:
    agent = _Agent()
    agent.may_end.set()
    url = server.url.replace("postgresql+psycopg://", "postgresql://")
    await asyncio.to_thread(server.stop)

    async def start_server() -> None:
        async def logged() -> JsonObject:
            return {"messages": [*caplog.messages]}

        await until(logged, lambda found: "the service waits for its database" in str(found))
        await asyncio.to_thread(server.start)

    starting = asyncio.create_task(start_server())
    async with federation(tmp_path, TestAgent("Agent", agent.answer, ("echo",)), database_url=url) as running:
        await starting
        assert (await running.run(step("a", "one")))["status"] == "completed"


async def test_agents_of_a_file_are_followed_again_when_postgresql_is_back(
    tmp_path: Path, server: PrivatePostgres, caplog: pytest.LogCaptureFixture
) -> None:
    path, agent = tmp_path / "agents.yaml", Fickle("Listed")
    path.write_text("agents: []\n")
    url = server.url.replace("postgresql+psycopg://", "postgresql://")

    async def logged() -> JsonObject:
        return {"messages": [*caplog.messages]}

    async with (
        agent.serving(),
        federation(tmp_path, database_url=url, agents_file=path, agent_check_interval_s=0.1) as running,
    ):
        await asyncio.to_thread(server.stop)
        path.write_text(f"agents:\n  - endpoint: {agent.url}\n")
        await until(logged, lambda found: "AGENTS_FILE waits: the database is away" in str(found))
        await asyncio.to_thread(server.start)
        await until(lambda: running.get("/api/agents"), lambda found: names(found["items"], "name") == ["Listed"])


async def test_while_postgresql_is_away_submissions_are_refused_and_running_tasks_wait(
    tmp_path: Path, server: PrivatePostgres
) -> None:
    agent = _Agent()
    url = server.url.replace("postgresql+psycopg://", "postgresql://")
    async with federation(tmp_path, TestAgent("Agent", agent.answer, ("echo",)), database_url=url) as running:
        task = await _begun(running)
        has_begun = asyncio.Event()
        watching = asyncio.create_task(_watch(running, task, has_begun))
        async with asyncio.timeout(30):
            await has_begun.wait()
        await asyncio.to_thread(server.stop)
        agent.may_end.set()
        await _is_refused(running, "does not answer")
        await asyncio.to_thread(server.start)
        await _has_gone_well(running, task, agent)
        log = await running.events(task)
        async with asyncio.timeout(30):
            assert await watching == [event["seq"] for event in log] == list(range(1, len(log) + 1))


async def _begun(running: Federation) -> JsonObject:
    task = await running.submit("test", wait_s=None, plan={"steps": [step("a", "one")]})

    async def read() -> JsonObject:
        return {"items": list(await running.events(task))}

    await until(read, lambda log: "begun" in str(log))
    return task


async def _is_refused(running: Federation, reason: str) -> None:
    """A submission gets 503 with Retry-After, and nothing of it is stored."""
    async with asyncio.timeout(30):
        response = await running.client.post("/api/tasks", json={"description": "refused"})
    assert response.status_code == 503, response.text
    assert reason in response.json()["detail"]
    assert int(response.headers["retry-after"]) > 0


async def _has_gone_well(running: Federation, task: JsonObject, agent: _Agent) -> None:
    ended = await running.task_when(task, lambda now: now["status"] == "completed")
    assert isinstance(result := ended["result"], dict)
    assert "<one>" in str(result["outputs"])
    assert agent.times == 1
    found = await running.get("/api/tasks")
    assert names(found["items"], "id") == [task["id"]]
    assert (await running.run(step("a", "two")))["status"] == "completed"


async def _watch(running: Federation, task: JsonObject, has_begun: asyncio.Event) -> list[int]:
    seen: list[int] = []
    async with running.client.stream("GET", f"/api/tasks/{task['id']}/events") as response:
        async for line in response.aiter_lines():
            if line.startswith("id:"):
                seen.append(int(line.removeprefix("id:")))
                has_begun.set()
    return seen


@contextmanager
def _locked(path: Path) -> Generator[None]:
    """Let another process hold the SQLite file while open."""
    hold = "c = sqlite3.connect(sys.argv[1], timeout=20); c.execute('BEGIN EXCLUSIVE'); print('held', flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", f"import sqlite3, sys; {hold}; input()", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield
        holder.communicate("let go\n")


async def test_a_worker_that_joins_while_the_database_is_stuck_works_when_it_is_well_again() -> None:
    with ready_made.on_postgres() as url, psycopg.connect(url) as other:
        other.execute("LOCK TABLE workers IN ACCESS EXCLUSIVE MODE")
        async with open_database(url.replace("postgresql://", "postgresql+psycopg://")) as database:
            worker = Membership(database)
            with patience(None):
                joining = asyncio.create_task(worker.join())
            await asyncio.wait(
                [joining], timeout=8
            )  # longer than an event loop may stand still before it counts as stuck
            other.rollback()
            async with asyncio.timeout(60):
                await joining
                await worker.confirm()
            await worker.leave()
