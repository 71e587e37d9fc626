"""Is this checkout faster than another one of the project, on the same machine in the same minutes?

    git worktree add /tmp/before COMMIT
    .venv/bin/python benchmarks/other_checkout.py --other /tmp/before [--database sqlite] [--crowd 16]

Both orchestrators run at the same time, with the same agents and model, and take turns: the floor, one, the other; then
the other way round. A machine that is slow today is slow for both, so their ratio holds where times do not. After that
crowds take turns, too, `--crowds` of each. The other checkout runs with the packages of this one.
"""

import argparse
import statistics
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import uvloop

from benchmarks.harness import databases, machine
from benchmarks.harness.client import Client, open_client
from benchmarks.harness.crowd import clock_of, run_crowd
from benchmarks.harness.processes import PROJECT, folder
from benchmarks.harness.rounds import interleave, median_ms, ratio, timed
from benchmarks.harness.scene import register, serve_orchestrator
from benchmarks.harness.tables import show
from benchmarks.harness.workloads import WORKLOADS, Surroundings, Workload, open_surroundings

_WARM_UP: Final = 10
_SIDES: Final = ("other", "this")


@dataclass(frozen=True, slots=True)
class _Options:
    """What to compare, and how often."""

    other: Path
    database: str
    rounds: int
    at_once: int
    crowds: int


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two checkouts, served."""

    name: str
    client: Client
    pid: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--other", type=Path, help="folder of the other checkout")
    parser.add_argument("--database", default="sqlite", help=databases.HELP)
    parser.add_argument("--only", nargs="+", choices=list(WORKLOADS), default=list(WORKLOADS))
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--crowd", type=int, default=16, help="how many tasks at once; 0: no crowds")
    parser.add_argument("--crowds", type=int, default=6, help="crowds of each checkout")
    parser.add_argument("--quick", action="store_true", help="this checkout beside itself: to see that it works")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.other, chosen.rounds, chosen.crowd, chosen.crowds = PROJECT, 2, 2, 1
    if chosen.other is None:
        print("There is nothing to compare with: give the folder of another checkout (--other).")
        return
    print(machine.describe())
    options = _Options(chosen.other.resolve(), chosen.database, chosen.rounds, chosen.crowd, chosen.crowds)
    with folder() as data:
        for workload in chosen.only:
            for side in _SIDES:
                (data / f"{workload}-{side}").mkdir()
        uvloop.run(_measure(data, [WORKLOADS[name] for name in chosen.only], options))


async def _measure(data: Path, workloads: Sequence[Workload], options: _Options) -> None:
    alone: list[list[str]] = []
    crowds: list[list[str]] = []
    async with open_surroundings(data) as around:
        for workload in workloads:
            async with AsyncExitStack() as stack:
                sides = [
                    await _serve(stack, data / f"{workload.name}-{name}", name, tree, workload, around, options)
                    for name, tree in zip(_SIDES, (options.other, PROJECT), strict=True)
                ]
                alone.append([workload.name, *await _alone(workload, sides, around, options)])
                if options.at_once:
                    crowds.append([workload.name, *await _crowds(workload, sides, options)])
    columns = ["workload", "floor ms", "other ms", "to the floor", "this ms", "to the floor", "this to the other"]
    show(f"One at a time, {options.database}; n = {options.rounds}, in turns", columns, alone)
    columns = [
        "workload",
        "other/s",
        "this/s",
        "this to the other",
        "other, CPU ms",
        "this, CPU ms",
        "this to the other",
    ]
    if crowds:
        show(f"{options.at_once} at once; medians of {options.crowds} crowds each, in turns", columns, crowds)


async def _serve(
    stack: AsyncExitStack,
    data: Path,
    name: str,
    tree: Path,
    workload: Workload,
    around: Surroundings,
    options: _Options,
) -> _Side:
    database = stack.enter_context(databases.open_database(options.database, data))
    settings = {**(around.settings if workload.needs_model else {}), "PYTHONPATH": tree}
    running = await stack.enter_async_context(serve_orchestrator(data, database=database, settings=settings))
    setting_up = await stack.enter_async_context(httpx.AsyncClient(base_url=running.url, timeout=60, trust_env=False))
    await register(setting_up, around.agents)
    side = _Side(name, await stack.enter_async_context(open_client(running.url)), running.pid)
    for _ in range(_WARM_UP):
        await side.client.run(workload.body(0))
    return side


async def _alone(workload: Workload, sides: Sequence[_Side], around: Surroundings, options: _Options) -> list[str]:
    other, this = (timed(lambda side=side: side.client.run(workload.body(0))) for side in sides)
    floor = timed(await workload.floor(around, 0))
    # each of the two comes after the floor as often as after the other
    cases = {
        "floor": floor,
        "other": other,
        "this": this,
        "floor again": floor,
        "this again": this,
        "other again": other,
    }
    found = await interleave(cases, max(options.rounds // 2, 1))
    taken = {name: found[name] + found[f"{name} again"] for name in ("floor", "other", "this")}
    return [
        f"{median_ms(taken['floor']):.1f}",
        *(
            cell
            for name in ("other", "this")
            for cell in (f"{median_ms(taken[name]):.1f}", f"{ratio(taken[name], taken['floor']):.2f} ×")
        ),
        f"{ratio(taken['this'], taken['other']):.2f} ×",
    ]


async def _crowds(workload: Workload, sides: Sequence[_Side], options: _Options) -> list[str]:
    rates: dict[str, list[float]] = {side.name: [] for side in sides}
    cpu_ms: dict[str, list[float]] = {side.name: [] for side in sides}
    for turn in range(options.crowds):
        for side in sides if turn % 2 else sides[::-1]:
            costs = await run_crowd(
                lambda client=side.client: client.run(workload.body(0)),
                8 * options.at_once,
                options.at_once,
                {"orchestrator": clock_of(side.pid)},
            )
            rates[side.name].append(costs.rate)
            cpu_ms[side.name].append(costs.cpu_s["orchestrator"] / costs.tasks * 1000)
    cells: list[str] = []
    for found in (rates, cpu_ms):
        other, this = statistics.median(found["other"]), statistics.median(found["this"])
        cells += [f"{other:.1f}", f"{this:.1f}", f"{this / other:.2f} ×"]
    return cells


if __name__ == "__main__":
    main()
