"""Do two orchestrators on one PostgreSQL get more done than one, and what keeps them from it?

    .venv/bin/python benchmarks/two_workers.py [--rounds 3] [--tasks 300]

W1 of `workloads.py`, a chain of three steps over three agents that take 50 ms each, 64 at once; the client submits to
each orchestrator in turn. In every round one orchestrator works, then two, so that both see the same machine; the
ratio is the median of the rounds'. All processes, PostgreSQL's and the client's too, share the machine's cores: the
last table says how many of them each kept busy.

Target: two ≥ 1.7 times one, where there are cores enough for both.
"""

import argparse
import itertools
import os
import statistics
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import httpx
import uvloop

from benchmarks.harness import databases, machine
from benchmarks.harness.client import open_client
from benchmarks.harness.crowd import Costs, clock_of, own_clock, run_crowd
from benchmarks.harness.databases import Database, open_database
from benchmarks.harness.processes import Running, folder
from benchmarks.harness.rounds import Progress
from benchmarks.harness.scene import register, serve_agents, serve_orchestrator
from benchmarks.harness.tables import show, verdict
from benchmarks.harness.workloads import WORKLOADS

_PAUSE_S: Final = 0.05
_AT_ONCE: Final = 64
_LEAST: Final = 1.7
_SECRET: Final = "the same for every orchestrator of a benchmark"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", default="postgresql", help=databases.HELP)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tasks", type=int, default=300)
    parser.add_argument("--quick", action="store_true", help="a few tasks: to see that it works")
    chosen = parser.parse_args()
    rounds, tasks = (1, 16) if chosen.quick else (chosen.rounds, chosen.tasks)
    print(machine.describe())
    with folder() as data, open_database(chosen.database, data) as database:
        if database.url is None:
            parser.error("Two orchestrators need PostgreSQL.")
        uvloop.run(_measure(data, database, rounds, tasks))


async def _measure(data: Path, database: Database, rounds: int, tasks: int) -> None:
    found: dict[int, list[Costs]] = {1: [], 2: []}
    async with serve_agents(data, 3, own_skills=True) as agents:
        with Progress("one orchestrator, then two", rounds) as progress:
            for _ in range(rounds):
                for count, costs in found.items():
                    costs.append(await _run(data, database, agents, count, tasks))
                progress.advance()
    _show(found)


async def _run(data: Path, database: Database, agents: list[Running], count: int, tasks: int) -> Costs:
    """Start so many orchestrators, and have them do the tasks."""
    async with AsyncExitStack() as stack:
        settings = {"FEDERATION_SECRET_KEY": _SECRET}
        running = [
            await stack.enter_async_context(
                serve_orchestrator(data / f"orchestrator {number}", database=database, settings=settings)
            )
            for number in range(1, count + 1)
        ]
        async with httpx.AsyncClient(base_url=running[0].url, timeout=60, trust_env=False) as setting_up:
            await register(setting_up, agents)
        clients = itertools.cycle([await stack.enter_async_context(open_client(each.url)) for each in running])
        clocks = {f"orchestrator {number}": clock_of(each.pid) for number, each in enumerate(running, 1)}
        clocks |= {"agents": clock_of(*(agent.pid for agent in agents)), "PostgreSQL": database.cpu_s}
        clocks |= {"client": own_clock()}

        async def work() -> None:
            await next(clients).run(WORKLOADS["W1"].body(_PAUSE_S))

        await run_crowd(work, 2 * count, 2 * count, {})
        return await run_crowd(work, tasks, min(_AT_ONCE, tasks), clocks, [each.pid for each in running])


def _show(found: dict[int, list[Costs]]) -> None:
    cores = len(os.sched_getaffinity(0))
    names = list(found[2][0].cpu_s)
    rows = [
        [
            str(count),
            f"{statistics.median(each.rate for each in costs):.1f}",
            f"{_median_ms(costs, 'orchestrator'):.1f}",
            *(f"{_cores(costs, name):.2f}" if name in costs[0].cpu_s else "" for name in names),
            f"{sum(_cores(costs, name) for name in costs[0].cpu_s):.2f}",
        ]
        for count, costs in found.items()
    ]
    columns = ["orchestrators", "tasks/s", "CPU ms a task, of all", *(f"{name}, cores" for name in names), "all, cores"]
    show(f"W1, agents take 50 ms, {_AT_ONCE} at once; n = {len(found[1])} rounds; {cores} cores", columns, rows)
    times = statistics.median(two.rate / one.rate for one, two in zip(found[1], found[2], strict=True))
    print(f"\ntwo / one: {times:.2f} (target ≥ {_LEAST}: {verdict(-times, -_LEAST)})")
    for count, costs in found.items():
        print(f"{count}: bound by {costs[-1].bound(cores)}")


def _median_ms(costs: list[Costs], whose: str) -> float:
    return statistics.median(
        sum(each.per_task_ms(who) for who in each.cpu_s if who.startswith(whose)) for each in costs
    )


def _cores(costs: list[Costs], who: str) -> float:
    return statistics.median(each.cores(who) for each in costs)


if __name__ == "__main__":
    main()
