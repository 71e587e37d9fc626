"""Anthropic, by its own SDK, from a real server that speaks as it does."""

import pytest
from pydantic import SecretStr

from shared.agent import Usage
from shared.errors import ModelRefusedError, ModelUnavailableError
from shared.llm import MODEL_ERRORS, Model, open_model
from shared.settings import FederationSettings
from tests.shared.asking_model import KEY, City, collect, settings
from tests.support.model_server import Cut, Failure, ModelServer, Text, model_server


def at(server: ModelServer, **changes: object) -> FederationSettings:
    own: dict[str, object] = {"llm_endpoints": (f"anthropic={server.origin}",), "anthropic_api_key": SecretStr(KEY)}
    return settings(llm_model="anthropic:claude-x", **(own | changes))


async def asked(model: Model | None) -> str:
    assert model is not None
    return (await model.complete("hi", system="Be brief.")).text


async def test_it_answers_with_its_key_system_prompt_and_tokens() -> None:
    async with (
        model_server(Text("Paris.", input_tokens=50, output_tokens=2, cached_tokens=30)) as server,
        open_model(at(server)) as model,
    ):
        assert model is not None
        completion = await model.complete("The capital?", system="Be brief.")
    assert completion.text == "Paris."
    assert completion.usage == Usage(50, 2, 0.0, llm_calls=1)
    assert completion.usage.calls[0].cached_tokens == 30
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert server.requests[0].system == "Be brief."
    assert [message["role"] for message in server.requests[0].messages] == ["user"]


async def test_a_long_system_prompt_is_marked_for_its_cache() -> None:
    async with model_server(otherwise="ok") as server, open_model(at(server)) as model:
        assert model is not None
        await model.complete("hi", system="rule " * 2_000)
        await model.complete("hi", system="short")
    marked = ["cache_control" in str(request.body["system"]) for request in server.requests]
    assert marked == [True, False]


async def test_it_streams() -> None:
    async with model_server("one two three four") as server, open_model(at(server)) as model:
        assert model is not None
        usage = await collect(model, "count", pieces := [])
    assert "".join(pieces) == "one two three four"
    assert usage == Usage(1, 4, 0.0, llm_calls=1)


@pytest.mark.parametrize("clean", [True, False])
async def test_a_stream_that_breaks_off_is_an_error(clean: bool) -> None:
    async with model_server(Cut("half", clean=clean)) as server, open_model(at(server)) as model:
        assert model is not None
        with pytest.raises(ModelUnavailableError):
            await collect(model, "x", [])


@pytest.mark.parametrize(("json_schema", "calls"), [(True, 1), (False, 2)])
async def test_it_answers_in_a_form_natively_or_by_a_tool(json_schema: bool, calls: int) -> None:
    async with (
        model_server(otherwise={"name": "Rome", "people": 3}, json_schema=json_schema) as server,
        open_model(at(server)) as model,
    ):
        assert model is not None
        city, _ = await model.structured("Which?", City)
    assert city == City(name="Rome", people=3)
    assert len(server.requests) == calls


async def test_its_errors_are_told_as_those_of_others() -> None:
    async with model_server(Failure(529), "at last") as server, open_model(at(server)) as model:
        assert await asked(model) == "at last"
    async with model_server(Failure(401, message=f"bad {KEY}")) as server, open_model(at(server)) as model:
        with pytest.raises(ModelRefusedError, match="ANTHROPIC_API_KEY") as caught:
            await asked(model)
    assert KEY not in str(caught.value)
    async with model_server() as server:
        gone = at(server, llm_max_attempts=1)
    async with open_model(gone) as model:
        with pytest.raises(MODEL_ERRORS):
            await asked(model)
