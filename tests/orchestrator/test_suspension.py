"""A suspended agent is stopped at once: the steps that run at it end, wherever they run, and the agent is told."""

from pathlib import Path

from tests.orchestrator.fleet import Holding
from tests.support.federation import federation, names, step


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
