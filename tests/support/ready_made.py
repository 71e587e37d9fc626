"""Databases whose tables are there already: to make them for each test anew took a fifth of all its time.

That the migrations make them is tested where a database begins empty: tests/shared, and every first start.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from orchestrator_service import core
from shared import agent_server
from shared.db import Database, open_engine
from tests.support.postgres import lasting_database, new_database

_FOLDER = tempfile.TemporaryDirectory(prefix="federation-ready-made-")


def put_orchestrators(folder: Path) -> Path:
    """Put the orchestrator's SQLite database into its data folder, if it has none; return its path."""
    return _put(_sqlite("orchestrator"), folder)


def put_agents(folder: Path, service: str) -> None:
    """Put an agent's SQLite database into its data folder, if it has none."""
    _put(_sqlite(f"a2a-{service}"), folder)


@contextmanager
def on_postgres() -> Generator[str]:
    """Yield the URL of a PostgreSQL database with the tables of the orchestrator and of agents, dropped at the end."""
    with new_database(like=_postgres()) as url:
        yield url


@cache
def _sqlite(name: str) -> Path:
    made = Path(_FOLDER.name) / f"{name}.db"
    _make(f"sqlite:///{made}", core.make_tables if name == "orchestrator" else agent_server.make_tables)
    return made


@cache
def _postgres() -> str:
    name, url = lasting_database()
    _make(url.replace("postgresql://", "postgresql+psycopg://"), core.make_tables, agent_server.make_tables)
    return name


def _put(made: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    there = folder / made.name
    if not there.exists():
        shutil.copy(made, there)
    return there


def _make(url: str, *make_tables: Callable[[Database], Coroutine[None, None, None]]) -> None:
    engine = open_engine(url)
    try:
        with ThreadPoolExecutor(1) as thread:  # here, a loop may run already
            for each in make_tables:
                thread.submit(asyncio.run, each(Database(engine))).result()
    finally:
        engine.dispose()
