"""A process of its own that does one thing for each line of its standard input and answers a line when it is done."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.processes import BenchmarkError, end_of_log, environment, open_log


@dataclass(frozen=True, slots=True)
class Asked:
    """A running process that can be asked."""

    process: Process
    data: Path

    async def ask(self, line: str) -> str:
        """Give it a line and return its answer. Raises: BenchmarkError with the end of its log, if it has ended."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        await self.process.stdin.drain()
        return await self.read()

    async def read(self) -> str:
        """Return its next answer. Raises: as `ask`."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if not line:
            raise BenchmarkError(f"A process has ended. The end of its output:\n{end_of_log(self.data)}")
        return line.decode()


@asynccontextmanager
async def open_asked(module: str, arguments: Sequence[str], data: Path) -> AsyncGenerator[Asked]:
    """Run `python -m module` in `data`, and yield it when it has said a first line: that it is ready."""
    with open_log(data) as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            cwd=data,
            env=environment({}),
            stdin=PIPE,
            stdout=PIPE,
            stderr=errors,
        )
        try:
            asked = Asked(process, data)
            await asked.read()
            yield asked
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
