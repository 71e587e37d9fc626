"""Calling agents over A2A: what a caller gets from agents that behave, and that it gets all of it."""

import base64
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest
from a2a.types import AgentCard, AgentInterface
from pydantic import SecretStr

from shared import agent_client, telemetry
from shared.agent import METADATA_KEY, File, Usage
from shared.agent_auth import AgentAuth
from shared.agent_client import (
    ArtifactChunk,
    Deadlines,
    Ended,
    OutgoingMessage,
    RemoteEvent,
    Started,
    StatusChanged,
    TextPart,
)
from shared.credentials import Secrets
from shared.errors import AgentProtocolError, InvalidRequestError
from shared.http import Client, open_client
from shared.oauth import Tokens
from shared.settings import FederationSettings
from tests.support.misbehaving import ScriptedAgent, artifact, card_for, error, result, status, stream, task

QUICK = Deadlines(connect_s=2, first_byte_s=5, gap_s=5, total_s=10)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with open_client(FederationSettings.model_validate({})) as opened:
        yield opened


async def collect(events: AsyncGenerator[RemoteEvent]) -> list[RemoteEvent]:
    async with aclosing(events):
        return [event async for event in events]


async def end_of(events: AsyncGenerator[RemoteEvent]) -> Ended:
    last = (await collect(events))[-1]
    assert isinstance(last, Ended)
    return last


async def test_what_the_caller_is_doing_is_traced_at_the_agent(client: Client) -> None:
    async with ScriptedAgent(
        SendStreamingMessage=stream({"task": task("COMPLETED", artifact="hi")})
    ).serving() as agent:
        sent = telemetry.adopt_trace(None)
        await end_of(agent_client.connect(client, agent.card()).send(OutgoingMessage("m-1", "hi")))
    assert agent.headers[0]["traceparent"] == sent
    assert agent.headers[0]["a2a-version"] == "1.0"


async def test_credentials_go_with_every_call(client: Client) -> None:
    done = result(task("COMPLETED", artifact="hi"))
    agent = ScriptedAgent(SendMessage=result({"task": task("WORKING")}), GetTask=done)
    async with agent.serving():
        secrets = Secrets(headers={"Authorization": SecretStr("Bearer x")})
        auth = AgentAuth(secrets, AgentCard(), Tokens(client))
        connection = agent_client.connect(client, agent.card(streaming=False), auth=auth)
        await end_of(connection.send(OutgoingMessage("m-1", "hi")))
    assert [headers["authorization"] for headers in agent.headers] == ["Bearer x"] * 2
    assert "Bearer" not in repr(connection.endpoint)


async def test_progress_and_pieces_arrive_in_order_and_join_to_the_answer(client: Client) -> None:
    answers = stream(
        {"task": task("SUBMITTED")},
        status("WORKING", text="reading"),
        artifact("Hel"),
        artifact("lo", append=True, last=True),
        status("COMPLETED"),
    )
    async with ScriptedAgent(SendStreamingMessage=answers).serving() as agent:
        events = await collect(agent_client.connect(client, agent.card()).send(OutgoingMessage("m-1", "hi")))
    assert events[:-1] == [
        Started("t-1", "c-1"),
        StatusChanged("submitted", "", {}),
        StatusChanged("working", "reading", {}),
        ArtifactChunk("a-1", "answer", (TextPart("Hel"),), append=False, last=False),
        ArtifactChunk("a-1", "answer", (TextPart("lo"),), append=True, last=True),
    ]
    assert isinstance(events[-1], Ended)
    assert events[-1].text == "Hello"


async def test_a_message_instead_of_a_task_is_an_answer(client: Client) -> None:
    said = {"message": {"messageId": "x", "role": "ROLE_AGENT", "parts": [{"text": "hi"}, {"data": {"n": 1}}]}}
    async with ScriptedAgent(SendStreamingMessage=stream(said), SendMessage=result(said)).serving() as agent:
        for streaming in (True, False):
            connection = agent_client.connect(client, agent.card(streaming=streaming))
            [ended] = await collect(connection.send(OutgoingMessage("m-1", "hi")))
            assert isinstance(ended, Ended)
            assert (ended.state, ended.text, ended.data) == ("completed", "hi", ({"n": 1},))


async def test_a_message_that_names_a_task_which_is_not_kept_is_an_answer_too(client: Client) -> None:
    said = {"message": {"messageId": "x", "taskId": "t-9", "role": "ROLE_AGENT", "parts": [{"text": "hi"}]}}
    async with ScriptedAgent(SendStreamingMessage=stream(said)).serving() as agent:
        ended = await end_of(agent_client.connect(client, agent.card()).send(OutgoingMessage("m-1", "hi")))
    assert (ended.state, ended.text) == ("completed", "hi")


async def test_a_question_asked_again_word_for_word_is_not_waited_for_for_ever(client: Client) -> None:
    asking = task("INPUT_REQUIRED", text="Which one?")
    agent = ScriptedAgent(
        SendStreamingMessage=stream({"task": asking}), GetTask=result(asking), SubscribeToTask=error(-32004, "no")
    )
    async with agent.serving():
        follow_up = OutgoingMessage("m-2", "That one", task_id="t-1", context_id="c-1")
        ended = await end_of(agent_client.connect(client, agent.card()).send(follow_up))
    assert (ended.state, ended.text) == ("input_required", "Which one?")


async def test_without_artifacts_the_last_thing_the_agent_said_is_the_answer(client: Client) -> None:
    history = [
        {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "question"}]},
        {"messageId": "2", "role": "ROLE_AGENT", "parts": [{"text": "answer"}]},
    ]
    in_history, in_status = task("COMPLETED", history=[*history]), task("COMPLETED", text="final", history=[*history])
    for given, text in ((in_history, "answer"), (in_status, "final")):
        async with ScriptedAgent(SendStreamingMessage=stream({"task": given})).serving() as agent:
            ended = await end_of(agent_client.connect(client, agent.card()).send(OutgoingMessage("m-1", "question")))
        assert ended.text == text


async def test_files_data_and_usage_reach_the_caller(client: Client) -> None:
    parts = [
        {"text": "see"},
        {"data": {"rows": [1]}},
        {"raw": base64.b64encode(b"png").decode(), "filename": "s.png", "mediaType": "image/png"},
        {"url": "http://x.test/f", "filename": "f", "mediaType": "text/csv"},
    ]
    usage = {METADATA_KEY: {"usage": {"input_tokens": 5.0, "output_tokens": 7, "cost_usd": 0.25, "llm_calls": 2}}}
    done = task("COMPLETED", metadata=usage) | {"artifacts": [{"artifactId": "a", "parts": [*parts]}]}
    async with ScriptedAgent(SendStreamingMessage=stream({"task": done})).serving() as agent:
        ended = await end_of(agent_client.connect(client, agent.card()).send(OutgoingMessage("m-1", "hi")))
    assert ended.text == "see"
    assert ended.data == ({"rows": [1]},)
    assert ended.files == (
        File("s.png", "image/png", content=b"png"),
        File("f", "text/csv", url="http://x.test/f"),
    )
    assert ended.usage == Usage(5, 7, 0.25, 2)


async def test_a_failure_says_what_the_agent_said_about_it(client: Client) -> None:
    told = {METADATA_KEY: {"error": {"type": "timed-out", "title": "Slow", "detail": "Too slow.", "retryable": True}}}
    with_facts = task("FAILED", text="ignored\u0007")
    with_facts["metadata"] = told
    cases = (
        (with_facts, ("timed-out", "Too slow.", True)),
        (task("FAILED", text="Disk\u0007 full\u202e."), ("agent-failed", "Disk full.", False)),
        (task("REJECTED"), ("agent-failed", "The agent ended the task as rejected and did not say why.", False)),
        (task("FAILED", text="x" * 9_000), ("agent-failed", "x" * 1_999 + "…", False)),
    )
    for given, expected in cases:
        async with ScriptedAgent(SendStreamingMessage=stream({"task": given})).serving() as agent:
            ended = await end_of(agent_client.connect(client, agent.card()).send(OutgoingMessage("m-1", "hi")))
        assert ended.error is not None
        assert (ended.error.type, ended.error.detail, ended.error.retryable) == expected


async def test_an_agent_that_does_not_stream_is_asked_until_it_has_finished(client: Client) -> None:
    polls = [
        result(task("WORKING")),
        result(task("WORKING", artifact="ha")),
        result(task("COMPLETED", artifact="half full")),
    ]
    async with ScriptedAgent(SendMessage=result({"task": task("SUBMITTED")}), GetTask=polls).serving() as agent:
        connection = agent_client.connect(client, agent.card(streaming=False))
        events = await collect(connection.send(OutgoingMessage("m-1", "hi")))
    assert agent.methods == ["SendMessage", "GetTask", "GetTask", "GetTask"]
    assert agent.requests[0]["params"] == {
        "message": {"messageId": "m-1", "role": "ROLE_USER", "parts": [{"text": "hi"}]},
        "configuration": {"historyLength": 0, "returnImmediately": True},
    }
    pieces = [event for event in events if isinstance(event, ArtifactChunk)]
    assert [(piece.parts, piece.append) for piece in pieces] == [
        ((TextPart("ha"),), False),
        ((TextPart("lf full"),), True),
    ]
    assert isinstance(events[-1], Ended)
    assert events[-1].text == "half full"


@pytest.mark.parametrize("streaming", [True, False], ids=["streaming", "not streaming"])
async def test_an_agent_may_show_all_of_a_large_message_again(client: Client, *, streaming: bool) -> None:
    content = bytes(5_000_000)
    message = OutgoingMessage("m-1", "hi", files=(File("a.bin", "application/octet-stream", content),))
    sent = {"messageId": "m-1", "role": "ROLE_USER", "parts": [{"raw": base64.b64encode(content).decode()}]}
    done = {"task": task("COMPLETED", artifact="ok", history=[sent])}
    agent = ScriptedAgent(SendStreamingMessage=stream(done), SendMessage=result(done))
    async with agent.serving():
        ended = await end_of(agent_client.connect(client, agent.card(streaming=streaming)).send(message))
    assert ended.text == "ok"
    assert agent.methods == ["SendStreamingMessage" if streaming else "SendMessage"]


async def test_an_agent_whose_card_wrongly_says_it_streams_is_called_without(client: Client) -> None:
    done = result({"task": task("COMPLETED", artifact="ok")})
    async with ScriptedAgent(SendStreamingMessage=error(-32004, "no streams"), SendMessage=done).serving() as agent:
        ended = await end_of(agent_client.connect(client, agent.card()).send(OutgoingMessage("m-1", "hi")))
    assert ended.text == "ok"
    assert agent.methods == ["SendStreamingMessage", "SendMessage"]


async def test_following_a_task_catches_up_and_goes_on(client: Client) -> None:
    news = stream({"task": task("WORKING", artifact="one ")}, artifact("two", append=True), status("COMPLETED"))
    known = result(task("WORKING", text="busy", artifact="one "))
    async with ScriptedAgent(GetTask=known, SubscribeToTask=news).serving() as agent:
        events = await collect(agent_client.connect(client, agent.card()).follow("t-1"))
    assert events[0] == Started("t-1", "c-1")
    assert isinstance(events[-1], Ended)
    assert events[-1].text == "one two"
    assert agent.methods == ["GetTask", "SubscribeToTask"]


async def test_the_first_interface_of_a_card_in_the_newest_version_is_chosen(client: Client) -> None:
    def chosen(*offers: tuple[str, str]) -> str:
        card = card_for("http://127.0.0.1:9000")
        del card.supported_interfaces[:]
        card.supported_interfaces.extend(
            AgentInterface(url="http://127.0.0.1:9000", protocol_binding=binding, protocol_version=version)
            for binding, version in offers
        )
        return agent_client.connect(client, card).endpoint.binding

    assert chosen(("JSONRPC", "0.3"), ("HTTP+JSON", "1.0"), ("JSONRPC", "1.0")) == "HTTP+JSON 1.0"
    assert chosen(("GRPC", "1.0"), ("JSONRPC", "1.0"), ("HTTP+JSON", "1.0")) == "JSONRPC 1.0"
    assert chosen(("JSONRPC", "0.3.0"), ("HTTP+JSON", "1.0")) == "HTTP+JSON 1.0"
    assert chosen(("GRPC", "1.0"), ("JSONRPC", "0.3.0")) == "JSONRPC 0.3"
    with pytest.raises(AgentProtocolError, match="speaks only GRPC"):
        chosen(("GRPC", "1.0"))
    with pytest.raises(InvalidRequestError, match="is not a URL"):
        agent_client.connect(client, card_for("http://[v1.x]/"))


async def test_a_message_without_content_is_refused_before_it_is_sent(client: Client) -> None:
    connection = agent_client.connect(client, card_for("http://127.0.0.1:9000"))
    with pytest.raises(InvalidRequestError, match="needs text, data or a file"):
        await collect(connection.send(OutgoingMessage("m-1")))
