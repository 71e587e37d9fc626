"""A scene whose orchestrator counts its work, and a sample task taken from one."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from benchmarks.harness.counts import Counts
from benchmarks.harness.scene import Scene, open_scene, step
from shared.agent import JsonObject

_SAMPLE_RUNS: Final = 5
_REST_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class CountedScene:
    """A scene whose counts can be marked and read."""

    scene: Scene

    async def run(self, steps: Sequence[JsonObject], times: int) -> None:
        """Run tasks, one after the other, and wait for what is written after their answers."""
        for _ in range(times):
            await self.scene.run(steps)
        await asyncio.sleep(_REST_S)

    async def mark(self) -> None:
        """Keep the counts as they are now."""
        (await self.scene.client.post("/benchmark/marks")).raise_for_status()

    async def differences(self) -> list[Counts]:
        """Return what was counted between each mark and the next."""
        response = await self.scene.client.get("/benchmark/marks")
        marks = TypeAdapter(list[Counts]).validate_json(response.content)
        return [later.since(earlier) for earlier, later in pairwise(marks)]


@asynccontextmanager
async def open_counted(data: Path, *, functions: bool = False) -> AsyncGenerator[CountedScene]:
    """Open a scene with one agent; with `functions`, every function call is counted, which is slow."""
    settings: Mapping[str, object] = {"BENCHMARK_FUNCTIONS": int(functions)}
    async with open_scene(data, orchestrator="benchmarks.harness.profiled_orchestrator", settings=settings) as scene:
        yield CountedScene(scene)


@dataclass(frozen=True, slots=True)
class Sample:
    """A one-step task that ran, the database that holds it, and in how many transactions it was written."""

    database: Path
    task_id: str
    commits: int


async def take_sample(data: Path) -> Sample:
    """Run a few tasks and return one, with the number of writing transactions that a task took."""
    async with open_counted(data) as counted:
        task = await counted.scene.run([step(1)])
        await counted.run([step(1)], 1)
        await counted.mark()
        await counted.run([step(1)], _SAMPLE_RUNS)
        await counted.mark()
        [work] = await counted.differences()
        writes = sum(found.count for who, found in work.transactions.items() if who.startswith("ours, write"))
        return Sample(counted.scene.database, str(task["id"]), writes // _SAMPLE_RUNS)
