"""A server that speaks TinyFish's automation API, as far as page tests use it; what it tells is written by the test."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pydantic import JsonValue
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from shared.agent import JsonObject
from tests.support.serving import serve

KEY = "tf-key"


@dataclass
class FakeTinyFish:
    """What was asked, what is told, which runs were cancelled. `hangs`: the stream stays open after what is told."""

    url: str = ""
    events: list[JsonObject] = field(default_factory=list[JsonObject])
    hangs: bool = False
    asked: list[JsonObject] = field(default_factory=list[JsonObject])
    canceled: list[str] = field(default_factory=list[str])

    def say(self, kind: str, **facts: JsonValue) -> None:
        """Add an event to tell."""
        self.events.append({"type": kind, **facts})


@asynccontextmanager
async def tinyfish_server() -> AsyncGenerator[FakeTinyFish]:
    """Serve it on a free port."""
    fake = FakeTinyFish()

    async def run(request: Request) -> Response:
        if request.headers.get("x-api-key") != KEY:
            return JSONResponse({"error": "no such key"}, 401)
        fake.asked.append(await request.json())

        async def told() -> AsyncGenerator[bytes]:
            for event in fake.events:
                yield b": heartbeat\n\n"
                yield f"data: {json.dumps(event)}\n\n".encode()
            while fake.hangs:  # noqa: ASYNC110 - a server that does nothing
                await asyncio.sleep(0.05)

        return StreamingResponse(told(), media_type="text/event-stream")

    async def cancel(request: Request) -> Response:
        fake.canceled.append(request.path_params["run_id"])
        return JSONResponse({})

    routes = [
        Route("/v1/automation/run-sse", run, methods=["POST"]),
        Route("/v1/runs/{run_id}/cancel", cancel, methods=["POST"]),
    ]
    async with serve(Starlette(routes=routes)) as url:
        fake.url = url
        yield fake
