"""The API agent with a model: better answers, and the same as without one whenever the model fails."""

import asyncio
import re
from contextlib import aclosing, closing
from pathlib import Path
from typing import cast

import duckdb
import pytest
from pydantic import JsonValue

from api_agent_service import tables
from api_agent_service.agent import open_agent
from api_agent_service.database import Database
from api_agent_service.material import Source
from shared.agent import METADATA_KEY, AgentRequest, Delta, JsonObject, Usage
from shared.errors import (
    FederationError,
    InvalidRequestError,
    ModelAnswerError,
    ModelRefusedError,
    ModelUnavailableError,
)
from tests.api_agent.asking import SALES, ask, make_settings
from tests.api_agent.test_summarize import TEXT, is_extract
from tests.support.model_server import Cut, Failure, Fixed, Hang, ModelRequest, Raw, Reply, Text, model_server


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


async def test_a_summary_that_was_cut_off_says_so() -> None:
    async with model_server(Text("A lighthouse became", finish_reason="length")) as model:
        outcome = await ask(f"Summarize in one sentence:\n\n{TEXT}", settings=make_settings(model))

    assert outcome.text.startswith("A lighthouse became\n\n*(The answer of the language model 'scripted' was cut off")
    assert "".join(delta.text for delta in outcome.deltas) == outcome.text


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


TOWNS = "\n\n".join(f"The harbour of town {number} has {number} ships. It is old." for number in range(300))


async def test_a_long_text_is_read_in_parts_and_joined_within_the_bound_of_calls() -> None:
    def reply(request: ModelRequest) -> str:
        return "Ships are in all the harbours." if "You write summaries" in request.system else "- many harbours"

    async with model_server(otherwise=reply) as model:
        own = make_settings(model, model_input_chars=5_000, summary_calls=8)
        outcome = await ask(f"Summarize formally, in one sentence:\n\n{TOWNS}", settings=own)

    *parts, last = [request.prompt for request in model.requests]
    assert outcome.text == "Ships are in all the harbours."
    assert len(parts) == outcome.data["parts"]
    assert 3 <= len(parts) <= 7
    assert all(f"town {number} has" in "".join(parts) for number in range(300)), "every sentence is in one part"
    assert "- many harbours" in last
    assert "exactly 1 sentences" in last
    assert "Summarize formally" in last
    assert [said for said in outcome.progress if "part 2 of" in said] == [f"Reading part 2 of {len(parts)}"]
    assert sum(usage.llm_calls for usage in outcome.usage) == len(model.requests)


async def test_what_is_left_out_of_a_text_that_is_longer_still_is_said() -> None:
    async with model_server(otherwise="Ships.") as model:
        own = make_settings(model, model_input_chars=1_000, summary_calls=3)
        outcome = await ask(f"Summarize:\n\n{TOWNS}", settings=own)

    assert len(model.requests) == 3
    assert all(len(request.prompt) < 1_300 for request in model.requests)
    left_out = str(outcome.data["left_out"])
    assert left_out.startswith(f"The text has {len(TOWNS):,} characters. Of each of its 2 parts")
    assert outcome.text == f"Ships.\n\n_{left_out}_"


async def test_a_summary_stops_asking_when_the_budget_is_spent() -> None:
    async with model_server(otherwise="Ships.") as model:
        own = make_settings(model, model_input_chars=1_000, summary_calls=20)
        metadata: JsonObject = {METADATA_KEY: {"budget": {"tokens": 900}}}
        outcome = await ask(f"Summarize:\n\n{TOWNS}", settings=own, metadata=metadata)

    assert 0 < len(model.requests) < 5
    assert outcome.data["method"] == "extractive"
    assert "What the task may still spend is too little" in str(outcome.data["notes"])


def _sql(*queries: str) -> JsonObject:
    return {"queries": [{"question": "Dearest town", "sql": query} for query in queries]}


DEAREST = "SELECT city, avg(price) AS mean_price FROM data GROUP BY city ORDER BY mean_price DESC"
DEARLY = f"In which town do customers pay the most dearly?\n{SALES}"


async def test_a_question_that_rules_cannot_read_is_answered_by_sql_that_is_shown() -> None:
    async with model_server(_sql(DEAREST)) as model:
        outcome = await ask(DEARLY, settings=make_settings(model), skill="analyze-data")

    assert outcome.rows[0] == {"city": "Oslo", "mean_price": 40.0}
    assert "| Oslo | 40 |" in outcome.text
    assert f"```sql\n{DEAREST}\n```" in outcome.text
    assert [file.media_type for file in outcome.files] == ["application/vnd.vegalite.v5+json", "image/png"]
    assert sum(usage.llm_calls for usage in outcome.usage) == 1
    assert "price: number" in model.requests[0].prompt
    assert "status: text, one of: 'shipped', 'open', 'cancelled'" in model.requests[0].prompt
    assert "120.00" not in model.requests[0].prompt, "rows stay here"


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT town FROM data", 'Referenced column \\"town\\" not found'),
        ("SELECT CAST(city AS INTEGER) FROM data", "Could not convert string 'Paris' to INT32"),
        ("SELEC 1", 'syntax error at or near \\"SELEC\\"'),
        ("DROP TABLE data", "Only SELECT statements"),
        ("SELECT 1; SELECT 2", "Only one SELECT statement can be run; these are several"),
        ("COPY data TO '/tmp/stolen.csv'", "Only SELECT statements"),
        ("SELECT * FROM read_csv('/etc/passwd')", "The table function 'read_csv' cannot be used"),
        ("SELECT * FROM '/etc/passwd'", "There is no table '/etc/passwd'; the only one is 'data'"),
        ("SELECT * FROM glob('/*')", "The table function 'glob' cannot be used"),
        ("SELECT (SELECT content FROM read_text('/etc/passwd'))", "The table function 'read_text' cannot be used"),
        ("SELECT * FROM query('SELECT 1')", "The table function 'query' cannot be used"),
        ("SELECT * FROM information_schema.tables", "There is no table 'information_schema.tables'"),
        ("FROM (SHOW ALL TABLES)", "SHOW_REF cannot be used in FROM"),
        ("SELECT current_setting('temp_directory')", "The function current_setting cannot be used"),
    ],
)
async def test_sql_that_may_not_or_cannot_run_is_sent_back_with_the_exact_reason(sql: str, said: str) -> None:
    async with model_server(_sql(sql), _sql(DEAREST)) as model:
        outcome = await ask(DEARLY, settings=make_settings(model), skill="analyze-data")

    assert outcome.rows[0] == {"city": "Oslo", "mean_price": 40.0}
    assert said.replace("\\", "") in model.requests[1].prompt
    assert sum(usage.llm_calls for usage in outcome.usage) == 2


async def test_sql_that_takes_too_long_is_interrupted_and_sent_back() -> None:
    endless = "SELECT sum(a.range) FROM range(10000000) a, range(10000000) b"
    async with model_server(_sql(endless), _sql(DEAREST)) as model:
        outcome = await ask(DEARLY, settings=make_settings(model, data_timeout_s=2.0), skill="analyze-data")

    assert outcome.rows[0] == {"city": "Oslo", "mean_price": 40.0}
    assert "was not read and computed within 2 s (DATA_TIMEOUT_S)" in model.requests[1].prompt


async def test_a_request_that_no_query_answers_gets_the_profile() -> None:
    async with model_server({"queries": []}) as model:
        outcome = await ask(DEARLY.replace("pay the most", "walk"), settings=make_settings(model), skill="analyze-data")

    assert outcome.profile["rows"] == 6
    assert "The language model found no query that answers this" in outcome.text


async def test_sql_that_is_wrong_twice_fails_with_the_reason() -> None:
    async with model_server(_sql("SELECT town FROM data"), _sql("SELECT towns FROM data")) as model:
        with pytest.raises(ModelAnswerError, match=r'no usable answer, twice: .*"towns" not found'):
            await ask(DEARLY, settings=make_settings(model), skill="analyze-data")


def test_a_sealed_database_is_a_wall_by_itself(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    with closing(Database(tmp_path / "t", make_settings())) as store:
        tables.read(Source("t.csv", "text/csv", SALES.encode()), store, make_settings())
        for statement in (
            f"SELECT * FROM read_csv('{secret}')",
            f"SELECT * FROM '{secret}'",
            f"COPY data TO '{tmp_path / 'out.csv'}'",
            f"ATTACH '{tmp_path / 'other.duckdb'}'",
            "SET enable_external_access = true",
            "SET memory_limit = '10GB'",
            "INSERT INTO data SELECT * FROM data",
            "DROP TABLE data",
            "INSTALL httpfs",
            "LOAD httpfs",
        ):
            with pytest.raises(duckdb.Error):
                store.run(statement)
        assert store.rows("SELECT count(*) FROM data") == [(6,)]


async def test_a_question_that_rules_read_costs_no_call() -> None:
    async with model_server() as model:
        outcome = await ask(f"average price by city\n{SALES}", settings=make_settings(model))
        await ask(f"Profile this CSV\n{SALES}", settings=make_settings(model))

    assert outcome.rows[0] == {"city": "Oslo", "average price": 40.0}
    assert model.requests == []


async def test_a_column_that_is_nearly_named_is_asked_of_the_model() -> None:
    async with model_server(_sql(DEAREST)) as model:
        outcome = await ask(f"average price by town\n{SALES}", settings=make_settings(model))

    assert outcome.rows[0] == {"city": "Oslo", "mean_price": 40.0}


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (Failure(429, retry_after_s=0), ModelUnavailableError, r"limits the rate \(429\); try again later"),
        (Failure(401), ModelRefusedError, r"refused the key \(401\); check"),
        (Raw("<html>", "text/html"), ModelAnswerError, "is not a chat completion; check LLM_BASE_URL and LLM_MODEL"),
        ("I cannot do that.", ModelAnswerError, "no usable answer, twice"),
        (
            {"queries": [{"code": "rm"}]},
            ModelAnswerError,
            "no usable answer, twice: queries/0/question: Field required",
        ),
        (Hang(), ModelUnavailableError, r"did not answer within 1 s \(LLM_TIMEOUT_S\)"),
    ],
    ids=["429", "401", "rubbish", "words", "another form", "hang"],
)
async def test_a_question_that_the_model_fails_at_is_a_typed_failure_and_what_rules_can_do_is_done(
    reply: Reply, error: type[FederationError], said: str
) -> None:
    async with model_server(otherwise=reply) as model:
        own = make_settings(model, llm_timeout_s=1.0)
        with pytest.raises(error, match=said):
            await ask(f"Where do customers pay dearly, and why?\n{SALES}", settings=own, skill="analyze-data")
        with pytest.raises(InvalidRequestError, match=r"There is no column 'prize'\. Did you mean price"):
            await ask(f"average prize by city\n{SALES}", settings=own)
        profiled = await ask(f"Profile this, and where is it dear?\n{SALES}", settings=own, skill="analyze-data")

    assert profiled.profile["rows"] == 6


async def test_without_a_model_a_question_that_no_rule_reads_gets_the_profile_and_how_to_ask() -> None:
    outcome = await ask(f"Where do customers pay dearly, and why?\n{SALES}", skill="analyze-data")

    assert outcome.profile["rows"] == 6
    assert "No rule reads the question, so this is the profile of the table. Ask as in" in outcome.text


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


LEDGER = "\n\n".join(f"On day {day} Ann sold {day} ships to Mr. Number{day}. It was a quiet day." for day in range(200))
LEDGER_FORM: JsonObject = {
    "type": "object",
    "properties": {
        "seller": {"type": "string"},
        "place": {"type": ["string", "null"]},
        "buyers": {"type": "array", "items": {"type": "string"}, "minItems": 150},
    },
    "required": ["seller", "place", "buyers"],
}


def _read_ledger(request: ModelRequest) -> Fixed:
    """Answer with what the part holds; of the last one, a seller of another name."""
    if "found in the parts of one text" in request.prompt:
        return {"seller": "Ann", "place": None, "buyers": [f"Number{day}" for day in range(150)]}
    buyers: list[JsonValue] = [*re.findall(r"Mr\. (Number\d+)", request.prompt)]
    seller = "Bob" if "Number199" in buyers else "Ann"
    return {"buyers": buyers, "place": None, "seller": seller}


async def test_all_of_a_long_text_is_extracted_from_in_parts_and_put_together() -> None:
    async with model_server(otherwise=_read_ledger) as model:
        own = make_settings(model, model_input_chars=4_000)
        outcome = await ask(f"Extract:\n\n{LEDGER}", data=({"schema": LEDGER_FORM},), settings=own)

    result = cast("JsonObject", outcome.data["result"])
    *parts, last = [request.prompt for request in model.requests]
    assert result == {"seller": "Ann", "place": None, "buyers": [f"Number{day}" for day in range(200)]}
    assert len(parts) == outcome.data["parts"]
    assert 3 < len(parts) < 20
    assert "Bob" in last, "parts that say different things are settled by one more call"
    assert "left_out" not in outcome.data


async def test_facts_of_all_parts_come_together_within_the_bound_of_calls_and_what_is_left_out_is_said() -> None:
    def reply(request: ModelRequest) -> Fixed:
        return {"facts": [{"name": "seller", "value": "Ann"}, {"name": "seller", "value": request.prompt[:29]}]}

    async with model_server(otherwise=reply) as model:
        own = make_settings(model, model_input_chars=1_000, extraction_calls=4)
        outcome = await ask(f"Extract the names of sellers:\n\n{LEDGER}", settings=own)

    facts = cast("list[JsonObject]", outcome.data["facts"])
    assert len(model.requests) == 3
    assert [fact["value"] for fact in facts] == ["Ann", *(f"Extract data from part {n} of 3" for n in (1, 2, 3))]
    assert "Of each of its 3 parts the most telling sentences were read" in str(outcome.data["left_out"])
    assert "(EXTRACTION_CALLS, MODEL_INPUT_CHARS)" in outcome.text


async def test_a_part_that_the_model_fails_at_is_said_and_the_others_are_kept() -> None:
    def reply(request: ModelRequest) -> Fixed:
        is_other = re.search(r"from part (?!2 of)", request.prompt)  # and to be told what was wrong does not help
        return _read_ledger(request) if is_other else "Rubbish."

    form: JsonObject = {**LEDGER_FORM, "required": ["buyers"]}
    async with model_server(otherwise=reply) as model:
        own = make_settings(model, model_input_chars=4_000)
        outcome = await ask(f"Extract:\n\n{LEDGER}", data=({"schema": form},), settings=own)

    buyers = cast("list[str]", cast("JsonObject", outcome.data["result"])["buyers"])
    assert {"Number0", "Number199"} <= set(buyers)
    assert re.search(r"1 of the text's \d parts could not be read: .*no usable answer, twice", outcome.text)


@pytest.mark.parametrize("reply", [Failure(429, retry_after_s=0), "Rubbish.", {"person": 7}, Hang()])
async def test_a_model_that_fails_leaves_what_rules_extract(reply: Reply) -> None:
    async with model_server(otherwise=reply) as model:
        own = make_settings(model, llm_timeout_s=1.0)
        outcome = await ask("Extract:\n\nPerson: Ann\nAge: 41", data=({"schema": SCHEMA},), settings=own)

    assert outcome.data == {"method": "rules", "result": {"person": "Ann", "age": 41}}
    assert any(said.startswith("Without the language model:") for said in outcome.progress)


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        ({"person": 7}, ModelAnswerError, "no usable answer, twice: .*is not of type"),
        (Failure(401), ModelRefusedError, "refused the key"),
        (Failure(429, retry_after_s=0), ModelUnavailableError, "limits the rate"),
    ],
    ids=["another form, twice", "401", "429"],
)
async def test_a_schema_that_only_the_model_could_fill_fails_with_what_the_model_did(
    reply: Reply, error: type[FederationError], said: str
) -> None:
    async with model_server(otherwise=reply) as model:
        with pytest.raises(error, match=said):
            await ask("Extract:\n\nAnn turned 41.", data=({"schema": SCHEMA},), settings=make_settings(model))


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
