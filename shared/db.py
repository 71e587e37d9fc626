"""The database: SQLite on one machine, PostgreSQL for many; one way to read, one way to write.

Query functions are plain: they take a `Connection` first and live in their noun's module. `Database.write` runs one in
a transaction of its own and commits it, `Database.read` runs one that changes nothing; both in the database's own
threads, one hop for the whole transaction, so that an event loop never waits for a statement.
"""

import asyncio
import random
import sqlite3
import threading
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Concatenate, Final, ParamSpec, TypeVar, cast

import orjson
import uuid_utils
from sqlalchemy import (
    JSON,
    Connection,
    DateTime,
    Dialect,
    Engine,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator

from shared.errors import InvalidRequestError, UnavailableError
from shared.settings import FederationSettings

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE_S: Final = 20.0
"""How long a transaction is tried again while the database is locked or away, in seconds."""

_MAX_TOGETHER: Final = 64
_MIGRATION_LOCK: Final = 4_270_001
_migrating = threading.Lock()  # Alembic keeps its state in module globals


class DatabaseUnavailableError(UnavailableError):
    """The database could not be reached, or stayed locked; nothing of the request was stored."""

    slug = "database-unavailable"
    title = "The database is not available"


JSON_COLUMN: Final = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""Column type for JSON; None is SQL's NULL."""


class UtcTime(TypeDecorator[datetime]):
    """A point in time: aware and in UTC on both databases (SQLite alone would give naive times back)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC; a naive time is a mistake of ours."""
        del dialect
        if value is not None and value.tzinfo is None:
            raise ValueError("A time without a zone cannot be stored.")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give an aware time back."""
        del dialect
        return None if value is None else value.replace(tzinfo=value.tzinfo or UTC)


NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""How constraints and indexes are named, so that migrations can speak of them."""


class Database:
    """An open database. Both methods raise DatabaseUnavailableError when it stays away.

    On SQLite one thread writes, and what waits for it is written in one transaction: the disk is waited for once. Each
    piece of work stands on a savepoint of its own, so that one that fails undoes nothing but itself.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.url = engine.url.render_as_string(hide_password=False)
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._writers = ThreadPoolExecutor(1 if self.is_sqlite else 16, "db-write")
        self._readers = ThreadPoolExecutor(2, "db-read") if self.is_sqlite else self._writers
        self._waiting: deque[_Waiting] = deque()

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(connection, ...)` in one transaction and commit it.

        While the database is locked or away it is tried again, from the start, for `PATIENCE_S`: `work` may run more
        than once, so it must decide by what it reads and touch nothing but the connection.
        """

        def bound(connection: Connection) -> T:
            return work(connection, *args, **kwargs)

        if not self.is_sqlite:
            return await self._patiently(lambda: self._run(self._writers, bound, changes=True))
        return await self._patiently(lambda: self._queue(bound))

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(connection, ...)`, which only reads, on one consistent state."""

        def bound(connection: Connection) -> T:
            return work(connection, *args, **kwargs)

        return await self._patiently(lambda: self._run(self._readers, bound, changes=False))

    async def close(self) -> None:
        """Let running transactions end, then close every connection."""
        await asyncio.to_thread(self._writers.shutdown)
        await asyncio.to_thread(self._readers.shutdown)
        self.engine.dispose()

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[[Connection], T], *, changes: bool) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, self._transaction, work, changes)

    async def _queue(self, work: Callable[[Connection], T]) -> T:
        """Hand work to the one thread that writes; it takes all that waits at once."""
        ended: Future[T] = Future()
        self._waiting.append(_Waiting(work, cast("Future[object]", ended)))
        self._writers.submit(self._write_what_waits)
        return await asyncio.wrap_future(ended)

    def _write_what_waits(self) -> None:
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < _MAX_TOGETHER:
            waiting = self._waiting.popleft()
            if waiting.ended.set_running_or_notify_cancel():
                batch.append(waiting)
        if not batch:
            return
        try:
            results = self._transaction(lambda connection: _do_all(connection, batch), True)
        except BaseException as error:  # noqa: BLE001 - whoever waits for the work gets it
            results = [(None, error) for _ in batch]
        for waiting, (result, error) in zip(batch, results, strict=True):
            if error is None:
                waiting.ended.set_result(result)
            else:
                waiting.ended.set_exception(error)

    def _transaction(self, work: Callable[[Connection], T], changes: bool) -> T:
        with self.engine.connect() as connection:
            connection.execution_options(changes=changes)
            with connection.begin():
                return work(connection)

    async def _patiently(self, run: Callable[[], Awaitable[T]]) -> T:
        deadline = monotonic() + PATIENCE_S
        pause_s = 0.05
        while True:
            try:
                return await run()
            except DataError as error:
                raise InvalidRequestError(
                    "A text holds a character that cannot be stored, such as NUL; leave it out."
                ) from error
            except (DBAPIError, PoolTimeoutError) as error:
                if not _is_passing(error):
                    raise
                if monotonic() + pause_s > deadline:
                    raise DatabaseUnavailableError(
                        f"The database has not answered for {PATIENCE_S:.0f} s. Nothing was stored; try again."
                    ) from error
            await asyncio.sleep(random.uniform(pause_s / 2, pause_s))
            pause_s = min(pause_s * 2, 1.0)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Work that waits for the thread that writes, and the future of its result."""

    work: Callable[[Connection], object]
    ended: Future[object]


def _do_all(connection: Connection, batch: Sequence[_Waiting]) -> list[tuple[object, BaseException | None]]:
    if len(batch) == 1:
        return [(batch[0].work(connection), None)]
    results: list[tuple[object, BaseException | None]] = []
    for waiting in batch:
        try:
            with connection.begin_nested():
                results.append((waiting.work(connection), None))
        except Exception as error:  # noqa: BLE001 - whoever waits for the work gets it
            results.append((None, error))
    return results


@asynccontextmanager
async def open_database(url: str) -> AsyncGenerator[Database]:
    """Open the database at a SQLAlchemy URL (see `database_url`) and close it at the end."""
    database = Database(open_engine(url))
    try:
        yield database
    finally:
        await database.close()


def database_url(settings: FederationSettings, name: str) -> str:
    """Return the SQLAlchemy URL: `DATABASE_URL`, else the SQLite file `name`.db in `DATA_DIR` (the folder is made)."""
    if settings.database_url is not None:
        url = make_url(settings.database_url.get_secret_value())
        if url.get_backend_name() == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        return url.render_as_string(hide_password=False)
    folder = settings.data_dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / name}.db"


def open_engine(url: str, *, pool_size: int | None = None, durable: bool = True, driver_begins: bool = False) -> Engine:
    """Return an engine, tuned: on SQLite WAL, foreign keys and a busy timeout.

    `durable`: on SQLite a commit survives a power cut (`synchronous=FULL`); without it, only a crash of the process.
    `driver_begins`: on SQLite the driver begins transactions, before the first change, as other libraries expect it.
    """
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(
            url,
            pool_size=pool_size or 16,
            max_overflow=0,
            pool_timeout=10,
            connect_args={"connect_timeout": 5},
            json_serializer=_to_json,
            json_deserializer=orjson.loads,
        )
    engine = create_engine(
        url,
        pool_size=pool_size or 3,
        max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": 5.0},
        json_serializer=_to_json,
        json_deserializer=orjson.loads,
    )

    @event.listens_for(engine, "connect")
    def _tune(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        assert isinstance(connection, sqlite3.Connection)  # noqa: S101 - narrows the driver's type
        connection.isolation_level = "IMMEDIATE" if driver_begins else None
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={'FULL' if durable else 'NORMAL'}",
            "foreign_keys=ON",
            "busy_timeout=5000",
            "cache_size=-8000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    if driver_begins:
        return engine

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        changes = connection.get_execution_options().get("changes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if changes else "BEGIN")

    return engine


def migrate(database: Database, scripts: Path, version_table: str, head: str) -> None:
    """Bring the schema to `head`, the newest revision of the Alembic `scripts`. Blocks; safe from several processes.

    Alembic is imported only when there is something to do: a service that is up to date does not carry it.
    """
    if not _is_at(database, version_table, head):
        with _migrating:
            _upgrade(database, scripts, version_table, head)


def now() -> datetime:
    """Return the present time, aware and in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return a new UUIDv7 as text: ids made later sort later."""
    return str(uuid_utils.uuid7())


def _is_at(database: Database, version_table: str, head: str) -> bool:
    with database.engine.connect() as connection:
        if not inspect(connection).has_table(version_table):
            return False
        query = text(f"SELECT version_num FROM {version_table}")  # noqa: S608 - a name in our code
        return connection.execute(query).scalar_one_or_none() == head


def _upgrade(database: Database, scripts: Path, version_table: str, head: str) -> None:
    from alembic import command  # noqa: PLC0415 - 10 MB that only a migration needs
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.attributes["version_table"] = version_table
    with database.engine.connect() as connection, connection.execution_options(changes=True).begin():
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, head)


def _to_json(value: object) -> str:
    return orjson.dumps(value).decode()


def _is_passing(error: DBAPIError | PoolTimeoutError) -> bool:
    match error:
        case PoolTimeoutError():
            return True
        case OperationalError() | InterfaceError():
            return error.connection_invalidated or _is_locked(error) or _is_away(error)
        case _:
            return error.connection_invalidated


def _is_locked(error: DBAPIError) -> bool:
    return isinstance(error.orig, sqlite3.OperationalError) and "locked" in str(error.orig)


def _is_away(error: DBAPIError) -> bool:
    """PostgreSQL: no connection, a server that starts or stops (08, 53, 57P), or a lost race for locks (40)."""
    state: str | None = getattr(error.orig, "sqlstate", None)
    return not isinstance(error.orig, sqlite3.Error) and (
        state is None or state[:2] in {"08", "40", "53"} or state.startswith("57P")
    )
