"""Begins page tests at their times. Every orchestrator may do it: a run's id is made of its time, so it begins once."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from orchestrator_service import page_tests
from orchestrator_service.tasks import NewTask, QueueFullError
from shared.auth import Caller
from shared.background import background, foreseen
from shared.db import Database, DatabaseUnavailableError, now
from shared.errors import FederationError

logger = logging.getLogger(__name__)

_LONGEST_PAUSE_S: Final = 30.0
_SHORTEST_PAUSE_S: Final = 0.2


class Schedules:
    """Looks which tests are due, and submits them. `submit` stores a task and starts it."""

    def __init__(self, database: Database, submit: Callable[[Caller, NewTask], Awaitable[object]]) -> None:
        self._database = database
        self._submit = submit
        self._woken = asyncio.Event()

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Begin tests until closed."""
        async with background("page tests at their times", self._work()):
            yield

    def wake(self) -> None:
        """Look at once: a time was changed."""
        self._woken.set()

    async def _work(self) -> None:
        while True:
            self._woken.clear()
            try:
                for test in await self._database.read(page_tests.due):
                    await self._begin(test)
                following = await self._database.read(page_tests.next_due)
            except (DatabaseUnavailableError, QueueFullError) as error:
                logger.warning("page tests wait", extra={"reason": error.detail})
                pause_s = _LONGEST_PAUSE_S
            else:
                wait_s = _LONGEST_PAUSE_S if following is None else (following - now()).total_seconds()
                pause_s = min(_LONGEST_PAUSE_S, max(_SHORTEST_PAUSE_S, wait_s))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._woken.wait()

    async def _begin(self, test: page_tests.Due) -> None:
        """Submit it, and only then move on: a death between the two begins the same task again, which is known."""
        if test.is_running:
            logger.warning("a page test was left out: its last run goes on", extra={"test": test.test_id})
        else:
            try:
                with foreseen(f"page test {test.test_id}"):
                    task = page_tests.to_task(test.test_id, test.request, scheduled_at=test.at)
                    await self._submit(Caller(test.tenant_id), task)
            except (DatabaseUnavailableError, QueueFullError):
                raise
            except FederationError as error:
                logger.warning("a page test could not be begun", extra={"test": test.test_id, "reason": error.detail})
        await self._database.write(page_tests.move_on, test)
