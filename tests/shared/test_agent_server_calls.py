"""What a call tells the agent, how long the agent may work for it, and what happens to calls while a service stops."""

import asyncio
import json
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from typing import cast

import pytest

from shared import secret_key
from shared.agent import METADATA_KEY, JsonObject, Turn
from shared.settings import FederationSettings
from tests.shared.crashing_agent import running
from tests.shared.scripted_agent import (
    Caller,
    ScriptedAgent,
    build_settings,
    facts_of,
    sentence_of,
    serving,
    state_of,
    to_params,
)

FACTS: JsonObject = {
    "root_task_id": "root",
    "task_id": "T",
    "step_id": "s1",
    "skill": "echo",
    "hops": 3,
    "trail": ["0123456789ab:0123456789abcdef"],
    "budget": {"cost_usd": 0.25, "tokens": 1_000, "seconds": 30.5, "depth": 2},
    "deadline_s": 60,
}


def _asking(text: str, facts: JsonObject) -> JsonObject:
    params = to_params(text)
    cast("JsonObject", params["message"])["metadata"] = {METADATA_KEY: facts, "theirs": {"kept": [1, None, "x"]}}
    return params


async def test_what_the_federation_says_of_a_call_reaches_the_agent_unchanged(
    caller: Caller, agent: ScriptedAgent
) -> None:
    await caller.call("SendMessage", _asking("hello", FACTS))
    [request] = agent.requests
    assert request.metadata == {METADATA_KEY: FACTS, "theirs": {"kept": [1, None, "x"]}}
    assert request.skill == "echo"


async def test_an_answer_is_for_the_skill_and_the_files_that_the_task_began_with(
    caller: Caller, agent: ScriptedAgent
) -> None:
    message: JsonObject = {
        "messageId": "1",
        "role": "ROLE_USER",
        "parts": [{"text": "ask"}, {"text": "a,b", "filename": "a.csv"}, {"raw": "AA=="}],
        "metadata": {METADATA_KEY: {"skill": "echo"}},
    }
    task = cast("JsonObject", (await caller.call("SendMessage", {"message": message}))["task"])
    await caller.send("blue", taskId=str(task["id"]))
    asked, answered = agent.requests
    assert (asked.skill, answered.skill) == ("echo", "echo")
    assert answered.history[0] == Turn("user", "ask", files=asked.files)
    assert [file.content for file in asked.files] == [b"a,b", b"\0"]


@pytest.mark.parametrize("limit", [{"deadline_s": 0.1}, {"budget": {"seconds": 0.1}}, {"budget": {"seconds": -1}}])
async def test_an_agent_ends_in_the_time_that_its_caller_gave(
    caller: Caller, agent: ScriptedAgent, limit: JsonObject
) -> None:
    task = cast("JsonObject", (await caller.call("SendMessage", _asking("wait", limit)))["task"])
    assert state_of(task) == "FAILED"
    assert cast("JsonObject", facts_of(task)["error"])["type"] == "timed-out"
    assert "the time its caller gave it" in sentence_of(task)
    assert agent.cleaned_up.is_set()


@pytest.mark.parametrize("limit", [{"deadline_s": "soon"}, {"budget": "all"}, {"budget": {"seconds": True}}, {}])
async def test_what_is_no_time_limits_nothing(caller: Caller, limit: JsonObject) -> None:
    task = cast("JsonObject", (await caller.call("SendMessage", _asking("hello", limit)))["task"])
    assert state_of(task) == "COMPLETED"


@pytest.mark.parametrize(
    ("odd", "is_answered"),
    [
        ('"id": 1, "params": PARAMS', True),
        ('"id": "\\ud800", "params": PARAMS', False),
        ('"id": 1180591620717411303424, "params": PARAMS', True),
        ('"id": null, "params": PARAMS', True),
        ('"id": true, "params": PARAMS', False),
        ('"id": 1, "params": [PARAMS]', False),
        ('"id": 1, "params": {"message": {"parts": NaN}}', False),
        ('"id": 1, "params": {"message": {"role": {}}}', False),
        ('"id": 1, "params": ' + "[" * 5_000 + "]" * 5_000, False),
        ('"id": 1', False),
        ('"id": 1, "params": PARAMS, nonsense', False),
    ],
)
async def test_an_odd_call_is_answered_or_refused_in_json(caller: Caller, odd: str, *, is_answered: bool) -> None:
    body = '{"jsonrpc": "2.0", "method": "SendMessage", ' + odd.replace("PARAMS", json.dumps(to_params("hello"))) + "}"
    response = await caller.http.post("/", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 200
    assert ("result" in response.json()) == is_answered
    assert ("error" in response.json()) != is_answered


async def test_a_service_that_is_told_to_stop_lets_its_streams_go_and_fails_what_is_under_way(tmp_path: Path) -> None:
    settings = build_settings(tmp_path)
    async with running(settings, failpoint="agent-run-told:stop") as first:
        stream = first.caller.stream("SendStreamingMessage", to_params("hello", id="once"))
        async with aclosing(stream):
            task = cast("JsonObject", (await anext(stream))["task"])
            await first.froze()
            first.process.send_signal(signal.SIGTERM)
            first.thaw()
            _ = [event async for event in stream]
        async with asyncio.timeout(20):
            await first.process.wait()
    async with running(settings) as second:
        assert state_of(await second.caller.get(task)) in {"FAILED", "COMPLETED"}


async def test_a_call_while_the_database_is_away_is_told_to_come_again(tmp_path: Path) -> None:
    settings = build_settings(tmp_path)
    async with serving(ScriptedAgent(), settings) as caller:
        locker = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _LOCK, str(settings.data_dir / "a2a-api.db"), stdout=asyncio.subprocess.PIPE
        )
        assert locker.stdout is not None
        await locker.stdout.readline()
        try:
            body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": to_params("hello", id="once")}
            refused = await caller.http.post("/", json=body)
        finally:
            locker.kill()
            await locker.wait()
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        assert refused.json()["error"]["code"] == -32603
        assert state_of(await caller.send("hello", id="once")) == "COMPLETED"


def test_services_that_start_at_once_share_one_secret(tmp_path: Path) -> None:
    settings = FederationSettings.model_validate({"data_dir": tmp_path})
    with ThreadPoolExecutor(8) as threads:
        secrets = set(threads.map(secret_key.read, [settings] * 32))
    assert len(secrets) == 1
    assert len(secrets.pop()) == 64
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


_LOCK = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(60)
"""
