"""What two orchestrators on one PostgreSQL database write about agents at the same time."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection, update

from orchestrator_service import admission, statistics
from orchestrator_service.admission import Registration
from orchestrator_service.registry_models import Agent
from orchestrator_service.statistics import Record
from shared.agent_card import parse_card
from shared.auth import LOCAL
from shared.db import Database
from shared.errors import ConflictError
from tests.orchestrator.fickle import Fickle
from tests.orchestrator.stored_tasks import tables, until_blocked
from tests.support import ready_made

T = TypeVar("T")


async def at_once(database: Database, url: str, work: Callable[[Connection], T]) -> list[T | BaseException]:
    """Do the work twice: the second time it has to wait for the first, which is done but for its commit."""
    is_done, may_commit = threading.Event(), threading.Event()

    def slowly(connection: Connection) -> T:
        result = work(connection)
        is_done.set()
        may_commit.wait(20)
        return result

    first = asyncio.create_task(database.write(slowly))
    assert await asyncio.to_thread(is_done.wait, 20)
    second = asyncio.create_task(database.write(work))
    await until_blocked(url)
    may_commit.set()
    return [*await asyncio.gather(first, second, return_exceptions=True)]


def fickle() -> Registration:
    raw = Fickle().card
    return Registration("http://127.0.0.1:1", parse_card(raw), raw, None, {"state": "healthy"}, {"grade": None})


async def test_an_agent_that_is_registered_twice_at_once_is_registered_once(tmp_path: Path) -> None:
    with ready_made.on_postgres() as url:
        async with tables(tmp_path, url) as database:
            first, second = await at_once(database, url, lambda connection: admission.save(connection, LOCAL, fickle()))
            assert isinstance(first, tuple)
            assert isinstance(second, tuple)
            assert (first[1], second) == (True, (first[0], False))


async def test_the_records_of_agents_may_be_kept_twice_at_once(tmp_path: Path) -> None:
    with ready_made.on_postgres() as url:
        async with tables(tmp_path, url) as database:
            agent_id, _ = await database.write(admission.save, LOCAL, fickle())
            records = {agent_id: Record(calls=7, failures=0, duration_ms=1.0, cost_usd=0.0)}
            for _ in ("the first records", "newer ones"):
                found = await at_once(database, url, lambda connection: statistics.keep(connection, records))
                assert found == [None, None]
            assert (await database.read(statistics.read, [agent_id]))[agent_id].calls == 7


@pytest.mark.parametrize("status", ["pending", "quarantined"])
async def test_an_agent_that_is_accepted_twice_at_once_is_accepted_once(tmp_path: Path, status: str) -> None:
    with ready_made.on_postgres() as url:
        async with tables(tmp_path, url) as database:
            agent_id, _ = await database.write(admission.save, LOCAL, fickle())
            raw = Fickle().card | {"description": "Changed"}
            held = {"card": raw, "card_url": None, "verification": {"grade": None}, "key": None}
            values = {"status": status, "pending": held if status == "quarantined" else None}
            await database.write(lambda connection: connection.execute(update(Agent).values(values)).close())
            first, second = await at_once(
                database, url, lambda connection: admission.accept(connection, LOCAL, agent_id)
            )
            assert first is None
            assert isinstance(second, ConflictError)
