"""Our client and our server together: what an agent yields is what its caller gets."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from shared import agent_client, agent_server, cards
from shared.agent import (
    AgentRequest,
    Answer,
    Delta,
    File,
    InputRequired,
    JsonObject,
    OpenAgent,
    Produced,
    Progress,
    Update,
    Usage,
)
from shared.agent_client import AgentConnection, ArtifactChunk, Ended, OutgoingMessage, Started, StatusChanged
from shared.errors import TimedOutError
from shared.http import open_client
from shared.settings import FederationSettings
from tests.support.serving import serve

SCHEMA: JsonObject = {"type": "object", "properties": {"city": {"type": "string"}}}


async def obliging(request: AgentRequest) -> AsyncGenerator[Update]:
    """An agent that does what its message says."""
    match request.text:
        case "fail":
            raise TimedOutError("The page did not load within 5 s.")
        case "ask":
            yield InputRequired("Which city?", SCHEMA)
        case _:
            yield Progress("reading")
            yield Delta("answer", "Hel")
            yield Delta("answer", "lo")
            yield Usage(input_tokens=3, output_tokens=2, cost_usd=0.5, llm_calls=1)
            yield Answer("answer", f"Hello {request.text}", {"skill": request.skill, "turns": len(request.history)})
            yield Produced(File("plot.svg", "image/svg+xml", content=b"<svg/>"))


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[AgentConnection]:
    @asynccontextmanager
    async def open_agent() -> AsyncGenerator[OpenAgent]:
        yield OpenAgent(obliging)

    settings = FederationSettings.model_validate({"data_dir": tmp_path, "orchestrator_url": "http://127.0.0.1:9"})
    skill = cards.Skill("oblige", "Oblige", "Does what it is told.", ("any",))
    card = cards.build(settings, "api", name="Obliging", description="Obliges.", skills=[skill])
    async with serve(agent_server.create(settings, "api", card, open_agent)) as url, open_client(settings) as client:
        fetched = (await agent_client.fetch_card(client, url, timeout_s=5)).card
        for interface in fetched.supported_interfaces:
            interface.url = url
        yield agent_client.connect(client, fetched)


async def test_an_answer_with_its_progress_files_and_usage_comes_through(connection: AgentConnection) -> None:
    async with aclosing(connection.send(OutgoingMessage("m-1", "world", skill="oblige"))) as sent:
        events = [event async for event in sent]
    assert isinstance(events[0], Started)
    assert any(isinstance(event, StatusChanged) and event.text == "reading" for event in events)
    assert any(isinstance(event, ArtifactChunk) for event in events)
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert (ended.state, ended.text) == ("completed", "Hello world")
    assert ended.data == ({"skill": "oblige", "turns": 0},)
    assert ended.files == (File("plot.svg", "image/svg+xml", content=b"<svg/>"),)
    assert ended.usage == Usage(3, 2, 0.5, 1)
    found = await connection.get_task(events[0].remote_task_id)
    assert (found.state, found.text, found.files, found.usage) == ("completed", ended.text, ended.files, ended.usage)


async def test_a_failure_comes_through_with_its_kind(connection: AgentConnection) -> None:
    async with aclosing(connection.send(OutgoingMessage("m-2", "fail"))) as sent:
        ended = [event async for event in sent][-1]
    assert isinstance(ended, Ended)
    assert ended.error is not None
    assert (ended.state, ended.error.type, ended.error.retryable) == ("failed", "timed-out", True)
    assert ended.error.detail == "The page did not load within 5 s."


async def test_a_question_comes_through_with_its_schema_and_is_answered(connection: AgentConnection) -> None:
    async with aclosing(connection.send(OutgoingMessage("m-3", "ask"))) as sent:
        events = [event async for event in sent]
    started, asked = events[0], events[-1]
    assert isinstance(started, Started)
    assert isinstance(asked, Ended)
    assert (asked.state, asked.text, asked.schema) == ("input_required", "Which city?", SCHEMA)
    answer = OutgoingMessage("m-4", "Paris", task_id=started.remote_task_id, context_id=started.context_id)
    async with aclosing(connection.send(answer)) as sent:
        ended = [event async for event in sent][-1]
    assert isinstance(ended, Ended)
    assert (ended.state, ended.text) == ("completed", "Hello Paris")


async def test_the_same_message_sent_again_finds_the_same_task(connection: AgentConnection) -> None:
    tasks: list[str] = []
    for _ in range(2):
        async with aclosing(connection.send(OutgoingMessage("m-5", "twice"))) as sent:
            events = [event async for event in sent]
        assert isinstance(events[0], Started)
        assert isinstance(events[-1], Ended)
        assert events[-1].text == "Hello twice"
        tasks.append(events[0].remote_task_id)
    assert tasks[0] == tasks[1]
