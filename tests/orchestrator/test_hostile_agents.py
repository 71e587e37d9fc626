"""A hostile agent costs its own step a clear error, and nobody else anything: what is read of it is bounded."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeAlias, cast

import orjson
import pytest
from google.protobuf.json_format import MessageToDict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from shared.agent import JsonObject
from tests.orchestrator.test_registry import ECHO
from tests.support.federation import federation, free_port, step, until
from tests.support.misbehaving import card_for
from tests.support.serving import serve

Attack: TypeAlias = Callable[[JsonObject], AsyncGenerator[bytes]]

_MB: Final = 1024 * 1024
_IN_SOCKETS: Final = 16 * _MB
"""What the kernel and the server's buffers take of what nobody reads."""


async def endless_line(_: JsonObject) -> AsyncGenerator[bytes]:
    """Begin an event that never ends."""
    yield b"data: "
    while True:
        yield b"x" * 65_536


async def endless_text(call: JsonObject) -> AsyncGenerator[bytes]:
    """Add to an answer for ever, in events that are as large as they may be."""
    yield _event(call, {"task": {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}}})
    part: JsonObject = {"artifactId": "a", "parts": [{"text": "x" * 900_000}]}
    update: JsonObject = {"taskId": "t", "contextId": "c", "append": True, "artifact": part}
    while True:
        yield _event(call, {"artifactUpdate": update})


async def endless_small_events(call: JsonObject) -> AsyncGenerator[bytes]:
    """Say that it works, again and again, each time in other words."""
    number = 0
    while True:
        number += 1
        message: JsonObject = {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": f"{number}"}]}
        status: JsonObject = {"state": "TASK_STATE_WORKING", "message": message}
        yield _event(call, {"statusUpdate": {"taskId": "t", "contextId": "c", "status": status}})


async def endless_comments(_: JsonObject) -> AsyncGenerator[bytes]:
    """Give signs of life and nothing else."""
    while True:
        yield b": still here\n\n"
        await asyncio.sleep(0.01)


class HostileAgent:
    """Answers every message with an attack, and counts the bytes that it got rid of."""

    def __init__(self, attack: Attack) -> None:
        self.sent = 0
        self.begun = asyncio.Event()
        self._attack = attack
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator["HostileAgent"]:
        """Serve at `url`."""
        routes = [Route("/{path:path}", self._answer, methods=["GET", "POST"])]
        async with serve(Starlette(routes=routes), port=self._port):
            yield self

    async def _answer(self, request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse(MessageToDict(card_for(self.url)))
        call = cast("JsonObject", await request.json())
        if call["method"] != "SendStreamingMessage":
            error: JsonObject = {"code": -32001, "message": "Task not found"}
            return JSONResponse({"jsonrpc": "2.0", "id": call["id"], "error": error})
        return StreamingResponse(self._count(self._attack(call)), media_type="text/event-stream")

    async def _count(self, pieces: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            self.sent += len(piece)
            self.begun.set()
            yield piece
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("attack", "most_bytes", "says"),
    [
        (endless_line, 1 * _MB, "larger than 1,048,576 bytes"),
        (endless_text, 64 * _MB, ""),
        (endless_small_events, 8 * _MB, "more than 5,000 events"),
        (endless_comments, 1 * _MB, "within 3 s"),
    ],
)
async def test_an_agent_that_sends_without_end_costs_its_own_step_an_error_and_nobody_else_anything(
    tmp_path: Path, attack: Attack, most_bytes: int, says: str
) -> None:
    async with (
        HostileAgent(attack).serving() as hostile,
        federation(tmp_path, ECHO, step_timeout_s=3 if attack is endless_comments else 60, step_attempts=1) as running,
    ):
        await running.post("/api/agents", {"endpoint": hostile.url}, 201)
        attacked = await running.run(step("a", skill="any"), wait_s=None)
        async with asyncio.timeout(20):
            await hostile.begun.wait()
        honest = await running.run(step("b", "hello"))
        assert honest["status"] == "completed"
        failed = await until(
            lambda: running.get(f"/api/tasks/{attacked['id']}"), lambda found: found["status"] == "failed", timeout_s=70
        )
        assert says in str(failed["error"])
        assert hostile.sent < most_bytes + _IN_SOCKETS
        assert (await running.run(step("c", "again")))["status"] == "completed"


def _event(call: JsonObject, result: JsonObject) -> bytes:
    return b"data: " + orjson.dumps({"jsonrpc": "2.0", "id": call["id"], "result": result}) + b"\n\n"
