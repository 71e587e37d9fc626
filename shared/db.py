"""The database: SQLite on one machine, PostgreSQL for many; one way to read, one way to write.

Query functions are plain: they take a `Connection` first and live in their noun's module. `Database.write` runs one in
a transaction of its own and commits it, `Database.read` runs one that changes nothing; both in the database's own
threads, one hop for the whole transaction, so that an event loop never waits for a statement.
"""

import asyncio
import logging
import random
import sqlite3
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

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
    make_url,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DataError, DBAPIError, DontWrapMixin, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator

from shared import db_trouble
from shared.ahead import GoAhead, committed
from shared.errors import InvalidRequestError, UnavailableError
from shared.settings import FederationSettings
from shared.transactions import Lane

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

STARTING_S: Final = 30.0
"""How long a service that starts waits for its database, which may be starting, too."""

_RETRY_AFTER_S: Final = 2
_patience_s: ContextVar[float | None] = ContextVar("patience_s", default=2.0)
_UTC_TEXT: Final = len("2026-01-01 00:00:00.000000")


class DatabaseUnavailableError(UnavailableError):
    """The database could not be reached, or stayed locked, full or read-only."""

    slug = "database-unavailable"
    title = "The database is not available"


@contextmanager
def patience(seconds: float | None) -> Generator[None]:
    """Say how long transactions that begin in here wait for a database in trouble; None: for ever. Without it, 2 s.

    It holds for the asyncio tasks that are started in here, too.
    """
    before = _patience_s.set(seconds)
    try:
        yield
    finally:
        _patience_s.reset(before)


class UtcTime(TypeDecorator[datetime]):
    """A point in time: aware and in UTC on both databases (SQLite alone would give naive times back)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> "_Processor":
        """Return what makes a time ready for the driver."""
        return _to_utc_text if dialect.name == "sqlite" else _to_utc

    def result_processor(self, dialect: Dialect, coltype: object) -> "_Processor":
        """Return what makes an aware time of what the driver gives."""
        del coltype
        return _from_utc_text if dialect.name == "sqlite" else _aware


class _JsonText(TypeDecorator[object]):
    """JSON on SQLite, converted with nothing around it; None is SQL's NULL."""

    impl = JSON
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> "_Processor":
        """Return what makes a value ready for the driver."""
        del dialect
        return _to_json_text

    def result_processor(self, dialect: Dialect, coltype: object) -> "_Processor":
        """Return what reads a value that the driver gives."""
        del dialect, coltype
        return _from_json_text


class _Processor(Protocol):
    """What SQLAlchemy calls for each value, in either direction."""

    def __call__(self, value: Any) -> Any: ...


def _to_utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("A time without a zone cannot be stored.")
    return value.astimezone(UTC)


def _to_utc_text(value: datetime | None) -> str | None:
    """Write a time as SQLAlchemy's own type does on SQLite."""
    at = value if value is None or value.tzinfo is UTC else _to_utc(value)
    return None if at is None else at.isoformat(" ", "microseconds")[:_UTC_TEXT]


def _from_utc_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value).replace(tzinfo=UTC)


def _aware(value: datetime | None) -> datetime | None:
    return None if value is None else value.replace(tzinfo=value.tzinfo or UTC)


def _to_json_text(value: object) -> str | None:
    return None if value is None else _to_json(value)


def _from_json_text(value: object) -> object:
    return orjson.loads(value) if isinstance(value, str) else value  # SQLite makes a number of a text that is one


JSON_COLUMN: Final = (
    JSON(none_as_null=True).with_variant(_JsonText(), "sqlite").with_variant(JSONB(none_as_null=True), "postgresql")
)
"""Column type for JSON; None is SQL's NULL."""

NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""How constraints and indexes are named, so that migrations can speak of them."""


class Database:
    """An open database, used by one event loop. Both methods raise DatabaseUnavailableError when it stays away.

    On SQLite one thread writes, and what waits for it is written in one transaction: the disk is waited for once. Each
    piece of work stands on a savepoint of its own, so that one that fails undoes nothing but itself.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.url = engine.url.render_as_string(hide_password=False)
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._reads = Lane(engine, "read", threads=2 if self.is_sqlite else 4, together=16 if self.is_sqlite else 4)
        self._writes = Lane(engine, "write", threads=1 if self.is_sqlite else 12, together=64 if self.is_sqlite else 1)
        self._reads.other, self._writes.other = self._writes, self._reads
        self._in_trouble: set[Lane] = set()
        driver = engine.dialect.loaded_dbapi.Error
        self._errors = (DBAPIError, PoolTimeoutError, db_trouble.NoAnswerError, driver)

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(connection, ...)` in one transaction and commit it.

        While the database is locked, full or away it is tried again, from the start, as long as `patience` says; so it
        is, once, when another transaction wrote the same key in the same moment. `work` may run more than once: it
        must decide by what it reads, and touch nothing but the connection.
        """
        return await self._patiently(self._writes, lambda connection: work(connection, *args, **kwargs))

    async def write_ahead(self, work: Callable[[Connection], T], ahead: GoAhead[T]) -> T:
        """Do as `write`; `ahead` may be called with the result before that is committed.

        What it began is undone as soon as nothing came of that; then the work may be done again, and `ahead` called.
        """
        return await self._patiently(self._writes, work, ahead)

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(connection, ...)`, which only reads, on one consistent state."""
        return await self._patiently(self._reads, lambda connection: work(connection, *args, **kwargs))

    async def close(self) -> None:
        """Let running transactions end, then close every connection."""
        await asyncio.to_thread(self._writes.close)
        await asyncio.to_thread(self._reads.close)
        self.engine.dispose()

    async def _patiently(self, lane: Lane, work: Callable[[Connection], T], ahead: GoAhead[T] | None = None) -> T:
        await committed()
        patience_s = _patience_s.get()
        failed_at: float | None = None
        pause_s = 0.05
        may_lose_a_race = not self.is_sqlite  # there, one thread writes
        while True:
            try:
                result = await lane.run(work, patience_s, ahead)
            except DataError as error:
                raise InvalidRequestError(
                    "A text holds a character that cannot be stored, such as NUL; leave it out."
                ) from error
            except IntegrityError:
                if not may_lose_a_race:
                    raise
                may_lose_a_race = False  # the next time it sees what the other one wrote
                continue
            except self._errors as error:
                if (reason := db_trouble.explain(error)) is None:
                    raise
                self._say_in_trouble(lane, reason)
                failed_at = failed_at or monotonic()
                waited_s = monotonic() - failed_at + pause_s
                if patience_s is not None and (waited_s > patience_s or isinstance(error, db_trouble.NoAnswerError)):
                    raise DatabaseUnavailableError(reason, retry_after_s=_RETRY_AFTER_S) from error
            else:
                if lane in self._in_trouble:
                    self._in_trouble.discard(lane)
                    logger.info("the database is back")
                return result
            await asyncio.sleep(random.uniform(pause_s / 2, pause_s))
            pause_s = min(pause_s * 2, 1.0)

    def _say_in_trouble(self, lane: Lane, reason: str) -> None:
        if lane not in self._in_trouble:
            self._in_trouble.add(lane)
            logger.warning("the database is in trouble; what needs it waits", extra={"reason": reason})


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


_POSTGRESQL: Final = {
    # A process that is frozen or cut off in a transaction keeps its locks no longer than this.
    "options": "-c idle_in_transaction_session_timeout=5000 -c lock_timeout=3000",
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def open_engine(url: str, *, pool_size: int | None = None, durable: bool = True, driver_begins: bool = False) -> Engine:
    """Return an engine, tuned: on SQLite WAL, foreign keys and a busy timeout.

    `durable`: on SQLite a commit survives a power cut (`synchronous=FULL`); without it, only a crash of the process.
    `driver_begins`: on SQLite the driver begins transactions, before the first change, as other libraries expect it.
    """
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(
            url,
            pool_size=pool_size or 4,
            max_overflow=0,
            pool_timeout=10,
            connect_args=_POSTGRESQL,
            json_serializer=_to_json,
            json_deserializer=orjson.loads,
            hide_parameters=True,  # an error is logged, and what people wrote is not
        )
    engine = create_engine(
        url,
        pool_size=pool_size or 3,
        max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": 5.0},
        json_serializer=_to_json,
        json_deserializer=orjson.loads,
        hide_parameters=True,  # an error is logged, and what people wrote is not
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
        options = connection.get_execution_options()
        if options.get("kept", False):
            return
        changes = options.get("changes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if changes else "BEGIN")

    return engine


def now() -> datetime:
    """Return the present time, aware and in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return a new UUIDv7 as text: ids made later sort later."""
    return str(uuid_utils.uuid7())


class UnstorableError(DontWrapMixin, InvalidRequestError):
    """A JSON value that no database keeps as it is. SQLAlchemy passes it on as it is."""


def _to_json(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError as error:  # a number beyond 64 bits, half of a surrogate pair
        raise UnstorableError(f"A value cannot be stored: {error}. Leave it out, or send it as text.") from error
