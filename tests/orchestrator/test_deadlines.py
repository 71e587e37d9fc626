"""Deadlines: each is a setting and can be a task's own; the one that holds is the one that was given, and says so."""

import asyncio
import socket
from collections.abc import Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

import pytest
from pydantic import JsonValue
from starlette.responses import Response

from shared.agent import JsonObject
from tests.orchestrator.scripted import (
    DONE,
    agent,
    any_step,
    error_of,
    first_step,
    message_ids,
    messages,
    register,
    silent,
    tries,
)
from tests.support.federation import Federation, federation, names
from tests.support.misbehaving import ScriptedAgent, result, stream, task

SETTINGS = {
    "connect_s": "connect_timeout_s",
    "first_byte_s": "first_byte_timeout_s",
    "gap_s": "stream_gap_timeout_s",
    "step_s": "step_timeout_s",
    "task_s": "task_timeout_s",
}
TOO_SHORT_S = 0.001


@pytest.fixture(params=["setting", "task"])
def given(request: pytest.FixtureRequest) -> str:
    """Where the deadline under test is given."""
    return str(request.param)


def limited(
    folder: Path, given: str, name: str, seconds: float
) -> tuple[AbstractAsyncContextManager[Federation], JsonObject]:
    """Return an orchestrator with a deadline, and the deadlines that a task has to ask for.

    The setting that a task overrides would be over much sooner.
    """
    settings = {SETTINGS[name]: seconds if given == "setting" else TOO_SHORT_S}
    return with_settings(folder, step_attempts=1, **settings), {} if given == "setting" else {name: seconds}


def with_settings(folder: Path, **settings: float) -> AbstractAsyncContextManager[Federation]:
    """Return an orchestrator with these settings."""
    return federation(folder, database_url=None, register=True, **settings)


async def failure(running: Federation, *steps: JsonObject, **more: JsonValue) -> JsonObject:
    """Run a task to its failure, and return it."""
    submitted = await running.submit("test", wait_s=20, plan={"steps": list(steps)}, **more)
    failed = await running.task_when(submitted, lambda found: found["completed_at"] is not None)
    assert failed["status"] == "failed"
    return failed


@contextmanager
def deaf(port: int) -> Generator[None]:
    """Listen on the port, with the queue of connections full, and accept none."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield


async def test_an_agent_that_accepts_no_connection_is_given_up_at_the_deadline_given(
    tmp_path: Path, given: str
) -> None:
    scripted = agent(DONE)
    orchestrator, asked = limited(tmp_path, given, "connect_s", 0.25)
    async with orchestrator as running:
        async with scripted.serving():
            await register(running, scripted)
        with deaf(int(scripted.url.rpartition(":")[2])):
            failed = await failure(running, any_step(), deadlines=asked)
        reason = error_of(first_step(failed))
        assert reason["type"] == "agent-unavailable"
        assert reason["detail"] == "The agent did not accept a connection within 0.25 s."


async def test_an_agent_that_does_not_begin_to_answer_is_given_up_at_the_deadline_given(
    tmp_path: Path, given: str
) -> None:
    hold = asyncio.Event()
    scripted = agent(silent(asyncio.Event(), hold), stream({"task": task("WORKING")}))
    orchestrator, asked = limited(tmp_path, given, "first_byte_s", 0.25)
    async with scripted.serving(), orchestrator as running:
        await register(running, scripted)
        failed = await failure(running, any_step(), deadlines=asked)
        hold.set()
        reason = error_of(first_step(failed))
        assert (reason["type"], reason["detail"]) == (
            "timed-out",
            "The agent did not begin to answer within 0.25 s.",
        )
        assert len(tries(failed)) == 1


async def test_a_stream_that_is_silent_is_given_up_at_the_deadline_given(tmp_path: Path, given: str) -> None:
    hold = asyncio.Event()
    scripted = agent(stream(hold=hold))
    orchestrator, asked = limited(tmp_path, given, "gap_s", 0.25)
    async with scripted.serving(), orchestrator as running:
        await register(running, scripted)
        failed = await failure(running, any_step(), deadlines=asked)
        hold.set()
        reason = error_of(first_step(failed))
        assert (reason["type"], reason["detail"]) == ("timed-out", "The agent was silent for 0.25 s.")


def working(hold: asyncio.Event) -> ScriptedAgent:
    """Return an agent whose tasks have ids of their own, and end only when they are canceled."""
    numbers = iter(range(1, 100))

    def answer(request: JsonObject) -> Response:
        return stream({"task": task("WORKING", task_id=f"t-{next(numbers)}")}, hold=hold)(request)

    return agent(answer)


def canceled(scripted: ScriptedAgent) -> list[str]:
    """Return the ids of the remote tasks that were told to end."""
    asked = [request["params"] for request in scripted.requests if request["method"] == "CancelTask"]
    return sorted(str(params["id"]) for params in asked if isinstance(params, dict))


@pytest.mark.parametrize(
    ("settings", "deadlines", "timeout_s", "sentence"),
    [
        ({"step_timeout_s": 0.5}, {}, None, "The step did not end within 0.5 s (STEP_TIMEOUT_S)."),
        (
            {"step_timeout_s": TOO_SHORT_S},
            {"step_s": 0.5},
            None,
            "The step did not end within 0.5 s (the task's deadlines.step_s).",
        ),
        (
            {"step_timeout_s": TOO_SHORT_S},
            {"step_s": TOO_SHORT_S},
            0.5,
            "The step did not end within 0.5 s (its timeout_s).",
        ),
    ],
    ids=["setting", "task", "step"],
)
async def test_a_step_that_takes_too_long_fails_at_the_deadline_given_and_its_remote_task_is_canceled(
    tmp_path: Path,
    settings: dict[str, float],
    deadlines: JsonObject,
    timeout_s: float | None,
    sentence: str,
) -> None:
    hold = asyncio.Event()
    scripted = working(hold)
    async with scripted.serving(), with_settings(tmp_path, **settings) as running:
        await register(running, scripted)
        failed = await failure(running, any_step("a", timeout_s=timeout_s), deadlines=deadlines)
        hold.set()
        reason = error_of(first_step(failed))
        assert (reason["type"], reason["detail"]) == ("timed-out", sentence)
        assert canceled(scripted) == ["t-1"]
        assert len(messages(scripted)) == 1


@pytest.mark.parametrize(
    ("settings", "body", "sentence"),
    [
        ({"task_timeout_s": 3}, {}, "The task did not end within 3 s (TASK_TIMEOUT_S)."),
        (
            {"task_timeout_s": TOO_SHORT_S},
            {"deadlines": {"task_s": 3}},
            "The task did not end within 3 s (its deadlines.task_s).",
        ),
        ({}, {"budget": {"seconds": 3}}, "The task did not end within 3 s (its budget.seconds)."),
    ],
    ids=["setting", "task", "budget"],
)
async def test_a_task_that_takes_too_long_fails_at_the_deadline_given_and_all_its_remote_tasks_are_canceled(
    tmp_path: Path, settings: dict[str, float], body: JsonObject, sentence: str
) -> None:
    hold = asyncio.Event()
    scripted, quick = working(hold), agent(DONE)
    async with scripted.serving(), quick.serving(), with_settings(tmp_path, **settings) as running:
        await register(running, scripted, "Slow")
        await register(running, quick, "Quick")
        failed = await failure(
            running,
            any_step("a", agent="Slow"),
            any_step("b", agent="Slow"),
            any_step("c", agent="Quick"),
            any_step("d", "{{ steps.a.output }}", agent="Quick"),
            **body,
        )
        hold.set()
        assert (error_of(failed)["type"], error_of(failed)["detail"]) == ("timed-out", f"Step 1 failed: {sentence}")
        assert names(failed["steps"], "status") == ["failed", "failed", "completed", "skipped"]
        assert isinstance(result := failed["result"], dict)
        assert names(result["outputs"], "output") == ["done"]
        assert canceled(scripted) == ["t-1", "t-2"]
        assert len(messages(quick)) == 1


async def test_when_the_last_step_at_work_has_used_the_time_up_nobody_is_waited_for_any_more(tmp_path: Path) -> None:
    hold = asyncio.Event()
    slow, asking = working(hold), agent(stream({"task": task("INPUT_REQUIRED", text="Which city?", task_id="asked")}))
    async with slow.serving(), asking.serving(), with_settings(tmp_path) as running:
        await register(running, slow, "Slow")
        await register(running, asking, "Asking")
        failed = await failure(
            running,
            any_step("a", agent="Slow"),
            any_step("b", agent="Asking"),
            any_step("c", agent="Slow", approve=True),
            any_step("d", agents=["Asking", "Asking"], consensus="vote"),
            deadlines={"task_s": 3},
        )
        hold.set()
        assert names(failed["steps"], "status") == ["failed"] * 4
        assert error_of(failed)["type"] == "timed-out"
        assert canceled(slow) == ["t-1"]
        assert canceled(asking) == ["asked"] * 3
        assert failed["pending_inputs"] == []


async def test_a_remote_task_whose_agent_had_not_answered_yet_is_canceled_too(tmp_path: Path) -> None:
    asked, hold = asyncio.Event(), asyncio.Event()
    scripted = agent(silent(asked, hold), stream({"task": task("WORKING")}))
    async with scripted.serving(), federation(tmp_path) as running:
        await register(running, scripted)
        await failure(running, any_step(), deadlines={"task_s": 0.5})
        hold.set()
        assert asked.is_set()
        assert scripted.methods == ["SendStreamingMessage", "SendStreamingMessage", "CancelTask"]
        assert len(set(message_ids(scripted))) == 1


async def test_a_task_that_is_canceled_before_its_agent_answered_leaves_nothing_at_work(tmp_path: Path) -> None:
    asked, hold = asyncio.Event(), asyncio.Event()
    scripted = agent(silent(asked, hold), stream({"task": task("WORKING")}), CancelTask=result(task("CANCELED")))
    async with scripted.serving(), federation(tmp_path) as running:
        await register(running, scripted)
        submitted = await running.run(any_step(), wait_s=None)
        async with asyncio.timeout(20):
            await asked.wait()
        await running.post(f"/api/tasks/{submitted['id']}/cancel")
        done = await running.task_when(submitted, lambda found: found["completed_at"] is not None)
        hold.set()
        assert done["status"] == "canceled"
        assert scripted.methods == ["SendStreamingMessage", "SendStreamingMessage", "CancelTask"]
        assert len(set(message_ids(scripted))) == 1


async def test_after_the_deadline_nothing_is_sent(tmp_path: Path) -> None:
    scripted = agent(DONE)
    async with scripted.serving(), federation(tmp_path) as running:
        await register(running, scripted)
        assert (await running.run(any_step()))["status"] == "completed"  # the next call would find a connection open
        failed = await failure(running, any_step(), deadlines={"task_s": 0.000001})
        assert "within 1e-06 s (its deadlines.task_s)" in str(error_of(first_step(failed))["detail"])
        assert scripted.methods == ["SendStreamingMessage"]
