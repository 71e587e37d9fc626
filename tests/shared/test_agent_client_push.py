"""Agents that push, and agents that ask for patience: a hint is confirmed by asking, a pause is kept within bounds."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import cast

import pytest
from a2a.types import AgentCard
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared import agent_client
from shared.agent import JsonObject
from shared.agent_client import AgentConnection, Ended, OutgoingMessage, PushConfig, RemoteEvent
from shared.errors import AgentFailedError, AgentUnavailableError
from shared.http import Client, open_client
from shared.settings import FederationSettings
from tests.support.misbehaving import ScriptedAgent, card_for, error, response, result, stream, task
from tests.support.serving import serve

PUSH = PushConfig("http://127.0.0.1:9/push/1", "a-token")
HI = OutgoingMessage("m-1", "hi", push=PUSH)
AT_ONCE: JsonObject = {"historyLength": 0, "returnImmediately": True}
SENT = {"url": PUSH.url, "token": PUSH.token}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with open_client(FederationSettings.model_validate({})) as opened:
        yield opened


async def end_of(events: AsyncGenerator[RemoteEvent]) -> Ended:
    async with aclosing(events), asyncio.timeout(20):
        last = [event async for event in events][-1]
    assert isinstance(last, Ended)
    return last


def configuration_of(request: JsonObject) -> JsonObject:
    return cast("JsonObject", cast("JsonObject", request["params"])["configuration"])


def pushing(card: AgentCard) -> AgentCard:
    card.capabilities.push_notifications = True
    return card


async def test_an_agent_that_can_push_and_cannot_stream_is_told_where(client: Client) -> None:
    async with ScriptedAgent(SendMessage=result({"task": task("COMPLETED")})).serving() as agent:
        await end_of(agent_client.connect(client, pushing(agent.card(streaming=False))).send(HI))
    assert configuration_of(agent.requests[0]) == {**AT_ONCE, "taskPushNotificationConfig": SENT}
    assert "a-token" not in repr(HI)


async def test_an_agent_that_streams_need_not_push(client: Client) -> None:
    async with ScriptedAgent(SendStreamingMessage=stream({"task": task("COMPLETED")})).serving() as agent:
        await end_of(agent_client.connect(client, pushing(agent.card())).send(HI))
    assert configuration_of(agent.requests[0]) == {"historyLength": 0}


async def test_an_agent_of_0_3_is_told_in_its_own_words(client: Client) -> None:
    said = {"kind": "message", "messageId": "m-2", "role": "agent", "parts": [{"kind": "text", "text": "ok"}]}
    done = {"kind": "task", "id": "t-1", "contextId": "c-1", "status": {"state": "completed", "message": said}}
    async with ScriptedAgent(**{"message/send": result(done)}).serving() as agent:
        await end_of(agent_client.connect(client, pushing(agent.card(streaming=False, version="0.3.0"))).send(HI))
    assert [configuration_of(request) for request in agent.requests] == [
        {"blocking": False, "historyLength": 0, "pushNotificationConfig": SENT}
    ]


async def test_an_agent_is_told_over_http_and_json_too(client: Client) -> None:
    async with rest_agent(JSONResponse({"task": task("COMPLETED")})) as (url, bodies):
        await end_of(agent_client.connect(client, rest_card(url)).send(HI))
    assert bodies[0]["configuration"] == {**AT_ONCE, "taskPushNotificationConfig": SENT}


async def test_an_agent_that_cannot_push_is_not_told(client: Client) -> None:
    async with ScriptedAgent(SendMessage=result({"task": task("COMPLETED", artifact="ok")})).serving() as agent:
        await end_of(agent_client.connect(client, agent.card(streaming=False)).send(HI))
    assert [configuration_of(request) for request in agent.requests] == [AT_ONCE]


async def test_an_agent_whose_card_wrongly_says_it_pushes_is_called_without(client: Client) -> None:
    answers = [error(-32003, "Push Notification is not supported"), result({"task": task("COMPLETED", artifact="ok")})]
    async with ScriptedAgent(SendMessage=answers).serving() as agent:
        connection = agent_client.connect(client, pushing(agent.card(streaming=False)))
        assert (await end_of(connection.send(HI))).text == "ok"
    assert configuration_of(agent.requests[1]) == AT_ONCE


async def test_another_refusal_of_a_message_with_push_stays_one(client: Client) -> None:
    async with ScriptedAgent(SendMessage=error(-32602, "no")).serving() as agent:
        with pytest.raises(AgentFailedError):
            await end_of(agent_client.connect(client, pushing(agent.card(streaming=False))).send(HI))
    assert len(agent.requests) == 1


@pytest.mark.parametrize("how", ["sent", "followed"])
async def test_a_hint_makes_the_agent_be_asked_at_once(client: Client, how: str) -> None:
    """Without hints so many questions would take far longer than the test may."""
    agent = ScriptedAgent(SendMessage=result({"task": task("WORKING")}), GetTask=result(task("WORKING")))
    async with agent.serving():
        connection = agent_client.connect(client, pushing(agent.card(streaming=False)))
        events = connection.send(HI) if how == "sent" else connection.follow("t-1", pushed=True)
        watching = asyncio.create_task(end_of(events))
        await asked_times(agent, 1)
        for number in range(2, 40):
            assert connection.nudge("t-1")
            await asked_times(agent, number)
        agent.answers["GetTask"] = [result(task("COMPLETED", artifact="told"))]
        connection.nudge("t-1")
        assert (await watching).text == "told"
        assert not connection.nudge("t-1")


async def test_a_hint_about_a_task_that_is_not_watched_does_nothing(client: Client) -> None:
    async with ScriptedAgent().serving() as agent:
        assert not agent_client.connect(client, pushing(agent.card())).nudge("t-9")
    assert agent.requests == []


async def test_every_watcher_of_a_task_gets_the_hint(client: Client) -> None:
    agent = ScriptedAgent(GetTask=result(task("WORKING")))
    async with agent.serving():
        connection = agent_client.connect(client, pushing(agent.card(streaming=False)))
        first, second = (asyncio.create_task(end_of(connection.follow("t-1"))) for _ in range(2))
        await asked_times(agent, 2)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        agent.answers["GetTask"] = [result(task("COMPLETED", artifact="ok"))]
        assert connection.nudge("t-1")
        assert (await second).text == "ok"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
@pytest.mark.parametrize("asked_s", [None, 7, 20, 86_400])
async def test_an_overloaded_agent_is_given_the_pause_it_asks_for_within_bounds(
    client: Client, status: int, binding: str, asked_s: int | None
) -> None:
    for form in ("seconds", "date"):
        headers = {} if asked_s is None else {"retry_after": pause(asked_s, form)}
        async with overloaded_agent(client, binding, status, **headers) as connection:
            with pytest.raises(AgentUnavailableError) as caught:
                await end_of(connection.send(OutgoingMessage("m-1", "hi")))
        assert caught.value.facts["reached"] is False
        found_s = caught.value.facts.get("retry_after_s")
        if asked_s is None:
            assert found_s is None
        else:
            assert isinstance(found_s, float)
            assert max(min(asked_s, 60) - 5, 0) <= found_s <= min(asked_s, 60)


def pause(seconds: int, form: str) -> str:
    return str(seconds) if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), True)


async def asked_times(agent: ScriptedAgent, number: int) -> None:
    """Wait until the agent has been asked so often how its task stands."""
    async with asyncio.timeout(10):
        while agent.methods.count("GetTask") < number:  # noqa: ASYNC110 - what is counted are requests to a server
            await asyncio.sleep(0.005)


@asynccontextmanager
async def overloaded_agent(
    client: Client, binding: str, status: int, **headers: str
) -> AsyncGenerator[AgentConnection]:
    """Connect to an agent that refuses everything with this status."""
    if binding == "JSONRPC":
        async with ScriptedAgent(SendMessage=response("{}", status, **headers)).serving() as agent:
            yield agent_client.connect(client, agent.card(streaming=False))
    else:
        async with rest_agent(response("{}", status, **headers)({})) as (url, _):
            yield agent_client.connect(client, rest_card(url))


@asynccontextmanager
async def rest_agent(answer: Response) -> AsyncGenerator[tuple[str, list[JsonObject]]]:
    """Serve an agent that speaks HTTP+JSON and has one answer; yields the bodies it was sent too."""
    bodies: list[JsonObject] = []

    async def send(request: Request) -> Response:
        bodies.append(cast("JsonObject", await request.json()))
        return answer

    async with serve(Starlette(routes=[Route("/message:send", send, methods=["POST"])])) as url:
        yield url, bodies


def rest_card(url: str) -> AgentCard:
    return pushing(card_for(url, streaming=False, binding="HTTP+JSON"))
