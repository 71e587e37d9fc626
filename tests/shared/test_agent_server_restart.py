"""A served agent whose process ends in the middle, or has company: on SQLite and on PostgreSQL."""

import asyncio
import shutil
from contextlib import aclosing
from pathlib import Path
from typing import cast

import pytest

from shared.agent import JsonObject
from tests.shared.scripted_agent import (
    Caller,
    ScriptedAgent,
    Settings,
    build_settings,
    facts_of,
    sentence_of,
    serving,
    state_of,
    text_of,
    to_params,
)


async def test_a_stopping_service_fails_its_tasks_as_interrupted(stored_settings: Settings) -> None:
    agent = ScriptedAgent()
    async with serving(agent, stored_settings) as caller:
        task = await caller.send("wait", at_once=True)
        await agent.asked.wait()
    assert agent.cleaned_up.is_set()
    assert agent.canceled == []
    async with serving(ScriptedAgent(), stored_settings) as caller:
        _is_interrupted(await caller.get(task))


async def test_a_resumable_task_is_done_by_the_next_process(stored_settings: Settings) -> None:
    agent = ScriptedAgent()
    async with serving(agent, stored_settings, resumable=True) as caller:
        task = await caller.send("wait for it", at_once=True, id="once")
        await agent.asked.wait()
    assert agent.cleaned_up.is_set()
    successor = ScriptedAgent()
    async with serving(successor, stored_settings, resumable=True) as caller:
        await successor.asked.wait()
        assert [request.task_id for request in successor.requests] == [task["id"]]
        assert successor.requests == agent.requests
        again = asyncio.create_task(caller.send("wait for it", id="once"))
        successor.released.set()
        assert text_of(await again) == "waited"
        assert (await again)["id"] == task["id"]
    assert len(successor.requests) == 1


@pytest.mark.parametrize("resumable", [False, True])
async def test_a_killed_service_leaves_no_task_behind(settings: Settings, tmp_path: Path, *, resumable: bool) -> None:
    """A copy of the database, taken while the task runs, is what a kill would leave."""
    agent, successor = ScriptedAgent(), ScriptedAgent()
    left = build_settings(tmp_path / "left")
    async with serving(agent, settings) as caller:
        stream = caller.stream("SendStreamingMessage", to_params("wait"))
        async with aclosing(stream):
            task = cast("JsonObject", (await anext(stream))["task"])
            await anext(stream)
            shutil.copytree(settings.data_dir, left.data_dir, dirs_exist_ok=True, ignore=shutil.ignore_patterns("left"))
    async with serving(successor, left, resumable=resumable) as caller:
        if resumable:
            successor.released.set()
            assert text_of(await caller.until(task, "COMPLETED")) == "waited"
        else:
            _is_interrupted(await caller.get(task))


async def test_a_question_can_be_answered_after_a_restart(stored_settings: Settings) -> None:
    async with serving(ScriptedAgent(), stored_settings) as caller:
        asked = await caller.send("ask")
    async with serving(ScriptedAgent(), stored_settings) as caller:
        answered = await caller.send("blue", taskId=cast("str", asked["id"]))
        assert text_of(answered) == "user: ask | agent: Which colour?"


async def test_an_agent_is_told_which_tasks_are_not_over_so_that_it_can_drop_what_it_keeps_of_others(
    stored_settings: Settings,
) -> None:
    async with serving(ScriptedAgent(), stored_settings) as caller:
        asked = await caller.send("ask")
        await caller.send("hello")
    agent = ScriptedAgent()
    async with serving(agent, stored_settings), asyncio.timeout(20):
        assert await agent.retained.get() == [asked["id"]]


async def test_the_same_message_after_a_restart_answers_the_same_task(stored_settings: Settings) -> None:
    agent = ScriptedAgent()
    async with serving(agent, stored_settings) as caller:
        task = await caller.send("hello", id="once")
    async with serving(agent, stored_settings) as caller:
        assert await caller.send("hello", id="once") == task
        assert (await caller.refusal("SendMessage", to_params("bye", id="once")))[0] == -32602
        [listed] = cast("list[JsonObject]", (await caller.call("ListTasks", {"includeArtifacts": True}))["tasks"])
        assert (listed["id"], text_of(listed)) == (task["id"], "hello")
    assert len(agent.requests) == 1


@pytest.mark.parametrize("stored_settings", ["postgresql"], indirect=True)
async def test_two_processes_serve_each_others_tasks(stored_settings: Settings, tmp_path: Path) -> None:
    worker, other = ScriptedAgent(), ScriptedAgent()
    twin = build_settings(tmp_path, database_url=stored_settings.database_url)
    async with serving(worker, stored_settings) as here, serving(other, twin) as there:
        task = await here.send("wait", at_once=True, id="once")
        assert state_of(await there.get(task)) == "WORKING"
        stream = there.stream("SubscribeToTask", {"id": task["id"]})
        async with aclosing(stream):
            assert cast("JsonObject", (await anext(stream))["task"])["id"] == task["id"]
            again = asyncio.create_task(there.send("wait", id="once"))
            worker.released.set()
            last = [event async for event in stream][-1]
        assert state_of(cast("JsonObject", last["statusUpdate"])) == "COMPLETED"
        assert text_of(await again) == "waited"
        await _cancel_elsewhere(worker, here, there)
    assert other.requests == []


async def _cancel_elsewhere(worker: ScriptedAgent, here: Caller, there: Caller) -> None:
    worker.released.clear()
    worker.cleaned_up.clear()
    task = await here.send("wait", at_once=True)
    assert state_of(await there.call("CancelTask", {"id": task["id"]})) == "CANCELED"
    async with asyncio.timeout(20):
        await worker.cleaned_up.wait()
    assert state_of(await here.until(task, "CANCELED")) == "CANCELED"


def _is_interrupted(task: JsonObject) -> None:
    assert state_of(task) == "FAILED"
    assert "Send the request again" in sentence_of(task)
    failure = cast("JsonObject", facts_of(task)["error"])
    assert (failure["type"], failure["retryable"]) == ("interrupted", True)
