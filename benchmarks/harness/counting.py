"""An orchestrator that counts its work, driven by one of the workloads; and a sample task taken from one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import httpx
from pydantic import TypeAdapter

from benchmarks.harness.counts import Counts
from benchmarks.harness.databases import Database
from benchmarks.harness.processes import Running
from benchmarks.harness.scene import open_scene, register, serve_orchestrator, step
from benchmarks.harness.workloads import Surroundings, Workload

MODULE: Final = "benchmarks.harness.profiled_orchestrator"

_SAMPLE_RUNS: Final = 5
_REST_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Counted:
    """An orchestrator whose counts can be marked and read."""

    orchestrator: Running
    client: httpx.AsyncClient

    async def mark(self) -> None:
        """Keep the counts as they are now, with what is written after the last answer."""
        await asyncio.sleep(_REST_S)
        (await self.client.post("/benchmark/marks")).raise_for_status()

    async def differences(self) -> list[Counts]:
        """Return what was counted between each mark and the next."""
        response = await self.client.get("/benchmark/marks")
        marks = TypeAdapter(list[Counts]).validate_json(response.content)
        return [later.since(earlier) for earlier, later in pairwise(marks)]


@asynccontextmanager
async def open_counted(
    data: Path, around: Surroundings, workload: Workload, *, database: Database | None = None, functions: bool = False
) -> AsyncGenerator[Counted]:
    """Serve a counting orchestrator for a workload; with `functions`, every function call is counted, which is slow."""
    settings = {"BENCHMARK_FUNCTIONS": int(functions), **(around.settings if workload.needs_model else {})}
    async with (
        serve_orchestrator(data, module=MODULE, database=database, settings=settings) as orchestrator,
        httpx.AsyncClient(base_url=orchestrator.url, timeout=60, trust_env=False) as client,
    ):
        await register(client, around.agents)
        yield Counted(orchestrator, client)


@dataclass(frozen=True, slots=True)
class Sample:
    """A one-step task that ran, the database that holds it, and in how many transactions it was written."""

    database: Path
    task_id: str
    commits: int


async def take_sample(data: Path) -> Sample:
    """Run a few tasks and return one, with the number of writing transactions that a task took."""
    async with open_scene(data, orchestrator=MODULE) as scene:
        counted = Counted(scene.orchestrator, scene.client)
        task = await scene.run([step(1)])
        await counted.mark()
        for _ in range(_SAMPLE_RUNS):
            await scene.run([step(1)])
        await counted.mark()
        [work] = await counted.differences()
        commits = sum(found.count for who, found in work.transactions.items() if who.startswith("write"))
        return Sample(scene.database, str(task["id"]), commits // _SAMPLE_RUNS)
