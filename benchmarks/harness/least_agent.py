"""The echo agent as the least that speaks A2A 1.0: it keeps only what it asks, so nearly all measured is the caller's.

API_AGENT_PORT=9100 python -m benchmarks.harness.least_agent NAME [SKILL]
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from uuid import uuid4

import orjson
import uvicorn
from pydantic import JsonValue
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from benchmarks.harness.echo import DESCRIPTION, SKILL, asks, pause_s
from shared.agent import JsonObject


def create(name: str, url: str, skill: str = SKILL) -> Starlette:
    """Return the agent's app."""
    card: JsonObject = {
        "name": name,
        "description": DESCRIPTION,
        "version": "1",
        "supportedInterfaces": [{"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
        "capabilities": {"streaming": True},
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [{"id": skill, "name": skill, "description": DESCRIPTION, "tags": [skill]}],
    }
    asking: dict[str, JsonValue] = {}

    async def show_card(_request: Request) -> Response:
        return JSONResponse(card)

    async def show_health(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def answer(request: Request) -> Response:
        call = orjson.loads(await request.body())
        match call["method"]:
            case "SendStreamingMessage":
                task = await _perform(call["params"]["message"], asking)
                content = orjson.dumps({"jsonrpc": "2.0", "id": call["id"], "result": {"task": task}})
                return StreamingResponse(_stream(content), media_type="text/event-stream")
            case "GetTask" if (task := asking.get(call["params"]["id"])) is not None:
                return JSONResponse({"jsonrpc": "2.0", "id": call["id"], "result": task})
            case "GetTask" | "SubscribeToTask" as method:
                error = {"code": -32001, "message": f"{method}: there is no such task."}
                return JSONResponse({"jsonrpc": "2.0", "id": call["id"], "error": error})
            case method:
                error = {"code": -32601, "message": f"{method} does nothing here."}
                return JSONResponse({"jsonrpc": "2.0", "id": call["id"], "error": error})

    return Starlette(
        routes=[
            Route("/.well-known/agent-card.json", show_card),
            Route("/health", show_health),
            Route("/", answer, methods=["POST"]),
        ]
    )


async def _perform(message: JsonObject, asking: dict[str, JsonValue]) -> JsonObject:
    """Return the task that the message makes, or goes on with."""
    parts = message["parts"]
    assert isinstance(parts, list)
    text = "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))
    if pause := pause_s(text):
        await asyncio.sleep(pause)
    task_id = str(message.get("taskId") or uuid4())
    task: JsonObject = {"id": task_id, "contextId": str(message.get("contextId") or uuid4())}
    if asks(text) and task_id not in asking:
        task["status"] = {"state": "TASK_STATE_INPUT_REQUIRED", "message": _say("Which one?")}
        asking[task_id] = task
    else:
        asking.pop(task_id, None)
        task["status"] = {"state": "TASK_STATE_COMPLETED"}
        task["artifacts"] = [{"artifactId": "answer", "name": "answer", "parts": [{"text": text}]}]
    return task


def _say(text: str) -> JsonObject:
    return {"messageId": str(uuid4()), "role": "ROLE_AGENT", "parts": [{"text": text}]}


async def _stream(answer: bytes) -> AsyncGenerator[bytes]:
    yield b"data: " + answer + b"\n\n"


def main() -> None:
    """Serve until told to stop."""
    port = int(os.environ["API_AGENT_PORT"])
    app = create(sys.argv[1], f"http://127.0.0.1:{port}/", *sys.argv[2:])
    uvicorn.run(app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", log_config=None, access_log=False)


if __name__ == "__main__":
    main()
