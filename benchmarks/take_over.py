"""How long until another orchestrator goes on with the tasks of one that was killed, or that froze?

    .venv/bin/python benchmarks/take_over.py [--kills 10] [--stops 3] [--tasks 4]

Two orchestrators, each API and worker, on one PostgreSQL; an agent built as the bundled ones are. In each round a few
tasks of two steps run, each step taking a second. When all are in the middle of their first step, the orchestrator that
has most of them is killed (SIGKILL) or frozen (SIGSTOP); the time is from there until the other has taken up the last
of them. Both have been up for some seconds then, for a worker judges others only after it has seen the database well
for five. A killed one is started again; a frozen one is woken (SIGCONT) when all tasks are over.

Each round then checks that every task completed, that its log has one terminal event and no gap, also after the frozen
one is awake again, and that the agent was sent each step once. Needs PostgreSQL (one is started).

Target for one that was killed: typically ≤ 2 s, always ≤ 12 s. A frozen one may only be slow: the others wait ten
seconds before they judge it, and the second target is all that holds for it.
"""

import argparse
import asyncio
import itertools
import os
import signal
import sqlite3
import statistics
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final, LiteralString, TypeAlias

import httpx
import psycopg
import uvloop

from benchmarks.harness import databases, machine
from benchmarks.harness.client import open_client
from benchmarks.harness.databases import Database, open_database
from benchmarks.harness.processes import BenchmarkError, Running, folder
from benchmarks.harness.rounds import Progress
from benchmarks.harness.scene import given, output, register, serve_agents, serve_orchestrator, step
from benchmarks.harness.tables import show, verdict
from shared.agent import JsonObject

_GOOD_CONTACT_S: Final = 6.0
_PAUSE_S: Final = 0.01
_MOST_S: Final = 60.0
_TYPICAL_S: Final = 2.0
_ALWAYS_S: Final = 12.0
_STEP: Final = "wait 1"
_SECRET: Final = "the same for every orchestrator of a benchmark"

_Start: TypeAlias = Callable[[], AbstractAsyncContextManager[Running]]
_Row: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """What a round found: how long the take-over took, and how long until all tasks were over, in seconds."""

    taken_s: float
    over_s: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", default="postgresql", help=databases.HELP)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--stops", type=int, default=3)
    parser.add_argument("--tasks", type=int, default=4, help="tasks of each round")
    parser.add_argument("--quick", action="store_true", help="one kill: to see that it works")
    chosen = parser.parse_args()
    kills, stops = (1, 0) if chosen.quick else (chosen.kills, chosen.stops)
    print(machine.describe())
    with folder() as data, open_database(chosen.database, data) as database:
        if database.url is None:
            parser.error("Two orchestrators need PostgreSQL.")
        uvloop.run(_measure(data, database, kills, stops, chosen.tasks))


async def _measure(data: Path, database: Database, kills: int, stops: int, tasks: int) -> None:
    assert database.url is not None
    rows: list[list[str]] = []
    async with (
        serve_agents(data, 1, bundled=True) as [agent],
        await psycopg.AsyncConnection.connect(database.url, autocommit=True) as connection,
        _open_pair(data, database, connection) as pair,
    ):
        await pair.register(agent)
        for name, number, sign in (("killed", kills, signal.SIGKILL), ("frozen", stops, signal.SIGSTOP)):
            found: list[_Found] = []
            with Progress(f"orchestrators {name}", number) as progress:
                for _ in range(number):
                    found.append(await pair.lose_one(sign, tasks, data / "agent 1"))
                    progress.advance()
            rows += [_row(name, found)] if found else []
    columns = [
        "one was",
        "n",
        "taken over, median s",
        "least s",
        "most s",
        "all tasks over, median s",
        "typical",
        "always",
    ]
    show(f"Two orchestrators, {tasks} tasks under way in each round", columns, rows)


def _row(name: str, found: list[_Found]) -> list[str]:
    taken = [each.taken_s for each in found]
    median = statistics.median(taken)
    return [
        name,
        str(len(found)),
        f"{median:.2f}",
        f"{min(taken):.2f}",
        f"{max(taken):.2f}",
        f"{statistics.median(each.over_s for each in found):.2f}",
        f"≤ {_TYPICAL_S:g} s: {verdict(median, _TYPICAL_S)}" if name == "killed" else "",
        f"≤ {_ALWAYS_S:g} s: {verdict(max(taken), _ALWAYS_S)}",
    ]


class _Pair:
    """Two orchestrators, of which one can be lost and come back."""

    def __init__(self, start: _Start, connection: psycopg.AsyncConnection) -> None:
        self._start = start
        self._connection = connection
        self._running: dict[int, tuple[Running, AsyncExitStack]] = {}

    async def fill(self) -> None:
        """Start what does not run, and wait until both have been workers for some seconds."""
        while len(self._running) < 2:
            stack = AsyncExitStack()
            running = await stack.enter_async_context(self._start())
            self._running[running.pid] = running, stack
        await self._until(lambda found: {row[0] for row in found} == set(self._running), _WORKERS)
        await asyncio.sleep(_GOOD_CONTACT_S)

    async def close(self) -> None:
        """End both."""
        for running, stack in self._running.values():
            os.kill(running.pid, signal.SIGCONT)
            await stack.aclose()

    async def register(self, agent: Running) -> None:
        """Register the agent, with both."""
        await self.fill()
        async with httpx.AsyncClient(base_url=self._other_than(0).url, trust_env=False) as client:
            await register(client, [agent])

    async def lose_one(self, sign: signal.Signals, tasks: int, agent: Path) -> _Found:
        """Lose the one that has most of the tasks, in the middle of them, and have it back."""
        await self.fill()
        sent = _count_sent(agent)
        ids = [await self._submit(number) for number in range(tasks)]
        under_way = await self._until(lambda found: len(found) == tasks, _UNDER_WAY, ids)
        [(lost, _)] = Counter(pid for _, pid, _ in under_way).most_common(1)
        runs = {str(task_id): run for task_id, pid, run in under_way if pid == lost}
        os.kill(lost, sign)
        began = perf_counter()
        await self._until(lambda found: all(run > runs[str(task_id)] for task_id, run in found), _TAKEN, list(runs))
        taken_s = perf_counter() - began
        async with open_client(self._other_than(lost).url) as client:
            ends = [await client.last_event(task_id) for task_id in ids]
            over_s = perf_counter() - began
            if sign == signal.SIGKILL:
                await self._running.pop(lost)[1].aclose()
            else:
                os.kill(lost, signal.SIGCONT)
                await self.fill()
            _check(ends, [await client.events(task_id) for task_id in ids], _count_sent(agent) - sent)
        return _Found(taken_s, over_s)

    def _other_than(self, lost: int) -> Running:
        return next(running for pid, (running, _) in self._running.items() if pid != lost)

    async def _submit(self, number: int) -> str:
        running, _ = list(self._running.values())[number % 2]
        steps = [step(1, f"{_STEP} first"), step(2, f"{_STEP} after {output(1)}", after=[1])]
        async with open_client(running.url) as client:
            return str((await client.submit(given(steps)))["id"])

    async def _until(
        self, holds: Callable[[list[_Row]], bool], query: LiteralString, ids: list[str] | None = None
    ) -> list[_Row]:
        """Ask the database again and again, and return its answer once it is as wanted."""
        deadline = perf_counter() + _MOST_S
        while perf_counter() < deadline:
            rows = await (await self._connection.execute(query, None if ids is None else [ids])).fetchall()
            if holds(rows):
                return rows
            await asyncio.sleep(_PAUSE_S)
        raise BenchmarkError(f"The orchestrators did not get so far within {_MOST_S:g} s: {query}")


@asynccontextmanager
async def _open_pair(data: Path, database: Database, connection: psycopg.AsyncConnection) -> AsyncGenerator[_Pair]:
    settings = {"FEDERATION_SECRET_KEY": _SECRET}
    numbers = itertools.count(1)
    pair = _Pair(
        lambda: serve_orchestrator(data / f"orchestrator {next(numbers)}", database=database, settings=settings),
        connection,
    )
    try:
        yield pair
    finally:
        await pair.close()


def _count_sent(agent: Path) -> int:
    """Return how many messages the agent has taken up as tasks."""
    with closing(sqlite3.connect(f"file:{agent / 'a2a-api.db'}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT count(*) FROM a2a_tasks").fetchone()[0]


def _check(ends: list[JsonObject], logs: list[list[JsonObject]], sent: int) -> None:
    """Check a round. Raises: BenchmarkError if something was lost, or done twice."""
    if any(end.get("status") != "completed" for end in ends):
        raise BenchmarkError(f"Not every task completed: {ends}")
    for log in logs:
        if [event["seq"] for event in log] != list(range(1, len(log) + 1)):
            raise BenchmarkError(f"A log has a gap: {log}")
        over = [event for event in log if event["type"] == "task.status" and event["status"] == "completed"]
        if len(over) != 1 or over[0] != log[-1]:
            raise BenchmarkError(f"A log has not one terminal event at its end: {log}")
    if sent != 2 * len(logs):
        raise BenchmarkError(f"The agent was sent {sent} messages for {2 * len(logs)} steps.")


_WORKERS: Final = "SELECT pid FROM workers WHERE state = 'working'"
_UNDER_WAY: Final = """
    SELECT t.id, w.pid, t.run FROM tasks t JOIN workers w ON w.id = t.worker JOIN attempts a ON a.task_id = t.id
    WHERE t.id = ANY(%s) AND a.remote_task_id IS NOT NULL AND a.ended_at IS NULL"""
_TAKEN: Final = "SELECT id, CASE run_state WHEN 'queued' THEN 0 ELSE run END FROM tasks WHERE id = ANY(%s)"


if __name__ == "__main__":
    main()
