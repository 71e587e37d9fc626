"""A task with a team's step that failed is retried: the single answers that are there are not asked for again."""

from pathlib import Path

from shared.agent import JsonObject
from tests.support.federation import Federation, federation
from tests.support.model_server import model_server
from tests.teams.answering import Member, output, part, steps_of, team_step


async def _retry(running: Federation, task: JsonObject) -> JsonObject:
    response = await running.client.post(f"/api/tasks/{task['id']}/retry", headers={"Prefer": "wait=20"})
    assert response.status_code == 202, response.text
    return response.json()


async def test_only_those_who_gave_no_answer_are_asked_again(tmp_path: Path, database_url: str | None) -> None:
    ann, ben, cid = Member("Ann", "red", files=True), Member("Ben", "!", "red"), Member("Cid", "!")
    team = [ann, ben, cid]
    async with federation(tmp_path, *(member.served() for member in team), database_url=database_url) as running:
        failed = await running.run(team_step(agents=["Ann", "Ben", "Cid"]))
        assert part(steps_of(failed)[0], "error")["type"] == "no-consensus"
        done = await _retry(running, failed)
        told = await running.events(done)
    assert done["status"] == "completed"
    assert output(done)[0] == "red"
    assert [len(member.asked) for member in team] == [1, 2, 2]
    kept = [event for event in told if event.get("kept_from") == failed["id"]]
    assert [event["step_id"] for event in kept] == ["a:1.1"]
    assert "report.txt" in str(steps_of(done)[0]["artifacts"])


async def test_answers_without_a_majority_are_kept_for_a_judge_that_was_away(tmp_path: Path) -> None:
    team = [Member("Ann", "red"), Member("Ben", "green")]
    async with federation(tmp_path, *(member.served() for member in team)) as running:
        failed = await running.run(team_step(agents=["Ann", "Ben"]))
        assert failed["status"] == "failed"
    async with (
        model_server({"best": 2, "reasons": "Grass is green."}) as model,
        federation(
            tmp_path, *(member.served() for member in team), llm_base_url=model.base_url, llm_model="scripted"
        ) as running,
    ):
        done = await _retry(running, failed)
    assert done["status"] == "completed"
    assert output(done)[0] == "green"
    assert [len(member.asked) for member in team] == [1, 1]


async def test_rounds_that_were_judged_are_kept_and_the_next_one_goes_on_from_them(tmp_path: Path) -> None:
    ann = Member("Ann", "too long an answer", "!", "42 EUR")
    async with federation(tmp_path, ann.served()) as running:
        failed = await running.run(team_step(evaluate={"criteria": ["at most 2 words"], "max_rounds": 2}))
        assert failed["status"] == "failed"
        done = await _retry(running, failed)
    assert done["status"] == "completed"
    assert output(done)[0] == "42 EUR"
    assert len(ann.asked) == 3
    assert "too long an answer" in ann.asked[2].text


async def test_a_step_that_was_not_good_enough_in_all_its_rounds_is_done_anew(tmp_path: Path) -> None:
    ann = Member("Ann", "too long an answer", "42 EUR")
    async with federation(tmp_path, ann.served()) as running:
        failed = await running.run(team_step(evaluate={"criteria": ["at most 2 words"], "max_rounds": 1}))
        assert part(steps_of(failed)[0], "error")["type"] == "criteria-not-met"
        done = await _retry(running, failed)
    assert done["status"] == "completed"
    assert [asked.text for asked in ann.asked] == ["Guess.", "Guess."]
