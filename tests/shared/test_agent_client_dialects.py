"""What agents write otherwise than the specification's examples, and what it means all the same."""

import json
from collections.abc import AsyncIterator

import pytest
from a2a.server.request_handlers.response_helpers import build_error_response
from a2a.types import AgentCard, AgentInterface, InternalError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from shared import agent_client
from shared.agent import File, JsonObject
from shared.errors import NotFoundError
from shared.http import Client, open_client
from shared.settings import FederationSettings
from tests.shared.test_agent_client_bindings import end_of
from tests.support.misbehaving import ScriptedAgent, result, stream, task
from tests.support.serving import serve


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with open_client(FederationSettings.model_validate({})) as opened:
        yield opened


async def test_a_404_that_names_no_reason_means_that_there_is_no_such_task(client: Client) -> None:
    async def not_found(_request: Request) -> JSONResponse:
        error: JsonObject = {"code": 404, "status": "NOT_FOUND", "message": "gone"}
        return JSONResponse({"error": error}, 404)

    routes = [Route("/tasks/t-1", not_found), Route("/tasks/t-1:cancel", not_found, methods=["POST"])]
    async with serve(Starlette(routes=routes)) as url:
        interface = AgentInterface(url=url, protocol_binding="HTTP+JSON", protocol_version="1.0")
        connection = agent_client.connect(client, AgentCard(supported_interfaces=[interface]))
        with pytest.raises(NotFoundError):
            await connection.get_task("t-1")
        with pytest.raises(NotFoundError):
            await connection.cancel("t-1")


async def test_a_stream_that_ends_with_an_error_that_passes_is_asked_about(client: Client) -> None:
    away = build_error_response("1", InternalError("The database is away.", {"retryable": True}))
    broken = stream({"task": task("WORKING")}, after=b"data: " + json.dumps(away).encode() + b"\n\n")
    stored = result(task("COMPLETED", artifact="done"))
    async with ScriptedAgent(SendStreamingMessage=broken, GetTask=stored).serving() as agent:
        ended = await end_of(agent_client.connect(client, agent.card()).send(agent_client.OutgoingMessage("m-1", "hi")))
    assert (ended.state, ended.text) == ("completed", "done")


async def test_a_file_of_0_3_may_say_that_it_has_no_bytes(client: Client) -> None:
    file: JsonObject = {"bytes": None, "uri": "http://x.test/a.png", "name": "a.png", "mimeType": None}
    made: JsonObject = {"artifactId": "a", "parts": [{"kind": "file", "file": file}]}
    done: JsonObject = {"kind": "task", "id": "t-1", "contextId": "c-1", "status": {"state": "completed"}}
    async with ScriptedAgent(**{"message/send": result({**done, "artifacts": [made]})}).serving() as agent:
        connection = agent_client.connect(client, agent.card(streaming=False, version="0.3.0"))
        ended = await end_of(connection.send(agent_client.OutgoingMessage("m-1", "hello")))
    assert ended.files == (File("a.png", "application/octet-stream", url="http://x.test/a.png"),)


@pytest.mark.parametrize("streaming", [True, False])
async def test_an_answer_may_say_that_there_is_no_error(client: Client, *, streaming: bool) -> None:
    done = {"task": task("COMPLETED", artifact="hello")}

    def answer(request: JsonObject) -> JSONResponse:
        return JSONResponse({"jsonrpc": "2.0", "id": request["id"], "result": done, "error": None})

    async with ScriptedAgent(SendMessage=answer, SendStreamingMessage=answer).serving() as agent:
        connection = agent_client.connect(client, agent.card(streaming=streaming))
        ended = await end_of(connection.send(agent_client.OutgoingMessage("m-1", "hello")))
    assert (ended.state, ended.text) == ("completed", "hello")


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("data:image/png;base64,aGk=", "image/png"),
        ("data:;base64,aGk%3D", "application/octet-stream"),
        ("data:,hi", ""),
    ],
)
async def test_an_address_that_holds_the_file_itself_is_that_file(client: Client, address: str, kind: str) -> None:
    part: JsonObject = {"url": address, "filename": "a", **({} if kind else {"mediaType": "text/plain"})}
    done = {**task("COMPLETED"), "artifacts": [{"artifactId": "a", "parts": [part]}]}
    async with ScriptedAgent(SendMessage=result({"task": done})).serving() as agent:
        connection = agent_client.connect(client, agent.card(streaming=False))
        ended = await end_of(connection.send(agent_client.OutgoingMessage("m-1", "hello")))
    assert ended.files == (File("a", kind or "text/plain", content=b"hi"),)
