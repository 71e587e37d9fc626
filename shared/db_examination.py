"""The database that the services would use: whether it can be, before any of them starts."""

import sqlite3

from sqlalchemy import make_url, text
from sqlalchemy.exc import SQLAlchemyError

from shared.db import DatabaseUnavailableError, database_url, open_engine
from shared.db_trouble import first_line
from shared.errors import InvalidSettingError
from shared.settings import FederationSettings


def examine(settings: FederationSettings) -> str:
    """Return which database there is, once it answers. Raises: InvalidSettingError, DatabaseUnavailableError."""
    if settings.database_url is None:
        return f"SQLite {sqlite3.sqlite_version} in {settings.data_dir.resolve()}"
    backend = _backend(settings.database_url.get_secret_value())
    engine = open_engine(database_url(settings, "orchestrator"), pool_size=1)
    query = "SELECT 'SQLite ' || sqlite_version()" if backend == "sqlite" else "SELECT version()"
    try:
        with engine.connect() as connection:
            said = str(connection.execute(text(query)).scalar_one())
    except SQLAlchemyError as error:
        remedy = "Start PostgreSQL, or correct it" if backend == "postgresql" else "Name a file that can be written"
        raise DatabaseUnavailableError(f"DATABASE_URL cannot be used: {first_line(error)}. {remedy}.") from error
    finally:
        engine.dispose()
    return " ".join(said.split()[:2])


def find_backend(settings: FederationSettings) -> str:
    """Return sqlite or postgresql, whichever the settings name. Raises: InvalidSettingError."""
    return "sqlite" if settings.database_url is None else _backend(settings.database_url.get_secret_value())


def _backend(url: str) -> str:
    right = "Write postgresql://USER:PASSWORD@HOST/NAME or sqlite:///FILE, or leave it out for SQLite in DATA_DIR."
    try:
        parts = make_url(url)
    except (SQLAlchemyError, ValueError):  # ValueError: the port is no number
        raise InvalidSettingError(f"DATABASE_URL is no address of a database. {right}") from None
    backend = parts.get_backend_name()
    if backend != "postgresql" and parts.drivername != "sqlite":
        raise InvalidSettingError(
            f"DATABASE_URL names {parts.drivername}, but it can be sqlite or postgresql only. {right}"
        )
    if backend == "sqlite" and parts.database in {None, "", ":memory:"}:
        raise InvalidSettingError(f"DATABASE_URL names no file that the services could share. {right}")
    return backend
