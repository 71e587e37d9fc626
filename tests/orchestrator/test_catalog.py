"""The registry for others: an AI catalog at its well-known place, and the search of Agentic Resource Discovery."""

from pathlib import Path
from typing import cast

from shared.agent import JsonObject
from tests.orchestrator.fickle import Fickle
from tests.orchestrator.test_registry import ECHO
from tests.support.federation import TestAgent, federation, names

CLERK = TestAgent("Clerk", ECHO.answer, ("pay-invoices",), ("accounting",))


async def test_active_agents_are_in_the_catalog_with_their_card_and_the_registry_itself(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO) as running, Fickle("Late").serving() as late:
        suspended = await running.post("/api/agents", {"endpoint": late.url}, 201)
        await running.post(f"/api/agents/{suspended['id']}/suspend")
        catalog = await running.get("/.well-known/ai-catalog.json")
        assert catalog["specVersion"] == "1.0"
        registry, echo = cast("list[JsonObject]", catalog["entries"])
        assert registry["type"] == "application/ai-registry+json"
        assert registry["url"] == f"{running.url}/"
        assert echo["type"] == "application/a2a-agent-card+json"
        assert echo["url"] == f"{running.endpoints['Echo']}/.well-known/agent-card.json"
        assert str(echo["identifier"]).startswith("urn:air:federation.localhost:agents:")
        assert (echo["capabilities"], echo["tags"]) == (["echo"], ["repeat", "parrot"])


async def test_a_search_ranks_filters_and_pages(tmp_path: Path, database_url: str | None) -> None:
    async with federation(tmp_path, ECHO, CLERK, database_url=database_url) as running:
        found = await running.post("/search", {"query": {"text": "pay the invoices, then echo"}})
        assert names(found["results"], "displayName") == ["Clerk", "Echo"]
        assert names(found["results"], "score")[0] == 100
        assert names(found["results"], "source") == [f"{running.url}/"] * 2
        only: JsonObject = {"query": {"text": "pay the invoices, then echo", "filter": {"tags": ["parrot"]}}}
        assert names((await running.post("/search", only))["results"], "displayName") == ["Echo"]
        first = await running.post("/search", {"query": {"text": "pay the invoices, then echo"}, "pageSize": 1})
        assert names(first["results"], "displayName") == ["Clerk"]
        following: JsonObject = {
            "query": {"text": "pay the invoices, then echo"},
            "pageSize": 1,
            "pageToken": first["pageToken"],
        }
        rest = await running.post("/search", following)
        assert (names(rest["results"], "displayName"), "pageToken" in rest) == (["Echo"], False)
        await running.post("/search", {"query": {}}, 422)
