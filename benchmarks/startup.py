"""How long until the whole federation is ready, and what does it cost when it has nothing to do?

    .venv/bin/python benchmarks/startup.py [--runs 5] [--idle 30]

*Start*: `federation up`, from the start of the process to the first 200 of the orchestrator's `/ready`: database and
engine open, every bundled agent up and registered. The first run has an empty DATA_DIR and is shown as the cold one
(the files are in the page cache all the same); the median is of those after it. What `make run` does before, checking
that set-up is done, is not in it.

*Idle*: in the last run, after a pause for what starting leaves to do. Memory is PSS, the kernel's proportional share,
which can be added up; RSS counts what processes share once for each. Everything that the runner started is counted,
Playwright's driver too, but not Chromium's own processes, which are shown apart. CPU is the time that the processes
used, read from their CPU clocks, as a share of one core; wake-ups are voluntary context switches.

Targets: ready ≤ 10 s warm; idle ≤ 600 MB and ≤ 2 % of a core, without Chromium.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final, cast

from benchmarks.harness import machine
from benchmarks.harness.processes import PROJECT, folder, free_port, open_log, start, stop, until_ok
from benchmarks.harness.rounds import Progress
from benchmarks.harness.tables import show, verdict
from federation.running import find
from shared.settings import PORT_SETTINGS

_PORTS: Final = tuple(PORT_SETTINGS.values())
_FEDERATION: Final = Path(sys.executable).with_name("federation")
_CHROMIUM: Final = ("chrome", "chromium", "headless_shell", "headless-shell")
_SETTLE_S: Final = 30
_READY_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class _Cost:
    """What one service costs: PSS and RSS in MB, CPU as a share of a core, wake-ups per second."""

    pss_mb: float
    rss_mb: float
    cpu: float
    wakeups: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5, help="warm starts")
    parser.add_argument("--idle", type=int, default=30, help="seconds to watch the idle federation")
    chosen = parser.parse_args()
    print(machine.describe())
    with folder() as data:
        asyncio.run(_measure(data, chosen.runs, chosen.idle))


async def _measure(data: Path, runs: int, idle_s: int) -> None:
    started: list[float] = []
    with Progress("starts, the first one cold", runs + 1) as progress:
        for _ in range(runs):
            async with _up(data) as (_, seconds):
                started.append(seconds)
            progress.advance()
        async with _up(data) as (process, seconds):
            started.append(seconds)
            progress.advance()
            services = cast("Mapping[str, int]", (find(data / "federation") or {})["services"])
            costs = await _watch(process.pid, services, idle_s)
    cold, *warm = started
    median = statistics.median(warm)
    print(f"\nReady after {median:.2f} s warm (median of {len(warm)}: {', '.join(f'{each:.2f}' for each in warm)})")
    print(f"and {cold:.2f} s with an empty DATA_DIR. Target ≤ 10 s warm: {verdict(median, 10)}")
    _show_costs(costs, idle_s)


@asynccontextmanager
async def _up(data: Path) -> AsyncGenerator[tuple[subprocess.Popen[bytes], float]]:
    """Run the federation; yields its process and how long it took to be ready."""
    free: set[int] = set()
    while len(free) < len(_PORTS):
        free.add(free_port())
    ports = dict(zip(_PORTS, free, strict=True))
    settings = {**ports, "DATA_DIR": data / "federation", "RESEARCH_DOCUMENTS": PROJECT / "docs"}
    with open_log(data) as output:
        began = perf_counter()
        process = start([str(_FEDERATION), "up"], settings, data, output)
        try:
            await until_ok(process, f"http://127.0.0.1:{ports['ORCHESTRATOR_PORT']}/ready", data, timeout_s=_READY_S)
            yield process, perf_counter() - began
        finally:
            await asyncio.to_thread(stop, process)


async def _watch(runner: int, services: Mapping[str, int], idle_s: int) -> dict[str, _Cost]:
    """Return what each service costs while nothing is asked of it."""
    await asyncio.sleep(_SETTLE_S)
    groups = _groups(runner, services)
    first, switches = _used(groups)
    began = perf_counter()
    with Progress(f"idle for {idle_s} s", idle_s) as progress:
        for _ in range(idle_s):
            await asyncio.sleep(1)
            progress.advance()
    last, switches_after = _used(groups)
    took = perf_counter() - began
    costs: dict[str, _Cost] = {}
    for name, pids in groups.items():
        memory = [machine.memory_mb(pid) for pid in pids]
        costs[name] = _Cost(
            pss_mb=sum(pss for pss, _ in memory),
            rss_mb=sum(rss for _, rss in memory),
            cpu=(last[name] - first[name]) / took,
            wakeups=(switches_after[name] - switches[name]) / took,
        )
    return costs


def _used(groups: dict[str, list[int]]) -> tuple[dict[str, float], dict[str, int]]:
    cpu = {name: sum(machine.cpu_s(pid) for pid in pids) for name, pids in groups.items()}
    return cpu, {name: sum(machine.context_switches(pid) for pid in pids) for name, pids in groups.items()}


def _groups(runner: int, services: Mapping[str, int]) -> dict[str, list[int]]:
    """Return the processes by service; a service's own children (Playwright's driver) belong to it."""
    families = {name: {pid, *machine.descendants(pid)} for name, pid in services.items()}
    groups: dict[str, list[int]] = {"runner, fork server": [runner], "Chromium": [], **{name: [] for name in services}}
    for pid in machine.descendants(runner):
        program = Path(machine.command_of(pid).partition(" ")[0]).name
        if any(program.startswith(name) for name in _CHROMIUM):
            groups["Chromium"].append(pid)
        else:
            owner = next((name for name, family in families.items() if pid in family), "runner, fork server")
            groups[owner].append(pid)
    return groups


def _show_costs(costs: dict[str, _Cost], idle_s: int) -> None:
    rows = [
        [name, f"{cost.pss_mb:.0f}", f"{cost.rss_mb:.0f}", f"{cost.cpu:.2%}", f"{cost.wakeups:.0f}"]
        for name, cost in costs.items()
    ]
    ours = [cost for name, cost in costs.items() if name != "Chromium"]
    pss, cpu = sum(cost.pss_mb for cost in ours), sum(cost.cpu for cost in ours)
    rss, wakeups = sum(cost.rss_mb for cost in ours), sum(cost.wakeups for cost in ours)
    rows.append(["all without Chromium", f"{pss:.0f}", f"{rss:.0f}", f"{cpu:.2%}", f"{wakeups:.0f}"])
    show(f"Idle, over {idle_s} s", ["service", "PSS MB", "RSS MB", "CPU of a core", "wake-ups/s"], rows)
    print(f"\nMemory {pss:.0f} MB (target ≤ 600 MB: {verdict(pss, 600)})")
    print(f"CPU {cpu:.2%} of a core (target ≤ 2 %: {verdict(cpu, 0.02)})")


if __name__ == "__main__":
    main()
