"""Calling agents made with the official SDK, in every binding, streaming or not."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill, Part, Task, TaskState, TaskStatus
from google.protobuf.json_format import MessageToDict
from starlette.applications import Starlette

from shared import agent_client
from shared.agent import METADATA_KEY, File
from shared.agent_client import (
    AgentConnection,
    ArtifactChunk,
    Deadlines,
    Ended,
    OutgoingMessage,
    RemoteEvent,
    Started,
    TextPart,
)
from shared.errors import NotFoundError
from shared.http import Client, open_client
from shared.settings import FederationSettings
from tests.support.serving import serve

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


class EchoExecutor(AgentExecutor):
    """Streams the text back word by word; "ask" waits for input, "wait" until it is canceled."""

    def __init__(self) -> None:
        self.requests: list[RequestContext] = []

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        assert context.task_id
        assert context.context_id
        assert context.message
        self.requests.append(context)
        if context.current_task is None:
            submitted = TaskStatus(state=TaskState.TASK_STATE_SUBMITTED)
            await event_queue.enqueue_event(Task(id=context.task_id, context_id=context.context_id, status=submitted))
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        text = context.get_user_input()
        await updater.start_work(updater.new_agent_message([Part(text="echoing")]))
        if text == "ask":
            await updater.requires_input(updater.new_agent_message([Part(text="What exactly?")]))
            return
        if text == "wait":
            await asyncio.Event().wait()
        words = [f"{word} " for word in text.split()]
        for index, word in enumerate(words):
            await updater.add_artifact(
                [Part(text=word)], "echo", "echo", append=index > 0, last_chunk=index == len(words) - 1
            )
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        assert context.task_id
        assert context.context_id
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


@asynccontextmanager
async def sdk_agent(executor: AgentExecutor, *, streaming: bool = True) -> AsyncGenerator[str]:
    """Serve an agent made of nothing but the official SDK, in all bindings."""
    app = Starlette()
    async with serve(app) as url:
        card = AgentCard(
            name="Echo",
            description="Says it again.",
            version="1",
            supported_interfaces=[
                AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version=version)
                for version in ("0.3", "1.0")
            ]
            + [AgentInterface(url=f"{url}/rest", protocol_binding="HTTP+JSON", protocol_version="1.0")],
            capabilities=AgentCapabilities(streaming=streaming),
            default_input_modes=["text/plain"],
            default_output_modes=["text/plain"],
            skills=[AgentSkill(id="echo", name="Echo", description="Says it again", tags=["echo"])],
        )
        handler = DefaultRequestHandler(executor, InMemoryTaskStore(), card)
        app.router.routes.extend(create_agent_card_routes(card))
        app.router.routes.extend(create_jsonrpc_routes(handler, "/", enable_v0_3_compat=True))
        app.router.routes.extend(create_rest_routes(handler, path_prefix="/rest"))
        yield url


async def connect_by(client: Client, url: str, binding: str) -> AgentConnection:
    """Connect to the agent at `url` by one of its bindings."""
    card = (await agent_client.fetch_card(client, url, timeout_s=5)).card
    kept = [
        interface
        for interface in card.supported_interfaces
        if f"{interface.protocol_binding} {interface.protocol_version}" == binding
    ]
    del card.supported_interfaces[:]
    card.supported_interfaces.extend(kept)
    return agent_client.connect(client, card, deadlines=QUICK)


BINDINGS = ["JSONRPC 1.0", "HTTP+JSON 1.0", "JSONRPC 0.3"]


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("binding", BINDINGS)
async def test_an_agent_of_the_sdk_answers_in_every_binding(client: Client, binding: str, *, streaming: bool) -> None:
    async with sdk_agent(EchoExecutor(), streaming=streaming) as url:
        connection = await connect_by(client, url, binding)
        events = await collect(connection.send(OutgoingMessage("m-1", "one two three")))

    assert connection.endpoint.binding == binding
    assert isinstance(events[0], Started)
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert (ended.state, ended.text) == ("completed", "one two three ")
    assert ended.artifacts[0].name == "echo"
    text = ""
    for event in events:
        if isinstance(event, ArtifactChunk):
            said = "".join(part.text for part in event.parts if isinstance(part, TextPart))
            text = text + said if event.append else said
    assert text == "one two three "


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("binding", BINDINGS)
async def test_a_task_that_asks_is_answered_by_a_follow_up(client: Client, binding: str, *, streaming: bool) -> None:
    async with sdk_agent(EchoExecutor(), streaming=streaming) as url:
        connection = await connect_by(client, url, binding)
        events = await collect(connection.send(OutgoingMessage("m-1", "ask")))
        started, asked = events[0], events[-1]
        assert isinstance(started, Started)
        assert isinstance(asked, Ended)
        assert (asked.state, asked.text) == ("input_required", "What exactly?")

        answered = await end_of(
            connection.send(
                OutgoingMessage("m-2", "this", task_id=started.remote_task_id, context_id=started.context_id)
            )
        )
    assert (answered.state, answered.text) == ("completed", "this ")


@pytest.mark.parametrize("binding", BINDINGS)
async def test_a_running_task_is_canceled_and_its_follower_sees_it(client: Client, binding: str) -> None:
    async with sdk_agent(EchoExecutor()) as url:
        connection = await connect_by(client, url, binding)
        async with aclosing(connection.send(OutgoingMessage("m-1", "wait"))) as events:
            started = await anext(events)
            assert isinstance(started, Started)
            followed = asyncio.create_task(end_of(connection.follow(started.remote_task_id)))
            canceled = await connection.cancel(started.remote_task_id)
            assert canceled.state == "canceled"
            assert (await followed).state == "canceled"
            last = [event async for event in events][-1]
            assert isinstance(last, Ended)
            assert last.state == "canceled"
        again = await connection.cancel(started.remote_task_id)
        assert again.state == "canceled"
        assert (await connection.get_task(started.remote_task_id)).state == "canceled"


@pytest.mark.parametrize("binding", BINDINGS)
async def test_a_task_that_the_agent_does_not_have_is_not_found(client: Client, binding: str) -> None:
    async with sdk_agent(EchoExecutor()) as url:
        connection = await connect_by(client, url, binding)
        with pytest.raises(NotFoundError):
            await connection.get_task("nope")
        with pytest.raises(NotFoundError):
            await connection.cancel("nope")


@pytest.mark.parametrize("binding", BINDINGS)
async def test_everything_in_a_message_arrives(client: Client, binding: str) -> None:
    executor = EchoExecutor()
    async with sdk_agent(executor) as url:
        connection = await connect_by(client, url, binding)
        message = OutgoingMessage(
            "m-7",
            "look",
            data=({"rows": [1, 2]},),
            files=(File("a.bin", "application/x-a", content=b"\x00\xff"), File("b", "text/csv", url="http://x.test/b")),
            skill="echo",
            metadata={"task_id": "T", "hops": 1},
        )
        await collect(connection.send(message))

    received = executor.requests[0].message
    assert received is not None
    assert received.message_id == "m-7"
    text, data, content, link = received.parts
    assert text.text == "look"
    assert [value.number_value for value in data.data.struct_value.fields["rows"].list_value.values] == [1, 2]
    assert (content.raw, content.filename, content.media_type) == (b"\x00\xff", "a.bin", "application/x-a")
    assert (link.url, link.media_type) == ("http://x.test/b", "text/csv")
    assert MessageToDict(received.metadata) == {METADATA_KEY: {"skill": "echo", "task_id": "T", "hops": 1}}
