"""An embedding model for tests, over real HTTP: a text's vector says which of a few concepts its words are about."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, cast

from pydantic import JsonValue
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.serving import serve

_CONCEPTS: Final = (
    ("summarize", "summary", "précis", "gist", "shorten"),
    ("translate", "translation", "french", "german", "language"),
    ("weather", "rain", "forecast", "umbrella"),
    ("invoice", "bill", "payment"),
)


class EmbeddingServer:
    """Answers `/v1/embeddings`; `texts` are all that were asked for. While `is_down`, it answers 503."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.is_down = False
        self.base_url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator["EmbeddingServer"]:
        """Serve on a free port; `base_url` is set."""
        async with serve(Starlette(routes=[Route("/v1/embeddings", self._answer, methods=["POST"])])) as url:
            self.base_url = f"{url}/v1"
            yield self

    async def _answer(self, request: Request) -> Response:
        if self.is_down:
            return Response("later", 503)
        body = cast("dict[str, JsonValue]", await request.json())
        texts = cast("list[str]", body["input"])
        self.texts += texts
        data = [{"index": place, "embedding": _vector(text)} for place, text in enumerate(texts)]
        return JSONResponse({"data": data})


def _vector(text: str) -> list[float]:
    words = text.lower()
    return [1.0, *(3.0 * any(word in words for word in concept) for concept in _CONCEPTS)]
