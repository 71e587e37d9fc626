"""Starts runs: hands queued tasks to the durable-execution library, and takes them up again after a crash.

A task's row is its place in the queue, written in the commit that accepts the task. The process that accepted it starts
its run at once; a sweep finds what was left: tasks beyond the limit, and those of a process that died in between. The
run's id (`TASK#N`) is unique in the library's table, so that a run that is started twice runs once.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final, Never

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from dbos import error as dbos_errors
from dbos._serialization import DefaultSerializer
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from orchestrator_service.engine.execute import Runner, run_id_of
from orchestrator_service.engine.perform import Performer
from orchestrator_service.models import Task
from orchestrator_service.settings import Settings
from shared.background import background
from shared.db import Database, DatabaseUnavailableError, open_engine
from shared.errors import InvalidRequestError

logger = logging.getLogger(__name__)

_VERSION: Final = "engine-1"
"""Raised only when the order of steps in the durable function changes."""

_SWEEP_S: Final = 1.0


class Engine:
    """Runs tasks in this process. Open one per process: the library is a singleton."""

    def __init__(self, settings: Settings, database: Database, runner: Runner, performer: Performer) -> None:
        self._settings = settings
        self._database = database
        self._runner = runner
        self._performer = performer
        self._starting: set[str] = set()

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Launch the library on our database, take up what was left, and run tasks until closed."""
        runner = self._runner

        async def run_task(task_id: str, run: int) -> None:
            await runner.run(task_id, run)

        url = self._database.url
        is_sqlite = self._database.is_sqlite
        DBOS(
            config=DBOSConfig(
                name="agent-federation",
                system_database_url=url,
                system_database_engine=open_engine(
                    url, pool_size=2 if is_sqlite else 20, durable=False, driver_begins=True
                ),
                executor_id="local",
                application_version=_VERSION,
                serializer=DBOSPortableJSONSerializer(),
                max_executor_threads=16,
                console_log_level="WARNING",
                log_level="WARNING",
                use_listen_notify=False,
            )
        )
        self._run_task = DBOS.workflow(name="run_task")(run_task)
        _refuse_pickle()
        DBOS.launch()  # on this thread: the library runs our coroutines on the loop it is launched from
        try:
            async with background("sweep of queued tasks", self._sweep()):
                yield
        finally:
            await self._stop()

    async def start(self, task_id: str, run: int) -> None:
        """Start a run that was just queued; if there is no room for it, it keeps its place and is started later."""
        if len(self._runner.running) + len(self._starting) >= self._settings.max_running_tasks:
            return
        run_id = run_id_of(task_id, run)
        if run_id in self._runner.running or run_id in self._starting:
            return
        self._starting.add(run_id)
        try:
            with SetWorkflowID(run_id):
                await DBOS.start_workflow_async(self._run_task, task_id, run)
        except (SQLAlchemyError, dbos_errors.DBOSException) as error:
            logger.warning(
                "a run could not be started; it stays queued", extra={"task_id": task_id, "error": str(error)}
            )
        finally:
            self._starting.discard(run_id)

    def cancel(self, task_id: str) -> None:
        """Make the task's run see that it is to end."""
        self._performer.cancel(task_id)

    async def _sweep(self) -> None:
        while True:
            room = self._settings.max_running_tasks - len(self._runner.running) - len(self._starting)
            try:
                found = await self._database.read(_queued, room) if room > 0 else []
            except DatabaseUnavailableError:
                logger.warning("queued tasks wait: the database is away")
                found = []
            for task_id, run in found:
                await self.start(task_id, run)
            await asyncio.sleep(_SWEEP_S)

    async def _stop(self) -> None:
        """Let go of the runs under way: they stay recorded as running, and the next process takes them up."""
        runs = list(self._runner.running.values())
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as closing:  # the loop's default executor is the library's own, and goes with it
            await loop.run_in_executor(closing, lambda: DBOS.destroy(destroy_registry=True))
        loop.set_default_executor(ThreadPoolExecutor())


def _queued(connection: Connection, limit: int) -> list[tuple[str, int]]:
    """Return tasks that want a worker: higher priority first, then the oldest."""
    query = (
        select(Task.id, Task.run).where(Task.run_state == "queued").order_by(Task.priority.desc(), Task.id).limit(limit)
    )
    return [(row.id, row.run) for row in connection.execute(query)]


def _refuse_pickle() -> None:
    """Switch off the library's default serializer: a row that claims to be pickled would be unpickled, and so run."""

    def refuse(_self: object, _data: object) -> Never:
        raise InvalidRequestError("A stored value is pickled; only JSON is read.")

    for name in ("serialize", "deserialize"):
        setattr(DefaultSerializer, name, refuse)
