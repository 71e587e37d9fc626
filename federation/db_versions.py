"""Whether the tables that are there were left by a newer version: asked before any service opens them."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

import a2a_agent_service
import orchestrator_service
import shared
from shared.db import database_url, open_engine
from shared.db_migration import DatabaseUnusableError, describe_newer
from shared.db_trouble import first_line
from shared.settings import FederationSettings

_SCRIPTS: Final = {
    "federation_version": (orchestrator_service, "migrations"),
    "a2a_version": (shared, "migrations/a2a"),
    "models_version": (shared, "migrations/models"),
    "research_version": (a2a_agent_service, "migrations"),
}


def check(settings: FederationSettings) -> None:
    """See that this version can use every database that is there. Changes nothing. Raises: DatabaseUnusableError."""
    for name, engine in _engines(settings):
        try:
            with engine.connect() as connection:
                for table in _SCRIPTS.keys() & set(inspect(connection).get_table_names()):
                    query = text(f"SELECT version_num FROM {table}")  # noqa: S608 - a name in our code
                    revision = connection.execute(query).scalar_one_or_none()
                    if revision is not None and revision > (head := _find_head(table)):
                        raise DatabaseUnusableError(f"{name}: {describe_newer(table, revision, head)}")
        except SQLAlchemyError as error:
            said = f"{name} cannot be read: {first_line(error)}. Restore it from a backup, or correct DATABASE_URL."
            raise DatabaseUnusableError(said) from error
        finally:
            engine.dispose()


def _engines(settings: FederationSettings) -> Iterator[tuple[str, Engine]]:
    if settings.database_url is not None:
        yield "DATABASE_URL", open_engine(database_url(settings, "orchestrator"), pool_size=1)
        return
    for path in sorted(settings.data_dir.resolve().glob("*.db")):
        yield str(path), create_engine("sqlite://", creator=lambda path=path: _open(path))


def _open(path: Path) -> sqlite3.Connection:
    """Open a file and leave none beside it, as SQLite does that reads a database whose last user has closed it."""
    is_open = Path(f"{path}-wal").exists()
    return sqlite3.connect(f"{path.as_uri()}?{'mode=ro' if is_open else 'immutable=1'}", uri=True)


def _find_head(table: str) -> str:
    package, folder = _SCRIPTS[table]
    [root] = package.__path__
    return max(script.name.partition("_")[0] for script in (Path(root) / folder / "versions").glob("[0-9]*.py"))
