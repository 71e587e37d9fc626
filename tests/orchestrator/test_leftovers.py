"""A remote task that is to end is told so, however long its agent does not answer."""

import json
from asyncio import Event, sleep
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import psycopg
from google.protobuf.json_format import MessageToDict
from starlette.responses import Response, StreamingResponse

from orchestrator_service.engine.workers import lock_key
from shared.agent import JsonObject
from tests.support import ready_made
from tests.support.federation import Federation, federation, free_port, step, until
from tests.support.misbehaving import ScriptedAgent, result, stream
from tests.support.misbehaving import task as remote_task

CANCELED = result(remote_task("CANCELED"))


def never(_request: JsonObject) -> Response:
    """Accept the request, and never say a word."""

    async def nothing() -> AsyncIterator[bytes]:
        await Event().wait()
        yield b""

    return StreamingResponse(nothing(), media_type="text/event-stream")


async def started(running: Federation, agent: ScriptedAgent) -> JsonObject:
    """Register the agent, and return a task that has called it."""
    await running.post("/api/agents", {"card": cast("JsonObject", MessageToDict(agent.card()))}, 201)
    task = await running.run(step("a", skill="any"), wait_s=None)
    await called(agent, "SendStreamingMessage", 1)
    return task


async def called(agent: ScriptedAgent, method: str, times: int) -> None:
    """Wait until the agent's method was called so often."""

    async def methods() -> JsonObject:
        return {"methods": [*agent.methods]}

    await until(methods, lambda _: agent.methods.count(method) >= times)


async def test_an_agent_that_did_not_answer_a_cancel_is_told_again(tmp_path: Path, database_url: str | None) -> None:
    agent = ScriptedAgent(
        SendStreamingMessage=stream({"task": remote_task("WORKING")}, hold=Event()), CancelTask=[never, CANCELED]
    )
    async with federation(tmp_path, database_url=database_url) as running, agent.serving():
        task = await started(running, agent)
        await running.task_when(task, lambda found: "t-1" in str(found["steps"]))
        assert (await running.post(f"/api/tasks/{task['id']}/cancel"))["status"] == "canceled"
        await called(agent, "CancelTask", 2)


async def test_it_is_told_after_a_restart_of_the_orchestrator(tmp_path: Path, database_url: str | None) -> None:
    agent = ScriptedAgent(
        SendStreamingMessage=stream({"task": remote_task("WORKING")}, hold=Event()), CancelTask=[never, CANCELED]
    )
    async with agent.serving():
        async with federation(tmp_path, database_url=database_url) as running:
            task = await started(running, agent)
            await running.task_when(task, lambda found: "t-1" in str(found["steps"]))
            await running.post(f"/api/tasks/{task['id']}/cancel")
        before = agent.methods.count("CancelTask")
        async with federation(tmp_path, database_url=database_url):
            await called(agent, "CancelTask", before + 1)


async def test_a_remote_task_whose_id_never_came_is_asked_for_until_it_is_told(tmp_path: Path) -> None:
    agent = ScriptedAgent(
        SendStreamingMessage=[never, never, stream({"task": remote_task("WORKING")}, hold=Event())],
        CancelTask=CANCELED,
    )
    async with federation(tmp_path) as running, agent.serving():
        task = await started(running, agent)
        assert (await running.post(f"/api/tasks/{task['id']}/cancel"))["status"] == "canceled"
        await called(agent, "CancelTask", 1)
    messages = [
        cast("JsonObject", request["params"])["message"] for request in agent.requests if "message" in str(request)
    ]
    assert len({str(cast("JsonObject", message)["messageId"]) for message in messages}) == 1


async def test_a_run_that_has_lost_its_task_asks_for_no_remote_task_of_it(tmp_path: Path) -> None:
    agent = ScriptedAgent(
        SendStreamingMessage=[never, never, stream({"task": remote_task("WORKING")}, hold=Event())],
        CancelTask=CANCELED,
    )
    with ready_made.on_postgres() as url, psycopg.connect(url) as other, psycopg.connect(url, autocommit=True) as alive:
        alive.execute("SELECT pg_advisory_lock(%s)", [lock_key(_OTHER)])
        async with federation(tmp_path, database_url=url) as running, agent.serving():
            await running.post("/api/agents", {"card": cast("JsonObject", MessageToDict(agent.card()))}, 201)
            await running.run(step("a", skill="any", timeout_s=2), wait_s=None)
            await called(agent, "SendStreamingMessage", 1)
            other.execute(_ADD_WORKER, [_OTHER])
            other.execute("UPDATE tasks SET run = run + 1, worker = %s", [_OTHER])
            await called(agent, "SendStreamingMessage", 2)  # its time is up: the id is asked for, for a second
            other.commit()  # what it would record is refused from here on
            await sleep(5)  # what is told later is told every 2 s
            assert agent.methods == ["SendStreamingMessage"] * 2


async def test_a_step_that_is_tried_again_is_not_canceled_as_what_was_left_of_the_try_before(tmp_path: Path) -> None:
    agent = ScriptedAgent(SendStreamingMessage=stream())  # it ends without a word: it may have got the message
    port = free_port()
    remote_ids: dict[str, str] = {}
    stopped: set[str] = set()

    def work(request: JsonObject) -> Response:
        message = cast("JsonObject", cast("JsonObject", request["params"])["message"])
        remote_id = remote_ids.setdefault(str(message["messageId"]), f"t-{len(remote_ids)}")

        async def lines() -> AsyncIterator[bytes]:
            for state in ("WORKING", "COMPLETED"):
                is_stopped = remote_id in stopped
                told = {"task": remote_task("CANCELED" if is_stopped else state, task_id=remote_id)}
                yield b"data: " + json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": told}).encode() + b"\n\n"
                await sleep(4)  # what is left is told every 2 s

        return StreamingResponse(lines(), media_type="text/event-stream")

    def cancel(request: JsonObject) -> Response:
        remote_id = str(cast("JsonObject", request["params"])["id"])
        stopped.add(remote_id)
        return result(remote_task("CANCELED", task_id=remote_id))(request)

    async with federation(tmp_path) as running:
        async with agent.serving(port):
            await running.post("/api/agents", {"card": cast("JsonObject", MessageToDict(agent.card()))}, 201)
            task = await running.run(step("a", skill="any", idempotent=True), wait_s=None)
            await called(agent, "SendStreamingMessage", 1)

        async def log() -> JsonObject:
            return {"events": [*await running.events(task)]}

        await until(log, lambda found: str(found).count("'running'") >= 2)  # away, and tried anew
        agent.answers |= {"SendStreamingMessage": [work], "CancelTask": [cancel]}
        async with agent.serving(port):
            ended = await running.task_when(task, lambda found: found["completed_at"] is not None)
            assert ended["status"] == "completed", ended["error"]


_OTHER = "01890000-0000-7000-8000-000000000001"
_ADD_WORKER = (
    "INSERT INTO workers (id, host, pid, version, state, beat, started_at, seen_at)"
    " VALUES (%s, 'h', 1, 'v', 'working', 0, now(), now())"
)
