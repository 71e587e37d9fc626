"""An agent that is removed while it is looked at again, or while what was found is written."""

import asyncio
from pathlib import Path

import psycopg
import pytest

from orchestrator_service import registry
from shared import db
from shared.agent import JsonObject
from shared.db import open_database
from tests.orchestrator.fickle import Fickle
from tests.orchestrator.stored_tasks import until_blocked
from tests.orchestrator.test_registry import ECHO
from tests.support.federation import federation

_HEALTHY: JsonObject = {"state": "healthy", "checked_at": "2026-11-22T00:00:00Z", "latency_ms": 1.0, "error": None}


async def test_what_was_found_of_an_agent_that_is_removed_meanwhile_is_forgotten(
    tmp_path: Path, database_url: str | None
) -> None:
    async with federation(tmp_path, ECHO, database_url=database_url, agent_check_interval_s=3600) as running:
        items = (await running.get("/api/agents"))["items"]
        assert isinstance(items, list)
        [agent_id] = [str(agent["id"]) for agent in items if isinstance(agent, dict)]
        if database_url is None:  # one process writes, one thing after the other
            assert (await running.client.delete(f"/api/agents/{agent_id}")).status_code == 204
            async with open_database(db.database_url(running.settings, "orchestrator")) as database:
                assert await database.write(registry.record_health, agent_id, _HEALTHY) == "removed"
            return
        async with (
            open_database(database_url.replace("postgresql://", "postgresql+psycopg://")) as database,
            await psycopg.AsyncConnection.connect(database_url) as other,
        ):
            await other.execute("DELETE FROM agents WHERE id = %s", (agent_id,))
            writing = asyncio.create_task(database.write(registry.record_health, agent_id, _HEALTHY))
            await until_blocked(database_url)
            await other.commit()
            assert await writing == "removed"


@pytest.mark.parametrize(("way", "status"), [("health", 200), ("refresh", 404)])
async def test_an_agent_that_is_removed_while_its_changed_card_is_looked_at_stays_removed(
    tmp_path: Path, database_url: str | None, way: str, status: int
) -> None:
    async with (
        Fickle().serving() as fickle,
        federation(tmp_path, database_url=database_url, agent_check_interval_s=3600) as running,
    ):
        agent = await running.post("/api/agents", {"endpoint": fickle.url}, 201)
        fickle.card["name"] = "Another"
        fickle.asked.clear()
        fickle.may_answer.clear()
        looking = asyncio.create_task(running.client.post(f"/api/agents/{agent['id']}/{way}"))
        async with asyncio.timeout(20):
            await fickle.asked.wait()
        assert (await running.client.delete(f"/api/agents/{agent['id']}")).status_code == 204
        fickle.may_answer.set()
        assert (await looking).status_code == status
        assert (await running.get("/api/agents"))["items"] == []
