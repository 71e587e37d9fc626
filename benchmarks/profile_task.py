"""Where does the time of a task go?

    .venv/bin/python benchmarks/profile_task.py [--tasks 100] [--steps 1] [--top 30]

Three runs with an agent that answers at once and a plan that is given (a chain of `--steps`).

1. *Phases*: the orchestrator as it is; each phase is the time between two events of the task's log, or between the
   client and one of them, in the median. They add up to the client's time only roughly, for medians do not add.
2. *Database*: transactions are counted by the function they serve, with their CPU time from begin to commit. This
   costs little, so the times are true. Then the same when there is nothing to do.
3. *Functions*: cProfile in every thread, on a CPU clock. It makes everything two to three times slower, small functions
   most: counts are right, times are shares. A coroutine counts a call each time it goes on.
"""

import argparse
import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import time
from typing import Final

from benchmarks.harness import machine
from benchmarks.harness.counting import open_counted
from benchmarks.harness.counts import Counts, Function
from benchmarks.harness.processes import folder
from benchmarks.harness.rounds import Progress, median_ms
from benchmarks.harness.scene import Scene, chain, open_scene
from benchmarks.harness.tables import show
from shared.agent import JsonObject

_IDLE_S: Final = 10.0
_OURS: Final = ("orchestrator_service/", "shared/")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--top", type=int, default=30, help="how many functions to list")
    chosen = parser.parse_args()
    print(machine.describe())
    with folder() as data:
        asyncio.run(_measure(data, chosen.tasks, chain(chosen.steps), chosen.top))


async def _measure(data: Path, tasks: int, steps: list[JsonObject], top: int) -> None:
    async with open_scene(data / "plain") as scene:
        await _run(scene, steps, 10, "warm-up")
        before = machine.cpu_s(scene.orchestrator.pid)
        finished = await _run(scene, steps, tasks, "phases")
        cpu_ms = (machine.cpu_s(scene.orchestrator.pid) - before) / tasks * 1000
        _show_phases([phase for run in finished for phase in _phases(run, await scene.events(run.task))], cpu_ms)
    work, idle = await _count(data / "counted", tasks, steps, functions=False)
    _show_database(work, tasks)
    _show_idle(idle)
    work, _ = await _count(data / "profiled", tasks, steps, functions=True)
    _show_functions(work, tasks, top)


async def _count(data: Path, tasks: int, steps: list[JsonObject], *, functions: bool) -> list[Counts]:
    """Return what was counted during the tasks, and then during `_IDLE_S` seconds of idleness (not with functions)."""
    with Progress("functions" if functions else "transactions", 2) as progress:
        async with open_counted(data, functions=functions) as counted:
            await counted.run(steps, 20)
            await counted.mark()
            await counted.run(steps, tasks)
            await counted.mark()
            progress.advance()
            await asyncio.sleep(0 if functions else _IDLE_S)
            await counted.mark()
            progress.advance()
            return await counted.differences()


@dataclass(frozen=True, slots=True)
class _Run:
    """A task that ran, and when the client began to ask and had its answer, in seconds of the clock."""

    task: JsonObject
    began: float
    ended: float


async def _run(scene: Scene, steps: list[JsonObject], tasks: int, what: str) -> list[_Run]:
    """Run tasks one after the other."""
    runs: list[_Run] = []
    with Progress(what, tasks) as progress:
        for _ in range(tasks):
            began = time()
            task = await scene.run(steps)
            runs.append(_Run(task, began, time()))
            progress.advance()
    return runs


def _phases(run: _Run, events: list[JsonObject]) -> list[tuple[str, float]]:
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
    for name, prefix in {"all of ours": "ours", "all of DBOS": "DBOS"}.items():
        found = [counted for who, counted in work.transactions.items() if who.startswith(prefix)]
        count, statements = sum(each.count for each in found), sum(each.statements for each in found)
        cpu_ms = sum(each.cpu_s for each in found) / tasks * 1000
        rows.append([name, f"{count / tasks:.1f}", f"{statements / tasks:.1f}", f"{cpu_ms:.2f}"])
    show("Database, per task", ["who", "transactions", "statements", "CPU ms"], rows)


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


def _show_idle(idle: Counts) -> None:
    rows = [
        [who, f"{found.count / _IDLE_S:.1f}", f"{found.cpu_s / _IDLE_S * 1000:.2f}"]
        for who, found in sorted(idle.transactions.items(), key=lambda item: -item[1].cpu_s)
    ]
    show("Database when idle, per second", ["who", "transactions", "CPU ms"], rows)


if __name__ == "__main__":
    main()
