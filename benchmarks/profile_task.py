"""Where does the time of a task go?

    .venv/bin/python benchmarks/profile_task.py [--workload W1] [--tasks 100] [--at-once 1] [--top 30]

Four looks at one of the workloads of `workloads.py`, with agents that answer at once.

1. *Phases*: the orchestrator as it is, one task after the other; each phase is the time between two events of the
   task's log, or between the client and one of them, in the median. They add up to the client's time only roughly, for
   medians do not add.
2. *Database*: what is written and read, by the function that does it, with its CPU time; BEGIN and COMMIT, which
   several may share, are not in it. This costs little, so the times are true. Then the same when nothing is to do.
3. *Functions*: cProfile in every thread, on a CPU clock. It makes everything two to three times slower, small functions
   most: counts are right, times are shares. A coroutine counts a call each time it goes on.
4. *Rest*: the same work right after itself, and after 15 ms in which nothing was done: one task at a time pays that.

With `--at-once` 16, the second and the third run do so many tasks at once.
"""

import argparse
import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import time
from typing import Final

import httpx
import uvloop

from benchmarks.harness import databases, machine
from benchmarks.harness.client import open_client
from benchmarks.harness.counting import open_counted
from benchmarks.harness.counts import Counts, Function
from benchmarks.harness.crowd import clock_of, run_crowd
from benchmarks.harness.databases import Database
from benchmarks.harness.processes import BenchmarkError, folder
from benchmarks.harness.rested import show_rests
from benchmarks.harness.rounds import Progress, median_ms
from benchmarks.harness.scene import register, serve_orchestrator
from benchmarks.harness.tables import show
from benchmarks.harness.workloads import WORKLOADS, Surroundings, Workload, open_surroundings
from shared.agent import JsonObject

_WARM_UP: Final = 20
_OURS: Final = ("orchestrator_service/", "shared/")


@dataclass(frozen=True, slots=True)
class _Options:
    """What to profile, and how much of it."""

    workload: Workload
    database: Database
    tasks: int
    at_once: int
    top: int
    idle_s: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--workload", choices=list(WORKLOADS), default="W1")
    parser.add_argument("--database", default="sqlite", help=databases.HELP)
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--top", type=int, default=30, help="how many functions to list")
    parser.add_argument("--quick", action="store_true", help="a few tasks: to see that it works")
    chosen = parser.parse_args()
    tasks, idle_s = (3, 0.1) if chosen.quick else (chosen.tasks, 10.0)
    print(machine.describe())
    with folder() as data, databases.open_database(chosen.database, data) as database:
        workload = WORKLOADS[chosen.workload]
        uvloop.run(_measure(data, _Options(workload, database, tasks, chosen.at_once, chosen.top, idle_s)))


async def _measure(data: Path, options: _Options) -> None:
    async with open_surroundings(data) as around:
        await _measure_phases(data / "plain", around, options)
        work, idle = await _count(data / "counted", around, options, functions=False)
        _show_database(work, options.tasks)
        _show_idle(idle, options.idle_s)
        work, _ = await _count(data / "profiled", around, options, functions=True)
        _show_functions(work, options.tasks, options.top)
        await show_rests(data / "rested", around, 2 * options.tasks)


async def _measure_phases(data: Path, around: Surroundings, options: _Options) -> None:
    settings = around.settings if options.workload.needs_model else {}
    async with (
        serve_orchestrator(data, database=options.database, settings=settings) as orchestrator,
        httpx.AsyncClient(base_url=orchestrator.url, timeout=60, trust_env=False) as client,
    ):
        await register(client, around.agents)
        await _run(client, options.workload, min(_WARM_UP, options.tasks), "warm-up")
        clock = clock_of(orchestrator.pid)
        before = clock()
        finished = await _run(client, options.workload, options.tasks, "phases")
        cpu_ms = (clock() - before) / options.tasks * 1000
        _show_phases([phase for run in finished for phase in _phases(run, await _events(client, run.task))], cpu_ms)


async def _count(data: Path, around: Surroundings, options: _Options, *, functions: bool) -> list[Counts]:
    """Return what was counted during the tasks, and then during a time of idleness (not with functions)."""
    workload, at_once = options.workload, options.at_once
    with Progress("functions" if functions else "transactions", 2) as progress:
        async with (
            open_counted(data, around, workload, database=options.database, functions=functions) as counted,
            open_client(counted.orchestrator.url) as client,
        ):
            await run_crowd(lambda: client.run(workload.body(0)), min(_WARM_UP, options.tasks), at_once, {})
            await counted.mark()
            await run_crowd(lambda: client.run(workload.body(0)), options.tasks, at_once, {})
            await counted.mark()
            progress.advance()
            await asyncio.sleep(0 if functions else options.idle_s)
            await counted.mark()
            progress.advance()
            return await counted.differences()


@dataclass(frozen=True, slots=True)
class _Run:
    """A task that ran, and when the client began to ask and had its answer, in seconds of the clock."""

    task: JsonObject
    began: float
    ended: float


async def _run(client: httpx.AsyncClient, workload: Workload, tasks: int, what: str) -> list[_Run]:
    """Run tasks one after the other."""
    runs: list[_Run] = []
    with Progress(what, tasks) as progress:
        for _ in range(tasks):
            began = time()
            response = await client.post("/api/tasks", json=workload.body(0), headers={"Prefer": "wait=60"})
            runs.append(_Run(response.json(), began, time()))
            progress.advance()
    return runs


async def _events(client: httpx.AsyncClient, task: JsonObject) -> list[JsonObject]:
    headers = {"Accept": "application/json"}
    return (await client.get(f"/api/tasks/{task['id']}/events", headers=headers)).json()["items"]


def _phases(run: _Run, events: Sequence[JsonObject]) -> list[tuple[str, float]]:
    """Return the phases of a task, each with its seconds; those of one transaction have one time and make one phase."""
    phases: list[tuple[str, float]] = []
    last, at = "the request", run.began
    for event in events:
        moment = datetime.fromisoformat(str(event["at"])).timestamp()
        if moment != at:
            phases.append((f"{last} → {_describe(event)}", moment - at))
            last, at = _describe(event), moment
    return [*phases, (f"{last} → the answer", run.ended - at), ("all", run.ended - run.began)]


def _describe(event: JsonObject) -> str:
    status = event.get("status")
    return " ".join(str(word) for word in (event.get("step_id"), event["type"], status) if word is not None)


def _show_phases(phases: list[tuple[str, float]], cpu_ms: float) -> None:
    by_name: defaultdict[str, list[float]] = defaultdict(list)
    for name, seconds in phases:
        by_name[name].append(seconds)
    whole = median_ms(by_name["all"])
    rows = [
        [name, str(len(found)), f"{median_ms(found):.1f}", f"{median_ms(found) / whole:.0%}"]
        for name, found in by_name.items()
    ]
    show("Phases of a task (times between events of its log)", ["from → to", "n", "median ms", "share"], rows)
    print(f"\nCPU of the orchestrator: {cpu_ms:.1f} ms per task.")


def _show_database(work: Counts, tasks: int) -> None:
    rows = [
        [who, f"{found.count / tasks:.1f}", f"{found.statements / tasks:.1f}", f"{found.cpu_s / tasks * 1000:.2f}"]
        for who, found in sorted(work.transactions.items(), key=lambda item: -item[1].cpu_s)
        if found.count / tasks >= 0.05
    ]
    for kind in ("write", "read"):
        found = {who: counted for who, counted in work.transactions.items() if who.startswith(kind)}
        times = sum(each.count for each in found.values())
        if kind == "write" and times < tasks:
            raise BenchmarkError("Not every write was counted: does `Profiler.install` know all ways to write?")
        statements = sum(each.statements for each in found.values())
        cpu_ms = sum(each.cpu_s for each in found.values()) / tasks * 1000
        rows.append([f"all that {kind}", f"{times / tasks:.1f}", f"{statements / tasks:.1f}", f"{cpu_ms:.2f}"])
    show("Database, per task", ["who", "times", "statements", "CPU ms"], rows)


def _show_functions(work: Counts, tasks: int, top: int) -> None:
    threads: defaultdict[str, float] = defaultdict(float)
    areas: defaultdict[str, float] = defaultdict(float)
    functions: dict[str, Function] = {}
    for key, found in work.functions.items():
        thread, _, name = key.partition("|")
        threads[thread] += found.own_s
        areas[name.partition("/")[0] if "/" in name else "the interpreter and extensions"] += found.own_s
        functions[name] = functions[name].plus(found) if name in functions else found
    whole = sum(threads.values())
    for title, shares in (("By thread", threads), ("By package (own time)", areas)):
        rows = [
            [name, f"{seconds / tasks * 1000:.2f}", f"{seconds / whole:.0%}"]
            for name, seconds in sorted(shares.items(), key=lambda item: -item[1])
            if seconds > whole / 200
        ]
        show(f"{title}, CPU per task under the profiler", ["where", "ms", "share"], rows)
    ours = {name: found for name, found in functions.items() if name.startswith(_OURS)}
    _list_functions("Our functions by CPU with all they call", ours, tasks, top, by_own=False, whole=whole)
    _list_functions("All functions by CPU with all they call", functions, tasks, top, by_own=False, whole=whole)
    _list_functions("All functions by their own CPU", functions, tasks, top, by_own=True, whole=whole)


def _list_functions(
    title: str, functions: dict[str, Function], tasks: int, top: int, *, by_own: bool, whole: float
) -> None:
    def weight(found: Function) -> float:
        return found.own_s if by_own else found.total_s

    rows = [
        [
            name,
            f"{found.calls / tasks:.1f}",
            f"{found.own_s / tasks * 1000:.2f}",
            f"{found.total_s / tasks * 1000:.2f}",
            f"{weight(found) / whole:.0%}",
        ]
        for name, found in sorted(functions.items(), key=lambda item: -weight(item[1]))[:top]
    ]
    show(title, ["function", "calls per task", "own ms", "with callees ms", "share"], rows)


def _show_idle(idle: Counts, idle_s: float) -> None:
    rows = [
        [who, f"{found.count / idle_s:.1f}", f"{found.cpu_s / idle_s * 1000:.2f}"]
        for who, found in sorted(idle.transactions.items(), key=lambda item: -item[1].cpu_s)
    ]
    show("Database when idle, per second", ["who", "times", "CPU ms"], rows)


if __name__ == "__main__":
    main()
