"""Runs DBOS's durable functions when told to: each line of standard input is "COUNT AT_ONCE", each answer JSON.

    python -m benchmarks.harness.peer_process FOLDER [POSTGRESQL_URL]

The function is a chain of three steps as a durable-execution library does it: five recorded steps (plan, the three,
the end), whose bodies do nothing and whose inputs and outputs are about as large as a short task's. It is configured as
DBOS's engine suits it best, as measured for this project: on SQLite its own tuned engine with `synchronous=NORMAL`, on
PostgreSQL a pool of 20 with `synchronous_commit=off`; JSON; no schedules, no NOTIFY.
"""

import asyncio
import sqlite3
import sys
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import orjson
import uvloop
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID, WorkflowHandleAsync
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from shared.agent import JsonObject

_SAID: Final = "step 3 after step 2 after step 1"
_REST_S: Final = 0.3


@dataclass(frozen=True, slots=True)
class Spent:
    """How many functions ran, how long they took together, and the CPU time of the process, in seconds."""

    count: int
    took_s: float
    cpu_s: float


async def main() -> None:
    """Run functions until standard input ends."""
    target, *urls = sys.argv[1:]
    async with configured(Path(target) / "peer.db", *urls):
        run_task = DBOS.workflow(name="run_task")(_run_task)
        DBOS.launch()
        _answer(Spent(0, 0, 0))
        while line := await asyncio.to_thread(sys.stdin.readline):
            count, at_once = map(int, line.split())
            _answer(await _run_all(run_task, count, at_once))


@asynccontextmanager
async def configured(file: Path, url: str | None = None) -> AsyncGenerator[None]:
    """Configure DBOS on PostgreSQL at `url`, else on the SQLite `file`."""
    url = (
        f"sqlite:///{file}"
        if url is None
        else make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    )
    DBOS(
        config=DBOSConfig(
            name="peer",
            system_database_url=url,
            system_database_engine=_engine(url),
            executor_id="local",
            application_version="peer-1",
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


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_size=20, max_overflow=0, connect_args={"options": "-c synchronous_commit=off"})
    engine = create_engine(url, pool_size=2, max_overflow=0, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def tune(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:  # pyright: ignore[reportUnusedFunction]
        assert isinstance(connection, sqlite3.Connection)
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000", "cache_size=-8000"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


async def _run_task(task_id: str) -> None:
    async def plan() -> JsonObject:
        return {"task": task_id, "steps": [{"id": f"s{n}", "instruction": _SAID} for n in (1, 2, 3)]}

    async def perform() -> JsonObject:
        return {"state": "completed", "output": _SAID}

    await DBOS.run_step_async({"name": "plan"}, plan)
    for number in (1, 2, 3):
        await DBOS.run_step_async({"name": f"step {number}"}, perform)
    await DBOS.run_step_async({"name": "end"}, perform)


async def _run_all(run_task: Callable[[str], Coroutine[object, object, None]], count: int, at_once: int) -> Spent:
    left = iter(range(count))

    async def repeat() -> None:
        for _ in left:
            task_id = str(uuid4())
            with SetWorkflowID(task_id):
                handle: WorkflowHandleAsync[None] = await DBOS.start_workflow_async(run_task, task_id)
            await handle.get_result()

    cpu, began = time.process_time(), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(repeat())
    took_s = time.perf_counter() - began
    await asyncio.sleep(_REST_S)
    return Spent(count, took_s, time.process_time() - cpu)


def _answer(spent: Spent) -> None:
    sys.stdout.write(orjson.dumps(spent).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
