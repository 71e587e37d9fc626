"""What does a task cost the database: commits, write-ahead log, rows, bytes that stay, CPU of the server?

    .venv/bin/python benchmarks/storage.py [--tasks 300]

W1 of `workloads.py` (a chain of three steps), 16 at once, and then tasks that wait for an answer to their agent's
question; on PostgreSQL, which counts what it does. Each figure is the difference that the tasks made, divided by them;
tables are vacuumed before they are measured. `docs/scaling.md` reckons with these figures.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import psycopg
import uvloop

from benchmarks.harness import databases, machine
from benchmarks.harness.client import open_client
from benchmarks.harness.crowd import run_crowd
from benchmarks.harness.databases import Database, open_database
from benchmarks.harness.processes import folder
from benchmarks.harness.scene import given, register, serve_orchestrator, step
from benchmarks.harness.tables import show
from benchmarks.harness.workloads import WORKLOADS, open_surroundings
from shared.agent import JsonObject

_AT_ONCE: Final = 16
_TABLES: Final = ("tasks", "plans", "steps", "attempts", "events", "pending_inputs")
_SETTLE_S: Final = 1.5  # PostgreSQL's counters come late by up to a second


@dataclass(frozen=True, slots=True)
class _State:
    """What the server has done and holds so far."""

    commits: int
    log_bytes: int
    cpu_s: float
    rows: dict[str, int]
    table_bytes: dict[str, int]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", default="postgresql", help=databases.HELP)
    parser.add_argument("--tasks", type=int, default=300)
    parser.add_argument("--quick", action="store_true", help="a few tasks: to see that it works")
    chosen = parser.parse_args()
    print(machine.describe())
    with folder() as data, open_database(chosen.database, data) as database:
        if database.url is None:
            parser.error("Only PostgreSQL tells what it has done.")
        uvloop.run(_measure(data, database, 20 if chosen.quick else chosen.tasks))


async def _measure(data: Path, database: Database, tasks: int) -> None:
    waits: JsonObject = given([{**step(1, "ask first"), "skill": "echo-1"}])
    async with (
        open_surroundings(data) as around,
        serve_orchestrator(data / "orchestrator", database=database) as orchestrator,
        httpx.AsyncClient(base_url=orchestrator.url, timeout=60, trust_env=False) as setting_up,
        open_client(orchestrator.url) as client,
    ):
        await register(setting_up, around.agents)
        body = WORKLOADS["W1"].body(0)

        async def wait() -> None:
            await client.run_until_input(waits)

        ended = await _difference(database, tasks, lambda: client.run(body))
        waiting = await _difference(database, tasks, wait)
    _show(tasks, ended, waiting)


async def _difference(database: Database, tasks: int, work: Callable[[], Awaitable[None]]) -> _State:
    """Return what the server did and what it holds more after so many tasks."""
    await run_crowd(work, _AT_ONCE, _AT_ONCE, {})
    before = await _look(database)
    await run_crowd(work, tasks, _AT_ONCE, {})
    after = await _look(database)
    return _State(
        after.commits - before.commits,
        after.log_bytes - before.log_bytes,
        after.cpu_s - before.cpu_s,
        {table: after.rows[table] - before.rows[table] for table in _TABLES},
        {table: after.table_bytes[table] - before.table_bytes[table] for table in _TABLES},
    )


async def _look(database: Database) -> _State:
    assert database.url is not None
    await asyncio.sleep(_SETTLE_S)
    cpu_s = database.cpu_s()
    async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as connection:

        async def ask(query: str) -> int:
            row = await (await connection.execute(query.encode())).fetchone()
            return int(row[0]) if row else 0

        commits = await ask("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
        log_bytes = await ask("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")
        for table in _TABLES:
            await connection.execute(f"VACUUM {table}".encode())
        rows = {table: await ask(f"SELECT count(*) FROM {table}") for table in _TABLES}
        sizes = {table: await ask(f"SELECT pg_total_relation_size('{table}')") for table in _TABLES}
    return _State(commits, log_bytes, cpu_s, rows, sizes)


def _show(tasks: int, ended: _State, waiting: _State) -> None:
    both = (ended, waiting)
    rows = [
        ["commits", *(f"{each.commits / tasks:.1f}" for each in both)],
        ["write-ahead log, kB", *(f"{each.log_bytes / tasks / 1000:.1f}" for each in both)],
        ["CPU of the server, ms", *(f"{each.cpu_s / tasks * 1000:.1f}" for each in both)],
        ["rows", *(f"{sum(each.rows.values()) / tasks:.1f}" for each in both)],
        [
            "bytes that stay, indexes included, kB",
            *(f"{sum(each.table_bytes.values()) / tasks / 1000:.1f}" for each in both),
        ],
        *(
            [
                f"· {table}: rows, kB",
                *(f"{e.rows[table] / tasks:.1f}, {e.table_bytes[table] / tasks / 1000:.1f}" for e in both),
            ]
            for table in _TABLES
        ),
    ]
    show(f"What a task costs PostgreSQL; n = {tasks}", ["for each task", "W1, ended", "one step, waiting"], rows)


if __name__ == "__main__":
    main()
