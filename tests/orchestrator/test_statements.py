"""Statements that run for each task are compiled once, and run as they are from then on."""

import sqlite3
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from shared.agent import AgentRequest, Answer, Update
from tests.support.federation import TestAgent, federation, step

_TASKS: Final = 40
_STATEMENTS: Final = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}


async def test_a_task_like_those_before_it_has_no_statement_compiled_anew(tmp_path: Path) -> None:
    steps = step("s1"), step("s2", depends_on=["s1"]), step("s3", depends_on=["s1"])
    with compiled() as log:
        async with federation(tmp_path, TestAgent("a", echo, ("echo",))) as running:
            for _ in range(5):
                await running.run(*steps)
            log.clear()
            for _ in range(_TASKS):
                await running.run(*steps)
            of_these = list(log)
    assert len(of_these) < _TASKS, of_these  # what the service looks for now and then may have its first time here


@contextmanager
def compiled() -> Generator[list[str]]:
    """Yield the tables of all statements that SQLite compiles from now on, in any connection that is opened."""
    tables: list[str] = []

    def note(action: int, table: str | None, *_: object) -> int:
        if action in _STATEMENTS:
            tables.append(table or "select")
        return sqlite3.SQLITE_OK

    def listen(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        assert isinstance(connection, sqlite3.Connection)
        connection.set_authorizer(note)

    event.listen(Engine, "connect", listen)
    try:
        yield tables
    finally:
        event.remove(Engine, "connect", listen)


async def echo(request: AgentRequest) -> AsyncGenerator[Update]:
    """Say what was said."""
    yield Answer("answer", request.text)
