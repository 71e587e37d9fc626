"""Which version a call is made in, which extensions it needs, whose tasks it sees."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast
from uuid import uuid4

import httpx
import pytest
from a2a.types import AgentExtension

from shared import agent_server, cards
from shared.agent import METADATA_KEY, JsonObject
from tests.shared.scripted_agent import Caller, ScriptedAgent, build_settings, text_of, to_params
from tests.support.serving import serve

NEEDED = "urn:test:needed"


@pytest.mark.parametrize("version", ["1.0", "1.0.1", "1.0.99"])
@pytest.mark.parametrize("where", ["header", "parameter"])
@pytest.mark.parametrize("path", ["/", "/message:send"])
async def test_a_call_is_made_in_the_version_it_names(caller: Caller, version: str, where: str, path: str) -> None:
    assert text_of(_task((await _send(caller, path, version, where)).json())) == "hello"


@pytest.mark.parametrize("version", ["1.1", "2.0", "0.2", "0.4", "1", "one", "1.0x", "1.0.x", "v1.0"])
@pytest.mark.parametrize("where", ["header", "parameter"])
@pytest.mark.parametrize("path", ["/", "/message:send"])
async def test_another_version_is_refused_with_those_that_are_spoken(
    caller: Caller, version: str, where: str, path: str
) -> None:
    response = await _send(caller, path, version, where)
    error = response.json()["error"]
    assert error["code"] == (-32009 if path == "/" else 400)
    assert "1.0 and 0.3" in error["message"]
    assert "VERSION_NOT_SUPPORTED" in response.text


async def test_the_old_names_are_understood_in_the_old_version_only(caller: Caller) -> None:
    params: JsonObject = {
        "message": {"kind": "message", "messageId": "m", "role": "user", "parts": [{"kind": "text", "text": "hello"}]}
    }
    assert "result" in await caller.rpc("message/send", params, **{"A2A-Version": "0.3"})
    assert "result" in await caller.rpc("message/send", params, **{"A2A-Version": "0.3.0"})
    for method in ("message/send", "message/stream"):
        refusal = cast("JsonObject", (await caller.rpc(method, params, **{"A2A-Version": "1.0"}))["error"])
        assert refusal["code"] == -32601
        assert "1.0" in str(refusal["message"])


@pytest.mark.parametrize(("path", "code"), [("/", -32008), ("/message:send", 400)])
async def test_a_call_without_an_extension_that_the_card_requires_is_refused(
    tmp_path: Path, path: str, code: int
) -> None:
    async with _needing(tmp_path) as caller:
        refused = await caller.http.post(path, json=_body(path), headers={"A2A-Version": "1.0"})
        accepted = await caller.http.post(
            path, json=_body(path), headers={"A2A-Version": "1.0", "A2A-Extensions": f"urn:test:other, {NEEDED}"}
        )
    error = refused.json()["error"]
    assert error["code"] == code
    assert NEEDED in error["message"]
    assert "EXTENSION_SUPPORT_REQUIRED" in refused.text
    assert text_of(_task(accepted.json())) == "hello"


async def test_an_old_client_names_a_required_extension_by_the_old_header(tmp_path: Path) -> None:
    part: JsonObject = {"kind": "text", "text": "hello"}
    message: JsonObject = {"kind": "message", "messageId": "m", "role": "user", "parts": [part]}
    body: JsonObject = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {"message": message}}
    async with _needing(tmp_path) as caller:
        answer = await caller.http.post("/", json=body, headers={"X-A2A-Extensions": NEEDED})
    assert "result" in answer.json()


async def test_an_extension_that_nobody_knows_changes_nothing(caller: Caller) -> None:
    answer = await caller.rpc("SendMessage", to_params("hello"), **{"A2A-Extensions": "urn:test:unheard-of"})
    assert text_of(_task(answer)) == "hello"


async def test_tasks_of_one_tenant_are_nowhere_to_be_found_for_another(caller: Caller) -> None:
    params = {**to_params("ask"), "tenant": "one"}
    task = cast("JsonObject", (await caller.call("SendMessage", params))["task"])

    assert await caller.call("GetTask", {"id": task["id"], "tenant": "one"}) == task
    mine = await caller.call("ListTasks", {"tenant": "one"})
    assert mine["totalSize"] == 1
    for tenant in ("", "two", "one/", "One"):
        asked: JsonObject = {"id": task["id"], "tenant": tenant}
        for method in ("GetTask", "CancelTask", "SubscribeToTask"):
            assert (await caller.refusal(method, asked))[0] == -32001
        push: JsonObject = {"taskId": task["id"], "url": "http://127.0.0.1:9/", "tenant": tenant}
        assert (await caller.refusal("CreateTaskPushNotificationConfig", push))[0] == -32001
        answer = {**to_params("blue", taskId=str(task["id"])), "tenant": tenant}
        assert (await caller.refusal("SendMessage", answer))[0] == -32001
        assert (await caller.call("ListTasks", {"tenant": tenant}))["totalSize"] == 0
    assert (await caller.call("GetTask", {"id": task["id"], "tenant": "one"}))["status"] == task["status"]


async def test_two_tenants_may_use_the_same_message_id(caller: Caller, agent: ScriptedAgent) -> None:
    for tenant, text in (("one", "hello"), ("two", "bye")):
        params = {**to_params(text, id="same"), "tenant": tenant}
        assert text_of(_task({"result": await caller.call("SendMessage", params)})) == text
    assert len(agent.requests) == 2


async def test_what_an_agent_keeps_for_a_context_is_not_another_tenants(caller: Caller, agent: ScriptedAgent) -> None:
    for tenant, context in (("", "c"), ("one", "c"), ("one", "c"), ("two", "c"), ("", "one/c"), ("two", "")):
        params = to_params("hello", id=str(uuid4()), contextId=context)
        message = cast("JsonObject", params["message"])
        message["metadata"] = {METADATA_KEY: {"session_id": "c"}}
        task = _task({"result": await caller.call("SendMessage", {**params, "tenant": tenant})})
        assert task["contextId"] == context or not context
    untold, first, again, other, alike, chosen = [request.context_id for request in agent.requests]
    told = [request.metadata[METADATA_KEY] for request in agent.requests]

    assert (untold, alike) == ("c", "one/c")
    assert first == again
    assert len({untold, first, other, alike, chosen}) == 5
    assert told == [{"session_id": "c"}, {}, {}, {}, {"session_id": "c"}, {}]


async def test_a_tenants_task_is_the_same_over_json_rpc_and_over_http(caller: Caller) -> None:
    sent = (await caller.http.post("/message:send", json={**to_params("ask"), "tenant": "one"})).json()["task"]
    path, named = f"/tasks/{sent['id']}", {"tenant": "one"}

    assert await caller.call("GetTask", {"id": sent["id"], **named}) == sent
    assert (await caller.http.get(path, params=named)).json() == sent
    assert (await caller.http.get("/tasks", params=named)).json()["totalSize"] == 1
    for other in ({}, {"tenant": "two"}):
        assert (await caller.http.get(path, params=other)).status_code == 404
        assert (await caller.http.post(f"{path}:cancel", json=other)).status_code == 404
        assert (await caller.http.get("/tasks", params=other)).json()["totalSize"] == 0
    assert (await caller.http.post(f"{path}:cancel", json=named)).json()["id"] == sent["id"]


async def _send(caller: Caller, path: str, version: str, where: str) -> httpx.Response:
    named = {"A2A-Version": version}
    if where == "header":
        return await caller.http.post(path, json=_body(path), headers=named)
    return await caller.http.post(path, json=_body(path), params=named)


def _body(path: str) -> JsonObject:
    params = to_params("hello", id=str(uuid4()))
    return {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params} if path == "/" else params


def _task(answer: JsonObject) -> JsonObject:
    result = cast("JsonObject", answer.get("result", answer))
    return cast("JsonObject", result["task"])


@asynccontextmanager
async def _needing(folder: Path) -> AsyncGenerator[Caller]:
    """Serve an agent whose card requires an extension."""
    settings = build_settings(folder)
    card = cards.build(settings, "api", name="Needing", description="Needs an extension.", skills=[])
    card.capabilities.extensions.append(AgentExtension(uri=NEEDED, required=True))
    app = agent_server.create(settings, "api", card, ScriptedAgent().open)
    async with serve(app, port=settings.port_of("api")) as url, httpx.AsyncClient(base_url=url) as client:
        yield Caller(client)


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/tasks/none:subscribe"), ("POST", "/v1/message:stream")])
async def test_a_stream_of_0_3_that_cannot_be_given_is_refused_as_a_whole(
    caller: Caller, method: str, path: str
) -> None:
    response = await caller.http.request(method, path, json={} if method == "POST" else None)
    assert 400 <= response.status_code < 500
    assert response.json()["error"]


@pytest.mark.parametrize("path", ["/", "/v1/message:stream"])
@pytest.mark.parametrize("text", ["ask", "write", "fail"])
async def test_the_last_event_of_a_stream_of_0_3_says_so(caller: Caller, path: str, text: str) -> None:
    older: JsonObject = {"messageId": "m", "role": "ROLE_USER", "content": [{"text": text}]}
    message: JsonObject = {
        "kind": "message",
        "messageId": "m",
        "role": "user",
        "parts": [{"kind": "text", "text": text}],
    }
    call: JsonObject = {"jsonrpc": "2.0", "id": 1, "method": "message/stream", "params": {"message": message}}
    answer = await caller.http.post(path, json=call if path == "/" else {"message": older})
    events = [json.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data:")]
    told = [event.get("result") or next(iter(event.values())) for event in events]
    finals = [each.get("final", False) for each in told]
    assert finals[-1] is True
    assert not any(finals[:-1])


@pytest.mark.parametrize("path", ["/message:send", "/message:stream", "/v1/message:send", "/v1/message:stream", "/"])
async def test_a_body_that_is_not_utf_8_is_the_callers_fault(caller: Caller, path: str) -> None:
    headers = {"Content-Type": "application/json"}
    response = await caller.http.post(path, content=b'{"message": "\xff"}', headers=headers)
    assert response.status_code < 500
    assert response.json()["error"]
