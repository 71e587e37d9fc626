"""The most memory that a process takes while something happens."""

import asyncio
from types import TracebackType
from typing import Final, Self

from benchmarks.harness import machine

_PAUSE_S: Final = 0.25


class Peak:
    """Reads a process's PSS again and again, inside `async with`; `most_mb` is the most that was seen."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.most_mb = machine.memory_mb(pid)[0]

    async def __aenter__(self) -> Self:
        self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._looking.cancel()
        await asyncio.gather(self._looking, return_exceptions=True)
        if error is None:
            self._see()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_PAUSE_S)
            self._see()

    def _see(self) -> None:
        self.most_mb = max(self.most_mb, machine.memory_mb(self._pid)[0])
