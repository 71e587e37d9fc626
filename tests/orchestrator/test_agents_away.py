"""An agent that starts anew is waited for, by whatever way its skill is asked for."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic

import pytest
from pydantic import JsonValue

from orchestrator_service.engine.retrying import MAX_RECONNECTS, PATIENCE_S
from orchestrator_service.engine.trying import Trying
from orchestrator_service.engine.work import Run, StepWork
from orchestrator_service.planning.plan import PlanStep
from shared.agent import AgentRequest, Answer, JsonObject, Update
from shared.errors import AgentUnavailableError
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


async def test_steps_that_wait_for_an_agent_leave_each_other_a_part_of_the_budget(tmp_path: Path) -> None:
    agent, port = TestAgent("Sink", answer, ("sink",)), free_port()
    async with federation(tmp_path, agent_check_interval_s=0.1) as running:
        async with serve_agent(tmp_path, agent, port=port) as endpoint:
            await running.post("/api/agents", {"endpoint": endpoint}, 201)
        await until(lambda: running.get("/api/agents"), lambda found: names(found["items"], "status") == ["error"])
        steps = [step(name, skill="sink") for name in ("a", "b", "c")]
        task = await running.run(*steps, wait_s=None, budget={"tokens": 999})
        await until(partial(_log, running, task), lambda found: str(found).count("Trying again") >= 3)
        async with serve_agent(tmp_path, agent, port=port):
            done = await running.task_when(task, lambda found: found["completed_at"] is not None)
    assert done["status"] == "completed", done["error"]


def test_an_agent_that_is_away_is_waited_for_at_least_a_minute() -> None:
    step_ = PlanStep(id="s", instruction="go", skill="sink")
    run = Run("t", 1, "tenant", "go", None, {}, datetime(2030, 1, 1, tzinfo=UTC), None, None)
    trying = Trying(StepWork(run, step_, None))
    away = AgentUnavailableError("It is away.", reached=False)
    assert max(trying.fail(away) for _ in range(100)) < MAX_RECONNECTS
    trying.away_since = monotonic() - PATIENCE_S
    assert trying.fail(away) >= MAX_RECONNECTS


async def _log(running: Federation, task: JsonObject) -> JsonObject:
    return {"events": list[JsonValue](await running.events(task))}
