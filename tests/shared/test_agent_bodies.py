"""What protobuf's JSON would take without a word, though nobody can have meant it."""

from typing import cast
from uuid import uuid4

import pytest
from pydantic import JsonValue

from shared.agent import JsonObject
from tests.shared.scripted_agent import Caller, ScriptedAgent


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"raw": "data:text/plain;base64,aGk="}, "not base64"),
        ({"raw": "höh="}, "not base64"),
        ({"kind": "file", "file": {"bytes": "aGk=", "name": "a"}}, "none of text, raw, url and data"),
        ({}, "none of text, raw, url and data"),
        ({"text": None}, "none of text, raw, url and data"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/message:send"])
async def test_a_file_that_would_be_lost_or_broken_is_refused_and_nothing_begins(
    caller: Caller, agent: ScriptedAgent, part: JsonObject, why: str, path: str
) -> None:
    parts: list[JsonObject] = [{"text": "hello"}, part]
    params = {"message": {"messageId": "m", "role": "ROLE_USER", "parts": parts}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params} if path == "/" else params
    error = (await caller.http.post(path, json=body)).json()["error"]
    assert why in error["message"]
    assert "art 2" in error["message"]
    assert error["code"] == (-32602 if path == "/" else 400)
    assert not agent.requests


@pytest.mark.parametrize("encoded", ["aGk", "a-_k", "data:,aGk="])
async def test_bytes_that_0_3_does_not_read_are_refused(caller: Caller, agent: ScriptedAgent, encoded: str) -> None:
    answer = await _send_0_3(caller, encoded)
    assert cast("JsonObject", answer["error"])["code"] == -32602
    assert not agent.requests


@pytest.mark.parametrize("encoded", ["+/8A", "+/8A\n", " +/\r\n8A"])
async def test_bytes_may_be_broken_into_lines(caller: Caller, agent: ScriptedAgent, encoded: str) -> None:
    assert "result" in await _send_0_3(caller, encoded)
    for raw in (encoded, encoded.translate(str.maketrans("+/", "-_"))):
        part: JsonObject = {"raw": raw}
        message: JsonObject = {"messageId": str(uuid4()), "role": "ROLE_USER", "parts": [{"text": "hello"}, part]}
        await caller.call("SendMessage", {"message": message})
    assert [request.files[0].content for request in agent.requests] == [b"\xfb\xff\x00"] * 3


async def test_an_address_that_holds_the_file_itself_is_that_file(caller: Caller, agent: ScriptedAgent) -> None:
    addresses = ("data:text/csv;base64,aGk=", "data:text/csv,hi", "data:text/csv;base64,a", "https://files.example/a")
    parts: list[JsonValue] = [{"text": "hello"}, *({"url": address} for address in addresses)]
    await caller.call("SendMessage", {"message": {"messageId": "m", "role": "ROLE_USER", "parts": parts}})
    first, second, broken, linked = agent.requests[0].files
    assert first.content == second.content == b"hi"
    assert (first.url, first.media_type) == (None, "text/csv")
    assert (broken.url, linked.url) == addresses[2:]


async def test_tasks_are_not_listed_by_a_state_that_there_is_not(caller: Caller) -> None:
    await caller.send("hello")
    for status in ("working", "TASK_STATE_DONE"):
        code, sentence = await caller.refusal("ListTasks", {"status": status})
        assert code == -32602
        assert "TASK_STATE_WORKING" in sentence
        over_http = await caller.http.get("/tasks", params={"status": status})
        assert over_http.status_code == 400
        assert over_http.json()["error"]["message"] == sentence
    for params in ({"status": "TASK_STATE_COMPLETED"}, {"status": ""}, {"status": 3}):
        assert (await caller.call("ListTasks", cast("JsonObject", params)))["totalSize"] == 1


async def _send_0_3(caller: Caller, encoded: str) -> JsonObject:
    file: JsonObject = {"kind": "file", "file": {"bytes": encoded, "name": "a"}}
    parts: list[JsonObject] = [{"kind": "text", "text": "hello"}, file]
    message = {"kind": "message", "messageId": str(uuid4()), "role": "user", "parts": parts}
    body = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {"message": message}}
    return cast("JsonObject", (await caller.http.post("/", json=body)).json())
