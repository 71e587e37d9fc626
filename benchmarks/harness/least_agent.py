"""The echo agent as the least that speaks A2A 1.0: it keeps nothing, so nearly all that is measured is the caller's.

API_AGENT_PORT=9100 python -m benchmarks.harness.least_agent NAME
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

from benchmarks.harness.echo import DESCRIPTION, SKILL, pause_s


def create(name: str, url: str) -> Starlette:
    """Return the agent's app."""
    card: dict[str, JsonValue] = {
        "name": name,
        "description": DESCRIPTION,
        "version": "1",
        "supportedInterfaces": [{"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
        "capabilities": {"streaming": True},
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [{"id": SKILL, "name": "Echo", "description": DESCRIPTION, "tags": [SKILL]}],
    }

    async def show_card(_request: Request) -> Response:
        return JSONResponse(card)

    async def show_health(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[
            Route("/.well-known/agent-card.json", show_card),
            Route("/health", show_health),
            Route("/", _answer, methods=["POST"]),
        ]
    )


async def _answer(request: Request) -> Response:
    call = orjson.loads(await request.body())
    if call["method"] != "SendStreamingMessage":
        error = {"code": -32601, "message": f"There is no {call['method']} here."}
        return JSONResponse({"jsonrpc": "2.0", "id": call["id"], "error": error})
    text = "".join(part.get("text", "") for part in call["params"]["message"]["parts"])
    if pause := pause_s(text):
        await asyncio.sleep(pause)
    task = {
        "id": str(uuid4()),
        "contextId": str(uuid4()),
        "status": {"state": "TASK_STATE_COMPLETED"},
        "artifacts": [{"artifactId": "answer", "name": "answer", "parts": [{"text": text}]}],
    }
    answer = orjson.dumps({"jsonrpc": "2.0", "id": call["id"], "result": {"task": task}})
    return StreamingResponse(_stream(answer), media_type="text/event-stream")


async def _stream(answer: bytes) -> AsyncGenerator[bytes]:
    yield b"data: " + answer + b"\n\n"


def main() -> None:
    """Serve until told to stop."""
    port = int(os.environ["API_AGENT_PORT"])
    app = create(sys.argv[1], f"http://127.0.0.1:{port}/")
    uvicorn.run(app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", log_config=None, access_log=False)


if __name__ == "__main__":
    main()
