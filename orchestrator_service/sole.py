"""Makes sure that one orchestrator works on a database: two would take each other's tasks for abandoned ones."""

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import text

from orchestrator_service.settings import Settings
from shared.db import Database
from shared.errors import FederationError

_LOCK: Final = 4_270_002


class AlreadyRunningError(FederationError):
    """Another orchestrator works on this database."""

    slug = "already-running"
    title = "Another orchestrator is running"
    status = 503


@asynccontextmanager
async def sole_owner(settings: Settings, database: Database) -> AsyncGenerator[None]:
    """Hold the database's lock while open; it is let go when the process dies. Raises: AlreadyRunningError."""
    if database.is_sqlite:
        path = settings.data_dir.resolve() / "orchestrator.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise AlreadyRunningError(
                    f"Another orchestrator works in {path.parent}. Stop it, or set another DATA_DIR."
                ) from error
            yield
        finally:
            os.close(handle)
        return
    connection = await asyncio.to_thread(database.engine.connect)
    try:
        held = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}).scalar_one()
        connection.commit()
        if not held:
            raise AlreadyRunningError(
                "Another orchestrator works on this PostgreSQL database (DATABASE_URL). Stop it first."
            )
        yield
    finally:
        connection.invalidate()
        connection.close()
