"""What people say, and what was made of it, when tries fail, agents go and tasks are canceled meanwhile."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast

import pytest

from orchestrator_service.engine.engine import Engine
from shared.agent import AgentRequest, Answer, InputRequired, JsonObject, Update
from shared.errors import UnavailableError
from tests.orchestrator.fleet import Holding
from tests.orchestrator.scripted import any_step, register
from tests.orchestrator.test_people import Asking, give, over, question_of, waiting
from tests.support.federation import Federation, TestAgent, federation, names, step, until
from tests.support.misbehaving import ScriptedAgent, result, stream
from tests.support.misbehaving import task as remote_task
from tests.support.model_server import Slow, model_server


async def test_an_answer_is_for_the_try_that_asked(tmp_path: Path, database_url: str | None) -> None:
    begun: list[str] = []

    async def ask(request: AgentRequest) -> AsyncGenerator[Update]:
        if not request.history:
            begun.append(request.message_id)
            yield InputRequired("Which city?" if len(begun) == 1 else "Which day?")
        elif len(begun) == 1:
            raise UnavailableError("Try again.")
        else:
            yield Answer("told", f"It is {request.text}.")

    async with federation(tmp_path, TestAgent("Asks", ask, ("ask",)), database_url=database_url) as running:
        task = await running.run(step("a", skill="ask"))
        await give(running, task, question_of(task), text="Oslo")
        task = await running.task_when(task, lambda found: "Which day?" in str(found["pending_inputs"]))
        await give(running, task, question_of(task), text="Friday")
        assert "It is Friday." in str((await over(running, task))["result"])


async def test_a_model_is_asked_once_for_what_follows_an_answer(tmp_path: Path) -> None:
    plan = json.dumps({"steps": [{"id": "z", "skill": "work", "instruction": "go"}]})
    async with (
        model_server(otherwise=Slow(plan, first_s=5.0)) as model,  # the upkeep looks at answers every 2 s
        federation(
            tmp_path, Asking().served(), Holding().served(), llm_base_url=model.base_url, llm_model="scripted"
        ) as running,
    ):
        task = await running.run(step("a", skill="ask"), replan=True)
        await _remove(running, "Asks")
        await give(running, task, question_of(task), text="Oslo")
        await over(running, task)
        assert len(model.requests) == 1


async def test_a_task_whose_asking_agent_was_removed_can_be_canceled(tmp_path: Path) -> None:
    holding = Holding()
    async with federation(tmp_path, Asking().served(), holding.served()) as running:
        alone = await running.run(step("a", skill="ask"))
        beside = await running.run(step("a", skill="ask"), step("b", "held", skill="work"), wait_s=None)
        await holding.has("held")
        await waiting(running, beside)
        await _remove(running, "Asks")
        for task in (alone, beside):
            await running.post(f"/api/tasks/{task['id']}/cancel")
            assert (await over(running, task))["status"] == "canceled"
        await holding.lost("held")


async def test_a_remote_task_whose_answer_was_not_taken_up_yet_is_told_of_a_cancel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = remote_task("INPUT_REQUIRED", text="Which?")
    agent = ScriptedAgent(
        SendStreamingMessage=stream({"task": asked}),
        GetTask=result(asked),
        CancelTask=result(remote_task("CANCELED")),
    )
    holding = Holding()
    async with federation(tmp_path, holding.served()) as running, agent.serving():
        await register(running, agent)
        task = await running.run(any_step("a"), step("b", "held", skill="work"), wait_s=None)
        await holding.has("held")
        task = await waiting(running, task)
        monkeypatch.setattr(Engine, "proceed", lambda _engine, _task_id: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType] - it is late
        await give(running, task, question_of(task), text="Oslo")
        await running.post(f"/api/tasks/{task['id']}/cancel")

        async def methods() -> JsonObject:
            return {"methods": [*agent.methods]}

        await until(methods, lambda _: "CancelTask" in agent.methods)


async def test_what_a_plan_cost_that_cannot_be_kept_is_counted(tmp_path: Path) -> None:
    plan: JsonObject = {"steps": [{"id": f"s{n}", "skill": "work", "instruction": "go"} for n in range(3)]}
    async with (
        model_server(otherwise=plan) as model,
        federation(tmp_path, Holding().served(), llm_base_url=model.base_url, llm_model="scripted") as running,
    ):
        task = await running.submit("work three times", budget={"steps": 2})
        assert task["status"] == "failed"
        assert cast("JsonObject", task["usage"])["llm_calls"] == len(model.requests)


async def test_a_fork_with_other_words_is_not_learned_for_the_first_ones(tmp_path: Path) -> None:
    holding = Holding()
    plan: JsonObject = {"steps": [{"id": "a", "skill": "work", "instruction": "Say hello."}]}
    async with (
        model_server(otherwise=plan) as model,
        federation(tmp_path, holding.served(), llm_base_url=model.base_url, llm_model="scripted") as running,
    ):
        task = await running.submit("say hello to the world")
        forked = await running.post(
            f"/api/tasks/{task['id']}/fork", {"from_step": "a", "instruction": "Delete everything."}, 202
        )
        await over(running, forked)
        await running.submit("say hello to the world")
        assert holding.begun[-1] == "Say hello."


async def _remove(running: Federation, name: str) -> None:
    found = (await running.get("/api/agents"))["items"]
    agent_id = names(found, "id")[names(found, "name").index(name)]
    assert (await running.client.delete(f"/api/agents/{agent_id}")).status_code == 204
