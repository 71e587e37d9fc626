"""Brings a database's tables to what the code expects, when a service starts."""

import asyncio
import logging
import threading
from pathlib import Path
from time import monotonic
from typing import Final

from sqlalchemy import inspect, text
from sqlalchemy.exc import SQLAlchemyError

from shared import db_trouble
from shared.db import STARTING_S, Database, DatabaseUnavailableError

logger = logging.getLogger(__name__)


class DatabaseUnusableError(DatabaseUnavailableError):
    """The database answers, but cannot be used before a person has done something."""

    slug = "database-unusable"
    title = "The database cannot be used"
    retryable = False


_LOOK_AGAIN_S: Final = 0.25
_MIGRATION_LOCK: Final = 4_270_001
_migrating = threading.Lock()  # Alembic keeps its state in module globals


async def migrate(database: Database, scripts: Path, version_table: str, head: str) -> None:
    """Bring the schema to `head`, the newest revision of the Alembic `scripts`. Safe from several processes.

    Raises: DatabaseUnavailableError, when the database does not answer for `STARTING_S`; DatabaseUnusableError, when it
    is not ours to use, or was migrated by a newer version.
    """
    began, is_told = monotonic(), False
    while True:
        try:
            await asyncio.to_thread(_bring_to, head, database, scripts, version_table)
        except SQLAlchemyError as error:
            if db_trouble.explain(error) is None:
                raise
            reason = db_trouble.first_line(error)
            what, remedy = "The database", "Start it, let its user make tables, or correct DATABASE_URL."
            if database.is_sqlite:
                what = f"The database {database.engine.url.database}"
                remedy = "Let it be written if it is one; else put a backup in its place, or move it away."
            said = f"{what} cannot be used: {reason}. {remedy}"
            if not db_trouble.passes_soon(error):
                raise DatabaseUnusableError(said) from error
            if monotonic() - began > STARTING_S:
                raise DatabaseUnavailableError(said) from error
            if not is_told:
                logger.warning("the service waits for its database", extra={"reason": reason})
            is_told = True
            await asyncio.sleep(_LOOK_AGAIN_S)
        else:
            return


def describe_newer(version_table: str, revision: str | None, head: str) -> str:
    """Return what is wrong with a database that is beyond `head`, and what to do."""
    return (
        f"A newer version of Agent Federation migrated this database: {version_table} is {revision}, and this "
        f"version knows nothing after {head}. Start the newer version, or restore a backup from before it."
    )


def _bring_to(head: str, database: Database, scripts: Path, version_table: str) -> None:
    """Do it, or fail. Alembic is imported only where it is needed: a service that is up to date does not carry it."""
    if (revision := _find_revision(database, version_table)) != head:
        with _migrating:
            _upgrade(database, scripts, version_table, head, revision)


def _find_revision(database: Database, version_table: str) -> str | None:
    with database.engine.connect() as connection:
        if not inspect(connection).has_table(version_table):
            return None
        query = text(f"SELECT version_num FROM {version_table}")  # noqa: S608 - a name in our code
        return connection.execute(query).scalar_one_or_none()


def _upgrade(database: Database, scripts: Path, version_table: str, head: str, revision: str | None) -> None:
    from alembic import command  # noqa: PLC0415 - 10 MB that only a migration needs
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))  # it is read with interpolation
    config.attributes["version_table"] = version_table
    with database.engine.connect() as connection, connection.execution_options(changes=True).begin():
        if not database.is_sqlite:
            connection.execute(text("SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, head)
        except CommandError as error:
            raise DatabaseUnusableError(describe_newer(version_table, revision, head)) from error
