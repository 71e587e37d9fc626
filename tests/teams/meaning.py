"""An embedding model for tests: texts mean the same when they speak of the same topic."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.support.serving import serve


@asynccontextmanager
async def embedding_model(*topics: Sequence[str]) -> AsyncGenerator[str]:
    """Run it, and yield its base URL. Each topic is a few words; a text is about the first that it has a word of."""

    async def embed(request: Request) -> JSONResponse:
        data: list[dict[str, object]] = []
        for place, text in enumerate((await request.json())["input"]):
            about = next((at for at, words in enumerate(topics) if any(word in text for word in words)), len(topics))
            data.append({"index": place, "embedding": [1.0 if at == about else 0.0 for at in range(len(topics) + 1)]})
        return JSONResponse({"data": data})

    async with serve(Starlette(routes=[Route("/v1/embeddings", embed, methods=["POST"])])) as origin:
        yield f"{origin}/v1"
