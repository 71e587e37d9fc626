"""Does the floor's work when told to: each line of standard input names a piece, each answer is its seconds.

    python -m benchmarks.harness.floor_process FOLDER SAMPLE_DATABASE SAMPLE_TASK COMMITS AGENT_URL

Pieces: "call" is one A2A call by plain httpx on a connection that is kept open; "commits" the transactions of a
one-step task; "function" DBOS's durable function with three recorded steps that do nothing; "all" that function with
the transactions and the call done inside its steps, where the orchestrator does them.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import TypeAlias
from uuid import uuid4

import httpx
import uvloop
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID, WorkflowHandleAsync

from benchmarks.harness.calls import call_agent
from benchmarks.harness.sample_writes import SampleWrites
from shared.db import open_engine

Rest: TypeAlias = Callable[[], Awaitable[object]]
"""What is to be awaited once the time has been taken: the library's own last write."""


class Work:
    """The floor's pieces."""

    def __init__(self, writes: SampleWrites, client: httpx.AsyncClient, agent: str) -> None:
        self._writes = writes
        self._client = client
        self._agent = agent
        self._thread = ThreadPoolExecutor(1)
        self._done: dict[str, asyncio.Event] = {}

        async def full(task_id: str) -> None:
            await self._run(task_id)

        async def bare(task_id: str) -> None:
            await self._run_bare(task_id)

        self._full = DBOS.workflow(name="full")(full)
        self._bare = DBOS.workflow(name="bare")(bare)

    async def call(self) -> None:
        """Call the agent once."""
        await call_agent(self._client, self._agent, "hello")

    async def commits(self) -> None:
        """Do every transaction of a task, each in a thread, for an event loop must not wait for the disk."""
        task_id = self._writes.new_task()
        for number in range(self._writes.count):
            await self._write(number, task_id)

    async def function(self) -> Rest:
        """Run the durable function whose steps do nothing."""
        return await self._start(str(uuid4()), self._bare)

    async def all(self) -> Rest:
        """Submit, then run the durable function with everything in it."""
        task_id = self._writes.new_task()
        await self._write(0, task_id)
        return await self._start(task_id, self._full)

    async def _start(self, task_id: str, function: Callable[[str], Coroutine[object, object, None]]) -> Rest:
        done = self._done[task_id] = asyncio.Event()
        with SetWorkflowID(task_id):
            handle: WorkflowHandleAsync[None] = await DBOS.start_workflow_async(function, task_id)
        await done.wait()
        del self._done[task_id]
        return lambda: handle.get_result(polling_interval_sec=0.005)

    async def _run(self, task_id: str) -> None:
        begin, last = self._writes.before_call, self._writes.count - 1

        async def load() -> str:
            for number in range(1, begin):
                await self._write(number, task_id)
            return "loaded"

        async def perform() -> str:
            await self._write(begin, task_id)
            await self.call()
            for number in range(begin + 1, last):
                await self._write(number, task_id)
            return "performed"

        async def settle() -> str:
            await self._write(last, task_id)
            self._done[task_id].set()  # who waits for a task is told by its last event, not by the library
            return "settled"

        await _three_steps(load, perform, settle)

    async def _run_bare(self, task_id: str) -> None:
        async def nothing() -> str:
            return "nothing"

        await _three_steps(nothing, nothing, nothing)
        self._done[task_id].set()

    async def _write(self, number: int, task_id: str) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._writes.write, number, task_id)


async def main() -> None:
    """Answer until standard input ends."""
    folder, sample, task_id, commits, agent = sys.argv[1:]
    target = Path(folder) / "floor.db"
    writes = SampleWrites(target, Path(sample), task_id, int(commits))
    async with configured(target), httpx.AsyncClient(trust_env=False) as client:
        work = Work(writes, client, agent)
        DBOS.launch()
        _answer("ready")
        while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
            piece: Callable[[], Awaitable[Rest | None]] = {
                "all": work.all,
                "call": work.call,
                "commits": work.commits,
                "function": work.function,
            }[line]
            began = perf_counter()
            rest = await piece()
            seconds = perf_counter() - began
            if rest is not None:
                await rest()
            _answer(f"{seconds:.9f}")


@asynccontextmanager
async def configured(target: Path) -> AsyncGenerator[None]:
    """Configure DBOS on the SQLite file `target` as the orchestrator does."""
    url = f"sqlite:///{target}"
    DBOS(
        config=DBOSConfig(
            name="floor",
            system_database_url=url,
            system_database_engine=open_engine(url, pool_size=2, durable=False, driver_begins=True),
            executor_id="local",
            application_version="floor-1",
            serializer=DBOSPortableJSONSerializer(),
            max_executor_threads=16,
            console_log_level="WARNING",
            log_level="WARNING",
            use_listen_notify=False,
        )
    )
    try:
        yield
    finally:
        await asyncio.to_thread(DBOS.destroy)


async def _three_steps(*bodies: Callable[[], Awaitable[str]]) -> None:
    for number, body in enumerate(bodies):
        await DBOS.run_step_async({"name": f"step {number}"}, body)


def _answer(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
