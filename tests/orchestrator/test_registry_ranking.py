"""How an agent's calls went decides between agents that can do the same, and the reason says so."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_service.statistics import Call, Record, summarize
from shared.agent import AgentRequest, Answer, JsonObject, Update
from shared.errors import FederationError
from tests.support.federation import TestAgent, federation, step, until


async def _works(request: AgentRequest) -> AsyncGenerator[Update]:
    yield Answer("work", f"<{request.text}>")


async def _fails(request: AgentRequest) -> AsyncGenerator[Update]:
    raise FederationError("It never works.")
    yield Answer("", "")


async def test_an_agent_that_fails_falls_behind_one_that_works_and_the_reason_says_it(
    tmp_path: Path, database_url: str | None
) -> None:
    agents = [TestAgent("Aaa", _fails, ("work",)), TestAgent("Bbb", _works, ("work",))]
    async with federation(
        tmp_path, *agents, database_url=database_url, agent_check_interval_s=0.2, step_attempts=1, max_revisions=0
    ) as running:
        for name in ("Aaa", "Bbb") * 4:
            await running.run(step("a", "work", skill="work", agent=name))

        async def ranked() -> JsonObject:
            return await running.get("/api/agents/discover", params={"q": "work"})

        found = await until(ranked, lambda found: "4 of its last 4" in str(found))
        assert str(found["items"]).index("'Bbb'") < str(found["items"]).index("'Aaa'")
        assert "0 of its last 4 calls succeeded" in str(found)
        task = await running.run(step("a", "work", skill="work"))
        assert "'agent_name': 'Bbb'" in str(task["steps"])
        assert "calls succeeded" in str(task["steps"])


@pytest.mark.parametrize("need", ["summarization", "summarizes", "summarizing"])
async def test_a_skill_is_found_by_another_form_of_its_word(need: str, tmp_path: Path) -> None:
    async with federation(tmp_path, TestAgent("Aaa", _works, ("summarize",))) as running:
        found = await running.get("/api/agents/discover", params={"q": need})
        assert "'skill': 'summarize'" in str(found["items"])


calls = st.builds(
    Call,
    agent_id=st.sampled_from(["a", "b"]),
    failed=st.booleans(),
    duration_ms=st.floats(0, 1e6),
    cost_usd=st.floats(0, 10),
)


@given(st.lists(calls))
def test_records_count_every_call_once_and_rates_are_shares(given_calls: list[Call]) -> None:
    records = summarize(given_calls)
    assert sum(record.calls for record in records.values()) == len(given_calls)
    assert sum(record.failures for record in records.values()) == sum(call.failed for call in given_calls)
    assert all(0 < record.success_rate < 1 for record in records.values())


def test_few_calls_say_less_than_many() -> None:
    assert Record(1, 1, 0, 0).success_rate > Record(50, 50, 0, 0).success_rate
