"""The mode in which a service answers A2A's conformance kit: what it answers, and that only loopback can ask."""

import json
from pathlib import Path
from typing import cast

import pytest

from shared.agent import JsonObject
from shared.errors import InvalidSettingError
from tests.shared.scripted_agent import (
    Caller,
    ScriptedAgent,
    build_app,
    build_settings,
    serving,
    state_of,
    text_of,
    to_params,
)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org"])
def test_a_service_that_others_can_reach_does_not_answer_the_kit(tmp_path: Path, host: str) -> None:
    with pytest.raises(InvalidSettingError, match="loopback only"):
        build_app(build_settings(tmp_path, a2a_conformance=True, federation_host=host), ScriptedAgent())


async def test_a_service_answers_the_kit_only_when_it_is_told_to(caller: Caller, agent: ScriptedAgent) -> None:
    assert text_of(await caller.send("hello", id="tck-complete-task-1")) == "hello"
    assert agent.requests


async def test_the_kits_ids_say_what_to_answer_and_others_reach_the_agent(tmp_path: Path) -> None:
    agent = ScriptedAgent()
    async with serving(agent, build_settings(tmp_path, a2a_conformance=True)) as caller:
        assert text_of(await caller.send("x", id="tck-complete-task-1")) == "Hello from TCK"
        assert text_of(await caller.send("x", id="tck-artifact-text-1")) == "Generated text content"
        assert _part(await caller.send("x", id="tck-artifact-data-1")) == {
            "data": {"key": "value", "count": 42},
            "mediaType": "application/json",
        }
        link = _part(await caller.send("x", id="tck-artifact-file-url-1"))
        assert link == {
            "url": "https://example.com/output.txt",
            "filename": "output.txt",
            "mediaType": "text/plain",
        }
        assert "raw" in _part(await caller.send("x", id="tck-artifact-file-1"))
        chunked = await _texts(caller, "tck-stream-artifact-chunked-1")
        assert chunked[-1] == "chunk-1 chunk-2"
        assert not agent.requests

        assert text_of(await caller.send("hello", id="mine")) == "hello"
        assert agent.requests


async def test_a_task_of_the_kit_waits_and_its_ids_may_come_again(tmp_path: Path) -> None:
    async with serving(ScriptedAgent(), build_settings(tmp_path, a2a_conformance=True)) as caller:
        task = await caller.send("x", id="tck-input-required-1")
        assert state_of(task) == "INPUT_REQUIRED"
        again = await caller.send("y", id="tck-input-required-1", taskId=str(task["id"]))
        assert state_of(again) == "INPUT_REQUIRED"
        done = await caller.send("z", id="tck-complete-task-1", taskId=str(task["id"]))
        assert (done["id"], state_of(done)) == (task["id"], "COMPLETED")


async def test_a_message_is_answered_by_a_message_where_the_kit_asks_for_it(tmp_path: Path) -> None:
    params = to_params("x", id="tck-message-response-1")
    async with serving(ScriptedAgent(), build_settings(tmp_path, a2a_conformance=True)) as caller:
        answers = [
            await caller.call("SendMessage", params),
            (await caller.http.post("/message:send", json=params, headers={"A2A-Version": "1.0"})).json(),
            *[each async for each in caller.stream("SendStreamingMessage", params)],
        ]
        assert len(answers) == 3
        for answer in answers:
            message = cast("JsonObject", answer["message"])
            assert message["role"] == "ROLE_AGENT"
            assert message["parts"] == [{"text": "Direct message response"}]


async def test_the_card_is_that_of_1_0_whoever_asks(tmp_path: Path) -> None:
    async with serving(ScriptedAgent(), build_settings(tmp_path, a2a_conformance=True)) as caller:
        assert "url" not in (await caller.http.get("/.well-known/agent-card.json")).json()


async def test_a_webhook_that_does_not_exist_is_taken_for_the_kit(tmp_path: Path) -> None:
    async with serving(ScriptedAgent(), build_settings(tmp_path, a2a_conformance=True)) as caller:
        task = await caller.send("x", id="tck-input-required-1")
        config = {"taskId": task["id"], "id": "1", "url": "https://nowhere.invalid/hook"}
        assert (await caller.call("CreateTaskPushNotificationConfig", config))["url"] == config["url"]


def _part(task: JsonObject) -> JsonObject:
    [artifact] = cast("list[JsonObject]", task["artifacts"])
    [part] = cast("list[JsonObject]", artifact["parts"])
    return part


async def _texts(caller: Caller, message_id: str) -> list[str]:
    """Return the texts of a stream's artifact updates, in order."""
    events = [each async for each in caller.stream("SendStreamingMessage", to_params("x", id=message_id))]
    assert "COMPLETED" in json.dumps(events[-1])
    updates = [cast("JsonObject", each["artifactUpdate"]) for each in events if "artifactUpdate" in each]
    return [str(_part({"artifacts": [update["artifact"]]})["text"]) for update in updates]
