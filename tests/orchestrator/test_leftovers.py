"""A remote task that is to end is told so, however long its agent does not answer."""

from asyncio import Event
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

from google.protobuf.json_format import MessageToDict
from starlette.responses import Response, StreamingResponse

from shared.agent import JsonObject
from tests.support.federation import Federation, federation, step, until
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
