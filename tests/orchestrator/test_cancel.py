"""Cancel reaches everything that a task has begun, whatever that does, and nothing more begins."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import cast

import httpx
import psycopg
import pytest
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types import GetTaskRequest, Message, Part, Role, SendMessageRequest, TaskState
from google.protobuf.json_format import MessageToDict
from starlette.responses import Response, StreamingResponse

from orchestrator_service.engine.waits import Waits
from shared.agent import AgentRequest, Answer, InputRequired, JsonObject, Update
from shared.db import new_id, now
from shared.errors import InvalidRequestError
from tests.orchestrator.fleet import Holding
from tests.support import ready_made
from tests.support.federation import Federation, TestAgent, federation, names, step, until
from tests.support.misbehaving import ScriptedAgent, error, result, status, stream
from tests.support.misbehaving import task as remote_task
from tests.support.model_server import Hang, model_server

WORKING = remote_task("WORKING")


async def cancel(running: Federation, task: JsonObject) -> JsonObject:
    """Cancel the task, which must be over soon, whatever its agents do."""
    async with asyncio.timeout(10):
        canceled = await running.post(f"/api/tasks/{task['id']}/cancel")
    assert canceled["status"] == "canceled"
    assert canceled["completed_at"] is not None
    log = await running.events(task)
    assert [event["status"] for event in log if event["type"] == "task.status"][-1] == "canceled"
    assert log[-1]["type"] == "task.status"
    return canceled


def never(_request: JsonObject) -> Response:
    """Accept the request, and never say a word."""

    async def nothing() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    return StreamingResponse(nothing(), media_type="text/event-stream")


@asynccontextmanager
async def scripted(agent: ScriptedAgent, running: Federation) -> AsyncGenerator[None]:
    """Serve the agent, and register it."""
    async with agent.serving():
        await running.post("/api/agents", {"card": cast("JsonObject", MessageToDict(agent.card()))}, 201)
        yield


def canceled_at(agent: ScriptedAgent) -> list[str]:
    """Return the remote tasks that the agent was told to cancel."""
    found = [request["params"] for request in agent.requests if request["method"] == "CancelTask"]
    return [str(params["id"]) for params in found if isinstance(params, dict)]


async def called(agent: ScriptedAgent, method: str) -> None:
    """Wait until the agent was called."""

    async def methods() -> JsonObject:
        return {"methods": [*agent.methods]}

    await until(methods, lambda found: method in str(found["methods"]))


async def test_steps_of_tasks_that_wait_for_their_turn_never_start(tmp_path: Path, database_url: str | None) -> None:
    agent = Holding()
    async with federation(tmp_path, agent.served(), database_url=database_url, max_running_tasks=1) as running:
        first = await running.run(step("a", "held", skill="work"), wait_s=None)
        await agent.has("held")
        queued = [await running.run(step("a", f"go {number}", skill="work"), wait_s=None) for number in range(6)]
        for task in queued[::2]:
            assert (await cancel(running, task))["steps"] == []
        agent.let_go("held")
        for task in (first, *queued[1::2]):
            assert (await running.task_when(task, lambda found: bool(found["completed_at"])))["status"] == "completed"
        assert agent.begun == ["held", "go 1", "go 3", "go 5"]


async def test_a_step_that_waits_for_a_place_at_its_agent_never_starts(tmp_path: Path) -> None:
    agent = Holding()
    async with federation(tmp_path, agent.served(), agent_max_concurrency=1) as running:
        first = await running.run(step("a", "held", skill="work"), wait_s=None)
        await agent.has("held")
        waiting = await running.run(
            step("a", "one", skill="work"), step("b", "two", skill="work", depends_on=["a"]), wait_s=None
        )
        await running.task_when(waiting, lambda found: "running" in names(found["steps"], "status"))
        assert names((await cancel(running, waiting))["steps"], "status") == ["canceled", "canceled"]
        agent.let_go("held")
        assert (await running.task_when(first, lambda found: bool(found["completed_at"])))["status"] == "completed"
        assert (await running.run(step("a", "three", skill="work")))["status"] == "completed"
        assert agent.begun == ["held", "three"]


async def test_every_remote_task_under_way_is_told(tmp_path: Path, database_url: str | None) -> None:
    held = asyncio.Event()
    begun = [stream({"task": remote_task("WORKING", task_id=f"t-{number}")}, hold=held) for number in range(3)]
    agent = ScriptedAgent(SendStreamingMessage=[*begun], CancelTask=result(remote_task("CANCELED")))
    async with federation(tmp_path, database_url=database_url) as running, scripted(agent, running):
        task = await running.run(
            *(step(name, name, skill="any") for name in "abc"),
            step("d", "{{ steps.a.output }}", skill="any"),
            wait_s=None,
        )
        await running.task_when(task, lambda found: str(found["steps"]).count("remote_task_id': 't-") == 3)
        canceled = await cancel(running, task)
        assert names(canceled["steps"], "status") == ["canceled"] * 4
        assert sorted(canceled_at(agent)) == ["t-0", "t-1", "t-2"]
        assert agent.methods.count("SendStreamingMessage") == 3
        held.set()


async def test_a_task_is_canceled_though_its_agent_never_answers_and_never_ends(
    tmp_path: Path, database_url: str | None
) -> None:
    agent = ScriptedAgent(
        SendStreamingMessage=stream({"task": WORKING}, hold=asyncio.Event()), CancelTask=never, GetTask=never
    )
    async with federation(tmp_path, database_url=database_url) as running, scripted(agent, running):
        task = await running.run(step("a", skill="any"), step("b", "{{ steps.a.output }}", skill="any"), wait_s=None)
        await running.task_when(task, lambda found: "t-1" in str(found["steps"]))
        assert names((await cancel(running, task))["steps"], "status") == ["canceled", "canceled"]
        assert canceled_at(agent) == ["t-1"]


async def test_who_cancels_what_is_being_canceled_is_answered_too(tmp_path: Path) -> None:
    agent = ScriptedAgent(SendStreamingMessage=stream({"task": WORKING}, hold=asyncio.Event()), CancelTask=never)
    async with federation(tmp_path) as running, scripted(agent, running):
        task = await running.run(*(step(name, skill="any") for name in "abcde"), wait_s=None)
        await running.task_when(task, lambda found: names(found["steps"], "status").count("running") == 5)
        path = f"/api/tasks/{task['id']}/cancel"
        answers = await asyncio.gather(*(running.client.post(path) for _ in range(40)))
        assert {answer.status_code for answer in answers} <= {200, 409}, [answer.text for answer in answers]
        assert (await running.get(f"/api/tasks/{task['id']}"))["status"] == "canceled"


async def test_a_second_cancel_while_a_wait_is_ending_by_the_first_changes_nothing() -> None:
    waits = Waits()

    async def wait() -> None:
        async with waits.until("t", now() + timedelta(hours=1)):
            waits.cancel("t")
            try:
                await asyncio.Event().wait()
            finally:
                waits.cancel("t")

    with waits.running("t"), pytest.raises(TimeoutError):
        await wait()


async def test_a_remote_task_that_ends_well_in_spite_of_the_cancel_changes_nothing(tmp_path: Path) -> None:
    too_late = asyncio.Event()
    agent = ScriptedAgent(
        SendStreamingMessage=stream({"task": WORKING}, status("WORKING", text="busy"), hold=too_late),
        CancelTask=error(-32002, "It cannot be canceled."),
        GetTask=result(remote_task("COMPLETED", artifact="done")),
    )
    async with federation(tmp_path) as running, scripted(agent, running):
        task = await running.run(step("a", skill="any"), wait_s=None)
        await running.task_when(task, lambda found: "t-1" in str(found["steps"]))
        canceled = await cancel(running, task)
        too_late.set()
        assert (await running.run(step("a", skill="any")))["status"] == "completed"
        assert await running.get(f"/api/tasks/{task['id']}") == canceled


async def test_a_message_that_is_on_its_way_is_found_again_and_its_remote_task_told(tmp_path: Path) -> None:
    agent = ScriptedAgent(
        SendStreamingMessage=[never, stream({"task": WORKING}, hold=asyncio.Event())],
        CancelTask=result(remote_task("CANCELED")),
    )
    async with federation(tmp_path) as running, scripted(agent, running):
        task = await running.run(step("a", skill="any"), wait_s=None)
        await called(agent, "SendStreamingMessage")
        await cancel(running, task)
        assert canceled_at(agent) == ["t-1"]
        messages = [request["params"] for request in agent.requests if request["method"] == "SendStreamingMessage"]
        assert len({json.dumps(params["message"]) for params in messages if isinstance(params, dict)}) == 1


async def test_a_task_is_canceled_while_the_model_that_plans_it_hangs(tmp_path: Path) -> None:
    agent = Holding()
    async with (
        model_server(otherwise=Hang()) as model,
        federation(tmp_path, agent.served(), llm_base_url=model.base_url, llm_model="scripted") as running,
    ):
        task = await running.submit("do some work", wait_s=None)
        await model.requested()
        assert (await cancel(running, task))["steps"] == []
        assert agent.begun == []


async def test_a_remote_task_that_waits_for_a_person_is_told(tmp_path: Path) -> None:
    asking = remote_task("INPUT_REQUIRED", text="Which city?")
    agent = ScriptedAgent(
        SendStreamingMessage=stream({"task": asking}),
        GetTask=result(asking),
        CancelTask=result(remote_task("CANCELED")),
    )
    async with federation(tmp_path) as running, scripted(agent, running):
        task = await running.run(step("a", skill="any"))
        assert task["status"] == "input_required"
        canceled = await cancel(running, task)
        assert (canceled["pending_inputs"], names(canceled["steps"], "status")) == ([], ["canceled"])
        assert canceled_at(agent) == ["t-1"]


async def test_a_task_that_waits_for_a_person_is_canceled_though_every_place_is_taken(
    tmp_path: Path, database_url: str | None
) -> None:
    async def ask(_request: AgentRequest) -> AsyncGenerator[Update]:
        yield InputRequired("Which city?")

    agent = Holding()
    agents = (agent.served(), TestAgent("Asks", ask, ("ask",)))
    async with federation(
        tmp_path, *agents, database_url=database_url, max_running_tasks=1, tenant_max_running_tasks=1
    ) as running:
        waiting = await running.run(step("a", skill="ask"))
        assert waiting["status"] == "input_required"
        other = await running.run(step("a", "held", skill="work"), wait_s=None)
        await agent.has("held")
        queued = await running.run(step("a", "next", skill="work"), wait_s=None)
        await cancel(running, waiting)
        assert agent.begun == ["held"]
        agent.let_go("held")
        for task in (other, queued):
            assert (await running.task_when(task, lambda found: bool(found["completed_at"])))["status"] == "completed"


async def test_the_whole_tree_of_sub_tasks_ends(tmp_path: Path, database_url: str | None) -> None:
    agent = Holding()

    async def ask(_request: AgentRequest) -> AsyncGenerator[Update]:
        yield InputRequired("Which city?")

    async def delegate(request: AgentRequest) -> AsyncGenerator[Update]:
        """Hand what stands after the first word to the federation, and answer when it does."""
        text = request.text.partition(" ")[2]
        async with httpx.AsyncClient(timeout=30) as http:
            card = await A2ACardResolver(http, running.url).get_agent_card()
            client = ClientFactory(ClientConfig(httpx_client=http)).create(card)
            message = Message(message_id=new_id(), role=Role.ROLE_USER, parts=[Part(text=text)])
            message.metadata.update(request.onward())
            task_id = ""
            async for event in client.send_message(SendMessageRequest(message=message)):
                task_id = event.task.id or event.status_update.task_id
            task = await client.get_task(GetTaskRequest(id=task_id))
        assert task.status.state != TaskState.TASK_STATE_COMPLETED
        await asyncio.Event().wait()
        yield Answer("never", "")

    agents = (
        TestAgent("Delegator", delegate, ("delegate",)),
        TestAgent("Worker", agent.answer, ("work",)),
        TestAgent("Asks", ask, ("ask",)),
    )
    async with federation(tmp_path, *agents, database_url=database_url) as running:
        task = await running.run(
            step("a", "delegate @Delegator delegate @Worker held", skill="delegate"),
            step("b", "delegate @Asks which city", skill="delegate"),
            step("c", "held here", skill="work"),
            wait_s=None,
        )

        async def tree() -> JsonObject:
            found = (await running.get("/api/tasks"))["items"]
            return {"statuses": " ".join(sorted(str(status) for status in names(found, "status")))}

        await agent.has("held", "held here")
        await until(tree, lambda found: found["statuses"] == "executing executing executing input_required")
        await cancel(running, task)
        await until(tree, lambda found: found["statuses"] == "canceled canceled canceled canceled")
        await agent.lost("held", "held here")


async def test_what_is_over_cannot_be_canceled(tmp_path: Path) -> None:
    async def refuse(_request: AgentRequest) -> AsyncGenerator[Update]:
        raise InvalidRequestError("No.")
        yield

    agent = Holding()
    agents = (agent.served(), TestAgent("Refuses", refuse, ("refuse",)))
    async with federation(tmp_path, *agents) as running:
        held = await running.run(step("a", "held", skill="work"), wait_s=None)
        await agent.has("held")
        over = [
            await running.run(step("a", skill="work")),
            await running.run(step("a", skill="refuse")),
            await cancel(running, held),
        ]
        assert names([*over], "status") == ["completed", "failed", "canceled"]
        for task in over:
            refused = await running.post(f"/api/tasks/{task['id']}/cancel", status=409)
            assert f"{task['status']} already" in str(refused["detail"])
            assert await running.get(f"/api/tasks/{task['id']}") == task
        await running.post("/api/tasks/nothing/cancel", status=404)


@pytest.fixture
async def elsewhere(tmp_path: Path) -> AsyncGenerator[tuple[Federation, Holding, str]]:
    """An orchestrator whose places are taken, so that another one on its database runs what it is given; its agent."""
    agent = Holding()
    with ready_made.on_postgres() as url:
        async with federation(tmp_path, agent.served(), database_url=url, max_running_tasks=1) as full:
            await full.run(step("a", "held", skill="work"), wait_s=None)
            await agent.has("held")
            async with federation(tmp_path, database_url=url):
                yield full, agent, url
                agent.let_go("held")


async def test_a_task_is_canceled_from_another_process_than_the_one_that_runs_it(
    elsewhere: tuple[Federation, Holding, str],
) -> None:
    running, agent, _ = elsewhere
    task = await running.run(step("a", "held elsewhere", skill="work"), wait_s=None)
    await agent.has("held elsewhere")
    await cancel(running, task)
    await agent.lost("held elsewhere")


async def test_a_cancel_that_other_processes_did_not_hear_of_reaches_them_too(
    elsewhere: tuple[Federation, Holding, str],
) -> None:
    running, agent, url = elsewhere
    task = await running.run(step("a", "held elsewhere", skill="work"), wait_s=None)
    await agent.has("held elsewhere")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE tasks SET cancel_requested = true WHERE id = %s", [str(task["id"])])
    canceled = await running.task_when(task, lambda found: found["status"] == "canceled")
    assert names(canceled["steps"], "status") == ["canceled"]
    await agent.lost("held elsewhere")
