"""The WebSocket of a tab: the same events as the stream, from wherever it was, without piling up."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from shared.agent import AgentRequest, Answer, Delta, JsonObject, Update
from tests.support.federation import Federation, TestAgent, federation, step

_TIMEOUT_S = 20


async def _echo(request: AgentRequest) -> AsyncGenerator[Update]:
    for number in range(30):
        yield Delta("echo", f"{number} ")
    yield Answer("echo", request.text)


_ECHO = TestAgent("Echo", _echo, ("echo",))


@asynccontextmanager
async def _tab(running: Federation) -> AsyncGenerator[ClientConnection]:
    async with connect(running.url.replace("http", "ws") + "/api/events/ws") as socket:
        assert await _hear(socket) == {"type": "hello"}
        yield socket


async def _send(socket: ClientConnection, **message: object) -> None:
    await socket.send(orjson.dumps(message).decode())


async def _hear(socket: ClientConnection) -> JsonObject:
    async with asyncio.timeout(_TIMEOUT_S):
        return cast("JsonObject", orjson.loads(await socket.recv()))


async def _story(socket: ClientConnection, task_id: str) -> list[JsonObject]:
    """Return a task's events up to the end of its log."""
    events: list[JsonObject] = []
    while (message := await _hear(socket))["type"] != "end":
        if message["type"] == "events" and message["task_id"] == task_id:
            events += cast("list[JsonObject]", message["events"])
    return events


async def test_it_tells_what_the_stream_tells(tmp_path: Path) -> None:
    async with federation(tmp_path, _ECHO) as running, _tab(running) as socket:
        task = await running.run(step("a"), wait_s=None)
        await _send(socket, type="subscribe", task_id=task["id"])
        live = await _story(socket, str(task["id"]))
        assert live == await running.events(task)
        await _send(socket, type="subscribe", task_id=task["id"], after=live[4]["seq"])
        assert await _story(socket, str(task["id"])) == live[5:]


async def test_many_tasks_at_once_each_in_order(tmp_path: Path) -> None:
    async with federation(tmp_path, _ECHO) as running, _tab(running) as socket:
        tasks = [await running.run(step("a"), wait_s=None) for _ in range(12)]
        for task in tasks:
            await _send(socket, type="subscribe", task_id=task["id"])
        heard: dict[str, list[JsonObject]] = {str(task["id"]): [] for task in tasks}
        ended: set[str] = set()
        while len(ended) < len(tasks):
            message = await _hear(socket)
            if message["type"] == "events":
                heard[str(message["task_id"])] += cast("list[JsonObject]", message["events"])
            elif message["type"] == "end":
                ended.add(str(message["task_id"]))
        for task in tasks:
            assert heard[str(task["id"])] == await running.events(task)


async def test_it_says_when_lists_changed(tmp_path: Path) -> None:
    async with federation(tmp_path, _ECHO) as running, _tab(running) as socket:
        await _send(socket, type="watch", topic="tasks")
        await _send(socket, type="subscribe", task_id="nobody")
        assert (await _hear(socket))["type"] == "refused"
        await running.run(step("a"))
        assert await _hear(socket) == {"type": "changed", "topic": "tasks"}


async def test_what_is_unsubscribed_is_not_heard(tmp_path: Path) -> None:
    async with federation(tmp_path, _ECHO) as running, _tab(running) as socket:
        task = await running.run(step("a"))
        await _send(socket, type="subscribe", task_id=task["id"])
        await _story(socket, str(task["id"]))
        await _send(socket, type="unsubscribe", task_id=task["id"])
        await _send(socket, type="subscribe", task_id="nobody")
        refused = await _hear(socket)
        assert refused["type"] == "refused"
        assert cast("JsonObject", refused["problem"])["status"] == 404


async def test_a_hundred_tasks_are_followed_and_one_more_once_another_is_let_go(tmp_path: Path) -> None:
    async with federation(tmp_path, _ECHO) as running, _tab(running) as socket:
        tasks = await asyncio.gather(*(running.run(step("a"), approve_plan=True) for _ in range(101)))
        await _send(socket, type="watch", topic="tasks")
        for task in [*tasks[:100], tasks[0]]:
            await _send(socket, type="subscribe", task_id=task["id"])
        await _send(socket, type="unsubscribe", task_id=tasks[0]["id"])
        await _send(socket, type="subscribe", task_id=tasks[100]["id"])
        message: JsonObject = {}
        while message.get("task_id") != tasks[100]["id"]:
            message = await _hear(socket)
        await _send(socket, type="subscribe", task_id=tasks[0]["id"])
        async with asyncio.timeout(_TIMEOUT_S):
            with pytest.raises(ConnectionClosed, match="100 tasks at most"):
                _ = [heard async for heard in socket]


_NO_NUMBER = '{"type": "subscribe", "task_id": "a", "after": 9223372036854775808}'


@pytest.mark.parametrize(
    "message", ["", b"{}", "[]", '{"type": "dance"}', '{"type": "subscribe"}', _NO_NUMBER, '"' + "x" * 5000 + '"']
)
async def test_nonsense_closes_the_connection_with_a_reason(tmp_path: Path, message: str | bytes) -> None:
    async with federation(tmp_path) as running, _tab(running) as socket:
        await socket.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            await _hear(socket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


async def test_pages_of_other_sites_are_not_served(tmp_path: Path) -> None:
    async with federation(tmp_path) as running:
        with pytest.raises(Exception, match="403"):
            async with connect(
                running.url.replace("http", "ws") + "/api/events/ws",
                additional_headers={"Origin": "https://evil.example"},
            ):
                pass
