"""Signals: what one process tells, the others hear; also after the server was away."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text

from orchestrator_service.signals import Signals, open_signals
from shared.db import Database, open_database
from tests.support.postgres import new_database

_IDS = [f"0190a7a4-0000-7000-8000-{number:012d}" for number in range(3000)]


@asynccontextmanager
async def _signals(url: str) -> AsyncGenerator[tuple[Database, Signals]]:
    async with open_database(url) as database, open_signals(database) as signals:
        yield database, signals


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


async def test_in_one_process_a_signal_is_a_call(tmp_path: Path) -> None:
    heard: list[str] = []
    async with _signals(f"sqlite:///{tmp_path}/test.db") as (_, signals):
        with signals.hear("queue", heard.append), signals.hear("queue", heard.append, elsewhere=True):
            signals.tell("queue", "a")
            signals.tell("cancel", "b")
            assert heard == ["a"]
        signals.tell("queue", "c")
    assert heard == ["a"]


@pytest.fixture
async def three() -> AsyncGenerator[list[tuple[Database, Signals]]]:
    """Three processes' signals on one PostgreSQL database."""
    with new_database() as address:
        url = address.replace("postgresql://", "postgresql+psycopg://")
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(_signals(url)) for _ in range(3)]


async def test_others_hear_each_signal_and_the_teller_hears_it_once(three: list[tuple[Database, Signals]]) -> None:
    heard: list[list[str]] = [[], [], []]
    elsewhere: list[str] = []
    with ExitStack() as stack:
        for (_, signals), ids in zip(three, heard, strict=True):
            stack.enter_context(signals.hear("events", ids.append))
        stack.enter_context(three[0][1].hear("events", elsewhere.append, elsewhere=True))
        for task_id in _IDS:
            three[0][1].tell("events", task_id)
        three[1][1].tell("events", "last")
        await _until(lambda: all(len(ids) > len(_IDS) for ids in heard))
    for ids in heard:
        assert sorted(ids) == sorted([*_IDS, "last"])
    assert elsewhere == ["last"]


async def test_a_topic_is_heard_by_those_who_asked_for_it(three: list[tuple[Database, Signals]]) -> None:
    heard: list[str] = []
    with (
        three[1][1].hear("cancel", lambda task_id: heard.append(f"cancel {task_id}")),
        three[1][1].hear("input", lambda task_id: heard.append(f"input {task_id}")),
    ):
        for topic in ("cancel", "queue", "input"):
            three[0][1].tell(topic, "a")
        await _until(lambda: len(heard) == 2)
    assert heard == ["cancel a", "input a"]


async def test_after_a_lost_connection_it_says_that_something_was_missed_and_hears_again(
    three: list[tuple[Database, Signals]],
) -> None:
    (database, teller), (_, hearer), _ = three
    heard: set[str] = set()
    missed: list[None] = []
    with hearer.hear("queue", heard.add, lambda: missed.append(None)):
        await database.write(_cut_off_listeners)
        teller.tell("queue", "told while away")
        await _until(lambda: bool(missed))
        teller.tell("queue", "told after")
        await _until(lambda: "told after" in heard)


async def test_what_is_told_again_while_it_is_sent_is_heard_again(
    three: list[tuple[Database, Signals]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (_, teller), (_, hearer), _ = three
    heard: list[str] = []
    is_sent = asyncio.Event()
    execute = psycopg.AsyncConnection[object].execute

    async def execute_slowly(connection: psycopg.AsyncConnection[object], *args: Any, **more: Any) -> object:
        cursor = await execute(connection, *args, **more)
        if "pg_notify" in str(args[0]):
            is_sent.set()
            await _until(lambda: len(heard) >= 1 and is_told_again.is_set())  # a loop that has much else to do
        return cursor

    is_told_again = asyncio.Event()
    monkeypatch.setattr(psycopg.AsyncConnection, "execute", execute_slowly)
    with hearer.hear("events", heard.append):
        teller.tell("events", "a")
        await is_sent.wait()
        await _until(lambda: heard == ["a"])
        teller.tell("events", "a")
        is_told_again.set()
        await _until(lambda: heard == ["a", "a"])


def _cut_off_listeners(connection: Connection) -> None:
    connection.execute(
        text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
    )
