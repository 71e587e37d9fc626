"""A served agent, called over A2A as its users call it."""

import asyncio
import base64
import re
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import pytest
from a2a.client import ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Message,
    Part,
    Role,
    SendMessageRequest,
    TaskState,
)

from shared.agent import JsonObject
from shared.db import new_id
from tests.shared.scripted_agent import (
    Caller,
    ScriptedAgent,
    build_settings,
    facts_of,
    sentence_of,
    serving,
    state_of,
    text_of,
    to_params,
)


@pytest.mark.parametrize("version", ["1.0", "0.3"])
@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
async def test_the_sdks_client_works_with_every_interface_of_the_card(
    caller: Caller, agent: ScriptedAgent, binding: str, version: str
) -> None:
    card = await A2ACardResolver(caller.http, str(caller.http.base_url)).get_agent_card()
    kept = [i for i in card.supported_interfaces if (i.protocol_binding, i.protocol_version) == (binding, version)]
    assert len(kept) == 1
    del card.supported_interfaces[:]
    card.supported_interfaces.extend(kept)
    config = ClientConfig(httpx_client=caller.http, supported_protocol_bindings=[binding])
    client = ClientFactory(config).create(card)

    states: list[TaskState] = []
    task_id = ""
    async for event in client.send_message(SendMessageRequest(message=_message("write"))):
        if event.HasField("task"):
            task_id = event.task.id
        if event.HasField("status_update"):
            states.append(event.status_update.status.state)
    assert states[-1] == TaskState.TASK_STATE_COMPLETED

    task = await client.get_task(GetTaskRequest(id=task_id))
    assert task.artifacts[0].parts[0].text == "one two three"
    if version == "1.0":
        assert [one.id for one in (await client.list_tasks(ListTasksRequest())).tasks] == [task_id]

    async for event in client.send_message(SendMessageRequest(message=_message("wait"))):
        if event.HasField("task"):
            task_id = event.task.id
        await agent.asked.wait()
        if event.HasField("status_update") and event.status_update.status.state == TaskState.TASK_STATE_WORKING:
            canceled = await client.cancel_task(CancelTaskRequest(id=task_id))
            assert canceled.status.state == TaskState.TASK_STATE_CANCELED
    assert agent.cleaned_up.is_set()


@pytest.mark.parametrize(
    ("path", "body", "answer"),
    [
        ("/", {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": to_params("hello")}, "result.task"),
        (
            "/",
            {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "message/send",
                "params": {
                    "message": {
                        "kind": "message",
                        "messageId": "old",
                        "role": "user",
                        "parts": [{"kind": "text", "text": "hello"}],
                    }
                },
            },
            "result",
        ),
        ("/message:send", to_params("hello"), "task"),
        (
            "/v1/message:send",
            {"request": {"messageId": "old", "role": "ROLE_USER", "content": [{"text": "hello"}]}},
            "task",
        ),
    ],
    ids=["JSON-RPC 1.0", "JSON-RPC 0.3", "HTTP+JSON 1.0", "HTTP+JSON 0.3"],
)
async def test_a_call_without_the_version_header_is_understood(
    caller: Caller, path: str, body: JsonObject, answer: str
) -> None:
    response = await caller.http.post(path, json=body)
    assert response.status_code == 200, response.text
    found = response.json()
    for name in answer.split("."):
        found = found[name]
    assert text_of(found) == "hello"


async def test_a_version_that_is_not_spoken_is_refused(caller: Caller) -> None:
    response = await caller.rpc("SendMessage", to_params("hello"), **{"A2A-Version": "7.0"})
    assert cast("JsonObject", response["error"])["code"] == -32009


async def test_a_stream_brings_the_task_then_every_event_in_order_and_ends(caller: Caller) -> None:
    events = [event async for event in caller.stream("SendStreamingMessage", to_params("write"))]
    assert "task" in events[0]
    assert {next(iter(event)) for event in events[1:-1]} == {"artifactUpdate"}
    pieces = [cast("JsonObject", event["artifactUpdate"]) for event in events[1:-1]]
    assert not pieces[0].get("append")
    written = "".join(_text(piece) for piece in pieces[:-1])
    assert written == "one two three"
    assert pieces[-1]["lastChunk"] is True
    assert not pieces[-1].get("append")
    assert _text(pieces[-1]) == "one two three"
    assert state_of(cast("JsonObject", events[-1]["statusUpdate"])) == "COMPLETED"


async def test_a_text_that_was_only_streamed_is_an_artifact_in_one_part(caller: Caller) -> None:
    task = await caller.send("draft")
    assert state_of(task) == "COMPLETED"
    assert text_of(task) == "half a sentence"


async def test_the_agent_sees_texts_data_files_and_the_skill_that_was_asked_for(
    caller: Caller, agent: ScriptedAgent
) -> None:
    parts: list[JsonObject] = [
        {"text": "one"},
        {"text": "two"},
        {"data": {"count": 42, "share": 0.5, "names": ["a", None]}},
        {"raw": base64.b64encode(b"\x00\x01").decode(), "filename": "x.bin"},
        {"text": "a,b\n1,2", "filename": "table.csv"},
        {"url": "http://127.0.0.1/paper.pdf", "mediaType": "application/pdf"},
    ]
    message = {
        **cast("JsonObject", to_params("")["message"]),
        "parts": parts,
        "metadata": {"urn:agent-federation:call": {"skill": "echo", "hop": 1}},
    }
    await caller.call("SendMessage", cast("JsonObject", {"message": message}))
    [request] = agent.requests
    assert request.text == "one\ntwo"
    assert request.data == ({"count": 42, "share": 0.5, "names": ["a", None]},)
    assert isinstance(cast("JsonObject", request.data[0])["count"], int)
    assert [(file.name, file.media_type, file.content, file.url) for file in request.files] == [
        ("x.bin", "application/octet-stream", b"\x00\x01", None),
        ("table.csv", "text/csv", b"a,b\n1,2", None),
        ("file-6", "application/pdf", None, "http://127.0.0.1/paper.pdf"),
    ]
    assert request.skill == "echo"
    assert request.metadata == {"urn:agent-federation:call": {"skill": "echo", "hop": 1}}


async def test_files_of_one_name_become_artifacts_of_their_own(caller: Caller) -> None:
    task = await caller.send("make")
    artifacts = cast("list[JsonObject]", task["artifacts"])
    assert [artifact["name"] for artifact in artifacts] == ["answer", "a.bin", "a.bin"]
    assert len({cast("str", artifact["artifactId"]) for artifact in artifacts}) == 3
    [part] = cast("list[JsonObject]", artifacts[1]["parts"])
    assert part == {"raw": "AP8=", "filename": "a.bin", "mediaType": "application/octet-stream"}


async def test_numbers_that_json_cannot_hold_do_not_break_an_answer(caller: Caller) -> None:
    task = await caller.send("make")
    [answer, *_] = cast("list[JsonObject]", task["artifacts"])
    assert cast("list[JsonObject]", answer["parts"])[1]["data"] == {"bad": None, "big": str(2**60)}


async def test_what_was_spent_is_summed_over_the_whole_task(caller: Caller) -> None:
    spent = facts_of(await caller.send("spend"))["usage"]
    assert spent == {"input_tokens": 6, "output_tokens": 7, "cost_usd": 0.25, "llm_calls": 2}
    asked = await caller.send("ask")
    answered = await caller.send("blue", taskId=cast("str", asked["id"]))
    assert cast("JsonObject", facts_of(answered)["usage"])["input_tokens"] == 11


async def test_a_question_is_answered_by_a_message_that_names_only_the_task(
    caller: Caller, agent: ScriptedAgent
) -> None:
    asked = await caller.send("ask")
    assert state_of(asked) == "INPUT_REQUIRED"
    assert sentence_of(asked) == "Which colour?"
    message = cast("JsonObject", cast("JsonObject", asked["status"])["message"])
    assert facts_of(message)["schema"] == {"type": "string"}

    answered = await caller.send("blue", taskId=cast("str", asked["id"]))
    assert answered["id"] == asked["id"]
    assert answered["contextId"] == asked["contextId"]
    assert text_of(answered) == "user: ask | agent: Which colour?"
    assert agent.requests[-1].text == "blue"


async def test_a_message_for_another_context_or_an_ended_or_unknown_task_is_refused(caller: Caller) -> None:
    asked = await caller.send("ask")
    task_id = cast("str", asked["id"])
    code, sentence = await caller.refusal("SendMessage", to_params("blue", taskId=task_id, contextId="other"))
    assert code == -32602
    assert cast("str", asked["contextId"]) in sentence
    await caller.send("blue", taskId=task_id)
    code, sentence = await caller.refusal("SendMessage", to_params("green", taskId=task_id))
    assert code == -32004
    assert "COMPLETED" in sentence
    code, sentence = await caller.refusal("SendMessage", to_params("hello", taskId="nothing"))
    assert (code, sentence) == (-32001, "There is no task 'nothing'.")


async def test_a_refused_message_can_be_sent_again_under_its_id(caller: Caller) -> None:
    params = to_params("hello", id="again", contextId="x" * 300)
    assert (await caller.refusal("SendMessage", params))[0] == -32602
    assert text_of(await caller.send("hello", id="again")) == "hello"


async def test_the_same_message_id_answers_the_same_task_and_runs_once(caller: Caller, agent: ScriptedAgent) -> None:
    sent = [asyncio.create_task(caller.send("wait", id="same")) for _ in range(5)]
    await agent.asked.wait()
    streamed = caller.stream("SendStreamingMessage", to_params("wait", id="same"))
    async with aclosing(streamed):
        first = cast("JsonObject", (await anext(streamed))["task"])
        agent.released.set()
        last = [event async for event in streamed][-1]
    assert state_of(cast("JsonObject", last["statusUpdate"])) == "COMPLETED"
    assert [task["id"] for task in await asyncio.gather(*sent)] == [first["id"]] * 5
    assert text_of(await caller.send("wait", id="same")) == "waited"
    assert len(agent.requests) == 1


async def test_a_message_id_used_for_something_else_is_refused(caller: Caller, agent: ScriptedAgent) -> None:
    await caller.send("hello", id="taken")
    code, sentence = await caller.refusal("SendMessage", to_params("bye", id="taken"))
    assert code == -32602
    assert "'taken' was used for another message" in sentence
    assert len(agent.requests) == 1


async def test_a_client_that_goes_away_does_not_stop_the_work(caller: Caller, agent: ScriptedAgent) -> None:
    stream = caller.stream("SendStreamingMessage", to_params("wait"))
    async with aclosing(stream):
        task = cast("JsonObject", (await anext(stream))["task"])
    blocked = asyncio.create_task(caller.send("wait", id="blocking"))
    await agent.asked.wait()
    blocked.cancel()
    assert not agent.cleaned_up.is_set()
    agent.released.set()
    assert text_of(await caller.until(task, "COMPLETED")) == "waited"


async def test_a_subscriber_gets_the_task_as_it_is_and_the_rest(caller: Caller, agent: ScriptedAgent) -> None:
    task = await caller.send("wait", at_once=True)
    assert state_of(task) == "WORKING"
    stream = caller.stream("SubscribeToTask", {"id": task["id"]})
    async with aclosing(stream):
        assert cast("JsonObject", (await anext(stream))["task"])["id"] == task["id"]
        agent.released.set()
        events = [event async for event in stream]
    assert [next(iter(event)) for event in events][-2:] == ["artifactUpdate", "statusUpdate"]
    code, sentence = await caller.refusal("SubscribeToTask", {"id": task["id"]})
    assert code == -32004
    assert "COMPLETED" in sentence


async def test_a_subscriber_gets_a_large_task_without_its_history(caller: Caller, agent: ScriptedAgent) -> None:
    small, large = await caller.send("wait", at_once=True), await caller.send("wait" + 300_000 * " ", at_once=True)
    for task, has_history in ((small, True), (large, False)):
        async with aclosing(caller.stream("SubscribeToTask", {"id": task["id"]})) as stream:
            assert ("history" in cast("JsonObject", (await anext(stream))["task"])) == has_history
        assert "history" in await caller.get(task)
    agent.released.set()


async def test_a_canceled_task_cleans_up_and_its_stream_ends(caller: Caller, agent: ScriptedAgent) -> None:
    stream = caller.stream("SendStreamingMessage", to_params("wait"))
    async with aclosing(stream):
        task = cast("JsonObject", (await anext(stream))["task"])
        await agent.asked.wait()
        canceled = await caller.call("CancelTask", {"id": task["id"]})
        assert state_of(canceled) == "CANCELED"
        assert agent.cleaned_up.is_set()
        assert agent.canceled == [task["id"]]
        last = [event async for event in stream][-1]
    assert state_of(cast("JsonObject", last["statusUpdate"])) == "CANCELED"
    code, sentence = await caller.refusal("CancelTask", {"id": task["id"]})
    assert code == -32002
    assert "CANCELED" in sentence


async def test_what_an_agent_began_just_as_it_was_stopped_is_canceled_too(caller: Caller, agent: ScriptedAgent) -> None:
    agent.knows_cancels = False  # until it has stopped
    task = await caller.send("wait", at_once=True)
    await agent.asked.wait()
    assert state_of(await caller.call("CancelTask", {"id": task["id"]})) == "CANCELED"
    assert agent.canceled == [task["id"]]


async def test_a_task_that_waits_for_input_can_be_canceled(caller: Caller, agent: ScriptedAgent) -> None:
    asked = await caller.send("ask")
    assert state_of(await caller.call("CancelTask", {"id": asked["id"]})) == "CANCELED"
    assert agent.canceled == [asked["id"]]
    assert state_of(await caller.get(asked)) == "CANCELED"


async def test_a_foreseen_failure_is_told_with_its_sentence_and_kind(caller: Caller) -> None:
    task = await caller.send("fail")
    assert state_of(task) == "FAILED"
    assert sentence_of(task) == "There is no such file; name one that exists."
    failure = cast("JsonObject", facts_of(task)["error"])
    assert (failure["type"], failure["retryable"]) == ("invalid-request", False)
    message = cast("JsonObject", cast("JsonObject", task["status"])["message"])
    assert facts_of(message)["error"] == failure


async def test_an_unforeseen_failure_is_logged_and_its_text_goes_no_further(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    task = await caller.send("crash")
    assert state_of(task) == "FAILED"
    assert sentence_of(task) == f"The agent failed unexpectedly; its log has the details under task {task['id']}."
    assert "secret detail" not in str(task)
    assert "ZeroDivisionError: secret detail" in caplog.text
    assert text_of(await caller.send("still there")) == "still there"


async def test_an_agent_that_takes_too_long_is_stopped(agent: ScriptedAgent, tmp_path: Path) -> None:
    async with serving(agent, build_settings(tmp_path, task_timeout_s=0.2)) as caller:
        task = await caller.send("wait")
    assert state_of(task) == "FAILED"
    assert sentence_of(task) == "The agent was not done after 0.2 s (TASK_TIMEOUT_S)."
    assert agent.cleaned_up.is_set()


async def test_tasks_are_listed_newest_first_in_pages_and_by_filter(caller: Caller) -> None:
    sent = [cast("str", (await caller.send(f"number {number}"))["id"]) for number in range(5)]
    asked = await caller.send("ask", contextId="mine")
    listed: list[str] = []
    token = ""
    while True:
        page = await caller.call("ListTasks", {"pageSize": 2, "pageToken": token})
        assert page["totalSize"] == 6
        tasks = cast("list[JsonObject]", page["tasks"])
        assert all("artifacts" not in task for task in tasks)
        listed += [cast("str", task["id"]) for task in tasks]
        token = cast("str", page["nextPageToken"])
        if not token:
            break
    assert listed == [cast("str", asked["id"]), *reversed(sent)]
    for wanted in ({"contextId": "mine"}, {"status": "TASK_STATE_INPUT_REQUIRED"}):
        page = await caller.call("ListTasks", cast("JsonObject", wanted))
        assert [task["id"] for task in cast("list[JsonObject]", page["tasks"])] == [asked["id"]]
    assert (await caller.refusal("ListTasks", {"pageToken": "nonsense"}))[0] == -32602
    assert (await caller.refusal("ListTasks", {"pageSize": 1000}))[0] == -32602


async def test_the_history_is_as_long_as_asked_for(caller: Caller) -> None:
    asked = await caller.send("ask")
    task = await caller.send("blue", taskId=cast("str", asked["id"]))
    assert len(cast("list[JsonObject]", task["history"])) == 3
    short = await caller.call("GetTask", {"id": task["id"], "historyLength": 1})
    assert [message["messageId"] for message in cast("list[JsonObject]", short["history"])] == [
        cast("list[JsonObject]", task["history"])[-1]["messageId"]
    ]
    assert "history" not in await caller.call("GetTask", {"id": task["id"], "historyLength": 0})


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("CreateTaskPushNotificationConfig", {"taskId": "x", "url": "http://127.0.0.1"}, -32001),
        ("ListTaskPushNotificationConfigs", {"taskId": "x"}, -32001),
        ("GetTask", {"id": "x"}, -32001),
        ("CancelTask", {"id": "x"}, -32001),
        ("SubscribeToTask", {"id": "x"}, -32001),
        ("GetTask", {}, -32602),
        ("SendMessage", {}, -32602),
        ("SendMessage", {"message": {"messageId": "1", "role": "ROLE_USER", "parts": []}}, -32602),
        ("SendMessage", {"message": {"messageId": "1", "role": "ROLE_AGENT", "parts": [{"text": "x"}]}}, -32602),
        ("SendMessage", {"message": {"messageId": "\u0000", "role": "ROLE_USER", "parts": [{"text": "x"}]}}, -32602),
        ("SendMessage", {"message": {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "x"}] * 501}}, -32602),
        ("SendMessage", {"message": "hello"}, -32602),
        ("Nonsense", {}, -32601),
    ],
)
async def test_a_call_that_cannot_be_answered_says_why_in_the_protocols_words(
    caller: Caller, method: str, params: JsonObject, code: int
) -> None:
    found, sentence = await caller.refusal(method, params)
    assert found == code
    assert sentence


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"", b"[" * 100_000])
async def test_a_body_that_is_not_json_is_a_parse_error(caller: Caller, body: bytes) -> None:
    response = await caller.http.post("/", content=body, headers={"content-type": "application/json"})
    assert response.json()["error"] == {"code": -32700, "message": "The body is not valid JSON."}


@pytest.mark.parametrize("body", [b"[]", b"5", b'"x"', b"null", b"{}"])
async def test_json_that_is_no_request_is_an_invalid_request(caller: Caller, body: bytes) -> None:
    response = await caller.http.post("/", content=body, headers={"content-type": "application/json"})
    assert response.json()["error"]["code"] == -32600


@pytest.mark.parametrize(
    ("path", "body"), [("/", b'{"jsonrpc":"2.0","id":1,"method":"ListTasks"}'), ("/message:send", b"{}")]
)
async def test_a_body_of_another_media_type_is_refused(caller: Caller, path: str, body: bytes) -> None:
    response = await caller.http.post(path, content=body, headers={"content-type": "text/plain"})
    assert "application/json" in response.json()["error"]["message"]


async def test_http_and_json_rpc_tell_the_same_task(caller: Caller) -> None:
    sent = (await caller.http.post("/message:send", json=to_params("hello"))).json()["task"]
    by_rpc = await caller.get(sent)
    by_http = (await caller.http.get(f"/tasks/{sent['id']}")).json()
    assert by_rpc == by_http
    missing = await caller.http.get("/tasks/nothing")
    assert missing.status_code == 404
    assert missing.json()["error"]["details"][0]["reason"] == "TASK_NOT_FOUND"
    streamed = await caller.http.post("/message:stream", json=to_params("write"))
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert "TASK_STATE_COMPLETED" in streamed.text


async def test_the_card_names_every_interface_and_is_cached_by_its_tag(caller: Caller) -> None:
    response = await caller.http.get("/.well-known/agent-card.json")
    card = response.json()
    url = str(caller.http.base_url).rstrip("/")
    assert {(i["protocolBinding"], i["protocolVersion"], i["url"]) for i in card["supportedInterfaces"]} == {
        (binding, version, url) for binding in ("JSONRPC", "HTTP+JSON") for version in ("1.0", "0.3")
    }
    assert (card["url"], card["protocolVersion"]) == (url, "0.3")
    assert card["skills"][0]["examples"] == ["echo hello"]
    assert "max-age" in response.headers["cache-control"]
    again = await caller.http.get("/.well-known/agent-card.json", headers={"If-None-Match": response.headers["etag"]})
    assert again.status_code == 304


async def test_health_readiness_and_docs_are_there(caller: Caller) -> None:
    health = (await caller.http.get("/health")).json()
    assert health["status"] == "ok"
    assert health["instance"]
    assert (await caller.http.get("/ready")).json() == {"ready": True, "problems": []}
    assert (await caller.http.get("/docs")).status_code == 200
    paths = (await caller.http.get("/openapi.json")).json()["paths"]
    assert {"/", "/message:send", "/health", "/.well-known/agent-card.json"} <= set(paths)


async def test_the_openapi_document_tells_what_each_call_of_a2a_takes_and_answers(caller: Caller) -> None:
    paths: dict[str, dict[str, dict[str, Any]]] = (await caller.http.get("/openapi.json")).json()["paths"]
    for path, item in paths.items():
        for operation in item.values():
            given = [each["name"] for each in operation.get("parameters", []) if each["in"] == "path"]
            assert given == re.findall(r"{(\w+)}", path)
            if path.startswith(("/tasks", "/v1/", "/message")):
                assert "4XX" in operation["responses"]
    [version] = paths["/tasks"]["get"]["parameters"]
    assert not version.get("required", False)
    assert list(paths["/tasks"]["get"]["responses"]["200"]["content"]) == ["application/a2a+json"]
    assert list(paths["/message:stream"]["post"]["responses"]["200"]["content"]) == ["text/event-stream"]


def _message(text: str) -> Message:
    return Message(message_id=new_id(), role=Role.ROLE_USER, parts=[Part(text=text)])


def _text(update: JsonObject) -> str:
    artifact = cast("JsonObject", update["artifact"])
    return cast("str", cast("list[JsonObject]", artifact["parts"])[0]["text"])


async def test_many_tasks_at_once_each_get_their_own_answer(caller: Caller) -> None:
    tasks = await asyncio.gather(*(caller.send(f"number {number}") for number in range(30)))
    assert [text_of(task) for task in tasks] == [f"number {number}" for number in range(30)]
