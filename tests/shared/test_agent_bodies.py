"""What protobuf's JSON would take without a word, though nobody can have meant it."""

from base64 import b64encode
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


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"file": {"fileWithBytes": "aGk=", "name": "a"}}, "not base64 of base64"),
        ({"file": {"fileWithBytes": "höh=", "name": "a"}}, "not base64 of base64"),
        ({"text": None}, "none of text, file and data"),
        ({}, "none of text, file and data"),
        ("hello", "none of text, file and data"),
    ],
)
@pytest.mark.parametrize("name", ["request", "message"])
async def test_a_part_of_0_3_over_http_that_cannot_be_read_is_the_callers_fault(
    caller: Caller, agent: ScriptedAgent, part: JsonValue, why: str, name: str
) -> None:
    message: JsonObject = {"messageId": "m", "role": "ROLE_USER", "content": [{"text": "hello"}, part]}
    for path in ("/v1/message:send", "/v1/message:stream"):
        refused = await caller.http.post(path, json={name: message})
        assert refused.status_code == 400
        assert "art 2" in (said := refused.json()["error"]["message"])
        assert why in said
    assert not agent.requests


async def test_a_file_of_0_3_over_http_arrives(caller: Caller, agent: ScriptedAgent) -> None:
    file: JsonObject = {"fileWithBytes": b64encode(b64encode(b"\xfb\xff\x00")).decode(), "name": "a"}
    message: JsonObject = {"messageId": "m", "role": "ROLE_USER", "content": [{"text": "hello"}, {"file": file}]}
    assert (await caller.http.post("/v1/message:send", json={"message": message})).status_code == 200
    assert agent.requests[0].files[0].content == b"\xfb\xff\x00"


@pytest.mark.parametrize("length", [2**31, -(2**31), "many", 1.5])
async def test_a_history_length_of_0_3_that_is_none_is_the_callers_fault(caller: Caller, length: JsonValue) -> None:
    over_http = await caller.http.get("/v1/tasks/none", params={"historyLength": str(length)})
    assert over_http.status_code == 400
    message: JsonObject = {
        "kind": "message",
        "messageId": "m",
        "role": "user",
        "parts": [{"kind": "text", "text": "x"}],
    }
    sent: JsonObject = {"message": message, "configuration": {"historyLength": length}}
    asked: JsonObject = {"id": "none", "historyLength": length}
    for method, params in (("message/send", sent), ("tasks/get", asked)):
        answer = await caller.rpc(method, params, **{"A2A-Version": "0.3"})
        assert cast("JsonObject", answer["error"])["code"] in {-32600, -32602}


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
