"""Streams that break in the middle: nothing of what the agent said is lost, and nothing is told twice."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from a2a.types import AgentCard, AgentExtension

from shared import agent_client, agent_sequence, agent_server, cards
from shared.agent import AgentRequest, Answer, Delta, JsonObject, OpenAgent, Progress, Update
from shared.agent_client import ArtifactChunk, Ended, OutgoingMessage, RemoteEvent, StatusChanged, TextPart
from shared.errors import AgentFailedError, AgentUnavailableError
from shared.http import Client, open_client
from shared.settings import FederationSettings
from tests.support.cutting import CuttingProxy
from tests.support.misbehaving import ScriptedAgent, artifact, card_for, error, response, result, status, stream, task
from tests.support.serving import serve

NOTES = [f"note {number}" for number in range(12)]
HI = OutgoingMessage("m-1", "hi")


@dataclass
class Storyteller:
    """An agent of ours that tells twelve notes and a text; in the middle it waits until it is told to go on."""

    url: str = ""
    card: AgentCard = field(default_factory=AgentCard)
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, _: AgentRequest) -> AsyncGenerator[Update]:
        for number, note in enumerate(NOTES):
            if number == len(NOTES) // 2:
                await self.goes_on.wait()
            yield Progress(note)
        yield Delta("answer", "one ")
        yield Delta("answer", "two")
        yield Answer("answer", "one two")


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with open_client(FederationSettings.model_validate({})) as opened:
        yield opened


@pytest.fixture
async def teller(tmp_path: Path) -> AsyncIterator[Storyteller]:
    settings = FederationSettings.model_validate({"data_dir": tmp_path, "orchestrator_url": "http://127.0.0.1:9"})
    skill = cards.Skill("tell", "Tell", "Tells.", ("any",))
    built = cards.build(settings, "api", name="Teller", description="Tells.", skills=[skill])
    told = Storyteller()

    @asynccontextmanager
    async def open_agent() -> AsyncGenerator[OpenAgent]:
        yield OpenAgent(told.answer)

    async with serve(agent_server.create(settings, "api", built, open_agent)) as url, open_client(settings) as client:
        told.url = url
        told.card = (await agent_client.fetch_card(client, url, timeout_s=5)).card
        yield told


@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
async def test_a_stream_that_is_cut_again_and_again_loses_nothing_and_repeats_nothing(
    client: Client, teller: Storyteller, binding: str
) -> None:
    async with CuttingProxy(teller.url, 3, 1, 5, 2).serving() as proxy:
        heard = await listen(client, teller, through(teller.card, proxy.url, binding))
        assert proxy.cuts_left == 0
    assert notes_in(heard) == NOTES
    assert text_in(heard) == "one two"
    assert isinstance(heard[-1], Ended)
    assert (heard[-1].state, heard[-1].text) == ("completed", "one two")


async def test_what_was_told_after_the_cut_is_heard_though_the_task_has_ended_since(
    client: Client, teller: Storyteller
) -> None:
    teller.goes_on.set()
    async with CuttingProxy(teller.url, 4, refuses=2).serving() as proxy:
        heard = await listen(client, teller, through(teller.card, proxy.url, "JSONRPC"))
        assert proxy.refuses == 0
    assert notes_in(heard) == NOTES
    assert text_in(heard) == "one two"


async def test_an_agent_without_numbers_is_asked_and_only_what_is_new_is_told(client: Client) -> None:
    agent = ScriptedAgent(
        SendStreamingMessage=stream(
            {"task": task("WORKING", text="reading")}, artifact("one "), artifact("lost", append=True)
        ),
        GetTask=result(task("WORKING", text="reading", artifact="one two ")),
        SubscribeToTask=stream(
            {"task": task("WORKING", text="reading", artifact="one two ")},
            artifact("three", append=True),
            status("COMPLETED"),
        ),
    )
    async with agent.serving(), CuttingProxy(agent.url, 2).serving() as proxy:
        heard = await collect(client, card_for(proxy.url))
    assert notes_in(heard) == ["reading"]
    assert text_in(heard) == "one two three"
    assert isinstance(heard[-1], Ended)
    assert heard[-1].text == "one two three"
    assert agent.methods == ["SendStreamingMessage", "GetTask", "SubscribeToTask"]
    assert not any("a2a-extensions" in headers or "last-event-id" in headers for headers in agent.headers)


async def test_an_agent_that_declares_numbers_and_leaves_some_out_is_asked(client: Client) -> None:
    card = numbering(card_for(""))
    agent = ScriptedAgent(
        SendStreamingMessage=stream(numbered({"task": task("WORKING")}, 0), numbered(artifact("one "), 1)),
        SubscribeToTask=stream(
            numbered({"task": task("WORKING", artifact="one two ")}, 5), numbered(artifact("three", append=True), 6)
        ),
        GetTask=[result(task("WORKING", artifact="one two ")), result(task("COMPLETED", artifact="one two three"))],
    )
    async with agent.serving():
        card.supported_interfaces[0].url = agent.url
        heard = await collect(client, card)
    assert text_in(heard) == "one two three"
    assert agent.headers[1]["last-event-id"] == "1"


async def test_events_that_are_sent_again_are_told_once(client: Client) -> None:
    agent = ScriptedAgent(
        SendStreamingMessage=stream(
            numbered({"task": task("WORKING")}, 0),
            numbered(artifact("one "), 1),
            numbered(artifact("one "), 1),
            numbered(artifact("two", append=True), 2),
            numbered(artifact("two", append=True), 2),
            numbered(status("COMPLETED"), 3),
        )
    )
    async with agent.serving():
        assert text_in(await collect(client, numbering(agent.card()))) == "one two"


@pytest.mark.parametrize(
    "lost",
    [
        error(-32603, "Database is locked"),
        response("oops", 500),
        response('{"jsonrpc": "2.0", "id": "1", "error": {"code": -32603, "message": "oops"}}', 500),
        response('{"error": {"code": 500, "status": "INTERNAL", "message": "oops"}}', 502),
    ],
    ids=["-32603", "500", "500 with -32603", "502 with a reason"],
)
async def test_an_agent_that_fails_at_telling_how_a_task_stands_is_asked_again(client: Client, lost: object) -> None:
    agent = ScriptedAgent(
        SendMessage=result({"task": task("WORKING")}),
        GetTask=[lost, lost, result(task("COMPLETED", artifact="done"))],  # pyright: ignore[reportArgumentType]
    )
    async with agent.serving():
        *_, ended = await collect(client, agent.card(streaming=False))
    assert isinstance(ended, Ended)
    assert ended.text == "done"
    assert agent.methods.count("GetTask") == 3


async def test_an_agent_that_never_tells_how_a_task_stands_was_not_available(client: Client) -> None:
    agent = ScriptedAgent(SendMessage=result({"task": task("WORKING")}), GetTask=error(-32603, "Database is locked"))
    async with agent.serving():
        with pytest.raises(AgentUnavailableError, match="Database is locked") as caught:
            await collect(client, agent.card(streaming=False))
    assert caught.value.facts["remote_task_id"] == "t-1"
    assert agent.methods.count("GetTask") == 5


async def test_a_message_that_an_agent_fails_at_is_not_sent_again(client: Client) -> None:
    async with ScriptedAgent(SendMessage=error(-32603, "No")).serving() as agent:
        with pytest.raises(AgentFailedError):
            await collect(client, agent.card(streaming=False))
    assert agent.methods == ["SendMessage"]


async def collect(client: Client, card: AgentCard) -> list[RemoteEvent]:
    """Send a message and return what is heard."""
    async with asyncio.timeout(30), aclosing(agent_client.connect(client, card).send(HI)) as events:
        return [event async for event in events]


async def listen(client: Client, teller: Storyteller, card: AgentCard) -> list[RemoteEvent]:
    """Send a message and return what is heard; in the middle let the agent go on."""
    heard: list[RemoteEvent] = []
    async with asyncio.timeout(30), aclosing(agent_client.connect(client, card).send(HI)) as events:
        async for event in events:
            heard.append(event)
            if isinstance(event, StatusChanged) and event.text == NOTES[5]:
                teller.goes_on.set()
    return heard


def through(card: AgentCard, url: str, binding: str) -> AgentCard:
    """Return the card with only the interface of 1.0 in that binding, at `url`."""
    changed = AgentCard()
    changed.CopyFrom(card)
    del changed.supported_interfaces[:]
    for interface in card.supported_interfaces:
        if (interface.protocol_binding, interface.protocol_version) == (binding, "1.0"):
            changed.supported_interfaces.append(interface)
            changed.supported_interfaces[0].url = url
    return changed


def numbering(card: AgentCard) -> AgentCard:
    """Declare the extension in the card."""
    card.capabilities.extensions.append(AgentExtension(uri=agent_sequence.URI))
    return card


def numbered(event: dict[str, object], seq: int) -> JsonObject:
    """Return the stream response with its number."""
    [(kind, content)] = event.items()
    assert isinstance(content, dict)
    return {kind: {**content, "metadata": {agent_sequence.URI: {"seq": seq}}}}


def notes_in(heard: list[RemoteEvent]) -> list[str]:
    """Return the notes that were told, in order."""
    return [event.text for event in heard if isinstance(event, StatusChanged) and event.text]


def text_in(heard: list[RemoteEvent]) -> str:
    """Return the text that the chunks make."""
    text = ""
    for event in heard:
        if isinstance(event, ArtifactChunk):
            piece = "".join(part.text for part in event.parts if isinstance(part, TextPart))
            text = text + piece if event.append else piece
    return text
