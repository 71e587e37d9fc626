"""Deadlines of a call to an agent: the one that was given is the one that holds, and a long task is not cut short.

The deadlines that a test is not about are so long that it would fail before they pass.
"""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from typing import cast

import pytest
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from shared import agent_client
from shared.agent import JsonObject
from shared.agent_client import (
    ArtifactChunk,
    Deadlines,
    Ended,
    OutgoingMessage,
    RemoteEvent,
    TextPart,
)
from shared.errors import AgentUnavailableError, FederationError, TimedOutError
from shared.http import Client, open_client
from shared.settings import FederationSettings
from tests.support.misbehaving import Answer, ScriptedAgent, artifact, card_for, error, result, stream, task

PATIENT = Deadlines(connect_s=60, first_byte_s=60, gap_s=60, total_s=60)
HI = OutgoingMessage("m-1", "hi")


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with open_client(FederationSettings.model_validate({})) as opened:
        yield opened


@pytest.fixture(params=["of the connection", "of the call"])
def given(request: pytest.FixtureRequest) -> str:
    """Where the deadline under test is given."""
    return str(request.param)


async def collect(events: AsyncGenerator[RemoteEvent]) -> list[RemoteEvent]:
    async with aclosing(events), asyncio.timeout(20):
        return [event async for event in events]


async def end_of(events: AsyncGenerator[RemoteEvent]) -> Ended:
    last = (await collect(events))[-1]
    assert isinstance(last, Ended)
    return last


async def failure_of(
    client: Client, url: str, given: str, *, streaming: bool = True, **short: float
) -> FederationError:
    """Send a message to the agent at `url` with one short deadline; it holds no sooner than it says."""
    deadlines = replace(PATIENT, **short)
    connection = agent_client.connect(
        client, card_for(url, streaming=streaming), deadlines=deadlines if given == "of the connection" else PATIENT
    )
    began = asyncio.get_running_loop().time()
    with pytest.raises(FederationError) as caught:
        await collect(connection.send(HI, deadlines=deadlines if given == "of the call" else None))
    assert asyncio.get_running_loop().time() - began >= min(short.values()) - 0.01
    return caught.value


async def test_an_agent_that_accepts_no_connection_is_given_up_and_was_not_reached(client: Client, given: str) -> None:
    with deaf_server() as url:
        failure = await failure_of(client, url, given, connect_s=0.2)
    assert isinstance(failure, AgentUnavailableError)
    assert failure.facts == {"reached": False}
    assert "within 0.2 s" in failure.detail


async def test_an_agent_that_does_not_begin_to_answer_is_given_up(client: Client, given: str) -> None:
    async with silent_server() as url:
        failure = await failure_of(client, url, given, first_byte_s=0.2)
    assert isinstance(failure, TimedOutError)
    assert failure.facts == {"reached": None}
    assert "did not begin to answer within 0.2 s" in failure.detail


async def test_a_stream_that_falls_silent_is_given_up_and_what_was_missed_becomes_events(
    client: Client, given: str
) -> None:
    hold = asyncio.Event()
    agent = ScriptedAgent(
        SendStreamingMessage=stream({"task": task("WORKING")}, artifact("one "), hold=hold),
        GetTask=result(task("COMPLETED", artifact="one two")),
    )
    deadlines = replace(PATIENT, gap_s=0.2)
    async with agent.serving():
        of_connection = deadlines if given == "of the connection" else PATIENT
        connection = agent_client.connect(client, agent.card(), deadlines=of_connection)
        began = asyncio.get_running_loop().time()
        events = await collect(connection.send(HI, deadlines=deadlines if given == "of the call" else None))
        assert asyncio.get_running_loop().time() - began >= 0.19
        hold.set()
    assert agent.methods == ["SendStreamingMessage", "GetTask"]
    assert ArtifactChunk("a-1", "answer", (TextPart("two"),), append=True, last=False) in events
    assert isinstance(events[-1], Ended)
    assert events[-1].text == "one two"


async def test_a_stream_that_falls_silent_before_the_task_is_known_is_given_up(client: Client, given: str) -> None:
    hold = asyncio.Event()
    async with ScriptedAgent(SendStreamingMessage=stream(hold=hold)).serving() as agent:
        failure = await failure_of(client, agent.url, given, gap_s=0.2)
        hold.set()
    assert isinstance(failure, TimedOutError)
    assert "silent for 0.2 s" in failure.detail


async def test_a_task_that_does_not_end_is_given_up(client: Client, given: str) -> None:
    agent = ScriptedAgent(SendMessage=result({"task": task("WORKING")}), GetTask=result(task("WORKING")))
    async with agent.serving():
        failure = await failure_of(client, agent.url, given, streaming=False, total_s=0.3)
    assert isinstance(failure, TimedOutError)
    assert failure.facts["remote_task_id"] == "t-1"
    assert "within 0.3 s" in failure.detail


async def test_following_has_a_deadline_of_its_own(client: Client) -> None:
    agent = ScriptedAgent(GetTask=result(task("WORKING")), SubscribeToTask=error(-32004, "no"))
    async with agent.serving():
        connection = agent_client.connect(client, agent.card(), deadlines=PATIENT)
        with pytest.raises(TimedOutError, match=r"within 0\.3 s"):
            await collect(connection.follow("t-1", deadlines=replace(PATIENT, total_s=0.3)))


async def test_an_agent_without_streams_may_answer_when_the_work_is_done(client: Client) -> None:
    async with ScriptedAgent(SendMessage=late(0.4, {"task": task("COMPLETED", artifact="done")})).serving() as agent:
        deadlines = replace(PATIENT, first_byte_s=0.05, gap_s=0.05)
        connection = agent_client.connect(client, agent.card(streaming=False), deadlines=deadlines)
        assert (await end_of(connection.send(HI))).text == "done"


async def test_comments_in_a_stream_are_signs_of_life(client: Client) -> None:
    async with ScriptedAgent(SendStreamingMessage=commented(30, every_s=0.05)).serving() as agent:
        connection = agent_client.connect(client, agent.card(), deadlines=replace(PATIENT, gap_s=1))
        assert (await end_of(connection.send(HI))).text == "worth the wait"
    assert agent.methods == ["SendStreamingMessage"]


async def test_a_task_that_is_silent_for_long_is_asked_about_and_listened_to_again(client: Client) -> None:
    hold = asyncio.Event()
    begun = {"task": task("WORKING")}
    agent = ScriptedAgent(
        SendStreamingMessage=stream(begun, hold=hold),
        GetTask=[result(task("WORKING"))] * 3 + [result(task("COMPLETED", artifact="at last"))],
        SubscribeToTask=stream(begun, hold=hold),
    )
    async with agent.serving():
        connection = agent_client.connect(client, agent.card(), deadlines=replace(PATIENT, gap_s=0.1))
        assert (await end_of(connection.send(HI))).text == "at last"
        hold.set()
    assert agent.methods == ["SendStreamingMessage", *["GetTask", "SubscribeToTask"] * 3, "GetTask"]


async def test_a_subscription_that_is_closed_without_news_is_not_begun_again(client: Client) -> None:
    agent = ScriptedAgent(
        GetTask=[result(task("WORKING"))] * 3 + [result(task("COMPLETED", artifact="ok"))],
        SubscribeToTask=stream({"task": task("WORKING")}),
    )
    async with agent.serving():
        assert (await end_of(agent_client.connect(client, agent.card(), deadlines=PATIENT).follow("t-1"))).text == "ok"
    assert agent.methods == ["GetTask", "SubscribeToTask", "GetTask", "GetTask", "GetTask"]


async def test_asking_again_and_again_without_news_never_becomes_too_much(client: Client) -> None:
    polls = [result(task("WORKING"))] * 6 + [result(task("COMPLETED", artifact="ok"))]
    async with ScriptedAgent(SendMessage=result({"task": task("WORKING")}), GetTask=polls).serving() as agent:
        connection = agent_client.connect(
            client, agent.card(streaming=False), deadlines=PATIENT, limits=agent_client.Limits(events=3)
        )
        assert (await end_of(connection.send(HI))).text == "ok"


async def test_another_time_at_the_same_status_is_no_news(client: Client) -> None:
    polls = [result(_stamped(task("WORKING", text="busy"), second)) for second in range(6)]
    done = result(task("COMPLETED", artifact="ok"))
    agent = ScriptedAgent(SendMessage=result({"task": task("WORKING", text="busy")}), GetTask=[*polls, done])
    async with agent.serving():
        connection = agent_client.connect(
            client, agent.card(streaming=False), deadlines=PATIENT, limits=agent_client.Limits(events=3)
        )
        heard = await collect(connection.send(HI))
    assert [type(event).__name__ for event in heard] == ["Started", "StatusChanged", "ArtifactChunk", "Ended"]


def _stamped(working: dict[str, object], second: int) -> dict[str, object]:
    status = cast("dict[str, object]", working["status"])
    return {**working, "status": {**status, "timestamp": f"2026-11-23T05:00:0{second}Z"}}


async def test_streams_that_ended_leave_their_connection_to_the_next_call(client: Client) -> None:
    async with counting_server() as (url, connections):
        connection = agent_client.connect(client, card_for(url), deadlines=PATIENT)
        for number in range(5):
            await collect(connection.send(OutgoingMessage(f"m-{number}", "hi")))
    assert len(connections) == 1


async def test_a_stream_that_the_agent_leaves_open_after_the_end_is_closed_and_not_waited_for(client: Client) -> None:
    hold, left = asyncio.Event(), asyncio.Event()
    done = stream({"task": task("COMPLETED", artifact="ok")}, hold=hold, left=left)
    async with ScriptedAgent(SendStreamingMessage=done).serving() as agent:
        assert (await end_of(agent_client.connect(client, agent.card(), deadlines=PATIENT).send(HI))).text == "ok"
        async with asyncio.timeout(10):
            await left.wait()


@contextmanager
def deaf_server() -> Generator[str]:
    """Listen, with the queue of connections full, and accept none."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


@asynccontextmanager
async def silent_server() -> AsyncGenerator[str]:
    """Accept connections, read what comes, and say nothing."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        server.close()


@asynccontextmanager
async def counting_server() -> AsyncGenerator[tuple[str, list[object]]]:
    """Answer every request on a connection with a task that is done; yields the connections too."""
    connections: list[object] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        with suppress(asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                event = to_event(json.loads(await reader.readexactly(int(length))), {"task": task("COMPLETED")})
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                    b"%x\r\n%b\r\n0\r\n\r\n" % (len(event), event)
                )
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", connections
        server.close()


class Late(Response):
    """A response that begins only after a while."""

    def __init__(self, after_s: float, inner: Response) -> None:
        super().__init__()
        self._after_s = after_s
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(self._after_s)
        await self._inner(scope, receive, send)


def late(after_s: float, value: object) -> Answer:
    """Answer with this result, but only after a while."""
    return lambda request: Late(after_s, result(value)(request))


def commented(count: int, *, every_s: float) -> Answer:
    """Stream a task, then comments, then its end."""

    def answer(request: JsonObject) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield to_event(request, {"task": task("WORKING")})
            for _ in range(count):
                await asyncio.sleep(every_s)
                yield b": still here\n\n"
            yield to_event(request, {"task": task("COMPLETED", artifact="worth the wait")})

        return StreamingResponse(pieces(), media_type="text/event-stream")

    return answer


def to_event(request: JsonObject, value: object) -> bytes:
    """Return the server-sent event that brings this result."""
    return b"data: " + json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": value}).encode() + b"\n\n"
