"""Does the floor's work when told to: each line of standard input names a piece, each answer is its seconds.

    python -m benchmarks.harness.floor_process FOLDER SAMPLE_DATABASE SAMPLE_TASK COMMITS AGENT_URL

Pieces: "call" is one A2A call by plain httpx on a connection that is kept open; "commits" the transactions of a
one-step task; "all" the transactions, with the call at the place where the orchestrator makes it.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import httpx
import uvloop

from benchmarks.harness.calls import call_agent
from benchmarks.harness.sample_writes import SampleWrites


class Work:
    """The floor's pieces."""

    def __init__(self, writes: SampleWrites, client: httpx.AsyncClient, agent: str) -> None:
        self._writes = writes
        self._client = client
        self._agent = agent
        self._thread = ThreadPoolExecutor(1)

    async def call(self) -> None:
        """Call the agent once."""
        await call_agent(self._client, self._agent, "hello")

    async def commits(self) -> None:
        """Do every transaction of a task, each in a thread, for an event loop must not wait for the disk."""
        await self._write_all(call_after=None)

    async def all(self) -> None:
        """Do every transaction, and the call among them."""
        await self._write_all(call_after=self._writes.before_call)

    async def _write_all(self, call_after: int | None) -> None:
        task_id = self._writes.new_task()
        loop = asyncio.get_running_loop()
        for number in range(self._writes.count):
            await loop.run_in_executor(self._thread, self._writes.write, number, task_id)
            if number == call_after:
                await self.call()


async def main() -> None:
    """Do pieces until standard input ends."""
    target, sample, task_id, commits, agent = sys.argv[1:]
    writes = SampleWrites(Path(target) / "floor.db", Path(sample), task_id, int(commits))
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        work = Work(writes, client, agent)
        pieces: dict[str, Callable[[], Awaitable[None]]] = {
            "all": work.all,
            "call": work.call,
            "commits": work.commits,
        }
        _answer("ready")
        while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
            began = perf_counter()
            await pieces[line]()
            _answer(f"{perf_counter() - began:.9f}")


def _answer(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
