"""How agents were over time: counted cheaply, by quarters of an hour, and forgotten after two days."""

import asyncio
import os
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, func, select

from orchestrator_service import health, registrar
from orchestrator_service.registry_models import AgentHealth
from shared import db, http
from shared.agent import AgentRequest, Answer, JsonObject, Update
from tests.orchestrator.fickle import Fickle
from tests.support.federation import TestAgent, federation, names, until

_WELL: JsonObject = {"state": "healthy", "latency_ms": 10.0, "error": None}
_BADLY: JsonObject = {"state": "unreachable", "latency_ms": None, "error": "It answers HTTP 500."}


async def _echo(request: AgentRequest) -> AsyncGenerator[Update]:
    yield Answer("echo", request.text)


async def test_checks_are_counted_by_quarters_of_an_hour_and_kept_for_two_days(
    tmp_path: Path, database_url: str | None
) -> None:
    echo = TestAgent("Echo", _echo, ("echo",))
    async with federation(tmp_path, echo, database_url=database_url, agent_check_interval_s=3600) as running:
        items = (await running.get("/api/agents"))["items"]
        assert isinstance(items, list)
        assert isinstance(agent := items[0], dict)
        path, agent_id = f"/api/agents/{agent['id']}/health", str(agent["id"])
        assert await running.get(path) == {"items": [], "next_cursor": None, "record": None}
        at = db.now().replace(minute=1)
        async with db.open_database(db.database_url(running.settings, "orchestrator")) as database:
            for hours, found in ((72, _WELL), (2, _WELL), (2, {**_WELL, "latency_ms": 20.0}), (2, _BADLY), (1, _BADLY)):
                await database.write(health.record, agent_id, found, at - timedelta(hours=hours))
            assert await database.read(_count) == 2
        spans = (await running.get(path))["items"]
        assert isinstance(spans, list)
        told = [(span["checks"], span["failures"], span["latency_ms"]) for span in spans if isinstance(span, dict)]
        assert told == [(3, 1, 15.0), (1, 1, None)]
        assert [span["error"] for span in spans if isinstance(span, dict)] == [_BADLY["error"], _BADLY["error"]]
        await running.client.delete(f"/api/agents/{agent_id}")
        async with db.open_database(db.database_url(running.settings, "orchestrator")) as database:
            assert await database.read(_count) == 0


async def test_an_agent_whose_check_fails_unexpectedly_keeps_no_other_from_being_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd, other = Fickle("Odd"), Fickle("Other")
    fetch, failed, stopped = registrar.http.fetch, asyncio.Event(), list[object]()

    async def stumble(client: httpx.AsyncClient, url: str, **how: Any) -> http.Fetched:
        if url.startswith(odd.url):
            failed.set()
            raise ZeroDivisionError
        return await fetch(client, url, **how)

    def note(*told: object) -> None:
        stopped.append(told)

    monkeypatch.setattr(os, "kill", note)
    async with federation(tmp_path, agent_check_interval_s=0.1) as running:
        async with odd.serving(), other.serving():
            for agent in (odd, other):
                await running.post("/api/agents", {"endpoint": agent.url}, 201)
            monkeypatch.setattr(registrar.http, "fetch", stumble)
            await failed.wait()
        await until(
            lambda: running.get("/api/agents?status=error"), lambda found: names(found["items"], "name") == ["Other"]
        )
    assert stopped == []


def _count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(AgentHealth)).scalar_one()
