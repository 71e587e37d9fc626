"""An agent that starts anew is waited for, by whatever way its skill is asked for."""

from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path

import pytest
from pydantic import JsonValue

from shared.agent import AgentRequest, Answer, JsonObject, Update
from tests.support.federation import Federation, TestAgent, federation, free_port, names, serve_agent, step, until


async def answer(request: AgentRequest) -> AsyncGenerator[Update]:
    yield Answer("done", f"<{request.text}>")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"plan": {"steps": [step("s", skill="sink")]}},
        {"plan": {"steps": [step("s", skill="sink", agent="Sink")]}},
        {"agent": "Sink"},
    ],
    ids=["planned by rules", "by its skill", "named in a plan", "named for the task"],
)
async def test_a_task_waits_for_the_only_agent_that_can_do_it_while_that_starts_anew(
    tmp_path: Path, body: JsonObject
) -> None:
    agent, port = TestAgent("Sink", answer, ("sink",)), free_port()
    async with federation(tmp_path, agent_check_interval_s=0.1) as running:
        async with serve_agent(tmp_path, agent, port=port) as endpoint:
            await running.post("/api/agents", {"endpoint": endpoint}, 201)
        await until(lambda: running.get("/api/agents"), lambda found: names(found["items"], "status") == ["error"])
        task = await running.submit("Sink this stone", wait_s=None, **body)
        await until(partial(_log, running, task), lambda found: "Trying again" in str(found))
        async with serve_agent(tmp_path, agent, port=port):
            done = await running.task_when(task, lambda found: found["completed_at"] is not None)
    assert done["status"] == "completed", done["error"]


async def _log(running: Federation, task: JsonObject) -> JsonObject:
    return {"events": list[JsonValue](await running.events(task))}
