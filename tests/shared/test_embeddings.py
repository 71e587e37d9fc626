"""Vectors of an OpenAI-compatible address: in order, of length 1, or an error that says what is wrong."""

import math
from collections.abc import AsyncIterator
from typing import cast

import pytest
from pydantic import JsonValue
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.embeddings import Embeddings, open_embeddings
from shared.errors import (
    AddressRefusedError,
    FederationError,
    ModelAnswerError,
    ModelRefusedError,
    ModelUnavailableError,
)
from shared.http import Client, open_client
from shared.settings import FederationSettings
from tests.support.serving import serve


class EmbeddingServer:
    """Answers each text with a vector of its length and position, the last first; or with what a test says."""

    def __init__(self) -> None:
        self.answer: Response | None = None
        self.asked: list[dict[str, JsonValue]] = []
        self.keys: list[str | None] = []

    async def __call__(self, request: Request) -> Response:
        body = cast("dict[str, JsonValue]", await request.json())
        self.asked.append(body)
        self.keys.append(request.headers.get("authorization"))
        if self.answer is not None:
            return self.answer
        texts = cast("list[str]", body["input"])
        data = [{"index": place, "embedding": [len(text), 3, 4]} for place, text in enumerate(texts)]
        return JSONResponse({"data": data[::-1]})


@pytest.fixture
def server() -> EmbeddingServer:
    return EmbeddingServer()


@pytest.fixture
async def url(server: EmbeddingServer) -> AsyncIterator[str]:
    async with serve(Starlette(routes=[Route("/v1/embeddings", server.__call__, methods=["POST"])])) as origin:
        yield f"{origin}/v1"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with open_client(FederationSettings.model_validate({})) as opened:
        yield opened


def opened(client: Client, url: str, **more: object) -> Embeddings:
    settings = {"embedding_model": "small", "embedding_base_url": url, **more}
    found = open_embeddings(FederationSettings.model_validate(settings), client)
    assert found is not None
    return found


async def test_each_text_gets_its_vector_however_many_there_are(
    client: Client, url: str, server: EmbeddingServer
) -> None:
    texts = ["x" * number for number in range(1, 151)]
    vectors = await opened(client, url, embedding_api_key="k").embed(texts)
    for text, vector in zip(texts, vectors, strict=True):
        assert vector == pytest.approx([number / math.hypot(len(text), 5) for number in (len(text), 3, 4)])
    assert [len(cast("list[str]", body["input"])) for body in server.asked] == [64, 64, 22]
    assert {str(body["model"]) for body in server.asked} == {"small"}
    assert set(server.keys) == {"Bearer k"}


async def test_no_texts_are_no_call(client: Client, url: str, server: EmbeddingServer) -> None:
    assert await opened(client, url).embed([]) == []
    assert not server.asked


async def test_without_a_model_there_are_none(client: Client) -> None:
    assert open_embeddings(FederationSettings.model_validate({"openai_api_key": "k"}), client) is None


async def test_the_key_of_another_address_is_not_sent(client: Client, url: str, server: EmbeddingServer) -> None:
    await opened(client, url, openai_api_key="not for you").embed(["x"])
    assert server.keys == [None]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Response("no", 401), ModelRefusedError),
        (Response("no", 404), ModelRefusedError),
        (Response("wait", 429), ModelUnavailableError),
        (Response("oops", 500), ModelUnavailableError),
        (Response("<html>"), ModelAnswerError),
        (JSONResponse([]), ModelAnswerError),
        (JSONResponse({"data": []}), ModelAnswerError),
        (JSONResponse({"data": [{"index": 0, "embedding": [0, 0]}]}), ModelAnswerError),
        (JSONResponse({"data": [{"index": 0, "embedding": ["1"]}]}), ModelAnswerError),
        (JSONResponse({"data": [{"index": 7, "embedding": [1]}]}), ModelAnswerError),
        (JSONResponse({"data": [{"index": 0, "embedding": [1] * 9000}]}), ModelAnswerError),
    ],
)
async def test_what_is_no_answer_is_an_error_that_names_the_model(
    client: Client, url: str, server: EmbeddingServer, answer: Response, kind: type[FederationError]
) -> None:
    server.answer = answer
    with pytest.raises(kind, match="small"):
        await opened(client, url).embed(["x"])


async def test_a_private_address_is_reached_only_where_it_is_allowed(client: Client) -> None:
    with pytest.raises(AddressRefusedError):
        await opened(client, "http://169.254.169.254/v1").embed(["x"])


async def test_a_server_that_is_not_there_is_unavailable(client: Client) -> None:
    with pytest.raises(ModelUnavailableError):
        await opened(client, "http://127.0.0.1:1024/v1").embed(["x"])
