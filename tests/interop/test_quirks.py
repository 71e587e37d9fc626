"""What was seen of other frameworks, replayed by small servers of our own: needs nothing installed, and no network."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import httpx
import pytest
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import Part, Task, TaskState, TaskStatus
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from shared import agent_client
from shared.agent import JsonObject
from shared.agent_client import ArtifactChunk, Deadlines, Ended, OutgoingMessage, RemoteEvent
from shared.agent_mixed_dialect import understanding
from shared.errors import AgentProtocolError
from shared.http import Client, open_client
from shared.settings import FederationSettings
from tests.interop.environments import FRAMEWORKS, PEERS, ROOT, Framework
from tests.support.misbehaving import ScriptedAgent, card_for, error, result, stream
from tests.support.serving import serve

QUICK = Deadlines(connect_s=2, first_byte_s=5, gap_s=5, total_s=10)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with open_client(FederationSettings.model_validate({})) as opened:
        yield opened


async def heard(
    client: Client, agent: ScriptedAgent, message: OutgoingMessage, *, streaming: bool
) -> list[RemoteEvent]:
    """Send to an agent of A2A 1.0 and return what it does."""
    connection = agent_client.connect(client, agent.card(streaming=streaming), deadlines=QUICK)
    async with aclosing(connection.send(message)) as events:
        return [event async for event in events]


async def end_of(client: Client, agent: ScriptedAgent, *, streaming: bool = True) -> Ended:
    """Return how a message ends."""
    last = (await heard(client, agent, OutgoingMessage("m-1", "do it"), streaming=streaming))[-1]
    assert isinstance(last, Ended)
    return last


def fasta2a_task(state: str, **more: object) -> JsonObject:
    """Return a task as fasta2a writes it: with a time that has no zone, and no message in its status."""
    asked = {"messageId": "m-1", "role": "ROLE_USER", "parts": [{"text": "do it"}], "taskId": "t-1", "contextId": "c-1"}
    status = {"state": f"TASK_STATE_{state}", "timestamp": "2026-11-21T12:00:00.123456"}
    task = {"id": "t-1", "contextId": "c-1", "status": status, "history": [asked], **more}
    return json.loads(json.dumps(task))


def bare_task(state: str) -> JsonObject:
    """Return a task that tells of its state and of nothing else."""
    return {"id": "t-1", "contextId": "c-1", "status": {"state": f"TASK_STATE_{state}"}}


def bare(state: str) -> JsonObject:
    """Return an event that tells of a state and of nothing else."""
    return {"statusUpdate": {"taskId": "t-1", "contextId": "c-1", "status": {"state": f"TASK_STATE_{state}"}}}


def said(text: str) -> JsonObject:
    """Return a message of the agent."""
    return {"messageId": f"m-{text}", "role": "ROLE_AGENT", "parts": [{"text": text}]}


ARTIFACT = {"artifactId": "a-1", "name": "answer", "parts": [{"text": "stored"}]}


async def test_an_answer_that_is_stored_and_not_streamed_is_found(client: Client) -> None:
    async with ScriptedAgent(
        SendStreamingMessage=stream({"task": fasta2a_task("SUBMITTED")}, bare("WORKING"), bare("COMPLETED")),
        GetTask=result(fasta2a_task("COMPLETED", artifacts=[ARTIFACT])),
    ).serving() as agent:
        events = await heard(client, agent, OutgoingMessage("m-1", "do it"), streaming=True)

    chunk, ended = events[-2:]
    assert isinstance(chunk, ArtifactChunk)
    assert isinstance(ended, Ended)
    assert (ended.state, ended.text) == ("completed", "stored")
    assert agent.methods == ["SendStreamingMessage", "GetTask"]


async def test_an_answer_that_is_stored_is_found_though_something_was_said_on_the_way(client: Client) -> None:
    working = bare("WORKING")
    assert isinstance(update := working["statusUpdate"], dict)
    update["status"] = {"state": "TASK_STATE_WORKING", "message": said("looking")}
    async with ScriptedAgent(
        SendStreamingMessage=stream({"task": fasta2a_task("SUBMITTED")}, working, bare("COMPLETED")),
        GetTask=result(fasta2a_task("COMPLETED", artifacts=[ARTIFACT])),
    ).serving() as agent:
        assert (await end_of(client, agent)).text == "stored"


@pytest.mark.parametrize(("state", "ended"), [("INPUT_REQUIRED", "input_required"), ("FAILED", "failed")])
async def test_a_question_or_a_reason_that_only_the_history_has_is_found(
    client: Client, state: str, ended: str
) -> None:
    stored = fasta2a_task(state)
    assert isinstance(history := stored["history"], list)
    history.append(said("Which colour?"))
    async with ScriptedAgent(
        SendStreamingMessage=stream({"task": fasta2a_task("SUBMITTED")}, bare(state)), GetTask=result(stored)
    ).serving() as agent:
        found = await end_of(client, agent)

    assert (found.state, found.text) == (ended, "Which colour?")
    assert found.error is None or found.error.detail == "Which colour?"


@pytest.mark.parametrize("how", ["streamed", "at once", "polled"])
@pytest.mark.parametrize(("state", "ended"), [("COMPLETED", "completed"), ("INPUT_REQUIRED", "input_required")])
async def test_what_only_the_history_has_is_found_at_an_agent_that_sends_no_history_unasked(
    client: Client, state: str, ended: str, how: str
) -> None:
    def stored(body: JsonObject) -> Response:
        assert isinstance(params := body["params"], dict)
        history = {"history": [said("here it is")]} if params["historyLength"] else {}
        return result({**bare_task(state), **history})(body)

    async with ScriptedAgent(
        SendStreamingMessage=stream({"task": bare_task("SUBMITTED")}, bare(state)),
        SendMessage=result({"task": bare_task(state if how == "at once" else "SUBMITTED")}),
        GetTask=stored,
    ).serving() as agent:
        found = await end_of(client, agent, streaming=how == "streamed")

    assert (found.state, found.text) == (ended, "here it is")


async def test_an_end_without_a_word_stands_though_the_agent_cannot_be_asked(client: Client) -> None:
    async with ScriptedAgent(
        SendStreamingMessage=stream({"task": fasta2a_task("SUBMITTED")}, bare("COMPLETED")),
        GetTask=error(-32603, "Internal error"),
    ).serving() as agent:
        ended = await end_of(client, agent)
    assert (ended.state, ended.text) == ("completed", "")


async def test_the_state_that_a_stream_ended_in_stays_whatever_is_said_of_it_later(client: Client) -> None:
    async with ScriptedAgent(
        SendStreamingMessage=stream({"task": fasta2a_task("SUBMITTED")}, bare("COMPLETED")),
        GetTask=result(fasta2a_task("FAILED", artifacts=[ARTIFACT])),
    ).serving() as agent:
        ended = await end_of(client, agent)
    assert (ended.state, ended.text) == ("completed", "stored")


async def test_an_agent_that_always_answers_submitted_is_asked_until_it_is_done(client: Client) -> None:
    async with ScriptedAgent(
        SendMessage=result({"task": fasta2a_task("SUBMITTED")}),
        GetTask=[
            result(fasta2a_task("SUBMITTED")),
            result(fasta2a_task("WORKING")),
            result(fasta2a_task("COMPLETED", artifacts=[ARTIFACT])),
        ],
    ).serving() as agent:
        ended = await end_of(client, agent, streaming=False)
    assert (ended.state, ended.text) == ("completed", "stored")


async def test_an_answer_that_begins_a_new_task_is_refused_with_the_reason(client: Client) -> None:
    asked = fasta2a_task("INPUT_REQUIRED")
    another = {"task": {**fasta2a_task("SUBMITTED"), "id": "t-2"}}
    async with ScriptedAgent(GetTask=result(asked), SendStreamingMessage=stream(another)).serving() as agent:
        with pytest.raises(AgentProtocolError, match="another task"):
            await heard(client, agent, OutgoingMessage("m-2", "blue", task_id="t-1", context_id="c-1"), streaming=True)


@pytest.mark.parametrize("streaming", [True, False])
async def test_an_answer_in_status_messages_and_history_only_is_taken(client: Client, *, streaming: bool) -> None:
    working = bare("WORKING")
    assert isinstance(update := working["statusUpdate"], dict)
    update["status"] = {"state": "TASK_STATE_WORKING", "message": said("done so")}
    stored = fasta2a_task("COMPLETED")
    assert isinstance(history := stored["history"], list)
    history.append(said("done so"))
    async with ScriptedAgent(
        SendStreamingMessage=stream({"task": fasta2a_task("SUBMITTED")}, working, bare("COMPLETED")),
        SendMessage=result({"task": stored}),
        GetTask=result(stored),
    ).serving() as agent:
        ended = await end_of(client, agent, streaming=streaming)
    assert (ended.state, ended.text) == ("completed", "done so")


async def test_a_function_call_that_asks_is_shown_as_the_question(client: Client) -> None:
    call = {"name": "ask_user", "args": {"question": "Which colour?"}}
    question = {"messageId": "m-2", "role": "ROLE_AGENT", "parts": [{"data": call}]}
    asks = {"taskId": "t-1", "contextId": "c-1", "status": {"state": "TASK_STATE_INPUT_REQUIRED", "message": question}}
    async with ScriptedAgent(
        SendStreamingMessage=stream({"task": fasta2a_task("SUBMITTED")}, {"statusUpdate": asks})
    ).serving() as agent:
        ended = await end_of(client, agent)
    assert json.loads(ended.text) == call
    assert ended.data == (call,)


class Echo(AgentExecutor):
    """Says it again."""

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        assert context.task_id
        assert context.context_id
        submitted = TaskStatus(state=TaskState.TASK_STATE_SUBMITTED)
        await event_queue.enqueue_event(Task(id=context.task_id, context_id=context.context_id, status=submitted))
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        await updater.add_artifact([Part(text=context.get_user_input())], "echo", "echo")
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        raise NotImplementedError


async def posted(method: str, *, kind: bool) -> AsyncGenerator[JsonObject]:
    """Post a message by 0.3's names to an agent that understands the mix, and yield the results."""
    part: JsonObject = {"kind": "text", "text": "again"} if kind else {"text": "again"}
    message: JsonObject = {"messageId": "m-1", "role": "user", "parts": [part]}
    body: JsonObject = {"jsonrpc": "2.0", "id": "1", "method": method, "params": {"message": message}}
    handler = DefaultRequestHandler(Echo(), InMemoryTaskStore(), card_for("http://127.0.0.1", version="0.3"))
    [rpc] = create_jsonrpc_routes(handler, "/", enable_v0_3_compat=True)
    async with (
        serve(Starlette(routes=[Route("/", understanding(rpc.endpoint), methods=["POST"])])) as url,
        httpx.AsyncClient(base_url=url, timeout=10) as http,
        http.stream("POST", "/", json=body) as response,
    ):
        async for line in response.aiter_lines():
            if line.startswith(("data:", "{")):
                yield json.loads(line.removeprefix("data:"))["result"]


async def test_a_client_that_mixes_the_dialects_can_read_what_it_is_answered() -> None:
    [answer] = [each async for each in posted("message/send", kind=False)]
    assert isinstance(task := answer["task"], dict)
    assert "again" in str(task["artifacts"])

    events = [each async for each in posted("message/stream", kind=False)]
    assert [next(iter(each)) for each in events] == ["task", "artifactUpdate", "statusUpdate"]


@pytest.mark.parametrize("method", ["message/send", "message/stream"])
async def test_a_client_of_0_3_is_answered_as_0_3_says(method: str) -> None:
    results = [each async for each in posted(method, kind=True)]
    assert results[0]["kind"] == "task"
    assert "task" not in results[0]


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda framework: framework.folder)
def test_every_package_of_a_framework_is_pinned_with_its_hash(framework: Framework) -> None:
    if framework.is_python:
        pinned = framework.lock.read_text(encoding="utf-8").split("\n    # via")
        assert all("--hash=sha256:" in each for each in pinned if "==" in each)
    else:
        packages = json.loads(framework.lock.read_text(encoding="utf-8"))["packages"]
        assert all("integrity" in package for path, package in packages.items() if path)


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda framework: framework.folder)
def test_the_document_is_of_the_versions_that_are_locked(framework: Framework) -> None:
    document = (ROOT / "docs" / "interop.md").read_text(encoding="utf-8")
    rows = [line for line in document.splitlines() if line.startswith(f"| {framework.package} ")]
    assert rows
    assert all(f"| {framework.package} {framework.version()}" in row for row in rows)


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda framework: framework.folder)
def test_both_programs_of_a_framework_are_there(framework: Framework) -> None:
    suffix = "py" if framework.is_python else "cjs"
    assert {f"server.{suffix}", f"client.{suffix}"} <= {path.name for path in (PEERS / framework.folder).iterdir()}
