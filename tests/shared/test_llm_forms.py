"""Answers in a form: how a model is held to it, how strictly it is read, and what is sent back."""

import pytest

from shared.errors import ModelAnswerError
from shared.llm import open_model
from tests.shared.asking_model import City, settings
from tests.support.model_server import JsonObject, ModelRequest, model_server

ROME: JsonObject = {"name": "Rome", "people": 3}


def way(asked: ModelRequest) -> str:
    return "schema" if asked.wants_schema else "tool" if asked.forced_tool else "prompt"


@pytest.mark.parametrize(
    ("json_schema", "tools", "first", "then"),
    [
        (True, True, ["schema"], ["schema"]),
        (False, True, ["schema", "tool"], ["tool"]),
        (False, False, ["schema", "tool", "prompt"], ["prompt"]),
    ],
)
async def test_a_form_is_asked_for_natively_then_by_a_tool_then_by_the_prompt_alone(
    json_schema: bool, tools: bool, first: list[str], then: list[str]
) -> None:
    async with (
        model_server(otherwise=ROME, json_schema=json_schema, tools=tools) as server,
        open_model(settings(llm_base_url=server.base_url, llm_model="m")) as model,
    ):
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
