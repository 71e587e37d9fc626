"""The database: many writers at once, each on its own; on both kinds."""

import asyncio
from collections.abc import Generator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from shared.db import Database, open_database
from tests.support.postgres import new_database


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/test.db"
        return
    with new_database() as address:
        yield address.replace("postgresql://", "postgresql+psycopg://")


async def test_writers_at_once_each_keep_or_lose_their_own_and_nothing_else(url: str) -> None:
    async with open_database(url) as database:
        await database.write(
            lambda connection: connection.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY)")) and None
        )
        ends = await asyncio.gather(*(_add(database, number) for number in range(200)), return_exceptions=True)
        failed = {number for number, end in enumerate(ends) if isinstance(end, Exception)}
        assert failed == {number for number in range(200) if number % 10 == 7}
        assert all(isinstance(ends[number], IntegrityError if number % 20 == 7 else ValueError) for number in failed)
        kept = await database.read(lambda connection: connection.execute(text("SELECT n FROM t")).scalars().all())
        assert sorted(kept) == [number for number in range(200) if number not in failed]


async def test_a_writer_that_is_not_waited_for_any_more_harms_nobody(url: str) -> None:
    async with open_database(url) as database:
        await database.write(
            lambda connection: connection.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY)")) and None
        )
        tasks = [asyncio.create_task(_add(database, number)) for number in range(40) if number % 10 != 7]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        kept = await database.read(lambda connection: connection.execute(text("SELECT n FROM t")).scalars().all())
        assert {end for end in ends if isinstance(end, int)} <= set(kept)


async def _add(database: Database, number: int) -> int:
    def add(connection: Connection) -> int:
        connection.execute(text("INSERT INTO t VALUES (:n)"), {"n": number})
        if number % 20 == 7:
            connection.execute(text("INSERT INTO t VALUES (:n)"), {"n": number})
        if number % 20 == 17:
            raise ValueError("changed its mind")
        return number

    return await database.write(add)
