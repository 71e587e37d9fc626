"""Calling agents that break the protocol, drown us, hang or vanish: it is a clear error, or the right answer."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager

import pytest
from starlette.responses import JSONResponse

from shared import agent_client
from shared.agent import JsonObject
from shared.agent_client import AgentConnection, Deadlines, Ended, Limits, OutgoingMessage, RemoteEvent, Started
from shared.errors import (
    AddressRefusedError,
    AgentFailedError,
    AgentProtocolError,
    AgentUnavailableError,
    FederationError,
    TimedOutError,
    TooLargeError,
)
from shared.http import Client, open_client
from shared.settings import FederationSettings
from tests.support.misbehaving import (
    Answer,
    ScriptedAgent,
    artifact,
    card_for,
    drip,
    error,
    response,
    result,
    status,
    stream,
    task,
)

QUICK = Deadlines(connect_s=1, first_byte_s=1, gap_s=0.3, total_s=3)
HI = OutgoingMessage("m-1", "hi")


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with open_client(FederationSettings.model_validate({})) as opened:
        yield opened


@asynccontextmanager
async def connected(
    client: Client, agent: ScriptedAgent, *, streaming: bool = True, deadlines: Deadlines = QUICK
) -> AsyncGenerator[AgentConnection]:
    async with agent.serving():
        yield agent_client.connect(
            client, agent.card(streaming=streaming), deadlines=deadlines, limits=Limits(event_bytes=50_000, events=50)
        )


async def outcome(events: AsyncGenerator[RemoteEvent]) -> Ended:
    async with aclosing(events):
        last = [event async for event in events][-1]
    assert isinstance(last, Ended)
    return last


async def refused(events: AsyncGenerator[RemoteEvent]) -> FederationError:
    with pytest.raises(FederationError) as caught:
        await outcome(events)
    return caught.value


def another_id(value: object) -> Answer:
    return lambda _: JSONResponse({"jsonrpc": "2.0", "id": "another", "result": value})


@pytest.mark.parametrize("streaming", [True, False])
async def test_an_answer_to_another_request_is_refused(client: Client, *, streaming: bool) -> None:
    done = another_id({"task": task("COMPLETED", artifact="not yours")})
    async with connected(client, ScriptedAgent(SendMessage=done, SendStreamingMessage=done), streaming=streaming) as to:
        failure = await refused(to.send(HI))
    assert isinstance(failure, AgentProtocolError)
    assert "another request" in failure.detail


@pytest.mark.parametrize(
    "event",
    [
        status("COMPLETED", task_id="foreign"),
        {"message": {"messageId": "m", "taskId": "foreign", "role": "ROLE_AGENT", "parts": [{"text": "not yours"}]}},
    ],
    ids=["status", "message"],
)
async def test_an_event_of_another_task_is_refused(client: Client, event: JsonObject) -> None:
    answers = stream({"task": task("WORKING")}, event)
    async with connected(client, ScriptedAgent(SendStreamingMessage=answers)) as to:
        failure = await refused(to.send(HI))
    assert isinstance(failure, AgentProtocolError)
    assert "another task (foreign)" in failure.detail
    assert failure.facts["remote_task_id"] == "t-1"


async def test_a_task_whose_id_is_longer_than_any_is_refused(client: Client) -> None:
    answers = stream({"task": task("WORKING", task_id="t" * 501)})
    async with connected(client, ScriptedAgent(SendStreamingMessage=answers)) as to:
        assert isinstance(await refused(to.send(HI)), AgentProtocolError)


async def test_another_task_than_the_one_asked_for_is_refused(client: Client) -> None:
    async with connected(client, ScriptedAgent(GetTask=result(task("COMPLETED", task_id="foreign")))) as to:
        assert isinstance(await refused(to.follow("t-1")), AgentProtocolError)


async def test_the_first_end_counts_and_nothing_after_it(client: Client) -> None:
    answers = stream(
        {"task": task("WORKING")},
        status("WORKING", text="on it"),
        status("SUBMITTED", text="back to the start"),
        artifact("result"),
        status("COMPLETED"),
        status("WORKING"),
        artifact("changed my mind"),
        status("FAILED"),
    )
    async with connected(client, ScriptedAgent(SendStreamingMessage=answers)) as to, aclosing(to.send(HI)) as sent:
        events = [event async for event in sent]
    assert "back to the start" not in repr(events)
    assert isinstance(events[-1], Ended)
    assert (events[-1].state, events[-1].text) == ("completed", "result")
    assert sum(isinstance(event, Ended) for event in events) == 1


async def test_a_stream_that_ends_early_is_asked_about_and_never_sent_again(client: Client) -> None:
    agent = ScriptedAgent(
        SendStreamingMessage=stream({"task": task("WORKING")}, artifact("half ")),
        GetTask=[result(task("WORKING", artifact="half ")), result(task("COMPLETED", artifact="half done"))],
        SubscribeToTask=error(-32004, "Unsupported"),
    )
    async with connected(client, agent) as to:
        ended = await outcome(to.send(HI))
    assert (ended.state, ended.text) == ("completed", "half done")
    assert agent.methods.count("SendStreamingMessage") == 1
    assert "SendMessage" not in agent.methods


async def test_a_broken_connection_is_repaired_by_asking(client: Client) -> None:
    begun = {"jsonrpc": "2.0", "id": "1", "result": {"task": task("WORKING")}}
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9999\r\n\r\n"
    done = {"jsonrpc": "2.0", "id": "2", "result": task("COMPLETED", artifact="ok")}
    body = json.dumps(done).encode()
    replies = [
        head + b"data: " + json.dumps(begun).encode() + b"\n\n",  # and then the connection is cut
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body,
    ]
    async with raw_server(replies) as (url, received):
        ended = await outcome(agent_client.connect(client, card_for(url), deadlines=QUICK).send(HI))
    assert ended.text == "ok"
    assert [b"SendStreamingMessage" in request for request in received] == [True, False]


async def test_a_connection_that_is_lost_before_any_answer_leaves_it_open_whether_it_began(
    client: Client,
) -> None:
    async with raw_server([b""]) as (url, received):
        failure = await refused(agent_client.connect(client, card_for(url), deadlines=QUICK).send(HI))
    assert isinstance(failure, AgentUnavailableError)
    assert failure.facts == {"reached": None}
    assert len(received) == 1


async def test_an_agent_that_is_not_there_was_not_reached(client: Client) -> None:
    async with raw_server([]) as (url, _):
        pass
    failure = await refused(agent_client.connect(client, card_for(url), deadlines=QUICK).send(HI))
    assert isinstance(failure, AgentUnavailableError)
    assert failure.facts == {"reached": False}


async def test_something_that_is_not_http_is_a_protocol_error(client: Client) -> None:
    async with raw_server([b"SSH-2.0-OpenSSH_9.2\r\n\r\n"]) as (url, _):
        failure = await refused(agent_client.connect(client, card_for(url), deadlines=QUICK).send(HI))
    assert isinstance(failure, AgentProtocolError)


async def test_an_agent_that_forgot_its_task_is_an_error_that_can_be_retried(client: Client) -> None:
    agent = ScriptedAgent(SendStreamingMessage=stream({"task": task("WORKING")}), GetTask=error(-32001, "Not found"))
    async with connected(client, agent) as to:
        failure = await refused(to.send(HI))
    assert isinstance(failure, AgentUnavailableError)
    assert failure.facts["task_lost"] is True


@pytest.mark.parametrize(
    ("status_code", "header", "least", "most"),
    [
        (429, "7", 7, 7),
        (503, "31536000", 60, 60),
        (503, "-3", 0, 0),
        (429, "Fri, 30 Nov 2096 10:00:00 GMT", 60, 60),
        (429, "nan", None, None),
        (429, "soon", None, None),
        (503, f"Mon, 01 Jan 2024 00:00:00 +{10**14}", None, None),
    ],
)
async def test_an_overloaded_agent_says_when_to_come_back_within_reason(
    client: Client, status_code: int, header: str, least: float | None, most: float | None
) -> None:
    async with connected(
        client, ScriptedAgent(SendStreamingMessage=response("later", status_code, retry_after=header))
    ) as to:
        failure = await refused(to.send(HI))
    assert isinstance(failure, AgentUnavailableError)
    assert failure.retryable
    assert failure.facts["reached"] is False
    pause_s = failure.facts.get("retry_after_s")
    assert pause_s is None if least is None or most is None else least <= float(str(pause_s)) <= most


async def test_asking_goes_on_though_the_agent_is_overloaded_for_a_while(client: Client) -> None:
    agent = ScriptedAgent(
        SendMessage=result({"task": task("WORKING")}),
        GetTask=[response("later", 503, retry_after="0"), response("", 500), result(task("COMPLETED", artifact="ok"))],
    )
    async with connected(client, agent, streaming=False) as to:
        assert (await outcome(to.send(HI))).text == "ok"


def _told(code: object = -32602, of: object = None) -> Answer:
    return lambda _: JSONResponse({"jsonrpc": "2.0", "id": of, "error": {"code": code, "message": "no"}})


REFUSALS: list[tuple[str, Callable[[], Answer], type[FederationError], str]] = [
    ("an error", lambda: error(-32602, "bad\u0007 parts\u202e"), AgentFailedError, "refused the request: bad parts."),
    ("an error with a list as its code", lambda: _told(code=[]), AgentFailedError, "refused the request"),
    ("an error of a list as the request", lambda: _told(of=[]), AgentProtocolError, "another request"),
    ("not JSON", lambda: response("<html>"), AgentProtocolError, "is not JSON"),
    ("not UTF-8", lambda: response(b'{"a":"\xff"}'), AgentProtocolError, "is not UTF-8"),
    ("NaN", lambda: response('{"a":NaN}'), AgentProtocolError, "has NaN"),
    ("infinity", lambda: response('{"a":1e999}'), AgentProtocolError, "out of range"),
    ("a key twice", lambda: response('{"id":"1","id":"1"}'), AgentProtocolError, "has the key 'id' twice"),
    ("deep JSON", lambda: response('{"a":' * 40 + "1" + "}" * 40), AgentProtocolError, "deeper than 32"),
    ("very deep JSON", lambda: response("[" * 100_000), AgentProtocolError, "deeper than 32"),
    ("a list", lambda: response("[]"), AgentProtocolError, "not a JSON object"),
    ("no result", lambda: result(None), AgentProtocolError, "neither a result nor an error"),
    ("an unknown event", lambda: result({"surprise": {}}), AgentProtocolError, "neither a task"),
    ("an unknown state", lambda: result({"task": task("RESTING")}), AgentProtocolError, "TASK_STATE_RESTING"),
    ("a task without id", lambda: result({"task": task("WORKING", task_id="")}), AgentProtocolError, "without a task"),
    ("HTTP 404", lambda: response("", 404), AgentProtocolError, "HTTP 404"),
    ("HTTP 500", lambda: response("oops", 500), AgentUnavailableError, "HTTP 500"),
    ("HTTP 401", lambda: response("", 401), AgentFailedError, "asks for credentials"),
    (
        "a redirect inside",
        lambda: response("", 307, location="http://169.254.169.254/latest/meta-data"),
        AgentProtocolError,
        "redirects are not followed",
    ),
    (
        "a gzip bomb",
        lambda: response(gzip.compress(b" " * 50_000_000), content_encoding="gzip"),
        AgentProtocolError,
        "encoding",
    ),
    ("a huge answer", lambda: response(b" " * 5_000_000), TooLargeError, "more than 4,194,304 bytes"),
]


@pytest.mark.parametrize(("answer", "kind", "text"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
async def test_an_answer_that_cannot_be_used_is_a_clear_error(
    client: Client, answer: Callable[[], Answer], kind: type[FederationError], text: str
) -> None:
    async with connected(client, ScriptedAgent(SendMessage=answer()), streaming=False) as to:
        failure = await refused(to.send(HI))
    assert type(failure) is kind
    assert text in failure.detail


async def test_a_huge_line_in_a_stream_is_an_error_when_nothing_else_is_known(client: Client) -> None:
    async with connected(client, ScriptedAgent(SendStreamingMessage=stream(after=b"data: " + b"x" * 60_000))) as to:
        failure = await refused(to.send(HI))
    assert isinstance(failure, TooLargeError)
    assert "50,000 bytes" in failure.detail


async def test_an_event_too_large_for_the_stream_is_fetched_with_the_task(client: Client) -> None:
    large = "x" * 60_000
    agent = ScriptedAgent(
        SendStreamingMessage=stream({"task": task("WORKING")}, artifact(large), status("COMPLETED")),
        GetTask=result(task("COMPLETED", artifact=large)),
    )
    async with connected(client, agent) as to:
        assert (await outcome(to.send(HI))).text == large
    assert agent.methods == ["SendStreamingMessage", "GetTask"]


async def test_endless_events_are_cut_off(client: Client) -> None:
    answers = stream({"task": task("WORKING")}, *(artifact("more ", append=True) for _ in range(60)))
    async with connected(client, ScriptedAgent(SendStreamingMessage=answers)) as to:
        failure = await refused(to.send(HI))
    assert isinstance(failure, TooLargeError)
    assert "more than 50 events" in failure.detail


async def test_endless_parts_are_cut_off(client: Client) -> None:
    made = task("COMPLETED") | {"artifacts": [{"artifactId": "a", "parts": [{"data": n} for n in range(501)]}]}
    async with connected(client, ScriptedAgent(SendStreamingMessage=stream({"task": made}))) as to:
        failure = await refused(to.send(HI))
    assert isinstance(failure, TooLargeError)
    assert "more than 500 parts" in failure.detail


async def test_an_answer_that_grows_with_every_stream_is_cut_off(client: Client) -> None:
    more = stream({"task": task("WORKING")}, *(artifact("x" * 4_000, append=True) for _ in range(5)))
    agent = ScriptedAgent(SendStreamingMessage=more, SubscribeToTask=more, GetTask=result(task("WORKING")))
    limits = Limits(task_bytes=50_000)
    async with agent.serving():
        failure = await refused(agent_client.connect(client, agent.card(), limits=limits).send(HI))
    assert isinstance(failure, TooLargeError)
    assert "more than 50,000 bytes" in failure.detail
    assert agent.methods.count("SubscribeToTask") == 2


async def test_an_agent_that_never_answers_is_given_up(client: Client) -> None:
    async with raw_server([None]) as (url, _):
        begun = time.monotonic()
        failure = await refused(agent_client.connect(client, card_for(url), deadlines=QUICK).send(HI))
    assert isinstance(failure, TimedOutError)
    assert failure.facts["reached"] is None
    assert time.monotonic() - begun < QUICK.total_s


async def test_an_agent_that_sends_comments_for_ever_is_given_up_at_the_deadline(client: Client) -> None:
    hold = asyncio.Event()
    comments = drip(b": still here\n\n", hold)
    agent = ScriptedAgent(
        SendStreamingMessage=stream({"task": task("WORKING")}),
        GetTask=result(task("WORKING")),
        SubscribeToTask=comments,
    )
    deadlines = Deadlines(connect_s=1, first_byte_s=1, gap_s=1, total_s=0.5)
    async with connected(client, agent, deadlines=deadlines) as to:
        failure = await refused(to.send(HI))
        hold.set()
    assert isinstance(failure, TimedOutError)
    assert failure.facts["remote_task_id"] == "t-1"
    assert agent.methods == ["SendStreamingMessage", "GetTask", "SubscribeToTask"]


async def test_a_drip_that_never_becomes_an_answer_ends_at_the_deadline(client: Client) -> None:
    hold = asyncio.Event()
    slow = drip(b" ", hold, media_type="application/json")
    deadlines = Deadlines(connect_s=1, first_byte_s=1, gap_s=1, total_s=0.5)
    for streaming in (True, False):
        agent = ScriptedAgent(SendStreamingMessage=slow, SendMessage=slow)
        async with connected(client, agent, streaming=streaming, deadlines=deadlines) as to:
            failure = await refused(to.send(HI))
            assert isinstance(failure, TimedOutError)
    hold.set()


async def test_a_task_that_never_ends_is_given_up_and_can_be_found_again(client: Client) -> None:
    agent = ScriptedAgent(SendMessage=result({"task": task("WORKING")}), GetTask=result(task("WORKING")))
    deadlines = Deadlines(connect_s=1, first_byte_s=1, gap_s=1, total_s=0.5)
    async with connected(client, agent, streaming=False, deadlines=deadlines) as to:
        failure = await refused(to.send(HI))
    assert isinstance(failure, TimedOutError)
    assert failure.facts["remote_task_id"] == "t-1"
    assert "0.5 s" in failure.detail


async def test_a_caller_that_leaves_closes_the_connection(client: Client) -> None:
    hold, left, left_again, seen = (asyncio.Event() for _ in range(4))
    begun: dict[str, object] = {"task": task("WORKING")}
    agent = ScriptedAgent(
        SendStreamingMessage=[stream(begun, hold=hold, left=left), stream(begun, hold=hold, left=left_again)]
    )

    async def watch(to: AgentConnection) -> None:
        async with aclosing(to.send(HI)) as events:
            async for _ in events:
                seen.set()

    async with connected(client, agent, deadlines=Deadlines()) as to, asyncio.timeout(5):
        async with aclosing(to.send(HI)) as events:
            assert isinstance(await anext(events), Started)
        await left.wait()
        watching = asyncio.create_task(watch(to))
        await seen.wait()
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching
        await left_again.wait()


async def test_an_agent_at_a_private_address_is_not_called(client: Client) -> None:
    failure = await refused(agent_client.connect(client, card_for("http://169.254.169.254/a2a")).send(HI))
    assert isinstance(failure, AddressRefusedError)


@asynccontextmanager
async def raw_server(replies: Sequence[bytes | None]) -> AsyncGenerator[tuple[str, list[bytes]]]:
    """Answer each connection's request with the next of these bytes, then cut it; None: say nothing and stay."""
    received: list[bytes] = []
    left = list(replies)
    closing = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
        received.append(head + await reader.readexactly(int(lines[b"content-length"])))
        reply = left.pop(0)
        if reply is None:
            await closing.wait()
        else:
            writer.write(reply)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", received
    finally:
        closing.set()
        server.close()
        await server.wait_closed()
