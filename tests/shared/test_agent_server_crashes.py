"""A served agent that is killed or frozen at any moment: GetTask answers what is true, and nothing happens twice."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import cast

import httpx
import pytest

from shared.agent import JsonObject
from tests.shared.crashing_agent import begun, running
from tests.shared.scripted_agent import (
    ScriptedAgent,
    Settings,
    build_settings,
    facts_of,
    serving,
    state_of,
    text_of,
    to_params,
)

PARAMS = to_params("hello", id="once")


async def _send_into_a_crash(http: httpx.AsyncClient) -> list[JsonObject]:
    """Send the message as a stream, and return what came of it before the connection broke."""
    received = bytearray()
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": PARAMS}
    with suppress(httpx.HTTPError):
        async with http.stream("POST", "/", json=body, headers={"A2A-Version": "1.0"}) as response:
            async for chunk in response.aiter_bytes():
                received += chunk
    return [json.loads(line[5:])["result"] for line in received.splitlines() if line.startswith(b"data:")]


@pytest.mark.parametrize(
    ("failpoint", "is_begun"),
    [
        ("agent-message-stored", False),
        ("agent-run-begun", False),
        ("agent-run-told", True),
        ("agent-run-ended", True),
    ],
)
async def test_a_task_of_a_killed_agent_is_found_and_was_interrupted(
    stored_settings: Settings, failpoint: str, *, is_begun: bool
) -> None:
    async with running(stored_settings, failpoint=f"{failpoint}:kill") as first:
        told = await _send_into_a_crash(first.caller.http)
        assert await first.died()
    async with running(stored_settings) as second:
        found = await second.caller.call("SendMessage", PARAMS)
        task = cast("JsonObject", found["task"])
        assert state_of(task) == "FAILED"
        failure = cast("JsonObject", facts_of(task)["error"])
        assert (failure["type"], failure["retryable"]) == ("interrupted", True)
        if is_begun:  # then the client had been told the task's id
            assert cast("JsonObject", told[0]["task"])["id"] == task["id"]
        assert await second.caller.get(task) == task
        assert (await second.caller.call("ListTasks", {}))["totalSize"] == 1
    assert begun(stored_settings) == ["hello"] * is_begun


async def test_a_message_that_a_killed_agent_had_only_read_is_done_when_it_is_sent_again(
    stored_settings: Settings,
) -> None:
    async with running(stored_settings, failpoint="agent-message-read:kill") as first:
        assert await _send_into_a_crash(first.caller.http) == []
        assert await first.died()
    async with running(stored_settings) as second:
        task = cast("JsonObject", (await second.caller.call("SendMessage", PARAMS))["task"])
        assert (state_of(task), text_of(task)) == ("COMPLETED", "half and half")
        assert (await second.caller.call("ListTasks", {}))["totalSize"] == 1
    assert begun(stored_settings) == ["hello"]


async def test_a_killed_agent_that_can_resume_does_the_same_task(stored_settings: Settings) -> None:
    async with running(stored_settings, resumable=True, failpoint="agent-run-told:kill") as first:
        told = await _send_into_a_crash(first.caller.http)
        assert await first.died()
    async with running(stored_settings, resumable=True) as second:
        task = cast("JsonObject", (await second.caller.call("SendMessage", PARAMS))["task"])
        assert (state_of(task), text_of(task)) == ("COMPLETED", "half and half")
        assert cast("JsonObject", told[0]["task"])["id"] == task["id"]


@pytest.mark.parametrize("stored_settings", ["postgresql"], indirect=True)
async def test_a_frozen_agents_task_is_taken_over_and_it_does_no_harm_when_it_wakes(
    stored_settings: Settings, tmp_path: Path
) -> None:
    twin = build_settings(tmp_path / "twin", database_url=stored_settings.database_url)
    async with (
        running(stored_settings, failpoint="agent-run-told:stop") as frozen,
        running(twin) as awake,
        asyncio.TaskGroup() as group,
    ):
        asking = group.create_task(_send_into_a_crash(frozen.caller.http))
        await frozen.froze()
        ended = cast("JsonObject", (await awake.caller.call("SendMessage", PARAMS))["task"])
        assert state_of(ended) == "FAILED"
        frozen.thaw()
        await asking
        assert cast("JsonObject", facts_of(await frozen.caller.get(ended))["error"])["type"] == "interrupted"
        again = await frozen.caller.send("again")
        assert (state_of(again), text_of(again)) == ("COMPLETED", "half and half")
        assert await awake.caller.get(ended) == await frozen.caller.get(ended) == ended
    assert begun(stored_settings) == ["hello", "again"]
    assert begun(twin) == []


@pytest.mark.parametrize("stored_settings", ["postgresql"], indirect=True)
async def test_one_message_that_two_processes_get_at_once_is_one_task(
    stored_settings: Settings, tmp_path: Path
) -> None:
    agents = ScriptedAgent(), ScriptedAgent()
    twin = build_settings(tmp_path / "twin", database_url=stored_settings.database_url)
    async with serving(agents[0], stored_settings) as here, serving(agents[1], twin) as there:
        for number in range(5):
            answers = await asyncio.gather(*(caller.send("hello", id=f"m-{number}") for caller in (here, there, here)))
            assert {state_of(task) for task in answers} == {"COMPLETED"}
            assert len({cast("str", task["id"]) for task in answers}) == 1
    assert len(agents[0].requests) + len(agents[1].requests) == 5
