"""Event numbers: who asks for them resumes a stream without a gap, and nobody else sees them."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from typing import cast

import pytest

from shared.agent import JsonObject
from shared.agent_sequence import URI
from tests.shared.scripted_agent import Caller, ScriptedAgent, Settings, serving, state_of, to_params

ASKED = {"A2A-Extensions": URI, "A2A-Version": "1.0"}


async def test_the_card_declares_the_extension_and_requires_nothing(caller: Caller) -> None:
    card = (await caller.http.get("/.well-known/agent-card.json")).json()
    [extension] = [each for each in card["capabilities"]["extensions"] if each["uri"] == URI]
    assert not extension.get("required", False)


@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
async def test_a_stream_numbers_its_task_and_each_event_for_who_asks(caller: Caller, binding: str) -> None:
    first, *events = await _all(_stream(caller, "SendStreamingMessage", to_params("write"), binding, ASKED))
    assert _number(first) == 0
    assert [_number(event) for event in events] == list(range(1, len(events) + 1))
    unasked = [each async for each in caller.stream("SendStreamingMessage", to_params("write"))]
    assert URI not in json.dumps(unasked)


async def test_the_numbers_are_the_same_for_all_who_follow(caller: Caller, agent: ScriptedAgent) -> None:
    task = await caller.send("wait", at_once=True)
    await agent.asked.wait()
    params: JsonObject = {"id": task["id"]}
    async with AsyncExitStack() as stack, asyncio.timeout(20):
        streams = [
            await stack.enter_async_context(aclosing(_stream(caller, "SubscribeToTask", params, binding, ASKED)))
            for binding in ("JSONRPC", "HTTP+JSON")
        ]
        begun = [_number(await anext(stream)) for stream in streams]
        agent.released.set()
        one, other = [{_number(each): each async for each in stream} for stream in streams]
    known = set(range(max(begun) + 1, max(one) + 1))
    assert known
    assert {seq: one[seq] for seq in known} == {seq: other[seq] for seq in known}
    assert [*one] == sorted(one)


@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
async def test_who_says_what_it_saw_last_gets_every_event_after_it(stored_settings: Settings, binding: str) -> None:
    async with serving(ScriptedAgent(), stored_settings) as caller:
        task = await caller.send("ask")
        await caller.send("ask", taskId=str(task["id"]))
        await caller.send("ask", taskId=str(task["id"]))
        params: JsonObject = {"id": task["id"]}

        async def read(seen: str) -> list[int]:
            stream = _stream(caller, "SubscribeToTask", params, binding, {**ASKED, "Last-Event-ID": seen})
            async with aclosing(stream), asyncio.timeout(10):
                last = _number(await anext(stream))
                numbers: list[int] = []
                while last not in numbers:
                    numbers.append(_number(await anext(stream)))
                return numbers

        whole = await read("0")
        assert whole == list(range(1, len(whole) + 1))
        assert len(whole) == 5  # a question, and twice: taken up, a question
        assert await read("2") == whole[2:]


@pytest.mark.parametrize("seen", ["", "-1", "x", "1e9", "9" * 40, "99"])
async def test_a_number_that_is_none_or_of_the_future_resumes_from_now(
    caller: Caller, agent: ScriptedAgent, seen: str
) -> None:
    task = await caller.send("wait", at_once=True)
    await agent.asked.wait()
    stream = _stream(caller, "SubscribeToTask", {"id": task["id"]}, "JSONRPC", {**ASKED, "Last-Event-ID": seen})
    async with aclosing(stream):
        now = _number(await anext(stream))
        agent.released.set()
        assert _number(await anext(stream)) == now + 1


async def test_a_subscription_goes_on_while_the_task_waits_until_it_ends(caller: Caller) -> None:
    task = await caller.send("ask")
    stream = caller.stream("SubscribeToTask", {"id": task["id"]})
    async with aclosing(stream), asyncio.timeout(20):
        assert state_of(cast("JsonObject", (await anext(stream))["task"])) == "INPUT_REQUIRED"
        await caller.send("blue", taskId=str(task["id"]))
        states = [state_of(cast("JsonObject", each["statusUpdate"])) async for each in stream if "statusUpdate" in each]
    assert states[0] == "WORKING"
    assert states[-1] == "COMPLETED"


async def _stream(
    caller: Caller, method: str, params: JsonObject, binding: str, headers: dict[str, str]
) -> AsyncGenerator[JsonObject]:
    path = {"SendStreamingMessage": "/message:stream", "SubscribeToTask": f"/tasks/{params.get('id')}:subscribe"}
    envelope: JsonObject = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    to, body = ("/", envelope) if binding == "JSONRPC" else (path[method], params)
    async with caller.http.stream("POST", to, json=body, headers=headers) as response:
        assert response.status_code == 200
        async for line in response.aiter_lines():
            if line.startswith("data:"):
                event = json.loads(line[5:])
                yield event["result"] if binding == "JSONRPC" else event


async def _all(stream: AsyncGenerator[JsonObject]) -> list[JsonObject]:
    async with asyncio.timeout(20):
        return [each async for each in stream]


def _number(told: JsonObject) -> int:
    [content] = told.values()
    seq = cast("dict[str, JsonObject]", cast("JsonObject", content)["metadata"])[URI]["seq"]
    assert isinstance(seq, int | float)
    return int(seq)
