"""Work that a service does beside answering requests, owned by its lifespan."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager

from shared.errors import FederationError

logger = logging.getLogger(__name__)


@asynccontextmanager
async def background(name: str, work: Coroutine[None, None, None]) -> AsyncGenerator[None]:
    """Do `work` while this is open. If it dies of a failure that it did not foresee, so does the service.

    A service that only looks alive is worse than one that is started anew: it logs the failure and asks to be stopped.
    """
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_end_service_if_failed)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextmanager
def foreseen(what: str) -> Generator[None]:
    """Make a failure that nobody foresaw one that the caller expects; it is logged here, with its stack.

    For the part of background work that deals with one thing from outside (an agent, an address): that must not stop
    the service, and the rest of the work. Raises: FederationError.
    """
    try:
        yield
    except FederationError:
        raise
    except Exception as error:
        logger.exception("failed unexpectedly", extra={"what": what})
        raise FederationError(f"It failed unexpectedly; the log has the details under {what}.") from error


def _end_service_if_failed(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.critical("background work died; stopping the service", extra={"work": task.get_name()}, exc_info=error)
        os.kill(os.getpid(), signal.SIGTERM)
