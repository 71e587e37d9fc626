"""Answers in a form: how a model is held to it, how strictly it is read, and what is sent back."""

import json

import pytest

from shared.errors import ModelAnswerError
from shared.llm import open_model, open_models
from tests.shared.asking_model import City, settings
from tests.support.model_server import JsonObject, ModelRequest, Raw, model_server

ROME: JsonObject = {"name": "Rome", "people": 3}


def way(asked: ModelRequest) -> str:
    return "schema" if asked.wants_schema else "tool" if asked.forced_tool else "prompt"


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize(
    ("json_schema", "tools", "first", "then"),
    [
        (True, True, ["schema"], ["schema"]),
        (False, True, ["schema", "tool"], ["tool"]),
        (False, False, ["schema", "tool", "prompt"], ["prompt"]),
    ],
)
async def test_a_form_is_asked_for_natively_then_by_a_tool_then_by_the_prompt_alone(
    json_schema: bool, tools: bool, first: list[str], then: list[str], in_graph: bool
) -> None:
    async with (
        model_server(otherwise=ROME, json_schema=json_schema, tools=tools) as server,
        open_models(settings(llm_base_url=server.base_url, llm_model="m"), in_graph=in_graph) as models,
    ):
        model = models.of("research")
        assert model is not None
        assert (await model.structured("Which?", City))[0] == City(name="Rome", people=3)
        assert list(map(way, server.requests)) == first
        await model.structured("And which?", City)
    assert list(map(way, server.requests)) == first + then


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ('{"name": "Rome", "people": 3, "people": 4}', "twice"),
        ('{"name": "Rome", "people": NaN}', "NaN"),
        ('{"name": "Rome", "people": 1e999}', "out of range"),
        ('{"name": "Rome", "people": "many"}', "people"),
        ('{"name": "Rome", "people":', "no complete JSON object"),
        ("The city is Rome.", "no complete JSON object"),
        ('{"a":' * 3000, "JSON"),
    ],
)
async def test_an_answer_is_read_strictly_and_sent_back_with_the_exact_problem(answer: str, problem: str) -> None:
    async with (
        model_server(answer, ROME) as server,
        open_model(settings(llm_base_url=server.base_url, llm_model="m")) as model,
    ):
        assert model is not None
        city, _ = await model.structured("Which?", City)
    assert city.people == 3
    assert problem in server.requests[1].prompt


async def test_a_second_contradiction_is_a_typed_failure_that_says_what_was_wrong() -> None:
    async with (
        model_server({"name": "Rome"}, {"name": "Rome", "people": -1}) as server,
        open_model(settings(llm_base_url=server.base_url, llm_model="m")) as model,
    ):
        assert model is not None
        with pytest.raises(ModelAnswerError, match="people"):
            await model.structured("Which?", City)


@pytest.mark.parametrize("in_graph", [False, True])
async def test_arguments_of_a_tool_that_are_no_json_are_sent_back(in_graph: bool) -> None:
    called = {"id": "1", "type": "function", "function": {"name": "answer", "arguments": '{"name": "Rome", '}}
    message = {"role": "assistant", "content": None, "tool_calls": [called]}
    broken = Raw(json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}))
    async with (
        model_server(broken, otherwise=ROME, json_schema=False) as server,
        open_models(settings(llm_base_url=server.base_url, llm_model="m"), in_graph=in_graph) as models,
    ):
        model = models.of("research")
        assert model is not None
        city, _ = await model.structured("Which?", City)
    assert city.people == 3
    assert "no complete JSON object" in server.requests[-1].prompt
