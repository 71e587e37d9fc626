"""What went well before decides what is done next: which agent gets a step, and which plan a request."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_service import learning
from orchestrator_service.planning.plan import Goal
from orchestrator_service.statistics import Call, summarize
from shared.agent import JsonObject
from tests.orchestrator.test_people_at_the_terminal import command
from tests.support.federation import Federation, TestAgent, federation, until
from tests.support.model_server import ModelServer, model_server
from tests.teams.answering import Member, part, parts, steps_of, team_step
from tests.teams.meaning import embedding_model

_PLAN: JsonObject = {"steps": [{"id": "a", "skill": "guess", "instruction": "Guess the number 7."}]}
_REQUEST = "Please guess the number 7."


@pytest.fixture
async def planning(tmp_path: Path) -> AsyncGenerator[tuple[Federation, ModelServer, Member]]:
    """A federation whose model plans everything so; its agent guesses."""
    ann = Member("Ann", "seven")
    async with (
        model_server(otherwise=_PLAN) as model,
        federation(tmp_path, ann.served(), llm_base_url=model.base_url, llm_model="scripted") as running,
    ):
        yield running, model, ann


async def test_the_same_request_is_planned_without_a_model_the_second_time(
    planning: tuple[Federation, ModelServer, Member],
) -> None:
    running, model, ann = planning
    first = await running.submit(_REQUEST)
    assert part(first, "plan")["strategy"] == "llm"
    await _learned(running, 1)
    second = await running.submit("  guess the NUMBER 7!")
    assert second["status"] == "completed"
    assert part(second, "plan")["strategy"] == "learned"
    assert len(model.requests) == 1
    assert [asked.text for asked in ann.asked] == ["Guess the number 7."] * 2
    [learned] = await _learned(running, 1, successes=2)
    assert learned["task_id"] == second["id"]


async def test_another_number_is_another_request_and_sees_the_first_plan_as_an_example(
    planning: tuple[Federation, ModelServer, Member],
) -> None:
    running, model, _ = planning
    await running.submit(_REQUEST)
    await _learned(running, 1)
    other = await running.submit("Please guess the number 8.")
    assert part(other, "plan")["strategy"] == "llm"
    assert "earlier plans" not in model.requests[0].prompt
    assert "Please guess the number 7." in model.requests[1].prompt
    assert "Guess the number 7." in model.requests[1].prompt
    assert model.requests[1].prompt.index("earlier plans") < model.requests[1].prompt.index("The request to plan")


async def test_a_request_that_means_about_the_same_in_other_words_sees_the_plan_as_an_example(tmp_path: Path) -> None:
    ann = Member("Ann", "seven")
    async with (
        embedding_model(("number", "digit")) as url,
        model_server(otherwise=_PLAN) as model,
        federation(
            tmp_path,
            ann.served(),
            llm_base_url=model.base_url,
            llm_model="scripted",
            embedding_model="m",
            embedding_base_url=url,
        ) as running,
    ):
        await running.submit(_REQUEST)
        await _learned(running, 1)
        await running.submit("Which digit comes to mind?")
        await running.submit("Cook soup")
    assert "earlier plans" in model.requests[1].prompt
    assert "earlier plans" not in model.requests[2].prompt


async def test_what_was_learned_is_shown_and_can_be_forgotten(
    planning: tuple[Federation, ModelServer, Member],
) -> None:
    running, model, _ = planning
    task = await running.submit(_REQUEST)
    [learned] = await _learned(running, 1)
    assert (learned["goal"], learned["task_id"]) == (_REQUEST, task["id"])
    assert await running.get(f"/api/learned-plans/{learned['id']}") == learned
    assert (await running.client.delete(f"/api/learned-plans/{learned['id']}")).status_code == 204
    await running.get(f"/api/learned-plans/{learned['id']}", 404)
    assert (await running.client.delete(f"/api/learned-plans/{learned['id']}")).status_code == 404
    again = await running.submit(_REQUEST)
    assert part(again, "plan")["strategy"] == "llm"
    assert len(model.requests) == 2
    await _learned(running, 1)
    assert (await running.client.delete("/api/learned-plans")).status_code == 204
    assert await _learned(running, 0) == []


async def test_what_was_learned_is_at_the_terminal(planning: tuple[Federation, ModelServer, Member]) -> None:
    running, _, _ = planning
    await running.submit(_REQUEST)
    [learned] = await _learned(running, 1)
    assert _REQUEST in await command(running, "learned", "list")
    assert "Guess the number 7." in await command(running, "learned", "show", str(learned["id"]))
    assert "forgotten" in await command(running, "learned", "forget", str(learned["id"]))
    assert await _learned(running, 0) == []
    assert "all learned plans" in await command(running, "learned", "forget", "--all")


async def test_a_plan_that_keeps_failing_is_forgotten(tmp_path: Path) -> None:
    ann = Member("Ann", "seven", "!")
    async with (
        model_server(otherwise=_PLAN) as model,
        federation(
            tmp_path,
            ann.served(),
            llm_base_url=model.base_url,
            llm_model="scripted",
            max_revisions=0,
            step_attempts=1,
        ) as running,
    ):
        await running.submit(_REQUEST)
        await _learned(running, 1)
        for failures in (1, 2):
            failed = await running.submit(_REQUEST)
            assert (failed["status"], part(failed, "plan")["strategy"]) == ("failed", "learned")
            await _learned(running, 2 - failures)
        assert part(await running.submit(_REQUEST), "plan")["strategy"] == "llm"


async def test_a_plan_that_keeps_failing_is_forgotten_though_the_model_replanned_it_each_time(tmp_path: Path) -> None:
    ann = Member("Ann", "seven", "!")
    other: JsonObject = {"steps": [{"id": "b", "skill": "guess", "instruction": "Guess otherwise."}]}
    async with (
        model_server(_PLAN, other, other, otherwise=_PLAN) as model,
        federation(
            tmp_path, ann.served(), llm_base_url=model.base_url, llm_model="scripted", max_revisions=1, step_attempts=1
        ) as running,
    ):
        await running.submit(_REQUEST)
        await _learned(running, 1)
        for failures in (1, 2):
            failed = await running.submit(_REQUEST)
            assert (failed["status"], part(failed, "plan")["revision"]) == ("failed", 2)
            await _learned(running, 2 - failures)


async def test_a_learned_plan_that_names_an_agent_that_is_gone_is_not_followed(tmp_path: Path) -> None:
    ann, ben = Member("Ann", "seven"), Member("Ben", "eight")
    named: JsonObject = {"steps": [{"id": "a", "skill": "guess", "agent": "Ann", "instruction": "Guess."}]}
    async with (
        model_server(named, otherwise=_PLAN) as model,
        federation(tmp_path, ann.served(), ben.served(), llm_base_url=model.base_url, llm_model="scripted") as running,
    ):
        task = await running.submit(_REQUEST)
        await _learned(running, 1)
        await running.client.delete(f"/api/agents/{steps_of(task)[0]['agent_id']}")
        again = await running.submit(_REQUEST)
    assert (again["status"], part(again, "plan")["strategy"], part(again, "plan")["revision"]) == (
        "completed",
        "llm",
        1,
    )


async def test_a_learned_plan_whose_agent_is_gone_is_not_followed(tmp_path: Path) -> None:
    ann = Member("Ann", "seven")
    other = TestAgent("Other", Member("Other", "eight").answer, ("count",))
    async with (
        model_server(otherwise=_PLAN) as model,
        federation(tmp_path, ann.served(), other, llm_base_url=model.base_url, llm_model="scripted") as running,
    ):
        task = await running.submit(_REQUEST)
        await _learned(running, 1)
        await running.client.delete(f"/api/agents/{steps_of(task)[0]['agent_id']}")
        asked = len(model.requests)
        await running.submit(_REQUEST)
        assert len(model.requests) > asked


async def test_without_the_setting_nothing_is_learned(tmp_path: Path) -> None:
    ann = Member("Ann", "seven")
    async with (
        model_server(otherwise=_PLAN) as model,
        federation(
            tmp_path, ann.served(), llm_base_url=model.base_url, llm_model="scripted", learn_plans=False
        ) as running,
    ):
        for _ in range(2):
            assert part(await running.submit(_REQUEST), "plan")["strategy"] == "llm"
        assert await _learned(running, 0) == []


async def test_judges_scores_and_the_skill_count_in_an_agents_record(tmp_path: Path) -> None:
    good, bad = Member("Good", "blue"), Member("Bad", "red")
    async with federation(tmp_path, good.served(), bad.served(), agent_check_interval_s=0.2) as running:
        for name in ("Good", "Bad") * 4:
            wish: JsonObject = {"criteria": ['is "blue"'], "max_rounds": 1, "unmet": "keep"}
            await running.run(team_step(agent=name, evaluate=wish))

        async def ranked() -> JsonObject:
            return await running.get("/api/agents/discover", params={"q": "guess"})

        found = await until(ranked, lambda found: str(found).count("4 answers were judged") == 2)
        assert "judged, at 1.00" in str(parts(found, "items")[0])
        assert "judged, at 0.00" in str(parts(found, "items")[1])
        task = await running.run(team_step())
        assert steps_of(task)[0]["agent_name"] == "Good"


async def test_little_known_agents_get_their_share_of_steps_and_no_more(tmp_path: Path) -> None:
    old, new = Member("Old", "blue"), Member("New", "red")
    async with federation(
        tmp_path, old.served(), new.served(), agent_check_interval_s=0.2, exploration_share=0.5
    ) as running:
        for _ in range(20):
            await running.run(team_step(agent="Old"))

        async def ranked() -> JsonObject:
            return await running.get("/api/agents/discover", params={"q": "guess"})

        await until(ranked, lambda found: "of its last 20 calls" in str(found))
        done = [steps_of(await running.run(team_step()))[0] for _ in range(16)]
    tried = [step for step in done if "to get to know it" in str(step["why_chosen"])]
    assert 0 < len(tried) < 16
    assert {str(step["agent_name"]) for step in tried} == {"New"}


_WORDS = st.lists(
    st.sampled_from(["find", "price", "Oslo", "42", "'a B'", "http://x.example/A"]), min_size=1, max_size=6
)


@given(_WORDS, st.sampled_from(["please {}", "{}.", "  {}  ", "Hi, can you {}?"]))
def test_courtesies_do_not_make_another_request(words: list[str], around: str) -> None:
    said = " ".join(words)
    assert learning.key(Goal(around.format(said))) == learning.key(Goal(said))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sum 1 and 2", "sum 2 and 1"),
        ("open http://x.example/A", "open http://x.example/a"),
        ("say 'Hi'", "say 'hi'"),
        ("run ```a```", "run ```A```"),
        ("count words", "count lines"),
    ],
)
def test_what_tells_requests_apart_counts(one: str, other: str) -> None:
    assert learning.key(Goal(one)) != learning.key(Goal(other))


def test_a_request_in_a_conversation_or_with_other_material_is_another_one() -> None:
    goal = Goal("do the same")
    assert learning.key(Goal("do the same", history=(("user", "x"),))) is None
    assert learning.key(goal) != learning.key(Goal("do the same", files=("a.csv",)))
    assert learning.key(goal) != learning.key(Goal("do the same", inputs={"n": 1}))


def test_a_record_by_skill_counts_only_that_skill() -> None:
    calls = [Call("a", failed=skill == "bad", duration_ms=1, cost_usd=0, skill=skill) for skill in ["bad", "good"] * 4]
    record = summarize(calls)["a"]
    assert (record.of("bad").failures, record.of("good").failures, record.of("other").failures) == (4, 0, 4)


async def _learned(running: Federation, count: int, successes: int = 1) -> list[JsonObject]:
    """Return the learned plans as soon as there are so many, each successful so often; bounded."""

    async def look() -> JsonObject:
        return await running.get("/api/learned-plans")

    def is_there(found: JsonObject) -> bool:
        items = parts(found, "items")
        return len(items) == count and all(cast("int", each["successes"]) >= successes for each in items)

    return parts(await until(look, is_there), "items")
