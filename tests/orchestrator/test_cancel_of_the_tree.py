"""Cancel reaches what nobody performs at the moment: remote tasks that wait for a person, and tasks below others."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types import Message, Part, Role, SendMessageRequest

from orchestrator_service.engine.perform import Performer
from orchestrator_service.engine.trying import Answered, Ending
from shared.agent import AgentRequest, Answer, JsonObject, Update
from shared.db import new_id
from tests.orchestrator.fleet import Holding
from tests.orchestrator.scripted import any_step, register
from tests.support.federation import TestAgent, federation, names, step, until
from tests.support.misbehaving import ScriptedAgent, result, stream
from tests.support.misbehaving import task as remote_task


def _asking() -> ScriptedAgent:
    asked = remote_task("INPUT_REQUIRED", text="Which city?")
    return ScriptedAgent(
        SendStreamingMessage=stream({"task": asked}),
        GetTask=result(asked),
        CancelTask=result(remote_task("CANCELED")),
    )


async def _is_told(agent: ScriptedAgent) -> None:
    async def methods() -> JsonObject:
        return {"methods": [*agent.methods]}

    await until(methods, lambda _: "CancelTask" in agent.methods)


async def test_a_remote_task_that_waits_for_a_person_is_told_while_another_step_works(
    tmp_path: Path, database_url: str | None
) -> None:
    asking, holding = _asking(), Holding()
    async with federation(tmp_path, holding.served(), database_url=database_url) as running, asking.serving():
        await register(running, asking)
        task = await running.run(any_step("a"), step("b", "held", skill="work"), wait_s=None)
        await holding.has("held")
        await running.task_when(task, lambda found: names(found["steps"], "status") == ["input_required", "running"])
        canceled = await running.post(f"/api/tasks/{task['id']}/cancel")
        assert names(canceled["steps"], "status") == ["canceled", "canceled"]
        await _is_told(asking)
        await holding.lost("held")


async def test_an_agent_that_asks_just_as_its_task_is_canceled_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks, may_ask = asyncio.Event(), asyncio.Event()
    check = Performer._check_question  # pyright: ignore[reportPrivateUsage]

    async def check_late(performer: Performer, asked: Answered) -> Ending:
        asks.set()
        await may_ask.wait()
        return await check(performer, asked)

    monkeypatch.setattr(Performer, "_check_question", check_late)  # there is no other way to be in between
    asking = _asking()
    async with federation(tmp_path) as running, asking.serving():
        await register(running, asking)
        task = await running.run(any_step("a"), wait_s=None)
        await asks.wait()
        cancel = asyncio.create_task(running.post(f"/api/tasks/{task['id']}/cancel"))
        await running.task_when(task, lambda _: cancel.done() or bool(asking.methods))
        may_ask.set()
        assert names((await cancel)["steps"], "status") == ["canceled"]
        await _is_told(asking)


class _Forgetful:
    """An agent that begins something at the federation that asked it, and does not wait for it."""

    def __init__(self) -> None:
        self.url = ""

    async def answer(self, request: AgentRequest) -> AsyncGenerator[Update]:
        async with httpx.AsyncClient(timeout=30) as http:
            card = await A2ACardResolver(http, self.url).get_agent_card()
            client = ClientFactory(ClientConfig(httpx_client=http)).create(card)
            parts = [Part(text=request.text.partition(" ")[2])]
            message = Message(message_id=new_id(), role=Role.ROLE_USER, parts=parts)
            message.metadata.update(request.onward())
            events = client.send_message(SendMessageRequest(message=message))
            await anext(events)
            await anext(events)  # that it is planned: now it is there
        yield Answer("begun", "begun")


async def test_a_task_below_one_that_is_over_is_canceled_too(tmp_path: Path, database_url: str | None) -> None:
    holding, forgetful = Holding(), _Forgetful()
    agents = holding.served(), TestAgent("Forgetful", forgetful.answer, ("forget",))
    async with federation(tmp_path, *agents, database_url=database_url) as running:
        forgetful.url = running.url
        text = "forget @Forgetful forget @Holding held below"
        steps = step("a", text, skill="forget"), step("b", "held", skill="work")
        task = await running.run(*steps, wait_s=None)

        async def tree() -> JsonObject:
            states = names((await running.get("/api/tasks"))["items"], "status")
            return {"states": " ".join(sorted(map(str, states))), "at work": len(holding.inside)}

        await until(tree, lambda now: now == {"states": "completed executing executing", "at work": 2})
        assert (await running.post(f"/api/tasks/{task['id']}/cancel"))["status"] == "canceled"
        await until(tree, lambda now: now == {"states": "canceled canceled completed", "at work": 0})
