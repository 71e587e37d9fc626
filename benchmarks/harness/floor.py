"""The floor under a task: what the disk, the durable-execution library and one HTTP call cost without us.

Used from a benchmark as `async with open_floor(...) as floor: await floor.seconds("all")`; the work is done, and timed,
in a process of its own (`floor_process`), as the orchestrator is one.
"""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.harness.counting import Sample
from benchmarks.harness.processes import BenchmarkError, end_of_log, environment, open_log
from benchmarks.harness.rounds import Case

Piece = Literal["all", "call", "commits", "function"]


@dataclass(frozen=True, slots=True)
class Floor:
    """A floor that can be measured, whole or in pieces."""

    process: Process
    data: Path

    async def seconds(self, piece: Piece) -> float:
        """Do it once and return how long it took."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{piece}\n".encode())
        await self.process.stdin.drain()
        return float(await self.read())

    async def read(self) -> str:
        """Return the process's next answer. Raises: BenchmarkError with the end of its log."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if not line:
            raise BenchmarkError(f"The floor's process has ended. The end of its output:\n{end_of_log(self.data)}")
        return line.decode()

    def case(self, piece: Piece) -> Case:
        """Return the case of doing it."""
        return lambda: self.seconds(piece)


@asynccontextmanager
async def open_floor(data: Path, sample: Sample, agent_url: str) -> AsyncGenerator[Floor]:
    """Start the floor's process, which writes what the sample wrote and calls the agent at that URL."""
    arguments = [str(data), str(sample.database), sample.task_id, str(sample.commits), agent_url]
    with open_log(data) as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.harness.floor_process",
            *arguments,
            cwd=data,
            env=environment({}),
            stdin=PIPE,
            stdout=PIPE,
            stderr=errors,
        )
        try:
            floor = Floor(process, data)
            await floor.read()  # it is ready
            yield floor
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
