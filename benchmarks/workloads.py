"""How long do three kinds of tasks take, beside the calls that they consist of? How many a second, at what cost?

    .venv/bin/python benchmarks/workloads.py [--database sqlite postgresql] [--bundled] [--pause 0 50]

W1 is a chain of three steps over three agents, each told what the one before said. W2 is one step, then four at once,
then one that joins them. W3 is a request in plain words, which a scripted model routes to one of four agents. In W1 and
W2 the plan is given by skills, so that the registry chooses; sessions, events and memory are on, as always.

*Ours* is one task from before `POST /api/tasks` to the end of the answer (`Prefer: wait`), or to the end of its stream
of events. *The floor* is the same A2A calls by plain httpx along the critical path, four at once where the plan has
four at once, over connections that are kept open; for W3 the very call of the model that planning made (the same
bytes), and one call to an agent. Floor and ours take turns in the same rounds, and the ratio is the median of the
rounds' ratios. Nothing of the floor is durable.

CPU is what the processes used while so many tasks were under way, read from their CPU clocks; client, agents, model and
database have the same cores as the orchestrator, so each is counted. PSS is the orchestrator's at the end.

Targets, on SQLite: W1 1.6 ×, W2 1.5 ×, W3 2.0 × the floor; 75, 45, 95 tasks a second with 16 at once, with 64 no fewer
than with 16; 10, 14, 9 ms CPU of the orchestrator for a task. On PostgreSQL 1.4 times the time and the CPU.
"""

import argparse
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import uvloop

from benchmarks.harness import databases, machine
from benchmarks.harness.client import Client, open_client
from benchmarks.harness.crowd import Costs, Cpu, clock_of, own_clock, run_crowd
from benchmarks.harness.databases import Database
from benchmarks.harness.processes import Running, folder
from benchmarks.harness.rounds import interleave, median_ms, ratio, spread_ms, timed
from benchmarks.harness.scene import register, serve_orchestrator
from benchmarks.harness.tables import show, verdict
from benchmarks.harness.workloads import WORKLOADS, Surroundings, Workload, open_surroundings

_POSTGRESQL_MORE: Final = 1.4
_RATE_AT: Final = 16


@dataclass(frozen=True, slots=True)
class _Options:
    """What to measure, and how often."""

    workloads: list[str]
    pauses_ms: list[float]
    rounds: int
    tasks: int
    crowds: list[int]
    bundled: bool


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of the tables, as they are found."""

    alone: list[list[str]] = field(default_factory=list[list[str]])
    crowds: list[list[str]] = field(default_factory=list[list[str]])
    bounds: list[list[str]] = field(default_factory=list[list[str]])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", nargs="+", default=["sqlite"], help=databases.HELP)
    parser.add_argument("--only", nargs="+", choices=list(WORKLOADS), default=list(WORKLOADS))
    parser.add_argument("--pause", nargs="+", type=float, default=[0, 50], help="how long an agent takes, in ms")
    parser.add_argument("--bundled", action="store_true", help="agents built as the bundled ones are")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--tasks", type=int, default=160, help="tasks of each crowd, at least four times its size")
    parser.add_argument("--crowds", nargs="*", type=int, default=[1, 16, 64], help="how many tasks at once")
    parser.add_argument("--quick", action="store_true", help="a few tasks of everything: to see that it works")
    chosen = parser.parse_args()
    options = _Options(chosen.only, chosen.pause, chosen.rounds, chosen.tasks, chosen.crowds, chosen.bundled)
    if chosen.quick:
        options = _Options(chosen.only, [0], rounds=2, tasks=4, crowds=[2], bundled=chosen.bundled)
    print(machine.describe())
    with folder() as data, ExitStack() as stack:
        opened = [stack.enter_context(databases.open_database(each, data)) for each in chosen.database]
        uvloop.run(_measure(data, opened, options))


async def _measure(data: Path, opened: Sequence[Database], options: _Options) -> None:
    rows = _Rows()
    async with open_surroundings(data, bundled=options.bundled) as around:
        for name in options.workloads:
            for database in opened:
                here = data / f"{name} on {database.name}"
                await _measure_one(here, WORKLOADS[name], database, around, options, rows)
    kind = "built as the bundled ones are" if options.bundled else "the least that speak A2A"
    what = ["workload", "database", "agents take"]
    show(
        f"One task at a time; agents: {kind}; n = {options.rounds} rounds, interleaved",
        [*what, "floor ms", "ours ms", "quartiles", "by events ms", "ratio", "target", ""],
        rows.alone,
    )
    rate = ["at once", "n", "tasks/s", "target", ""]
    cpu = ["orchestrator", "target", "", "agents", "model", "database", "client", "PSS MB"]
    show("Many at once; CPU in ms for a task", [*what, *rate, *cpu], rows.crowds)
    show("What bounds it", [*what, "at once", "bound by"], rows.bounds)


async def _measure_one(
    data: Path, workload: Workload, database: Database, around: Surroundings, options: _Options, rows: _Rows
) -> None:
    settings = around.settings if workload.needs_model else {}
    async with (
        serve_orchestrator(data, database=database, settings=settings) as orchestrator,
        httpx.AsyncClient(base_url=orchestrator.url, timeout=60, trust_env=False) as setting_up,
        open_client(orchestrator.url) as client,
    ):
        await register(setting_up, around.agents)
        for pause_ms in options.pauses_ms:
            what = [workload.name, database.name, f"{pause_ms:g} ms" if pause_ms else "no time"]
            rows.alone.append(what + await _alone(workload, client, around, options.rounds, pause_ms / 1000, database))
            for at_once in options.crowds:
                count = max(options.tasks, 4 * at_once)
                costs = await run_crowd(
                    lambda pause_s=pause_ms / 1000: client.run(workload.body(pause_s)),
                    count,
                    at_once,
                    _clocks(orchestrator, around, database),
                    [orchestrator.pid],
                )
                pss_mb, _ = machine.memory_mb(orchestrator.pid)
                rows.crowds.append([*what, str(at_once), *_costs(workload, database, at_once, costs), f"{pss_mb:.0f}"])
                rows.bounds.append([*what, str(at_once), costs.bound(len(os.sched_getaffinity(0)))])


async def _alone(
    workload: Workload, client: Client, around: Surroundings, rounds: int, pause_s: float, database: Database
) -> list[str]:
    """Measure one task at a time beside its floor and return a row's cells."""
    called = await around.model_calls()
    await client.run(workload.body(pause_s))
    called = await around.model_calls() - called
    floor = await workload.floor(around, pause_s)
    found = await interleave(
        {
            "floor": timed(floor),
            "ours": timed(lambda: client.run(workload.body(pause_s))),
            "by events": timed(lambda: client.follow(workload.body(pause_s))),
        },
        rounds,
        warm_up=min(5, rounds),
    )
    if called != workload.needs_model:
        print(f"\n{workload.name}: our task calls the model {called} times, its floor {int(workload.needs_model)}.")
    times = ratio(found["ours"], found["floor"])
    most = workload.most_times * _more(database)
    return [
        f"{median_ms(found['floor']):.1f}",
        f"{median_ms(found['ours']):.1f}",
        spread_ms(found["ours"]),
        f"{median_ms(found['by events']):.1f}",
        f"{times:.2f} ×",
        f"≤ {most:.2f} ×",
        verdict(times, most),
    ]


def _clocks(orchestrator: Running, around: Surroundings, database: Database) -> dict[str, Cpu]:
    return {
        "orchestrator": clock_of(orchestrator.pid),
        "agents": clock_of(*(agent.pid for agent in around.agents)),
        "model": clock_of(around.model.pid),
        "database": database.cpu_s,
        "client": own_clock(),
    }


def _costs(workload: Workload, database: Database, at_once: int, costs: Costs) -> list[str]:
    least, most = workload.least_rate / _more(database), workload.most_cpu_ms * _more(database)
    cpu_ms = costs.per_task_ms("orchestrator")
    judged = at_once >= _RATE_AT
    return [
        str(costs.tasks),
        f"{costs.rate:.1f}",
        f"≥ {least:.0f}" if judged else "",
        verdict(-costs.rate, -least) if judged else "",
        f"{cpu_ms:.1f}",
        f"≤ {most:.0f}",
        verdict(cpu_ms, most),
        *(f"{costs.per_task_ms(who):.1f}" for who in ("agents", "model", "database", "client")),
    ]


def _more(database: Database) -> float:
    return 1.0 if database.url is None else _POSTGRESQL_MORE


if __name__ == "__main__":
    main()
