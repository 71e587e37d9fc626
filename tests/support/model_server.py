"""The scripted model of `federation model-double`, run by a test that writes its script in Python.

    async with model_server("Paris.", Failure(429, retry_after_s=0), {"steps": []}) as model:
        settings = Settings(llm_base_url=model.base_url, llm_model="scripted")
        ...
        assert model.requests[0].prompt == "What is the capital of France?"

Replies are taken from the front of `model.replies`; when it is empty, `model.otherwise` answers, and without that the
call is refused (400). It runs on a thread of its own, so other processes and blocked event loops can be served too.
Groq's path (`/openai/v1/…`) is served as well: its base URL is `model.origin`; Anthropic's is that, too.
"""

import asyncio
import socket
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn

from federation.model_double.replies import (
    Cut,
    Failure,
    Fixed,
    Hang,
    JsonObject,
    ModelRequest,
    Raw,
    Reply,
    Slow,
    Text,
    ToolCall,
    tokens,
)
from federation.model_double.server import ModelDouble

__all__ = [
    "Cut",
    "Failure",
    "Fixed",
    "Hang",
    "JsonObject",
    "ModelRequest",
    "ModelServer",
    "Raw",
    "Reply",
    "Slow",
    "Text",
    "ToolCall",
    "model_server",
    "tokens",
]


@dataclass(slots=True)
class ModelServer(ModelDouble):
    """The running server: what it will answer and what it was asked."""

    origin: str = ""

    @property
    def base_url(self) -> str:
        """What goes into LLM_BASE_URL."""
        return f"{self.origin}/v1"

    async def requested(self, count: int = 1, *, timeout_s: float = 10.0) -> None:
        """Return once at least `count` calls have arrived. Raises: TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while len(self.requests) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.requests)} of {count} calls arrived within {timeout_s} s.")
            await asyncio.sleep(0.005)


@asynccontextmanager
async def model_server(
    *replies: Reply,
    otherwise: Reply | None = None,
    models: Sequence[str] = ("scripted",),
    json_schema: bool = True,
    tools: bool = True,
) -> AsyncGenerator[ModelServer]:
    """Run a scripted model on a free port of 127.0.0.1.

    `models`: what GET /models answers. `json_schema=False`: refuse `response_format` with a schema, as some servers do;
    `tools=False`: refuse tools, too.
    """
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # asyncio sets TCP_NODELAY only where it sees the protocol
    listener.bind(("127.0.0.1", 0))
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    model = ModelServer(deque(replies), otherwise, models, json_schema, tools, origin=origin)
    config = uvicorn.Config(model.app(), log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve(sockets=[listener])

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="model server", daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("The scripted model server did not start.")
            await asyncio.sleep(0.005)
        yield model
    finally:
        server.should_exit = True
        if loops and thread.is_alive():
            loops[0].call_soon_threadsafe(model.closing.set)
        await asyncio.to_thread(thread.join, 10)
        listener.close()
