"""Agents that work for long: silence that is none, streams that break, agents without streams, tasks that are lost."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from itertools import pairwise
from pathlib import Path

from starlette.responses import Response, StreamingResponse

from shared.agent import AgentRequest, Answer, JsonObject, Progress, Update
from tests.orchestrator.scripted import (
    DONE,
    agent,
    agents,
    any_step,
    error_of,
    errors,
    first_step,
    message_ids,
    register,
)
from tests.support.federation import Federation, TestAgent, federation, free_port, serve_agent
from tests.support.misbehaving import Answer as RemoteAnswer
from tests.support.misbehaving import artifact, error, response, result, status, stream, task


def kept_alive(count: int, *, every_s: float) -> RemoteAnswer:
    """Stream a task, then comments, then its end."""

    def answer(request: JsonObject) -> Response:
        def to_event(value: object) -> bytes:
            return b"data: " + json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": value}).encode() + b"\n\n"

        async def pieces() -> AsyncIterator[bytes]:
            yield to_event({"task": task("WORKING")})
            for _ in range(count):
                await asyncio.sleep(every_s)
                yield b": still here\n\n"
            yield to_event({"task": task("COMPLETED", artifact="worth the wait")})

        return StreamingResponse(pieces(), media_type="text/event-stream")

    return answer


async def told(running: Federation, of: JsonObject, kind: str) -> list[str]:
    """Return the texts of the task's events of a kind, in order."""
    return [str(event["text"]) for event in await running.events(of) if event["type"] == kind]


async def over(running: Federation, of: JsonObject) -> JsonObject:
    """Return the task once it is over."""
    return await running.task_when(of, lambda found: found["completed_at"] is not None)


async def test_an_agent_that_says_nothing_but_that_it_is_there_is_waited_for(tmp_path: Path) -> None:
    scripted = agent(kept_alive(30, every_s=0.05))
    async with scripted.serving(), federation(tmp_path, stream_gap_timeout_s=1) as running:
        await register(running, scripted)
        done = await running.run(any_step())
        assert done["status"] == "completed"
        assert "worth the wait" in str(done["result"])
        assert scripted.methods == ["SendStreamingMessage"]


async def test_what_a_broken_stream_did_not_bring_becomes_events_once(tmp_path: Path, database_url: str | None) -> None:
    scripted = agent(
        stream({"task": task("WORKING")}, status("WORKING", text="first"), artifact("one ")),
        GetTask=result(task("WORKING", text="second", artifact="one two ")),
        SubscribeToTask=stream(
            {"task": task("WORKING", text="second", artifact="one two ")},
            status("WORKING", text="third"),
            artifact("three", append=True),
            status("COMPLETED"),
        ),
    )
    async with scripted.serving(), federation(tmp_path, database_url=database_url) as running:
        await register(running, scripted)
        done = await running.run(any_step())
        assert done["status"] == "completed"
        assert scripted.methods == ["SendStreamingMessage", "GetTask", "SubscribeToTask"]
        assert await told(running, done, "step.progress") == ["first", "second", "third"]
        assert await told(running, done, "step.output") == ["one ", "two ", "three"]
        assert first_step(done)["output_data"] == {"text": "one two three", "data": []}
        assert len(agents(done)) == 1


async def test_a_task_that_ended_while_its_stream_was_broken_is_done(tmp_path: Path) -> None:
    scripted = agent(
        stream({"task": task("WORKING")}, artifact("one ")), GetTask=result(task("COMPLETED", artifact="one two"))
    )
    async with scripted.serving(), federation(tmp_path) as running:
        await register(running, scripted)
        done = await running.run(any_step())
        assert done["status"] == "completed"
        assert scripted.methods == ["SendStreamingMessage", "GetTask"]
        assert await told(running, done, "step.output") == ["one ", "two"]


async def test_an_agent_that_is_away_for_a_moment_is_found_again_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    scripted = agent(
        stream({"task": task("WORKING")}, artifact("one ")),
        GetTask=[*[response("", 502)] * 2, result(task("COMPLETED", artifact="one two"))],
    )
    async with scripted.serving(), federation(tmp_path) as running:
        await register(running, scripted)
        done = await over(running, await running.run(any_step()))
        assert done["status"] == "completed"
        assert scripted.methods == ["SendStreamingMessage", "GetTask", "GetTask", "GetTask"]
        assert errors(done) == [None]


async def test_an_agent_without_streams_is_asked_less_and_less_often(tmp_path: Path) -> None:
    asked_at: list[float] = []

    def note(answer: RemoteAnswer) -> RemoteAnswer:
        def noted(request: JsonObject) -> Response:
            asked_at.append(asyncio.get_running_loop().time())
            return answer(request)

        return noted

    polls = [*[note(result(task("WORKING")))] * 4, note(result(task("COMPLETED", artifact="at last")))]
    scripted = agent(SendMessage=result({"task": task("WORKING")}), GetTask=polls)
    async with scripted.serving(), federation(tmp_path) as running:
        await register(running, scripted, streaming=False)
        done = await running.run(any_step())
        assert done["status"] == "completed"
        assert scripted.methods == ["SendMessage", *["GetTask"] * 5]
        gaps = [later - earlier for earlier, later in pairwise(asked_at)]
        # the pauses grow by 1.6 from 0.05 s on, give or take a fifth; a slow machine only makes them longer
        assert all(gap >= 0.8 * 0.05 * 1.6**number * 0.95 for number, gap in enumerate(gaps, 1))


async def test_a_task_that_its_agent_forgot_fails_its_step_and_is_not_sent_again(tmp_path: Path) -> None:
    scripted = agent(stream({"task": task("WORKING")}), DONE, GetTask=error(-32001, "Task not found"))
    async with scripted.serving(), federation(tmp_path) as running:
        await register(running, scripted)
        failed = await over(running, await running.run(any_step()))
        assert failed["status"] == "failed"
        reason = error_of(first_step(failed))
        assert reason["type"] == "agent-unavailable"
        assert reason["detail"] == "The agent no longer knows the task that it had begun."
        assert len(message_ids(scripted)) == 1


async def test_a_forgotten_task_of_a_step_that_may_be_done_twice_is_begun_anew(tmp_path: Path) -> None:
    scripted = agent(stream({"task": task("WORKING")}), DONE, GetTask=error(-32001, "Task not found"))
    async with scripted.serving(), federation(tmp_path) as running:
        await register(running, scripted)
        done = await over(running, await running.run(any_step(idempotent=True)))
        assert done["status"] == "completed"
        assert errors(done) == ["The agent no longer knows the task that it had begun.", None]
        assert len(set(message_ids(scripted))) == 2


async def test_an_agent_that_restarts_at_work_and_cannot_resume_gets_the_step_once_more(tmp_path: Path) -> None:
    begun: list[str] = []
    at_work = asyncio.Event()

    async def work(request: AgentRequest) -> AsyncGenerator[Update]:
        begun.append(request.message_id)
        yield Progress("begun")
        if len(begun) == 1:
            at_work.set()
            await asyncio.Event().wait()
        yield Answer("answer", "done")

    served, port = TestAgent("Worker", work, ("any",)), free_port()
    async with federation(tmp_path) as running:
        async with serve_agent(tmp_path, served, port=port) as endpoint:
            await running.post("/api/agents", {"endpoint": endpoint}, 201)
            submitted = await running.run(any_step(), wait_s=None)
            async with asyncio.timeout(20):
                await at_work.wait()
        async with serve_agent(tmp_path, served, port=port):
            done = await over(running, submitted)
        assert done["status"] == "completed"
        assert len(set(begun)) == len(begun) == 2
        assert len(agents(done)) == 2
