"""People in the loop: what a task waits for, who may answer it, how often and how long."""

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import datetime
from pathlib import Path
from typing import cast

import pytest
from google.protobuf.json_format import MessageToDict
from pydantic import JsonValue

from shared.agent import AgentRequest, Answer, InputRequired, JsonObject, Update
from shared.db import now
from tests.support.echo import ECHO
from tests.support.federation import Federation, TestAgent, federation, names, serve_agent, step, until
from tests.support.misbehaving import ScriptedAgent, error, result, stream
from tests.support.misbehaving import task as remote_task

FORM: JsonObject = {
    "type": "object",
    "required": ["city"],
    "properties": {"city": {"type": "string"}, "nights": {"type": "integer", "minimum": 1}},
    "additionalProperties": False,
}


class Asking:
    """An agent that asks `prompt` with `form`, and answers with what it was told."""

    def __init__(self, form: JsonObject | None = None) -> None:
        self.form = form
        self.told: list[AgentRequest] = []

    async def answer(self, request: AgentRequest) -> AsyncGenerator[Update]:
        """Ask first, then answer."""
        if not request.history:
            yield InputRequired("Which city?", self.form)
            return
        self.told.append(request)
        yield Answer("city", f"It is {request.data[0] if request.data else request.text}.")

    def served(self) -> TestAgent:
        """Return it as the federation serves it."""
        return TestAgent("Asks", self.answer, ("ask",))


def question_of(task: JsonObject) -> JsonObject:
    """Return the only question that the task waits with."""
    assert isinstance(waiting := task["pending_inputs"], list)
    [question] = waiting
    assert isinstance(question, dict)
    return question


async def give(
    running: Federation, task: JsonObject, question: JsonObject, status: int = 200, **answer: JsonValue
) -> JsonObject:
    body: JsonObject = {"input_id": question["input_id"], **answer}
    return await running.post(f"/api/tasks/{task['id']}/input", body, status)


async def over(running: Federation, task: JsonObject) -> JsonObject:
    return await running.task_when(task, lambda found: found["completed_at"] is not None)


async def waiting(running: Federation, task: JsonObject) -> JsonObject:
    return await running.task_when(task, lambda found: bool(found["pending_inputs"]))


async def test_a_question_says_who_asks_what_and_until_when(tmp_path: Path, database_url: str | None) -> None:
    async with federation(tmp_path, Asking(FORM).served(), database_url=database_url) as running:
        task = await running.run(step("a", skill="ask", input_timeout_s=3600))
        assert task["status"] == "input_required"
        question = question_of(task)
        assert (question["kind"], question["prompt"], question["schema"]) == ("agent", "Which city?", FORM)
        assert isinstance(steps := task["steps"], list)
        assert isinstance(first := steps[0], dict)
        [remote_id] = names(first["attempts"], "remote_task_id")
        assert question["path"] == [task["id"], "a", remote_id]
        asked_at, expires_at = (datetime.fromisoformat(str(question[name])) for name in ("created_at", "expires_at"))
        assert 3590 < (expires_at - asked_at).total_seconds() < 3610
        told = [event for event in await running.events(task) if event["type"] == "input.required"]
        assert (told[0]["kind"], told[0]["expires_at"]) == ("agent", question["expires_at"])
        await give(running, task, question, data={"city": "Oslo"})
        done = await over(running, task)
        assert done["status"] == "completed"
        assert done["pending_inputs"] == []


async def test_of_two_answers_at_the_same_moment_one_counts(tmp_path: Path, database_url: str | None) -> None:
    agent = Asking()
    async with federation(tmp_path, agent.served(), database_url=database_url) as running:
        task = await running.run(step("a", skill="ask"))
        path = f"/api/tasks/{task['id']}/input"
        bodies = [{"input_id": question_of(task)["input_id"], "text": f"city {number}"} for number in range(6)]
        answers = await asyncio.gather(*(running.client.post(path, json=body) for body in bodies))
        assert sorted(answer.status_code for answer in answers) == [200, *([409] * 5)]
        taken = next(number for number, answer in enumerate(answers) if answer.status_code == 200)
        assert all("answered already" in answer.text for answer in answers if answer.status_code == 409)
        assert (await over(running, task))["status"] == "completed"
        assert [request.text for request in agent.told] == [f"city {taken}"]
        log = await running.events(task)
        assert [event["type"] for event in log].count("input.answered") == 1


@pytest.mark.parametrize(
    ("answer", "pointer"),
    [
        ({"text": "Oslo"}, "#/data"),
        ({"data": "Oslo"}, "#/data"),
        ({"data": {}}, "#/data/city"),
        ({"data": {"city": 5}}, "#/data/city"),
        ({"data": {"city": "Oslo", "nights": 0}}, "#/data/nights"),
        ({"data": {"city": "Oslo", "a/b": 1}}, "#/data/a~1b"),
        ({"approve": True}, "#/text"),
        ({}, "#/text"),
    ],
)
async def test_an_answer_that_does_not_fit_is_refused_with_the_field_and_the_task_keeps_waiting(
    tmp_path: Path, answer: JsonObject, pointer: str
) -> None:
    agent = Asking(FORM)
    async with federation(tmp_path, agent.served()) as running:
        task = await running.run(step("a", skill="ask"))
        question = question_of(task)
        refused = await give(running, task, question, 422, **answer)
        assert names(refused["errors"], "pointer") == [pointer]
        assert question_of(await running.get(f"/api/tasks/{task['id']}")) == question
        await give(running, task, question, data={"city": "Oslo", "nights": 2})
        assert (await over(running, task))["status"] == "completed"
        assert agent.told[0].data == ({"city": "Oslo", "nights": 2},)


async def test_words_fit_a_form_that_asks_for_words(tmp_path: Path) -> None:
    agent = Asking({"type": "string", "enum": ["Oslo", "Rome"]})
    async with federation(tmp_path, agent.served()) as running:
        task = await running.run(step("a", skill="ask"))
        refused = await give(running, task, question_of(task), 422, text="Paris")
        assert "Oslo" in str(refused["detail"])
        await give(running, task, question_of(task), text="Rome")
        assert "It is Rome." in str((await over(running, task))["result"])


async def test_a_question_that_nobody_answers_in_time_fails_its_step(tmp_path: Path, database_url: str | None) -> None:
    async with federation(tmp_path, Asking().served(), ECHO, database_url=database_url) as running:
        task = await running.run(
            step("a", skill="ask", input_timeout_s=0.2), step("b", "{{ steps.a.output }}"), step("c", "other")
        )
        question = await _asked(running, task)
        await _until(str(question["expires_at"]))
        refused = await give(running, task, question, 409, text="too late")
        assert str(refused["type"]).endswith("input-expired")
        failed = await over(running, task)
        assert failed["status"] == "failed"
        assert names(failed["steps"], "status") == ["failed", "skipped", "completed"]
        assert isinstance(error := failed["error"], dict)
        assert str(error["type"]).endswith("input-expired")
        assert failed["pending_inputs"] == []
        refused = await give(running, task, question, 409, text="much too late")
        assert str(refused["type"]).endswith("input-expired")
        [answered] = [event for event in await running.events(task) if event["type"] == "input.answered"]
        assert answered["expired"] is True


async def _asked(running: Federation, task: JsonObject) -> JsonObject:
    """Return the question that the log tells of: the task itself may have it for the blink of an eye only."""

    async def log() -> JsonObject:
        return {"asked": [event for event in await running.events(task) if event["type"] == "input.required"]}

    found = await until(log, lambda found: bool(found["asked"]))
    [question] = cast("list[JsonObject]", found["asked"])
    return question


async def _until(moment: str) -> None:
    """Wait until the clock has passed a moment of the very near future."""

    async def clock() -> JsonObject:
        return {"is_past": now() > datetime.fromisoformat(moment)}

    await until(clock, lambda found: found["is_past"] is True)


async def test_a_plan_that_nobody_approves_in_time_fails_its_task(tmp_path: Path, database_url: str | None) -> None:
    async with federation(tmp_path, ECHO, database_url=database_url, input_timeout_s=0.2) as running:
        task = await running.run(step("a", "one"), approve_plan=True)
        failed = await over(running, task)
        assert failed["status"] == "failed"
        assert isinstance(error := failed["error"], dict)
        assert str(error["type"]).endswith("input-expired")
        assert names(failed["steps"], "attempts") == [[]]


async def test_a_plan_that_is_rejected_ends_the_task_with_the_reason(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO) as running:
        task = await running.run(step("a", "one"), approve_plan=True)
        question = question_of(task)
        assert question["path"] == [task["id"]]
        refused = await give(running, task, question, 422, text="yes")
        assert names(refused["errors"], "pointer") == ["#/approve"]
        canceled = await give(running, task, question, approve=False, comment="Too dear.")
        assert canceled["status"] == "canceled"
        assert "Too dear." in str(canceled["error"])


async def test_a_step_that_needs_approval_starts_only_after_it(tmp_path: Path, database_url: str | None) -> None:
    async with federation(tmp_path, ECHO, database_url=database_url) as running:
        task = await running.run(step("a", "one"), step("b", "{{ steps.a.output }}", approve=True))
        question = question_of(await waiting(running, task))
        assert (question["kind"], question["step_id"], question["path"]) == ("step", "b", [task["id"], "b"])
        found = await running.task_when(task, lambda found: found["status"] == "input_required")
        assert names(found["steps"], "status") == ["completed", "input_required"]
        assert names(found["steps"], "attempts")[1] == []
        await give(running, task, question, approve=True, comment="Go on.")
        done = await over(running, task)
        assert done["status"] == "completed"
        assert "<<one>>" in str(done["result"])
        [answered] = [event for event in await running.events(task) if event["type"] == "input.answered"]
        assert (answered["approve"], answered["comment"]) == (True, "Go on.")


async def test_a_step_that_is_rejected_is_skipped_and_the_task_fails_with_it(
    tmp_path: Path, database_url: str | None
) -> None:
    async with federation(tmp_path, ECHO, database_url=database_url) as running:
        task = await running.run(step("a", "one"), step("b", "two", approve=True), step("c", "{{ steps.b.output }}"))
        await give(running, task, question_of(await waiting(running, task)), approve=False, comment="Not now.")
        failed = await over(running, task)
        assert failed["status"] == "failed"
        assert names(failed["steps"], "status") == ["completed", "skipped", "skipped"]
        assert isinstance(error := failed["error"], dict)
        assert str(error["type"]).endswith("step-rejected")
        assert "Not now." in str(error["detail"])
        assert names(failed["steps"], "attempts")[1] == []
        assert "<one>" in str(failed["result"])


async def test_a_step_that_waits_for_approval_is_canceled_with_its_task(
    tmp_path: Path, database_url: str | None
) -> None:
    async with federation(tmp_path, ECHO, database_url=database_url) as running:
        task = await running.run(step("a", "one", approve=True), step("b", "{{ steps.a.output }}"))
        assert task["status"] == "input_required"
        canceled = await running.post(f"/api/tasks/{task['id']}/cancel")
        assert names(canceled["steps"], "status") == ["canceled", "canceled"]


async def test_an_authorization_is_given_elsewhere_and_the_agent_told_so(
    tmp_path: Path, database_url: str | None
) -> None:
    asking = remote_task("AUTH_REQUIRED", text="Log in at https://login.example.org/x, then say so.")
    agent = ScriptedAgent(
        SendStreamingMessage=[stream({"task": asking}), stream({"task": remote_task("COMPLETED", artifact="sent")})],
        GetTask=result(asking),
        SubscribeToTask=error(-32004, "no"),
        CancelTask=result(asking),
    )
    async with agent.serving(), federation(tmp_path, database_url=database_url) as running:
        await running.post("/api/agents", {"card": cast("JsonObject", MessageToDict(agent.card()))}, 201)
        task = await running.run(step("a", "send it", skill="any"))
        question = question_of(await waiting(running, task))
        assert (question["kind"], question["path"]) == ("auth", [task["id"], "a", "t-1"])
        assert "https://login.example.org/x" in str(question["prompt"])
        await give(running, task, question, text="done")
        assert (await over(running, task))["status"] == "completed"
        messages = [request["params"] for request in agent.requests if request["method"] == "SendStreamingMessage"]
        assert '"taskId": "t-1"' in json.dumps(messages[-1])
        assert "done" in json.dumps(messages[-1])


async def test_after_a_cancel_there_is_nothing_to_answer(tmp_path: Path, database_url: str | None) -> None:
    agent = Asking()
    async with federation(tmp_path, agent.served(), database_url=database_url) as running:
        task = await running.run(step("a", skill="ask"))
        canceled = await running.post(f"/api/tasks/{task['id']}/cancel")
        assert (canceled["status"], canceled["pending_inputs"]) == ("canceled", [])
        refused = await give(running, task, question_of(task), 409, text="Oslo")
        assert "canceled" in str(refused["detail"])
        assert not agent.told
        await give(running, task, {"input_id": "none"}, 404, text="Oslo")


async def test_a_question_is_answered_at_its_own_task(tmp_path: Path, database_url: str | None) -> None:
    agent = Asking()
    async with federation(tmp_path, agent.served(), database_url=database_url) as running:
        one, other = [await running.run(step("a", skill="ask")) for _ in range(2)]
        await give(running, one, question_of(other), 404, text="Oslo")
        assert (await running.get(f"/api/tasks/{other['id']}"))["status"] == "input_required"


async def test_several_questions_are_answered_in_any_order(tmp_path: Path, database_url: str | None) -> None:
    async with federation(tmp_path, Asking().served(), ECHO, database_url=database_url) as running:
        task = await running.run(step("a", skill="ask"), step("b", skill="ask"), step("c", "go", approve=True))

        def is_all(found: JsonObject) -> bool:
            return len(names(found["pending_inputs"], "step_id")) == 3

        found = await running.task_when(task, is_all)
        assert isinstance(waiting := found["pending_inputs"], list)
        questions = {question["step_id"]: question for question in waiting if isinstance(question, dict)}
        await give(running, task, questions["b"], text="Oslo")
        one = await running.task_when(task, lambda found: names(found["steps"], "status")[1] == "completed")
        assert one["status"] == "input_required"
        await give(running, task, questions["c"], approve=True)
        await give(running, task, questions["a"], text="Rome")
        done = await over(running, task)
        assert done["status"] == "completed"
        assert "It is Rome." in str(done["result"])
        assert "It is Oslo." in str(done["result"])


async def test_the_time_that_people_take_is_not_the_tasks(tmp_path: Path, database_url: str | None) -> None:
    async with federation(tmp_path, Asking().served(), database_url=database_url) as running:
        task = await running.run(step("a", skill="ask"), deadlines={"task_s": 4})
        question = question_of(await waiting(running, task))

        async def clock() -> JsonObject:
            return {"s": (now() - datetime.fromisoformat(str(question["created_at"]))).total_seconds()}

        await until(clock, lambda found: isinstance(found["s"], float) and found["s"] > 4.5)
        await give(running, task, question, text="Oslo")
        assert (await over(running, task))["status"] == "completed"


async def test_a_wait_outlives_the_orchestrator(tmp_path: Path, database_url: str | None) -> None:
    agent = Asking()
    async with serve_agent(tmp_path, agent.served()) as endpoint:
        async with federation(tmp_path, database_url=database_url) as first:
            await first.post("/api/agents", {"endpoint": endpoint}, 201)
            task = await first.run(step("a", skill="ask"))
            question = question_of(task)
        async with federation(tmp_path, database_url=database_url) as second:
            assert question_of(await second.get(f"/api/tasks/{task['id']}")) == question
            await give(second, task, question, text="Oslo")
            assert (await over(second, task))["status"] == "completed"
            assert [request.text for request in agent.told] == ["Oslo"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"callback_url": "ftp://example.org"}, "callback_url"),
        ({"callback_url": "https://"}, "callback_url"),
        ({"callback_url": "https://example.org/" + "x" * 2000}, "callback_url"),
        ({"deadlines": {"step_s": 0}}, "step_s"),
        ({"deadlines": {"step_s": 1e300}}, "step_s"),
        ({"deadlines": {"later_s": 1}}, "later_s"),
        ({"budget": {"depth": -1}}, "depth"),
        ({"budget": {"seconds": 1e300}}, "seconds"),
        ({"plan": {"steps": [step("a", input_timeout_s=0)]}}, "input_timeout_s"),
        ({"plan": {"steps": [step("a", approve="perhaps")]}}, "approve"),
    ],
)
async def test_what_a_task_may_not_ask_for_is_refused_with_the_field(
    tmp_path: Path, body: JsonObject, word: str
) -> None:
    async with federation(tmp_path, ECHO) as running:
        refused = await running.post("/api/tasks", {"description": "x", **body}, 422)
        [pointer] = names(refused["errors"], "pointer")
        assert str(pointer).startswith("#/")
        assert word in str(pointer)


async def test_openapi_shows_the_fields_with_examples(tmp_path: Path) -> None:
    async with federation(tmp_path) as running:
        document = await running.get("/openapi.json")
        assert isinstance(components := document["components"], dict)
        assert isinstance(schemas := components["schemas"], dict)
        fields = {
            "NewTask": ("callback_url", "deadlines"),
            "Deadlines": ("connect_s", "first_byte_s", "gap_s", "step_s", "task_s"),
            "Budget": ("depth",),
            "PlanStep": ("approve", "input_timeout_s"),
            "NewAnswer": ("approve", "data"),
            "NewFork": ("from_step", "instruction"),
        }
        for name, expected in fields.items():
            assert isinstance(schema := schemas[name], dict)
            assert isinstance(properties := schema["properties"], dict)
            assert set(expected) <= set(properties), name
            assert '"examples": [' in json.dumps(schema), name
