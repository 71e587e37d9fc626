"""Agents that misbehave: an A2A JSON-RPC endpoint whose answers a test writes, one function per method."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias, cast

from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from shared.agent import JsonObject
from tests.support.serving import serve

Answer: TypeAlias = Callable[[JsonObject], Response]
"""From the JSON-RPC request to the HTTP answer."""


class ScriptedAgent:
    """Answers each JSON-RPC method as `answers` says; several answers to one method are given in turn.

    What the registry asks to find out what it speaks, it answers as a sound agent does, and does not keep.
    """

    def __init__(self, **answers: Answer | list[Answer]) -> None:
        self.answers: dict[str, list[Answer]] = {
            method: given if isinstance(given, list) else [given] for method, given in answers.items()
        }
        self.requests: list[JsonObject] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""

    @property
    def methods(self) -> list[str]:
        """The methods that were called, in order."""
        return [str(request["method"]) for request in self.requests]

    def card(self, *, streaming: bool = True, version: str = "1.0", binding: str = "JSONRPC") -> AgentCard:
        """Return a card that points here."""
        return card_for(self.url, streaming=streaming, version=version, binding=binding)

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncGenerator["ScriptedAgent"]:
        """Serve on this port or a free one; `url` is set."""
        async with serve(Starlette(routes=[Route("/", self._answer, methods=["POST"])]), port=port) as url:
            self.url = url
            yield self

    async def _answer(self, request: Request) -> Response:
        body = cast("JsonObject", await request.json())
        if _is_probe(body):
            return error(-32001, "Task not found")(body)
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        given = self.answers[str(body["method"])]
        return (given.pop(0) if len(given) > 1 else given[0])(body)


def _is_probe(body: JsonObject) -> bool:
    """Tell whether this asks about a task that nobody began: its id is a random UUID, and ours are not."""
    params = body.get("params")
    task_id = params.get("id") if isinstance(params, dict) else None
    return isinstance(task_id, str) and len(task_id) == 36 and task_id[14] == "4"


def card_for(url: str, *, streaming: bool = True, version: str = "1.0", binding: str = "JSONRPC") -> AgentCard:
    """Return the card of an agent at `url` with one interface."""
    return AgentCard(
        name="Scripted",
        description="Does what a test says.",
        version="1",
        supported_interfaces=[AgentInterface(url=url, protocol_binding=binding, protocol_version=version)],
        capabilities=AgentCapabilities(streaming=streaming),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[AgentSkill(id="any", name="Any", description="Anything", tags=["any"])],
    )


def result(value: object) -> Answer:
    """Answer with this result."""
    return lambda request: JSONResponse({"jsonrpc": "2.0", "id": request["id"], "result": value})


def error(code: int, message: str) -> Answer:
    """Answer with a JSON-RPC error."""
    return lambda request: JSONResponse(
        {"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": message}}
    )


def response(content: bytes | str, status: int = 200, **headers: str) -> Answer:
    """Answer with just this."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: Response(content, status, {"content-type": "application/json", **named})


def stream(
    *values: object, hold: asyncio.Event | None = None, left: asyncio.Event | None = None, after: bytes = b""
) -> Answer:
    """Stream these results, then `after`, then end; with `hold`, stay open until it is set, or the client has left."""

    def answer(request: JsonObject) -> Response:
        async def lines() -> AsyncIterator[bytes]:
            for value in values:
                event = {"jsonrpc": "2.0", "id": request["id"], "result": value}
                yield b"data: " + json.dumps(event).encode() + b"\n\n"
            if after:
                yield after
            try:
                if hold is not None:
                    await hold.wait()
            finally:
                if left is not None:
                    left.set()

        return StreamingResponse(lines(), media_type="text/event-stream")

    return answer


def drip(piece: bytes, stop: asyncio.Event, *, every_s: float = 0.02, media_type: str = "text/event-stream") -> Answer:
    """Send `piece` again and again until `stop` is set."""

    def answer(_: JsonObject) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            while not stop.is_set():
                yield piece
                await asyncio.sleep(every_s)

        return StreamingResponse(pieces(), media_type=media_type)

    return answer


def task(
    state: str, *, text: str = "", artifact: str | None = None, task_id: str = "t-1", **more: object
) -> dict[str, object]:
    """Return a task in `state` (a 1.0 name without its prefix)."""
    return {
        "id": task_id,
        "contextId": "c-1",
        "status": _status(state, text),
        "artifacts": []
        if artifact is None
        else [{"artifactId": "a-1", "name": "answer", "parts": [{"text": artifact}]}],
        **more,
    }


def status(state: str, *, text: str = "", task_id: str = "t-1", **more: object) -> dict[str, object]:
    """Return a stream response that puts the task into `state`."""
    return {"statusUpdate": {"taskId": task_id, "contextId": "c-1", "status": _status(state, text), **more}}


def artifact(text: str, *, append: bool = False, last: bool = False, task_id: str = "t-1") -> dict[str, object]:
    """Return a stream response with a piece of text of the artifact `a-1`."""
    return {
        "artifactUpdate": {
            "taskId": task_id,
            "contextId": "c-1",
            "artifact": _artifact(text),
            "append": append,
            "lastChunk": last,
        }
    }


def _status(state: str, text: str) -> dict[str, object]:
    message: dict[str, object] = {"messageId": f"m-{text}", "role": "ROLE_AGENT", "parts": [{"text": text}]}
    return {"state": f"TASK_STATE_{state}", **({"message": message} if text else {})}


def _artifact(text: str) -> dict[str, object]:
    return {"artifactId": "a-1", "name": "answer", "parts": [{"text": text}]}
