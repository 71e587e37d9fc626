"""Groq, by its own SDK: its API mocked, and streams from a real server."""

import gzip
from dataclasses import replace

import httpx
import pytest
import respx
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.agent import Usage
from shared.errors import ModelAnswerError, ModelRefusedError, ModelUnavailableError
from shared.llm import open_model
from tests.shared.asking_model import KEY, City, collect, settings
from tests.support.model_server import Cut, model_server
from tests.support.serving import serve

GROQ = "https://api.groq.com/openai/v1/chat/completions"


def groq_answer(text: str) -> httpx.Response:
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return httpx.Response(200, json=body)


async def test_groq_answers_with_its_own_key_and_model(respx_mock: respx.MockRouter) -> None:
    route = respx_mock.post(GROQ).mock(return_value=groq_answer("fast"))
    async with open_model(settings(groq_api_key=SecretStr(KEY))) as model:
        assert model is not None
        completion = await model.complete("hi")
        assert (model.provider, model.name) == ("groq", "openai/gpt-oss-20b")
    assert completion.text == "fast"
    assert replace(completion.usage, cost_usd=0.0) == Usage(7, 2, 0.0, llm_calls=1)
    assert completion.usage.cost_usd == pytest.approx((7 * 0.075 + 2 * 0.3) / 1e6)  # by the price table
    assert route.calls.last.request.headers["authorization"] == f"Bearer {KEY}"


async def test_groq_is_tried_again_and_its_wrong_key_named(respx_mock: respx.MockRouter) -> None:
    limited = httpx.Response(429, headers={"Retry-After": "0"}, json={"error": {"message": "slow down"}})
    wrong = httpx.Response(401, json={"error": {"message": f"Invalid API Key {KEY}"}})
    route = respx_mock.post(GROQ).mock(side_effect=[limited, wrong])
    async with open_model(settings(groq_api_key=SecretStr(KEY))) as model:
        assert model is not None
        with pytest.raises(ModelRefusedError, match="GROQ_API_KEY") as caught:
            await model.complete("hi")
    assert KEY not in str(caught.value)
    assert route.call_count == 2


@pytest.mark.parametrize("asked", ["Mon, 01 Jan 99999999999 00:00:00 GMT", "Mon, 01 Jan 2001 00:00:00 GMT", "soon", ""])
async def test_a_pause_that_cannot_be_read_does_not_fail_the_call(respx_mock: respx.MockRouter, asked: str) -> None:
    limited = httpx.Response(429, headers={"Retry-After": asked}, json={"error": {"message": "slow down"}})
    respx_mock.post(GROQ).mock(side_effect=[limited, groq_answer("at last")])
    async with open_model(settings(groq_api_key=SecretStr(KEY))) as model:
        assert model is not None
        assert (await model.complete("hi")).text == "at last"


@pytest.mark.parametrize("failure", [httpx.ConnectError("no"), httpx.ReadTimeout("slow")])
async def test_groq_away_is_a_clear_error(respx_mock: respx.MockRouter, failure: httpx.HTTPError) -> None:
    respx_mock.post(GROQ).mock(side_effect=failure)
    async with open_model(settings(groq_api_key=SecretStr(KEY), llm_max_attempts=1)) as model:
        assert model is not None
        with pytest.raises(ModelUnavailableError):
            await model.complete("hi")


async def test_groq_gives_structured_answers_even_where_its_model_takes_no_schema(respx_mock: respx.MockRouter) -> None:
    refused = httpx.Response(400, json={"error": {"message": "no json_schema for this model"}})
    respx_mock.post(GROQ).mock(side_effect=[refused, groq_answer('{"name": "Rome", "people": 1}')])
    async with open_model(settings(groq_api_key=SecretStr(KEY))) as model:
        assert model is not None
        city, _ = await model.structured("city?", City)
    assert city.name == "Rome"


async def test_groq_streams_from_a_real_server() -> None:
    async with model_server("one two three") as server:
        there = settings(llm_provider="groq", llm_base_url=server.origin, groq_api_key=SecretStr(KEY), llm_model="m")
        async with open_model(there) as model:
            assert model is not None
            usage = await collect(model, "hi", pieces := [])
    assert "".join(pieces) == "one two three"
    assert usage == Usage(1, 3, 0.0, llm_calls=1)


async def test_a_stream_of_groq_that_is_lost_is_an_error() -> None:
    async with model_server(Cut("half", clean=False)) as server:
        there = settings(llm_provider="groq", llm_base_url=server.origin, groq_api_key=SecretStr(KEY), llm_model="m")
        async with open_model(there) as model:
            assert model is not None
            with pytest.raises(ModelUnavailableError):
                await collect(model, "hi", [])


async def test_an_answer_that_is_compressed_unasked_is_not_unpacked() -> None:
    asked: list[str | None] = []

    def answer(request: Request) -> Response:
        asked.append(request.headers.get("accept-encoding"))
        return Response(gzip.compress(groq_answer("fast").content), headers={"Content-Encoding": "gzip"})

    async with serve(Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])) as url:
        there = settings(llm_provider="groq", llm_base_url=url, groq_api_key=SecretStr(KEY), llm_model="m")
        async with open_model(there) as model:
            assert model is not None
            with pytest.raises(ModelAnswerError):
                await model.complete("hi")
    assert asked == ["identity"]


async def test_a_provider_without_its_key_is_a_clear_error_at_the_call() -> None:
    async with open_model(settings(llm_provider="groq")) as model:
        assert model is not None
        with pytest.raises(ModelRefusedError, match="GROQ_API_KEY"):
            await model.complete("hi")


async def test_openai_comes_before_groq_unless_the_setting_says_otherwise() -> None:
    both = {"openai_api_key": SecretStr(KEY), "groq_api_key": SecretStr(KEY)}
    async with open_model(settings(**both)) as model, open_model(settings(**both, llm_provider="groq")) as other:
        assert model is not None
        assert other is not None
        assert (model.provider, other.provider) == ("openai", "groq")
