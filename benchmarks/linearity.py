"""Does a task cost more for each step the more steps it has?

    .venv/bin/python benchmarks/linearity.py [--rounds 12] [--database sqlite]

Plans of 1, 5, 20 and 50 steps, in chains of at most ten beside each other (a plan's depth and width are bounded); each
step is told a few words and the output of its chain's first. The agent answers at once. In each round every plan runs
four times, one after the other; cost is the orchestrator's CPU for a task, the median of the rounds.

Linear means that a further step costs as much between 20 and 50 as between 5 and 20. Target: within 1.25.
"""

import argparse
import statistics
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Final

import uvloop

from benchmarks.harness import databases, machine
from benchmarks.harness.client import open_client
from benchmarks.harness.crowd import clock_of
from benchmarks.harness.databases import Database, open_database
from benchmarks.harness.processes import folder
from benchmarks.harness.rounds import Progress
from benchmarks.harness.scene import given, open_scene, output, step
from benchmarks.harness.tables import show, verdict
from shared.agent import JsonObject

_SIZES: Final = (1, 5, 20, 50)
_CHAIN: Final = 10
_TIMES: Final = 4
_MOST: Final = 1.25


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", default="sqlite", help=databases.HELP)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--quick", action="store_true", help="one round: to see that it works")
    chosen = parser.parse_args()
    print(machine.describe())
    with folder() as data, open_database(chosen.database, data) as database:
        uvloop.run(_measure(data, database, 1 if chosen.quick else chosen.rounds))


async def _measure(data: Path, database: Database, rounds: int) -> None:
    cpu_ms: dict[int, list[float]] = {size: [] for size in _SIZES}
    took_ms: dict[int, list[float]] = {size: [] for size in _SIZES}
    bodies = {size: given(_lanes(size)) for size in _SIZES}
    async with open_scene(data, database=database) as scene, open_client(scene.orchestrator.url) as client:
        clock = clock_of(scene.orchestrator.pid)
        for _ in range(10):
            await client.run(bodies[5])
        with Progress("plans of " + ", ".join(map(str, _SIZES)), rounds) as progress:
            for _ in range(rounds):
                for size, body in bodies.items():
                    used, began = clock(), perf_counter()
                    for _ in range(_TIMES):
                        await client.run(body)
                    cpu_ms[size].append((clock() - used) / _TIMES * 1000)
                    took_ms[size].append((perf_counter() - began) / _TIMES * 1000)
                progress.advance()
    _show({size: statistics.median(found) for size, found in cpu_ms.items()}, took_ms, rounds, database)


def _lanes(size: int) -> list[JsonObject]:
    """Return a plan of `size` steps in chains of at most `_CHAIN`."""
    steps: list[JsonObject] = []
    for number in range(1, size + 1):
        first = (number - 1) // _CHAIN * _CHAIN + 1
        before = sorted({first, number - 1}) if number > first else ()
        steps.append(step(number, f"step {number}" + (f" of {output(first)}" if before else ""), after=before))
    return steps


def _show(cpu_ms: dict[int, float], took_ms: dict[int, list[float]], rounds: int, database: Database) -> None:
    further = {after: (cpu_ms[after] - cpu_ms[size]) / (after - size) for size, after in pairwise(_SIZES)}
    rows = [
        [
            str(size),
            f"{cpu_ms[size]:.1f}",
            f"{cpu_ms[size] / size:.2f}",
            f"{further[size]:.2f}" if size in further else "",
            f"{statistics.median(took_ms[size]):.1f}",
        ]
        for size in _SIZES
    ]
    columns = ["steps", "CPU ms", "CPU ms a step", "each further step, CPU ms", "duration ms"]
    show(f"Cost by the number of steps, {database.name}; n = {rounds} rounds of {_TIMES}", columns, rows)
    growth = further[50] / further[20]
    print(f"\na further step from 20 to 50 / from 5 to 20: {growth:.2f} (target ≤ {_MOST}: {verdict(growth, _MOST)})")


if __name__ == "__main__":
    main()
