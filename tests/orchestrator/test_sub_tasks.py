"""Agents that ask the federation in turn, what they may spend, and plans that change, through HTTP."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types import GetTaskRequest, Message, Part, Role, SendMessageRequest, Task, TaskState

from shared.agent import METADATA_KEY, AgentRequest, Answer, InputRequired, JsonObject, Progress, Update, Usage
from shared.db import new_id
from shared.errors import AgentFailedError, InvalidRequestError
from tests.support.echo import ECHO
from tests.support.federation import Federation, TestAgent, federation, names, step
from tests.support.model_server import model_server


class Delegator:
    """An agent that hands its request, or another one, to the federation that called it."""

    def __init__(self, text: str | None = None) -> None:
        self.text = text
        self.url = ""
        self.calls: list[JsonObject] = []

    async def answer(self, request: AgentRequest) -> AsyncGenerator[Update]:
        """Ask the federation, and answer what it answered."""
        call = request.metadata[METADATA_KEY]
        assert isinstance(call, dict)
        self.calls.append(call)
        task = await ask(self.url, self.text or request.text, request.onward())
        if task.status.state != TaskState.TASK_STATE_COMPLETED:
            raise AgentFailedError(f"The federation said: {task.status.message.parts[0].text}")
        yield Answer("told", task.artifacts[-1].parts[0].text)


async def ask(url: str, text: str, metadata: JsonObject) -> Task:
    """Send a message to the orchestrator over A2A and return its task when that has come to rest."""
    async with httpx.AsyncClient(timeout=30) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        client = ClientFactory(ClientConfig(httpx_client=http)).create(card)
        message = Message(message_id=new_id(), role=Role.ROLE_USER, parts=[Part(text=text)])
        message.metadata.update(metadata)
        task_id = ""
        async for event in client.send_message(SendMessageRequest(message=message)):
            task_id = task_id or event.task.id or event.status_update.task_id
        return await client.get_task(GetTaskRequest(id=task_id))


def error_of(task: JsonObject) -> tuple[str, str]:
    """Return the slug and the sentence of a task's error."""
    assert isinstance(error := task["error"], dict), task
    return str(error["type"]).rpartition(":")[2], str(error["detail"])


async def all_tasks(running: Federation) -> list[JsonObject]:
    found = (await running.get("/api/tasks"))["items"]
    assert isinstance(found, list)
    return [task for task in found if isinstance(task, dict)]


async def test_an_agent_that_hands_its_request_back_to_the_federation_is_refused(
    tmp_path: Path, database_url: str | None
) -> None:
    delegator = Delegator()
    agent = TestAgent("Delegator", delegator.answer, ("delegate",))
    async with federation(tmp_path, agent, database_url=database_url) as running:
        delegator.url = running.url
        task = await running.submit("delegate the work", agent="Delegator")
        assert task["status"] == "failed"
        assert "would never end" in error_of(task)[1]
        assert len(delegator.calls) <= 2
        slugs = [error_of(each)[0] for each in await all_tasks(running)]
        assert "loop-detected" in slugs


async def test_a_message_that_was_handed_on_too_often_is_refused_at_the_door(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO, max_hops=3) as running:
        last = await ask(running.url, "echo one", {METADATA_KEY: {"hops": 3, "root_task_id": "elsewhere"}})
        assert "handed on 4 times" in str(last.status)  # its step would be the fourth
        refused = await ask(running.url, "echo two", {METADATA_KEY: {"hops": 4, "trail": ["nonsense", 7]}})
        assert refused.status.state == TaskState.TASK_STATE_FAILED
        assert "loop-detected" in str(refused.status)
        assert len(await all_tasks(running)) == 1


async def test_a_sub_task_spends_its_parents_grant_and_is_canceled_with_it(
    tmp_path: Path, database_url: str | None
) -> None:
    reached, stopped = asyncio.Event(), asyncio.Event()
    told: list[JsonObject] = []

    async def endless(request: AgentRequest) -> AsyncGenerator[Update]:
        call = request.metadata[METADATA_KEY]
        assert isinstance(call, dict)
        told.append(call)
        yield Progress("begun")
        reached.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    delegator = Delegator("echo for ever")
    agents = (TestAgent("Delegator", delegator.answer, ("delegate",)), TestAgent("Endless", endless, ("echo",)))
    async with federation(tmp_path, *agents, database_url=database_url) as running:
        delegator.url = running.url
        task = await running.run(
            step("a", skill="delegate"), wait_s=None, budget={"tokens": 1000, "depth": 1, "steps": 5}
        )
        async with asyncio.timeout(20):
            await reached.wait()
        outer, inner = delegator.calls[0]["budget"], told[0]["budget"]
        assert isinstance(outer, dict)
        assert isinstance(inner, dict)
        assert (outer["tokens"], outer["depth"]) == (1000, 1)
        assert (inner["tokens"], inner["depth"], told[0]["hops"]) == (500, 0, 3)
        assert told[0]["root_task_id"] == task["id"]
        await running.post(f"/api/tasks/{task['id']}/cancel")
        async with asyncio.timeout(20):
            await stopped.wait()
        for each in await all_tasks(running):
            await running.task_when(each, lambda found: found["status"] == "canceled")


async def test_a_task_of_depth_0_has_no_sub_tasks(tmp_path: Path) -> None:
    delegator = Delegator("echo hello")
    agents = (TestAgent("Delegator", delegator.answer, ("delegate",)), ECHO)
    async with federation(tmp_path, *agents) as running:
        delegator.url = running.url
        flat = await running.run(step("a", skill="delegate"), budget={"depth": 0})
        assert "depth" in error_of(flat)[1]
        deep = await running.run(step("a", skill="delegate"), budget={"depth": 1})
        assert deep["status"] == "completed"


async def test_steps_at_once_share_the_budget_and_a_chain_hands_it_on(tmp_path: Path, database_url: str | None) -> None:
    told: dict[str, JsonObject] = {}

    async def frugal(request: AgentRequest) -> AsyncGenerator[Update]:
        call = request.metadata[METADATA_KEY]
        assert isinstance(call, dict)
        assert isinstance(budget := call["budget"], dict)
        told[str(call["step_id"])] = budget
        yield Usage(input_tokens=5, output_tokens=5, cost_usd=0.01)
        yield Answer("done", "done")

    async with federation(tmp_path, TestAgent("Frugal", frugal, ("work",)), database_url=database_url) as running:
        fan = [step(f"s{number}", skill="work", depends_on=["a"]) for number in range(4)]
        task = await running.run(step("a", skill="work"), *fan, budget={"tokens": 410, "cost_usd": 0.41})
        assert task["status"] == "completed"
        assert told["a"]["tokens"] == 410
        assert [told[f"s{number}"]["tokens"] for number in range(4)] == [100] * 4
        assert [told[f"s{number}"]["cost_usd"] for number in range(4)] == [0.1] * 4
        assert isinstance(usage := task["usage"], dict)
        assert usage["input_tokens"] == 25


async def test_what_a_tenant_may_spend_in_a_day_holds_over_its_tasks(tmp_path: Path, database_url: str | None) -> None:
    async def dear(_request: AgentRequest) -> AsyncGenerator[Update]:
        yield Usage(input_tokens=120)
        yield Answer("done", "done")

    agent = TestAgent("Dear", dear, ("work",))
    async with federation(tmp_path, agent, database_url=database_url, tenant_daily_tokens=200) as running:
        statuses = [(await running.run(step("a", skill="work")))["status"] for _ in range(2)]
        assert statuses == ["completed", "completed"]  # the second began while there was something left
        refused = await running.run(step("a", skill="work"))
        assert error_of(refused) == ("budget-exhausted", error_of(refused)[1])
        assert "TENANT_DAILY_TOKENS" in error_of(refused)[1]


async def test_an_agent_that_asks_the_same_whatever_it_is_answered_is_stopped(
    tmp_path: Path, database_url: str | None
) -> None:
    async def nag(request: AgentRequest) -> AsyncGenerator[Update]:
        del request
        yield InputRequired("Are you sure?")

    async with federation(tmp_path, TestAgent("Nag", nag, ("nag",)), database_url=database_url) as running:
        task = await running.run(step("a", skill="nag"))
        for _ in range(2):
            assert isinstance(waiting := task["pending_inputs"], list)
            assert isinstance(question := waiting[0], dict)
            known = question["input_id"]
            await running.post(f"/api/tasks/{task['id']}/input", {"input_id": known, "text": "yes"})
            task = await running.task_when(
                task,
                lambda found, known=known: (
                    found["status"] == "failed" or names(found["pending_inputs"], "input_id") not in ([], [known])
                ),
            )
        assert error_of(task)[0] == "loop-detected"


def fickle() -> tuple[TestAgent, TestAgent]:
    """Two agents with one skill: whichever is asked first fails."""
    asked: list[str] = []

    async def answer(request: AgentRequest) -> AsyncGenerator[Update]:
        asked.append(request.text)
        if len(asked) == 1:
            raise InvalidRequestError("I cannot do this.")
        yield Answer("echo", f"<{request.text}>")

    return TestAgent("Ada", answer, ("echo",)), TestAgent("Bob", answer, ("echo",))


async def test_a_failed_step_is_done_by_another_agent_and_the_log_says_why(
    tmp_path: Path, database_url: str | None
) -> None:
    async with federation(tmp_path, *fickle(), database_url=database_url) as running:
        task = await running.submit("echo hello")
        assert task["status"] == "completed"
        assert "<echo hello>" in str(task["result"])
        revised = [event for event in await running.events(task) if event["type"] == "plan.revised"]
        assert len(revised) == 1
        assert "Step 1 failed: I cannot do this." in str(revised[0]["reason"])
        assert isinstance(plan := task["plan"], dict)
        assert (plan["revision"], names(plan["steps"], "id")) == (2, ["step-1-r2"])


async def test_a_plan_that_was_given_changes_only_if_that_is_wished(tmp_path: Path) -> None:
    chain = [step("a", "first"), step("b", "{{ steps.a.output }} then", skill="echo")]
    async with federation(tmp_path, *fickle()) as running:
        task = await running.run(*chain)
        assert task["status"] == "failed"
    async with federation(tmp_path / "other", *fickle()) as running:
        task = await running.run(*chain, replan=True)
        assert task["status"] == "completed"
        assert isinstance(result := task["result"], dict)
        assert names(result["outputs"], "output") == ["<first>", "<<first> then>"]


async def test_revisions_are_bounded(tmp_path: Path) -> None:
    async def never(request: AgentRequest) -> AsyncGenerator[Update]:
        raise InvalidRequestError(f"No to {request.text}.")
        yield

    agents = [TestAgent(f"Agent{number}", never, ("echo",)) for number in range(5)]
    async with federation(tmp_path, *agents, max_revisions=2) as running:
        task = await running.submit("echo hello")
        assert task["status"] == "failed"
        kinds = [event["type"] for event in await running.events(task)]
        assert kinds.count("plan.revised") == 2


async def test_a_model_plans_the_rest_anew_within_the_budget_and_what_is_done_stays(
    tmp_path: Path, database_url: str | None
) -> None:
    asked: list[str] = []

    async def choosy(request: AgentRequest) -> AsyncGenerator[Update]:
        asked.append(request.text)
        if "bad" in request.text:
            raise InvalidRequestError("I do nothing bad.")
        yield Answer("echo", f"<{request.text}>")

    first: JsonObject = {
        "steps": [
            {"id": "one", "skill": "echo", "instruction": "bad"},
            {"id": "two", "skill": "echo", "instruction": "good"},
            {"id": "three", "skill": "echo", "instruction": "{{ steps.one.output }}"},
        ]
    }
    second: JsonObject = {"steps": [{"id": "one", "skill": "echo", "instruction": "better {{ steps.two.output }}"}]}
    async with model_server(first, second, otherwise="All is well [step 2].") as model:
        agent = TestAgent("Choosy", choosy, ("echo",))
        async with federation(
            tmp_path, agent, database_url=database_url, llm_base_url=model.base_url, llm_model="scripted"
        ) as running:
            task = await running.submit("do something", budget={"tokens": 60_000})
            assert task["status"] == "completed", task["error"]
            assert sorted(asked) == ["bad", "better <good>", "good"]
            assert isinstance(plan := task["plan"], dict)
            assert names(plan["steps"], "id") == ["two", "one-r2"]
            assert names(plan["steps"], "step_number") == [2, 4]
            told = await running.events(task)
            ends = {each["step_id"]: each["status"] for each in told if each["type"] == "step.status"}
            assert ends == {"one": "failed", "two": "completed", "three": "skipped", "one-r2": "completed"}
            assert isinstance(usage := task["usage"], dict)
            assert usage["llm_calls"] == len(model.requests) == 3
            poor = await running.submit("echo hello", budget={"tokens": 300})
            assert poor["status"] == "completed", poor["error"]
            assert len(model.requests) == 3  # too little for a model: the rules plan, and the outputs are put together
