"""What a rest costs: the same work right after itself, and after a while in which nothing was done.

The caches of a processor that rested, or did something else, hold none of the work's code and data.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from benchmarks.harness.counting import take_sample
from benchmarks.harness.rounds import Progress, median_ms, timed
from benchmarks.harness.tables import show
from benchmarks.harness.workloads import Surroundings
from orchestrator_service import task_views
from shared.auth import LOCAL
from shared.db import open_database

_REST_S: Final = 0.015
_WARM_UP: Final = 20


async def show_rests(data: Path, around: Surroundings, rounds: int) -> None:
    """Measure two pieces of work both ways, and print it."""
    sample = await take_sample(data)
    async with open_database(f"sqlite:///{sample.database}") as database:
        works: dict[str, Callable[[], Awaitable[object]]] = {
            "reading a task of one step from SQLite": lambda: database.read(task_views.find, LOCAL, sample.task_id),
            "one call of an agent by plain httpx": lambda: around.call(1, "hello"),
        }
        rows = [[name, *await _measure(name, work, rounds)] for name, work in works.items()]
    columns = ["work", "again and again, ms", f"after {_REST_S * 1000:.0f} ms of rest, ms", "times"]
    show(f"What a rest costs; n = {rounds} each", columns, rows)


async def _measure(name: str, work: Callable[[], Awaitable[object]], rounds: int) -> list[str]:
    case = timed(work)
    for _ in range(_WARM_UP):
        await case()
    again: list[float] = []
    rested: list[float] = []
    with Progress(name, rounds) as progress:
        for _ in range(rounds):
            await case()
            again.append(await case())
            await asyncio.sleep(_REST_S)
            rested.append(await case())
            progress.advance()
    found = [median_ms(again), median_ms(rested)]
    return [*(f"{each:.2f}" for each in found), f"{found[1] / found[0]:.1f} ×"]
