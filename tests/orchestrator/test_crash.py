"""SIGKILL in the middle of a task: real processes, real databases, and nothing done twice."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from shared.agent import AgentRequest, Answer, JsonObject, Progress, Update
from tests.support import forked
from tests.support.federation import TestAgent, free_port, names, serve_agent, step, until
from tests.support.forked import Forked


class Gate:
    """An agent that counts what it did, and answers "held" requests only when it is opened."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def answer(self, request: AgentRequest) -> AsyncGenerator[Update]:
        """Do it once per message."""
        self.done.append(request.text)
        yield Progress("begun")
        if request.text.startswith("held"):
            self.reached.set()
            await self.opened.wait()
        yield Answer("done", f"<{request.text}>")


async def test_a_killed_orchestrator_finishes_the_task_after_restart_without_repeating_steps(
    tmp_path: Path, database_url: str | None
) -> None:
    gate = Gate()
    port = free_port()
    async with serve_agent(tmp_path, TestAgent("Gate", gate.answer, ("work",))) as endpoint:
        async with _orchestrator(tmp_path, port, database_url) as (process, client):
            (await client.post("/api/agents", json={"endpoint": endpoint})).raise_for_status()
            plan = {
                "steps": [
                    step("first", "one", skill="work"),
                    step("second", "held {{ steps.first.output }}", skill="work"),
                    step("third", "{{ steps.second.output }}", skill="work"),
                ]
            }
            task: JsonObject = (await client.post("/api/tasks", json={"description": "x", "plan": plan})).json()
            path = f"/api/tasks/{task['id']}"
            async with asyncio.timeout(20):
                await gate.reached.wait()
            await until(lambda: _get(client, path), lambda found: str(found["steps"]).count("remote_task_id': '") == 2)
            before = (await _get(client, f"{path}/events?after=0", json=True))["items"]
            process.send_signal(signal.SIGKILL)
            await process.wait()
        gate.opened.set()
        async with _orchestrator(tmp_path, port, database_url) as (process, client):
            done = await until(lambda: _get(client, path), lambda found: found["completed_at"] is not None)
            assert done["status"] == "completed"
            assert names(done["steps"], "status") == ["completed"] * 3
            assert gate.done == ["one", "held <one>", "<held <one>>"]
            assert [len(attempts) for attempts in names(done["steps"], "attempts") if isinstance(attempts, list)] == [
                1,
                1,
                1,
            ]
            after = (await _get(client, f"{path}/events?after=0", json=True))["items"]
            assert isinstance(after, list)
            assert isinstance(before, list)
            assert after[: len(before)] == before
            assert names(after, "seq") == list(range(1, len(after) + 1))


async def test_a_task_that_was_accepted_before_a_kill_is_done_after_restart(tmp_path: Path) -> None:
    gate = Gate()
    port = free_port()
    async with serve_agent(tmp_path, TestAgent("Gate", gate.answer, ("work",))) as endpoint:
        async with _orchestrator(tmp_path, port, None, MAX_RUNNING_TASKS="1") as (process, client):
            (await client.post("/api/agents", json={"endpoint": endpoint})).raise_for_status()
            ids: list[str] = []
            for number in range(4):
                plan = {"steps": [step("a", f"held {number}", skill="work")]}
                ids.append((await client.post("/api/tasks", json={"description": "x", "plan": plan})).json()["id"])
            process.send_signal(signal.SIGKILL)
            await process.wait()
        gate.opened.set()
        async with _orchestrator(tmp_path, port, None) as (process, client):
            for task_id in ids:
                done = await until(
                    lambda task_id=task_id: _get(client, f"/api/tasks/{task_id}"),
                    lambda found: found["completed_at"] is not None,
                )
                assert done["status"] == "completed"
        assert sorted(gate.done) == [f"held {number}" for number in range(4)]


async def test_a_second_orchestrator_on_the_same_sqlite_data_is_refused(tmp_path: Path) -> None:
    async with _orchestrator(tmp_path, free_port(), None):
        environment = _environment(tmp_path, free_port(), None)
        second = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "orchestrator_service.main",
            env=environment,
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )
        _, said = await asyncio.wait_for(second.communicate(), 30)
        assert second.returncode != 0
        assert b"Another orchestrator works" in said


@asynccontextmanager
async def _orchestrator(
    folder: Path, port: int, database_url: str | None, **settings: str
) -> AsyncGenerator[tuple[Forked, httpx.AsyncClient]]:
    """Run the orchestrator as a process of its own; it is told to stop at the end, if it still lives."""
    environment = {**_environment(folder, port, database_url), **settings}
    with (folder / "orchestrator.log").open("ab") as log:
        process = await forked.start("orchestrator_service.main", env=environment, log=log)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            await until(lambda: _ready(client), lambda found: found["ready"] is True, 40)
            yield process, client
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.wait(), 30)


def _environment(folder: Path, port: int, database_url: str | None) -> dict[str, str]:
    environment = {
        **os.environ,
        "DATA_DIR": str(folder / "orchestrator"),
        "ORCHESTRATOR_PORT": str(port),
        "BUNDLED_AGENTS": ",",
        "AGENT_HOST_PORT": "1",
        "LOG_FORMAT": "json",
    }
    return environment if database_url is None else {**environment, "DATABASE_URL": database_url}


async def _ready(client: httpx.AsyncClient) -> JsonObject:
    try:
        return (await client.get("/ready")).json()
    except httpx.TransportError:
        return {"ready": False}


async def _get(client: httpx.AsyncClient, path: str, *, json: bool = False) -> JsonObject:
    return (await client.get(path, headers={"Accept": "application/json"} if json else {})).json()
