"""The API agent with a model: better answers, and the same as without one whenever the model fails."""

import asyncio
from contextlib import aclosing
from typing import cast

import pytest

from api_agent_service.agent import open_agent
from shared.agent import AgentRequest, Delta, JsonObject, Usage
from shared.errors import InvalidRequestError
from tests.api_agent.asking import SALES, ask, make_settings
from tests.api_agent.test_summarize import TEXT, is_extract
from tests.support.model_server import Cut, Failure, Hang, Raw, Reply, model_server


async def test_a_summary_is_streamed_from_the_model() -> None:
    async with model_server("A lighthouse became a museum.") as model:
        outcome = await ask(f"Summarize in one sentence:\n\n{TEXT}", settings=make_settings(model))

    assert outcome.text == "A lighthouse became a museum."
    assert "".join(delta.text for delta in outcome.deltas) == outcome.text
    assert len(outcome.deltas) > 1
    assert (outcome.data["method"], outcome.data["model"]) == ("model", "scripted")
    assert sum(usage.llm_calls for usage in outcome.usage) == 1
    assert outcome.usage[0].output_tokens == 5
    assert "exactly 1 sentences" in model.requests[0].prompt
    assert "<<<data" in model.requests[0].prompt


async def test_groq_is_called_where_it_is_configured() -> None:
    async with model_server("A museum.") as model:
        settings = make_settings(llm_base_url=model.origin, llm_provider="groq", groq_api_key="key", llm_model="llama")
        outcome = await ask(f"Summarize:\n\n{TEXT}", settings=settings)

    assert (outcome.text, outcome.data["provider"], model.requests[0].model) == ("A museum.", "groq", "llama")


@pytest.mark.parametrize(
    "reply",
    [
        Failure(429, retry_after_s=0),
        Failure(500),
        Failure(401),
        Raw("<html>not a model</html>", "text/html"),
        Raw("data: [DONE]\n\n", "text/event-stream"),
        "",
        Cut("A lighthouse"),
        Cut("A lighthouse", clean=False),
        Hang(),
    ],
    ids=["429", "500", "401", "rubbish", "nothing", "empty", "cut", "broken", "hang"],
)
async def test_a_model_that_fails_leaves_an_extractive_summary(reply: Reply) -> None:
    async with model_server(otherwise=reply) as model:
        outcome = await ask(f"Summarize in 2 sentences:\n\n{TEXT}", settings=make_settings(model, llm_timeout_s=1.0))

    assert outcome.data["method"] == "extractive"
    assert is_extract(outcome.text)
    assert any(said.startswith("Without the language model:") for said in outcome.progress)


async def test_a_long_text_is_condensed_before_it_goes_to_the_model() -> None:
    text = " ".join(f"The harbour of town {number} has {number} ships." for number in range(5_000))
    async with model_server("Harbours have ships.") as model:
        outcome = await ask(f"Summarize:\n\n{text}", settings=make_settings(model, model_input_chars=2_000))

    assert outcome.text == "Harbours have ships."
    assert len(model.requests[0].prompt) < 3_000


QUERY: JsonObject = {
    "measures": [{"aggregation": "mean", "column": "price"}],
    "groups": [{"column": "city", "bucket": "value"}],
    "filters": [],
    "order": "descending",
    "limit": 1,
    "rows": False,
}


async def test_the_model_reads_a_question_that_rules_cannot_and_polars_computes() -> None:
    async with model_server({"queries": [QUERY]}) as model:
        outcome = await ask(
            f"In which town do customers pay the most dearly?\n{SALES}",
            settings=make_settings(model),
            skill="analyze-data",
        )

    assert outcome.rows == [{"city": "Oslo", "average price": 40.0}]
    assert sum(usage.llm_calls for usage in outcome.usage) == 1
    assert "price: number" in model.requests[0].prompt
    assert "120.00" not in model.requests[0].prompt, "rows stay here"


async def test_a_question_that_rules_read_costs_no_call() -> None:
    async with model_server() as model:
        outcome = await ask(f"average price by city\n{SALES}", settings=make_settings(model))
        await ask(f"Profile this CSV\n{SALES}", settings=make_settings(model))

    assert outcome.rows[0] == {"city": "Oslo", "average price": 40.0}
    assert model.requests == []


async def test_a_query_with_a_column_that_does_not_exist_is_sent_back() -> None:
    wrong: JsonObject = {**QUERY, "groups": [{"column": "town", "bucket": "value"}]}
    async with model_server({"queries": [wrong]}, {"queries": [QUERY]}) as model:
        outcome = await ask(f"average price by town\n{SALES}", settings=make_settings(model))

    assert outcome.rows == [{"city": "Oslo", "average price": 40.0}]
    assert "There is no column 'town'" in model.requests[1].prompt


@pytest.mark.parametrize(
    "reply", [Failure(429, retry_after_s=0), "I cannot do that.", {"queries": [{"code": "rm"}]}, Hang()]
)
async def test_a_model_that_fails_leaves_what_rules_can_do(reply: Reply) -> None:
    async with model_server(otherwise=reply) as model:
        own = make_settings(model, llm_timeout_s=1.0)
        profiled = await ask(f"Where do customers pay dearly, and why?\n{SALES}", settings=own, skill="analyze-data")
        with pytest.raises(InvalidRequestError, match=r"There is no column 'prize'\. Did you mean price"):
            await ask(f"average prize by city\n{SALES}", settings=own)

    assert profiled.profile["rows"] == 6
    assert any(said.startswith("The language model could not read the question:") for said in profiled.progress)


SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"person": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["person", "age"],
}


async def test_a_schema_is_filled_by_the_model_and_checked() -> None:
    async with model_server({"person": "Ann", "age": -1}, {"person": "Ann", "age": 41}) as model:
        outcome = await ask("Extract:\n\nAnn turned 41.", data=({"schema": SCHEMA},), settings=make_settings(model))

    assert outcome.data["result"] == {"person": "Ann", "age": 41}
    assert outcome.data["method"] == "model"
    assert sum(usage.llm_calls for usage in outcome.usage) == 2
    assert '"minimum": 0' in model.requests[0].prompt
    assert "-1 is less than the minimum of 0" in model.requests[1].prompt


async def test_a_schema_that_is_no_object_is_filled_as_well() -> None:
    schema: JsonObject = {"type": "array", "items": {"$ref": "#/$defs/name"}, "$defs": {"name": {"type": "string"}}}
    async with model_server({"result": ["Ann", "Bob"]}) as model:
        outcome = await ask("Extract names:\n\nAnn met Bob.", data=({"schema": schema},), settings=make_settings(model))

    assert outcome.data["result"] == ["Ann", "Bob"]


async def test_what_rules_do_not_know_is_asked_of_the_model() -> None:
    async with model_server({"facts": [{"name": "person", "value": "Ann"}]}) as model:
        asked = await ask("Extract the names of people:\n\nAnn met a@b.org.", settings=make_settings(model))
        known = await ask("Extract all e-mail addresses:\n\nAnn met a@b.org.", settings=make_settings(model))

    assert cast("list[JsonObject]", asked.data["facts"]) == [{"name": "person", "value": "Ann"}]
    assert known.data["emails"] == ["a@b.org"]
    assert len(model.requests) == 1


@pytest.mark.parametrize("reply", [Failure(429, retry_after_s=0), "Rubbish.", {"person": 7}, Hang()])
async def test_a_model_that_fails_leaves_what_rules_extract(reply: Reply) -> None:
    async with model_server(otherwise=reply) as model:
        own = make_settings(model, llm_timeout_s=1.0)
        outcome = await ask("Extract:\n\nPerson: Ann\nAge: 41", data=({"schema": SCHEMA},), settings=own)

    assert outcome.data == {"method": "rules", "result": {"person": "Ann", "age": 41}}
    assert any(said.startswith("Without the language model:") for said in outcome.progress)


async def test_a_canceled_summary_stops_at_once() -> None:
    async with model_server(otherwise=Hang()) as model, open_agent(make_settings(model)) as agent:
        request = AgentRequest(f"Summarize:\n\n{TEXT}", "task", "context", "message")

        async def run() -> None:
            async with aclosing(agent.answer(request)) as updates:
                async for update in updates:
                    assert not isinstance(update, (Delta, Usage))

        running = asyncio.create_task(run())
        await model.requested()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
