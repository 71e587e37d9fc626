"""Several agents are asked the same, and their answers become one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from pydantic import JsonValue

from shared.agent import METADATA_KEY, AgentRequest, Answer, JsonObject, Update, Usage
from tests.orchestrator.killable import killable
from tests.support.federation import TestAgent, federation, serve_agent, until
from tests.support.model_server import model_server
from tests.teams.answering import Member, attempts, output, part, parts, steps_of, team_step
from tests.teams.meaning import embedding_model


async def test_what_most_agents_say_is_the_answer_and_the_disagreement_is_told(tmp_path: Path) -> None:
    members = [Member("Ann", "1,000.50"), Member("Ben", "400"), Member("Cid", "  1000.5. ")]
    async with federation(tmp_path, *(member.served() for member in members)) as running:
        done = await running.run(
            team_step(agents=3, consensus="vote"), team_step("b", "Use {{ steps.a.output }}", agent="Ben")
        )
    assert done["status"] == "completed"
    text, told = output(done)
    assert text.strip() in {"1,000.50", "1000.5."}
    consensus = part(told, "consensus")
    assert (consensus["method"], consensus["decided_by"]) == ("vote", "majority")
    assert (consensus["asked"], consensus["agreed"], consensus["disagreement"]) == (3, 2, True)
    assert {str(each["agent"]): each["text"] for each in parts(consensus, "answers")}["Ben"] == "400"
    assert "2 of 3 answers agree" in str(steps_of(done)[0]["why_chosen"])
    assert sorted(str(each["agent_name"]) for each in attempts(done)) == ["Ann", "Ben", "Cid"]
    assert {str(part(each, "answer")["text"]).strip() for each in attempts(done)} == {"1,000.50", "400", "1000.5."}
    assert members[1].asked[-1].text == f"Use {text}"


async def test_an_agent_is_asked_again_where_there_are_fewer_than_answers_wanted(tmp_path: Path) -> None:
    members = [Member("Ann", "yes"), Member("Ben", "Yes.")]
    async with federation(tmp_path, *(member.served() for member in members)) as running:
        done = await running.run(team_step(agents=3))
    assert done["status"] == "completed"
    assert sum(len(member.asked) for member in members) == 3
    assert all(member.asked for member in members)
    again = [each for each in attempts(done) if "asked again" in str(each["why"])]
    assert len(again) == 1
    assert "2 reachable agents" in str(again[0]["why"])


async def test_named_agents_are_asked_each_once(tmp_path: Path) -> None:
    members = [Member(name, "same") for name in ("Ann", "Ben", "Cid")]
    async with federation(tmp_path, *(member.served() for member in members)) as running:
        done = await running.run(team_step(agents=["Cid", "Ann"], consensus="vote"))
    assert done["status"] == "completed"
    assert [len(member.asked) for member in members] == [1, 0, 1]


async def test_without_a_majority_and_a_judge_the_step_fails_and_says_who_said_what(tmp_path: Path) -> None:
    members = [Member("Ann", "red"), Member("Ben", "green"), Member("Cid", "blue")]
    async with federation(tmp_path, *(member.served() for member in members)) as running:
        done = await running.run(team_step(agents=3, consensus="vote"))
        told = await running.events(done)
    assert done["status"] == "failed"
    error = part(steps_of(done)[0], "error")
    assert error["type"] == "no-consensus"
    assert all(word in str(error["detail"]) for word in ("Ann", "'red'", "Ben", "'green'", "Cid", "'blue'", "no model"))
    assert {str(part(each, "answer")["text"]) for each in attempts(done)} == {"red", "green", "blue"}
    assert any(each["type"] == "step.progress" and "No answer has a majority" in str(each["text"]) for each in told)


async def test_a_majority_is_of_all_that_were_asked_not_of_those_who_answered(tmp_path: Path) -> None:
    agreeing = [Member("Ann", "red"), Member("Ben", "red"), Member("Cid", "!")]
    async with federation(tmp_path / "1", *(member.served() for member in agreeing)) as running:
        done = await running.run(team_step(agents=["Ann", "Ben", "Cid"]))
    assert done["status"] == "completed"
    assert "Cid: It went wrong." in str(part(output(done)[1], "consensus")["silent"])
    alone = [Member("Ann", "red"), Member("Ben", "!"), Member("Cid", "!")]
    async with federation(tmp_path / "2", *(member.served() for member in alone)) as running:
        done = await running.run(team_step(agents=["Ann", "Ben", "Cid"]))
    assert part(steps_of(done)[0], "error")["type"] == "no-consensus"


async def test_when_nobody_answers_the_step_says_why_of_each(tmp_path: Path) -> None:
    members = [Member("Ann", "!"), Member("Ben", "!")]
    async with federation(tmp_path, *(member.served() for member in members)) as running:
        done = await running.run(team_step(agents=["Ann", "Ben"]))
    error = part(steps_of(done)[0], "error")
    assert error["type"] == "no-answer"
    assert "Ann: It went wrong." in str(error["detail"])
    assert "Ben: It went wrong." in str(error["detail"])


@pytest.mark.parametrize("way", ["vote", "judge"])
async def test_a_model_judges_with_reasons_where_there_is_no_majority(tmp_path: Path, way: str) -> None:
    members = [Member("Ann", "red"), Member("Ben", "green"), Member("Cid", "blue")]
    async with (
        model_server({"best": 2, "reasons": "It is the colour of grass."}) as model,
        federation(
            tmp_path, *(member.served() for member in members), llm_base_url=model.base_url, llm_model="scripted"
        ) as running,
    ):
        done = await running.run(
            team_step(instruction="Which colour has grass?", agents=["Ann", "Ben", "Cid"], consensus=way)
        )
    text, told = output(done)
    assert text == "green"
    consensus = part(told, "consensus")
    assert (consensus["decided_by"], consensus["reasons"]) == ("model", "It is the colour of grass.")
    [asked] = model.requests
    assert "Which colour has grass?" in asked.prompt
    assert "Ben" not in asked.prompt  # whose answer it is does not count
    assert part(steps_of(done)[0], "usage")["llm_calls"] == 1
    assert part(done, "usage")["llm_calls"] == 1


async def test_answers_that_mean_the_same_agree_unless_their_numbers_differ(tmp_path: Path) -> None:
    members = [
        Member("Ann", "Oslo has about 700,000 inhabitants.", "It costs 5 EUR in all."),
        Member("Ben", "About 700000 people live there.", "The price is 6 EUR altogether."),
        Member("Cid", "Nobody can say that for sure.", "That is not for sale."),
    ]
    async with (
        embedding_model(("inhabitants", "people"), ("EUR",)) as url,
        federation(
            tmp_path, *(member.served() for member in members), embedding_model="m", embedding_base_url=url
        ) as running,
    ):
        same = await running.run(team_step(agents=["Ann", "Ben", "Cid"]))
        differing = await running.run(team_step(agents=["Ann", "Ben", "Cid"]))
    assert same["status"] == "completed"
    assert part(output(same)[1], "consensus")["agreed"] == 2
    assert part(steps_of(differing)[0], "error")["type"] == "no-consensus"


async def test_agents_that_agree_need_no_judge(tmp_path: Path) -> None:
    members = [Member("Ann", "red"), Member("Ben", "RED")]
    async with (
        model_server() as model,
        federation(
            tmp_path, *(member.served() for member in members), llm_base_url=model.base_url, llm_model="scripted"
        ) as running,
    ):
        done = await running.run(team_step(agents=2, consensus="judge"))
    assert done["status"] == "completed"
    assert model.requests == []


async def test_without_a_model_a_merge_holds_all_answers_with_their_origins(tmp_path: Path) -> None:
    members = [Member("Ann", "Oslo is north."), Member("Ben", "Oslo is green."), Member("Cid", "oslo is  NORTH")]
    async with federation(tmp_path, *(member.served() for member in members)) as running:
        done = await running.run(team_step(agents=["Ann", "Ben", "Cid"], consensus="merge"))
    text, told = output(done)
    assert text == "*Ann, Cid:*\n\nOslo is north.\n\n*Ben:*\n\nOslo is green."
    assert part(told, "consensus")["decided_by"] == "union"


async def test_with_a_model_a_merge_is_one_text(tmp_path: Path) -> None:
    members = [Member("Ann", "Oslo is north."), Member("Ben", "Oslo is green.")]
    async with (
        model_server("Oslo is north and green.") as model,
        federation(
            tmp_path, *(member.served() for member in members), llm_base_url=model.base_url, llm_model="scripted"
        ) as running,
    ):
        done = await running.run(team_step(agents=2, consensus="merge"))
    assert output(done)[0] == "Oslo is north and green."
    assert "<<<data" in model.requests[0].prompt


async def test_files_of_the_answer_that_was_taken_are_the_steps_own(tmp_path: Path) -> None:
    members = [Member(name, "same", files=True) for name in ("Ann", "Ben")]
    async with federation(tmp_path, *(member.served() for member in members)) as running:
        done = await running.run(
            team_step(agents=2), team_step("b", "Read {{ steps.a.artifacts.report.txt }}", agent="Ann")
        )
    assert [each["name"] for each in parts(steps_of(done)[0], "artifacts")] == ["report.txt"]
    assert members[0].asked[-1].text == "Read same"
    assert len(parts(part(done, "result"), "artifacts")) == 2  # of the first step one, of the second one


async def test_a_question_of_one_agent_reaches_a_person_and_the_others_answers_stay(tmp_path: Path) -> None:
    members = [Member("Ann", "blue"), Member("Ben", "?")]
    async with federation(tmp_path, *(member.served() for member in members)) as running:
        waiting = await running.run(team_step(agents=["Ann", "Ben"]))
        assert waiting["status"] == "input_required"
        await running.task_when(waiting, lambda found: steps_of(found)[0]["status"] == "input_required")
        [asked] = parts(waiting, "pending_inputs")
        await running.post(f"/api/tasks/{waiting['id']}/input", {"input_id": asked["input_id"], "text": "Blue"})
        done = await running.task_when(waiting, lambda found: found["completed_at"] is not None)
    assert done["status"] == "completed"
    assert [len(member.asked) for member in members] == [1, 1]


async def test_a_cancel_reaches_every_answer_under_way(tmp_path: Path) -> None:
    members = [Member(name, "x").hold() for name in ("Ann", "Ben", "Cid")]
    async with federation(tmp_path, *(member.served() for member in members)) as running:
        task = await running.run(team_step(agents=3), wait_s=None)
        async with asyncio.timeout(20):
            await asyncio.gather(*(member.reached.wait() for member in members))
        await running.post(f"/api/tasks/{task['id']}/cancel")
        done = await running.task_when(task, lambda found: found["completed_at"] is not None)
        assert done["status"] == "canceled"
        assert steps_of(done)[0]["status"] == "canceled"

        async def broken_off() -> JsonObject:
            return {"all": all(member.broken_off for member in members)}

        await until(broken_off, lambda found: found["all"] is True)


async def test_the_budget_is_divided_among_the_answers(tmp_path: Path) -> None:
    members = [Member(name, "x") for name in ("Ann", "Ben", "Cid")]
    async with federation(tmp_path, *(member.served() for member in members)) as running:
        done = await running.run(team_step(agents=3), budget={"tokens": 9_000})
    assert done["status"] == "completed"
    grants = [_granted(member) for member in members]
    assert sum(grants) <= 9_000
    assert min(grants) >= 2_000


async def test_the_answers_count_as_steps_of_the_budget(tmp_path: Path) -> None:
    members = [Member(name, "x") for name in ("Ann", "Ben", "Cid")]
    async with federation(tmp_path, *(member.served() for member in members)) as running:
        done = await running.run(team_step(agents=3), budget={"steps": 2})
    assert part(steps_of(done)[0], "error")["type"] == "budget-exhausted"
    assert not any(member.asked for member in members)


async def test_without_a_majority_a_spent_budget_is_told_and_not_a_model_that_is_missing(tmp_path: Path) -> None:
    async def answer(request: AgentRequest) -> AsyncGenerator[Update]:
        yield Usage(output_tokens=100, llm_calls=1)
        yield Answer("answer", request.task_id)

    agent = TestAgent("Ann", answer, ("guess",))
    async with (
        model_server() as model,
        federation(tmp_path, agent, llm_base_url=model.base_url, llm_model="scripted") as running,
    ):
        done = await running.run(team_step(agents=2), budget={"tokens": 100})
    error = part(steps_of(done)[0], "error")
    assert error["type"] == "no-consensus"
    assert "the budget leaves nothing for a model to judge with" in str(error["detail"])


@pytest.mark.parametrize(
    "fields",
    [{"agents": 1}, {"agents": 99}, {"agents": ["Ann"]}, {"consensus": "dice"}, {"agents": ["A", "B"], "agent": "A"}],
)
async def test_a_team_that_cannot_be_is_refused(tmp_path: Path, fields: dict[str, JsonValue]) -> None:
    async with federation(tmp_path) as running:
        refused = await running.post(
            "/api/tasks", {"description": "x", "plan": {"steps": [team_step() | fields]}}, status=422
        )
    assert "/plan/steps" in str(refused["errors"])


async def test_a_kill_in_the_middle_asks_nobody_again(tmp_path: Path, database_url: str | None) -> None:
    members = [Member("Ann", "red"), Member("Ben", "red"), Member("Cid", "blue").hold()]
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(killable(tmp_path, database_url))
        await process.start()
        for member in members:
            endpoint = await stack.enter_async_context(serve_agent(tmp_path, member.served()))
            (await process.client.post("/api/agents", json={"endpoint": endpoint})).raise_for_status()
        plan = {"steps": [team_step(agents=["Ann", "Ben", "Cid"])]}
        task: JsonObject = (await process.client.post("/api/tasks", json={"description": "x", "plan": plan})).json()

        async def look() -> JsonObject:
            return (await process.client.get(f"/api/tasks/{task['id']}")).json()

        before = await until(
            look,
            lambda found: (
                sum(each["ended_at"] is not None for each in attempts(found)) == 2
                and all(each["remote_task_id"] for each in attempts(found))
            ),
        )
        await process.kill()
        members[2].opened.set()
        if database_url is None:
            await process.start("team-decided:kill")
            await process.died()  # once more, between deciding and keeping it
        await process.start()
        done = await until(look, lambda found: found["completed_at"] is not None)
        assert done["status"] == "completed"
        assert output(done)[0] == "red"
        assert [len(member.asked) for member in members] == [1, 1, 1]
        remote_ids = [each["remote_task_id"] for each in attempts(done)]
        assert remote_ids == [each["remote_task_id"] for each in attempts(before)]


def _granted(member: Member) -> int:
    [asked] = member.asked
    told = asked.metadata[METADATA_KEY]
    assert isinstance(told, dict)
    budget = told["budget"]
    assert isinstance(budget, dict)
    return int(str(budget["tokens"]))
