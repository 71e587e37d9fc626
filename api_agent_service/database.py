"""The database of one table: DuckDB in a folder of the request's own, bounded in memory, threads, disk and time.

While a table is loaded, it may read files. `seal` then opens it anew: it cannot be written, reads no file, reaches no
network, and no setting can be changed any more. What others wrote is run on a sealed database only.
"""

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeAlias, TypeVar, cast

import duckdb

from api_agent_service.settings import Settings
from shared.agent import JsonObject
from shared.errors import FederationError, InvalidRequestError, TimedOutError, TooLargeError

Row: TypeAlias = tuple[object, ...]
T = TypeVar("T")

TABLE: Final = "data"
"""The table's name."""

_BLANKS: Final = "' \t\r\n\v\f\u00a0\u2003\u3000'"
_EDGES: Final = r"'^[\s\x{a0}\x{2003}\x{3000}]|[\s\x{a0}\x{2003}\x{3000}]$'"
_COLUMNS_IN_MEMORY: Final = 100
_COLUMNS_PLANNED_WELL: Final = 200
_LOOK_EVERY: Final = 4096
_STOP_AGAIN_S: Final = 0.1


class StoppedError(Exception):
    """The work was stopped from outside: its deadline has passed, or nobody waits for it any more."""


class Database:
    """A DuckDB database in `folder`. Its methods block; `stop` may be called from any thread."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._settings = settings
        self._memory_mb = settings.data_memory_mb
        self._is_stopped = False
        self._connection = self._open(read_only=False)

    def widen(self, columns: int) -> None:
        """Let a table with many columns have more memory, DATA_MEMORY_MB for every 100 of them, and be planned faster.

        What DuckDB takes to find what a statement computes twice grows with the square of its columns.
        """
        self._memory_mb = self._settings.data_memory_mb * max(1, math.ceil(columns / _COLUMNS_IN_MEMORY))
        self.run(f"SET memory_limit = '{self._memory_mb}MB'")
        if columns > _COLUMNS_PLANNED_WELL:
            self.run("SET disabled_optimizers = 'common_subexpressions'")

    def seal(self) -> None:
        """Let nothing but reading the table be possible from now on."""
        self._connection.close()
        self._connection = self._open(read_only=True)

    def run(self, sql: str) -> None:
        """Run a statement. Raises: TooLargeError, duckdb.Error, StoppedError."""
        self._execute(sql)

    def rows(self, sql: str, most: int | None = None) -> list[Row]:
        """Return the rows of a query, at most so many of them. Raises: as `run`."""
        found = self._execute(sql)
        try:
            return cast("list[Row]", found.fetchall() if most is None else found.fetchmany(most))
        except duckdb.Error as error:
            raise self._translated(error) from error

    def row(self, sql: str) -> Row:
        """Return the first row of a query. Raises: as `run`."""
        return self.rows(sql, 1)[0]

    def columns(self, sql: str) -> list[tuple[str, str]]:
        """Return the names and the types of a query's columns. Raises: as `run`."""
        return [(str(name), str(kind)) for name, kind, *_ in self.rows(f"DESCRIBE {sql}")]

    def tree(self, sql: str) -> JsonObject:
        """Return how DuckDB itself reads one or more statements: its own syntax tree."""
        serialized = self._connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()[0][0]
        return cast("JsonObject", json.loads(str(serialized)))

    def stop(self) -> None:
        """End what runs now, and all that would come after it before `resume`."""
        self._is_stopped = True
        self._connection.interrupt()

    def resume(self) -> None:
        """Let it be used again."""
        self._is_stopped = False

    def watched(self, items: Iterable[T]) -> Iterator[T]:
        """Yield the items; raises StoppedError when the work is stopped."""
        for number, item in enumerate(items):
            if not number % _LOOK_EVERY:
                self.look()
            yield item

    def close(self) -> None:
        """Close it. The folder's files are the owner's to remove."""
        self._connection.close()

    def _open(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        settings = self._settings
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{self._memory_mb}MB",
            "threads": settings.data_threads,
            "temp_directory": str(self.folder / "spilled"),
            "max_temp_directory_size": f"{settings.data_disk_mb}MB",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        }
        connection = duckdb.connect(str(self.folder / "table.duckdb"), read_only=read_only, config=config)
        connection.execute("SET TimeZone = 'UTC'")
        if read_only:
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
        return connection

    def _execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        self.look()
        try:
            return self._connection.execute(sql)
        except duckdb.Error as error:
            raise self._translated(error) from error

    def look(self) -> None:
        """Raise StoppedError when the work is stopped."""
        if self._is_stopped:
            raise StoppedError

    def _translated(self, error: duckdb.Error) -> Exception:
        match error:
            case duckdb.InterruptException():
                return StoppedError()
            case duckdb.OutOfMemoryException():
                return TooLargeError(
                    f"The table needs more than {self._memory_mb} MB of memory, or "
                    f"{self._settings.data_disk_mb} MB of disk, to compute this "
                    "(DATA_MEMORY_MB, DATA_DISK_MB). Ask for less at once, or raise them."
                )
            case _:
                return error


@asynccontextmanager
async def opened(folder: Path, settings: Settings) -> AsyncGenerator[Database]:
    """Yield a new database in a folder, and close it."""
    database = await asyncio.to_thread(Database, folder, settings)
    try:
        yield database
    finally:
        await asyncio.shield(asyncio.to_thread(database.close))


async def in_thread(database: Database, work: Callable[[], T], timeout_s: float) -> T:
    """Return what some blocking work on a database returns. When nobody waits for it any more, it is stopped.

    Raises: TimedOutError, and what the work raises.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        async with asyncio.timeout(timeout_s):
            return await asyncio.shield(running)
    except TimeoutError as error:
        raise TimedOutError(
            f"The table was not read and computed within {timeout_s:g} s (DATA_TIMEOUT_S). Ask for less, or raise it."
        ) from error
    finally:
        while not running.done():
            database.stop()
            await asyncio.wait({running}, timeout=_STOP_AGAIN_S)
        database.resume()
        if not running.cancelled():
            running.exception()  # whoever waited has been told already


def said(error: duckdb.Error) -> str:
    """Return what DuckDB says of a statement that others wrote: its first lines, without the drawing below them."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    shown = [line[:200] for line in lines if not line.startswith(("LINE ", "^", "Original Line"))]
    return " ".join(shown)[:500]


def refused(error: duckdb.Error) -> FederationError:
    """Return what a failed query means to whoever asked for it."""
    return InvalidRequestError(f"The query cannot be answered from this table: {said(error)}")


def whole(value: object) -> int:
    """Return a number of the database that is a whole one."""
    return int(str(value))


def name(column: str) -> str:
    """Return a column's name as it stands in SQL."""
    return '"' + column.replace('"', '""') + '"'


def trimmed(column: str) -> str:
    """Return the text of a column without blanks around it, as it stands in SQL."""
    quoted = name(column)
    may_have = f"{quoted} < '!' OR {quoted} >= '\u00a0' OR {quoted}[-1] NOT BETWEEN '!' AND '~'"  # cheaper by half
    has_blanks = f"({may_have}) AND regexp_matches({quoted}, {_EDGES})"
    return f"CASE WHEN {has_blanks} THEN trim({quoted}, {_BLANKS}) ELSE {quoted} END"


def without_blanks(expression: str) -> str:
    """Return the text of any expression without blanks around it, as it stands in SQL; slower than `trimmed`."""
    return f"trim({expression}, {_BLANKS})"


def text(value: str) -> str:
    """Return a text as it stands in SQL."""
    return "'" + value.replace("'", "''") + "'"
