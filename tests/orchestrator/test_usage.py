"""What models cost: every call is recorded, a task's cost is whole, and sums say the same by every group."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_service.usage import itemized
from shared.agent import AgentRequest, Answer, JsonObject, ModelCall, Update, Usage
from shared.llm import open_models
from shared.settings import FederationSettings
from tests.support.federation import Federation, TestAgent, federation, names, step
from tests.support.model_server import ModelServer, Text, model_server

_PRICES: dict[str, Any] = {"llm_price_input_per_mtok": 1.0, "llm_price_output_per_mtok": 10.0}


def asker(server: ModelServer, folder: Path, **changes: object) -> TestAgent:
    """Return an agent that asks a model what it is asked, in the role `research`."""

    async def answer(request: AgentRequest) -> AsyncGenerator[Update]:
        settings = FederationSettings.model_validate(
            {"llm_base_url": server.base_url, "llm_model": "m", "data_dir": folder / "asker", **_PRICES, **changes}
        )
        async with open_models(settings) as models:
            model = models.of("research", request)
            assert model is not None
            completion = await model.complete(request.text)
            yield completion.usage
            yield Answer("answer", completion.text)

    return TestAgent("Asker", answer, ("ask",))


async def foreign(_request: AgentRequest) -> AsyncGenerator[Update]:
    """Tell what was spent, and not on what."""
    yield Usage(1_000, 500, 0.25, 3)
    yield Answer("answer", "done")


async def sums(running: Federation, group_by: str, **query: str) -> list[JsonObject]:
    answer = await running.get("/api/usage", params={"group_by": group_by, **query})
    return cast("list[JsonObject]", answer["items"])


async def test_the_calls_of_agents_and_of_the_orchestrator_add_up_to_what_the_tasks_show(
    tmp_path: Path, database_url: str | None
) -> None:
    plan: JsonObject = {"steps": [{"id": "a", "skill": "ask", "instruction": "Which city?"}]}
    async with (
        model_server(plan, Text("Rome.", input_tokens=100, output_tokens=20), otherwise="It is Rome.") as server,
        federation(
            tmp_path,
            asker(server, tmp_path),
            TestAgent("Foreign", foreign, ("else",)),
            database_url=database_url,
            llm_base_url=server.base_url,
            llm_model="planning",
            **_PRICES,
        ) as running,
    ):
        first = await running.submit("Which city?", user_id="ann")
        second = await running.run(step("b", skill="else"), user_id="bob")
        assert (first["status"], second["status"]) == ("completed", "completed")

        by_agent = {str(item["agent"]): item for item in await sums(running, "agent")}
        assert by_agent["Asker"]["input_tokens"] == 100
        assert by_agent["Asker"]["cost_usd"] == pytest.approx(100e-6 + 200e-6)
        assert by_agent["Foreign"]["llm_calls"] == 3
        assert {*by_agent} == {"Asker", "Foreign", "orchestrator"}

        by_model = {item["model"]: item for item in await sums(running, "model")}
        assert set(by_model) == {"openai:m", "openai:planning", None}
        assert by_model[None]["cost_usd"] == pytest.approx(0.25)

        for group in ("day", "user", "agent", "model", "tenant", "workflow", "day,user,agent,model,tenant,workflow"):
            items = await sums(running, group)
            for field in ("input_tokens", "output_tokens", "cost_usd", "llm_calls"):
                shown = sum(cast("float", cast("JsonObject", task["usage"])[field]) for task in (first, second))
                assert sum(cast("float", item[field]) for item in items) == pytest.approx(shown), (group, field)
        assert len(await sums(running, "user")) == 2
        of_tasks = {item["task"]: item for item in await sums(running, "task")}
        assert of_tasks[first["id"]]["cost_usd"] == pytest.approx(cast("JsonObject", first["usage"])["cost_usd"])

        day = str((await sums(running, "day"))[0]["day"])
        assert await sums(running, "day", until=f"{day}T00:00:00Z") == []
        assert len(await sums(running, "day", since=f"{day}T00:00:00Z")) == 1


async def test_a_task_may_choose_its_models_and_agents_are_told(tmp_path: Path) -> None:
    plan: JsonObject = {"steps": [{"id": "a", "skill": "ask", "instruction": "Which city?"}]}
    async with (
        model_server(otherwise="Rome.") as server,
        model_server(plan, otherwise="It is Rome.") as lab,
        federation(
            tmp_path,
            asker(server, tmp_path, llm_endpoints=(f"lab={lab.base_url}",), llm_endpoint_keys="lab=k"),
            llm_base_url=server.base_url,
            llm_model="usual",
            llm_endpoints=(f"lab={lab.base_url}",),
            llm_endpoint_keys="lab=k",
        ) as running,
    ):
        models: JsonObject = {"planner": "lab:planner", "research": "lab:big"}
        task = await running.submit("Which city?", metadata={"models": models})
        assert task["status"] == "completed"
    assert [asked.model for asked in lab.requests] == ["planner", "big"]
    assert server.requests == []


@pytest.mark.parametrize(
    ("models", "says"),
    [("small", "object"), ({"poet": "x"}, "planner"), ({"planner": ""}, "name"), ({"code": 1}, "name")],
)
async def test_a_wrong_choice_of_models_is_refused_with_what_is_right(
    tmp_path: Path, models: str | JsonObject, says: str
) -> None:
    async with federation(tmp_path) as running:
        answer = await running.post("/api/tasks", {"description": "x", "metadata": {"models": models}}, 422)
    assert says in str(answer["errors"])


async def test_a_model_that_cannot_be_called_fails_the_task_with_what_it_lacks(tmp_path: Path) -> None:
    async with model_server(otherwise="x") as server, federation(tmp_path, asker(server, tmp_path)) as running:
        task = await running.run(step("a", skill="ask"), metadata={"models": {"research": "groq:x"}})
    assert task["status"] == "failed"
    assert "GROQ_API_KEY" in str(task["error"])
    assert server.requests == []


async def test_calls_that_the_cache_saved_are_shown_and_cost_nothing(tmp_path: Path) -> None:
    async with (
        model_server(Text("Rome.", output_tokens=100)) as server,
        federation(tmp_path, asker(server, tmp_path, llm_cache_ttl_s=60)) as running,
    ):
        for _ in range(3):
            assert (await running.run(step("a", "Which city?", skill="ask")))["status"] == "completed"
        [item] = await sums(running, "model")
    assert (item["llm_calls"], item["saved_calls"]) == (1, 2)
    assert item["saved_usd"] == pytest.approx(2 * cast("float", item["cost_usd"]))
    assert len(server.requests) == 1


async def test_the_budget_that_a_step_is_granted_bounds_the_calls_of_its_agent(tmp_path: Path) -> None:
    async with (
        model_server(otherwise="Rome.") as server,
        federation(tmp_path, asker(server, tmp_path)) as running,
    ):
        task = await running.run(step("a", "Which city?", skill="ask"), budget={"cost_usd": 1e-7})
    assert task["status"] == "failed"
    assert "may still spend is too little" in str(task["error"])
    assert server.requests == []


async def test_what_a_group_or_a_time_may_be_is_said(tmp_path: Path) -> None:
    async with federation(tmp_path) as running:
        wrong = await running.get("/api/usage", 422, {"group_by": "colour"})
        assert "agent" in str(wrong["detail"])
        await running.get("/api/usage", 422, {"since": "2026-01-01T00:00:00"})
        empty = await running.get("/api/usage")
        assert (empty["items"], cast("JsonObject", empty["total"])["llm_calls"]) == ([], 0)
        assert names(empty["items"], "day") == []


_COUNT = st.integers(0, 10**6)
_CALLS = st.builds(ModelCall, st.sampled_from(["a", "b"]), st.just(""), _COUNT, _COUNT, cached=st.booleans())


@hypothesis.settings(deadline=None)
@given(usage=st.builds(Usage, _COUNT, _COUNT, st.floats(0, 100), _COUNT, st.lists(_CALLS, max_size=4).map(tuple)))
def test_recorded_calls_always_add_up_to_what_was_spent(usage: Usage) -> None:
    paid = [call for call in itemized(usage) if not call.cached]
    assert sum(call.input_tokens for call in paid) == usage.input_tokens
    assert sum(call.output_tokens for call in paid) == usage.output_tokens
    assert sum(call.count for call in paid) == usage.llm_calls
    assert sum(call.cost_usd for call in paid) == pytest.approx(usage.cost_usd, abs=1e-8)
