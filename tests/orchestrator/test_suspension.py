"""A suspended agent is stopped at once: the steps that run at it end, wherever they run, and the agent is told."""

from asyncio import Event
from pathlib import Path

from tests.orchestrator.fleet import Holding
from tests.orchestrator.test_leftovers import CANCELED, called, never, started
from tests.support.federation import federation, names, step
from tests.support.misbehaving import ScriptedAgent, stream
from tests.support.misbehaving import task as remote_task


async def test_the_running_steps_of_a_suspended_agent_end_at_once_and_the_agent_is_told(
    tmp_path: Path, database_url: str | None
) -> None:
    holding = Holding()
    async with federation(tmp_path, holding.served(), database_url=database_url, max_revisions=0) as running:
        [agent_id] = names((await running.get("/api/agents"))["items"], "id")
        task = await running.run(step("a", "held one", skill="work"), wait_s=None)
        await holding.has("held one")
        await running.post(f"/api/agents/{agent_id}/suspend")
        ended = await running.task_when(task, lambda found: found["completed_at"] is not None)
        assert ended["status"] == "failed"
        assert "was suspended" in str(ended["error"])
        await holding.lost("held one")
        assert (await running.run(step("b", "more", skill="work")))["status"] == "failed"
        await running.post(f"/api/agents/{agent_id}/resume")
        assert (await running.run(step("c", "again", skill="work")))["status"] == "completed"


async def test_an_agent_that_is_suspended_before_it_said_anything_is_told(tmp_path: Path) -> None:
    agent = ScriptedAgent(
        SendStreamingMessage=[never, stream({"task": remote_task("WORKING")}, hold=Event())], CancelTask=CANCELED
    )
    async with federation(tmp_path, max_revisions=0) as running, agent.serving():
        task = await started(running, agent)
        [agent_id] = names((await running.get("/api/agents"))["items"], "id")
        await running.post(f"/api/agents/{agent_id}/suspend")
        await running.task_when(task, lambda found: found["completed_at"] is not None)
        await called(agent, "CancelTask", 1)
