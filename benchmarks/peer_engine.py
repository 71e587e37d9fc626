"""What does durable execution cost by itself: in DBOS, as a library, and in our own engine?

    .venv/bin/python benchmarks/peer_engine.py [--database sqlite postgresql] [--tasks 300]

The same task in both: a chain of three steps over three agents (W1 of `workloads.py`), 16 at once. The first row is
DBOS alone: a durable function with five recorded steps whose bodies do nothing, in a process of its own: no agents, no
HTTP, no rows of ours. The second is everything that our engine asks of its database for such a task: queue, fencing,
plan, steps, tries, events, result, and the reading of them, without BEGIN and COMMIT; in an orchestrator that runs
the tasks for real (`profiled_orchestrator` reads the threads' CPU clocks). The third is that orchestrator as a whole.

What a durable function costs comes on top of the rows that users see, for they are needed in any case; that is why our
rows are the checkpoint.
"""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import uvloop
from pydantic import TypeAdapter

from benchmarks.harness import databases, machine
from benchmarks.harness.asked import open_asked
from benchmarks.harness.client import open_client
from benchmarks.harness.counting import open_counted
from benchmarks.harness.crowd import clock_of, run_crowd
from benchmarks.harness.databases import Database
from benchmarks.harness.peer_process import Spent
from benchmarks.harness.processes import folder
from benchmarks.harness.tables import show
from benchmarks.harness.workloads import WORKLOADS, Surroundings, open_surroundings

_AT_ONCE: Final = 16


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", nargs="+", default=["sqlite"], help=databases.HELP)
    parser.add_argument("--tasks", type=int, default=300)
    parser.add_argument("--quick", action="store_true", help="a few tasks: to see that it works")
    chosen = parser.parse_args()
    tasks = 16 if chosen.quick else chosen.tasks
    print(machine.describe())
    with folder() as data, ExitStack() as stack:
        opened = [stack.enter_context(databases.open_database(each, data)) for each in chosen.database]
        uvloop.run(_measure(data, opened, tasks))


async def _measure(data: Path, opened: Sequence[Database], tasks: int) -> None:
    rows: list[list[str]] = []
    async with open_surroundings(data) as around:
        for database in opened:
            here = data / database.name
            rows.append([f"DBOS alone, {database.name}", *await _measure_peer(here / "peer", database, tasks)])
            ours = await _measure_ours(here / "ours", database, around, tasks)
            rows += [[f"{who}, {database.name}", *cells] for who, cells in ours]
    columns = ["what", "n", "functions or tasks/s", "CPU ms each", "writes each", "statements each"]
    show(f"A durable chain of three steps, {_AT_ONCE} at once", columns, rows)


async def _measure_peer(data: Path, database: Database, tasks: int) -> list[str]:
    arguments = [str(data), *([database.url] if database.url else [])]
    async with open_asked("benchmarks.harness.peer_process", arguments, data) as peer:
        await peer.ask(f"{_AT_ONCE} {_AT_ONCE}")
        spent = TypeAdapter(Spent).validate_json(await peer.ask(f"{tasks} {_AT_ONCE}"))
    rate, cpu_ms = spent.count / spent.took_s, spent.cpu_s / spent.count * 1000
    return [str(tasks), f"{rate:.0f}", f"{cpu_ms:.1f}", "", ""]


async def _measure_ours(
    data: Path, database: Database, around: Surroundings, tasks: int
) -> list[tuple[str, list[str]]]:
    workload = WORKLOADS["W1"]
    async with (
        open_counted(data, around, workload, database=database) as counted,
        open_client(counted.orchestrator.url) as client,
    ):
        clocks = {"orchestrator": clock_of(counted.orchestrator.pid)}
        body = workload.body(0)
        await run_crowd(lambda: client.run(body), _AT_ONCE, _AT_ONCE, clocks)
        await counted.mark()
        costs = await run_crowd(lambda: client.run(body), tasks, _AT_ONCE, clocks)
        await counted.mark()
        [work] = await counted.differences()
    found = work.transactions
    writes = sum(each.count for who, each in found.items() if who.startswith("write"))
    statements = sum(each.statements for each in found.values())
    cpu_ms = sum(each.cpu_s for each in found.values()) / tasks * 1000
    rate = f"{costs.rate:.0f}"
    return [
        (
            "our transactions",
            [str(tasks), rate, f"{cpu_ms:.1f}", f"{writes / tasks:.1f}", f"{statements / tasks:.1f}"],
        ),
        ("the whole orchestrator", [str(tasks), rate, f"{costs.per_task_ms('orchestrator'):.1f}", "", ""]),
    ]


if __name__ == "__main__":
    main()
