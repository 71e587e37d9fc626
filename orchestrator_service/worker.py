"""A worker without an API: runs tasks that others accepted. Any number may work on one PostgreSQL database."""

import asyncio
import logging
import signal
import sys
from contextlib import suppress

import uvloop

from orchestrator_service.core import open_core
from orchestrator_service.settings import Settings
from shared import configuration, db_examination, garbage, telemetry
from shared.errors import FederationError

logger = logging.getLogger(__name__)


class NeedsPostgresError(FederationError):
    """Workers share a database, and SQLite's belongs to one process."""

    slug = "needs-postgresql"
    title = "A worker needs PostgreSQL"
    status = 409


def check(settings: Settings) -> None:
    """See that the database answers, and is one that several processes share.

    Raises: NeedsPostgresError, InvalidSettingError, DatabaseUnavailableError.
    """
    if db_examination.find_backend(settings) == "sqlite":
        raise NeedsPostgresError(
            "`federation worker` adds workers to one PostgreSQL database. Set DATABASE_URL=postgresql://...; "
            "on SQLite the orchestrator works alone."
        )
    db_examination.examine(settings)


async def work(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; steps under way get DRAIN_TIMEOUT_S, the rest is handed over.

    Told to stop before it is up, it is cancelled.
    """
    starting, stopping = asyncio.current_task(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        stopping.set()
        if starting is not None:
            starting.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    async with open_core(settings) as core, core.working():
        starting = None
        garbage.leave_alone_what_stays()
        logger.info("worker is up")
        await stopping.wait()
        logger.info("worker is stopping: it hands over what is not done")


def main() -> None:
    """Work until told to stop. A foreseen failure ends it with a line, and a code as `FederationError.exit_code`."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as long as nothing is started there is nothing to stop
    try:
        settings = configuration.read(Settings)
        telemetry.configure(settings, "orchestrator")
        check(settings)
        with suppress(asyncio.CancelledError):
            uvloop.run(work(settings))
    except FederationError as error:
        sys.stderr.write(f"{error.detail}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
