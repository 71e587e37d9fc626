"""The floor under a task: what the disk and one HTTP call cost without us.

Used from a benchmark as `async with open_floor(...) as floor: await floor.seconds("all")`; the work is done, and timed,
in a process of its own (`floor_process`), as the orchestrator is one.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.harness.asked import Asked, open_asked
from benchmarks.harness.counting import Sample
from benchmarks.harness.rounds import Case

Piece = Literal["all", "call", "commits"]


@dataclass(frozen=True, slots=True)
class Floor:
    """A floor that can be measured, whole or in pieces."""

    process: Asked

    async def seconds(self, piece: Piece) -> float:
        """Do it once and return how long it took."""
        return float(await self.process.ask(piece))

    def case(self, piece: Piece) -> Case:
        """Return the case of doing it."""
        return lambda: self.seconds(piece)


@asynccontextmanager
async def open_floor(data: Path, sample: Sample, agent_url: str) -> AsyncGenerator[Floor]:
    """Start the floor's process, which writes what the sample wrote and calls the agent at that URL."""
    arguments = [str(data), str(sample.database), sample.task_id, str(sample.commits), agent_url]
    async with open_asked("benchmarks.harness.floor_process", arguments, data) as process:
        yield Floor(process)
