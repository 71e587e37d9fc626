"""Where the graph's state is kept between its nodes, so that a run that was killed goes on at the node it was in.

SQLite in DATA_DIR, or DATABASE_URL's PostgreSQL, by LangGraph's own packages. They are imported, and the database is
opened, when the first request comes. What is read back is data of the types listed here and nothing else: no pickle.
A run that ends drops its own state; what killed or canceled runs left is dropped by `retain`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from a2a_agent_service.settings import Settings
from shared.db import database_url, now

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow
    from psycopg_pool import AsyncConnectionPool

logger = logging.getLogger(__name__)

_TYPES: Final = (
    ("a2a_agent_service.question", "Question"),
    ("a2a_agent_service.passages", "Passage"),
    ("a2a_agent_service.passages", "Source"),
    ("a2a_agent_service.ranking", "Ranked"),
    ("a2a_agent_service.outcome", "Problem"),
    ("a2a_agent_service.writing", "Draft"),
    ("shared.agent", "File"),
    ("shared.agent", "Usage"),
    ("shared.agent", "ModelCall"),
)
_REST: Final = timedelta(minutes=10)
_CALENDAR: Final = datetime(1582, 10, 15, tzinfo=UTC)
_IDLE: Final = "SELECT thread_id FROM checkpoints GROUP BY thread_id HAVING max(checkpoint_id"
_IDLE_ON_SQLITE: Final = f"{_IDLE}) < ?"
_IDLE_ON_POSTGRESQL: Final = f'{_IDLE} COLLATE "C") < %s'

_Idle: TypeAlias = Callable[[str], Awaitable[list[str]]]
"""Returns the threads whose last checkpoint is older than this id."""


class Checkpoints:
    """The opened checkpointer; `close` it at the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._saver: BaseCheckpointSaver[str] | None = None
        self._idle: _Idle | None = None
        self._opening = asyncio.Lock()

    async def saver(self) -> "BaseCheckpointSaver[str]":
        """Return the checkpointer, opened when first asked for."""
        async with self._opening:
            if self._saver is None:
                is_sqlite = self._settings.database_url is None
                self._saver, self._idle = await (self._open_sqlite() if is_sqlite else self._open_postgresql())
        return self._saver

    async def forget(self, thread: str) -> None:
        """Drop what is kept of a run."""
        await (await self.saver()).adelete_thread(thread)

    async def retain(self, unfinished: Collection[str], at: datetime | None = None) -> None:
        """Drop what is kept of tasks that are over, and of those that nothing happened to for A2A_RETENTION_H.

        `unfinished` are the others, as they were told just now; what was written in the ten minutes before `at` (now)
        stays anyway, for it may be of a task that came since. Nothing is opened for this alone.
        """
        if self._saver is None or self._idle is None:
            return
        at = at or now()
        old = await self._idle(_first_id(at - timedelta(hours=self._settings.a2a_retention_h)))
        quiet = await self._idle(_first_id(at - _REST))
        dropped = {*old, *(set(quiet) - set(unfinished))}
        for thread in dropped:
            await self._saver.adelete_thread(thread)
        if dropped:
            logger.info("checkpoints dropped", extra={"runs": len(dropped)})

    async def close(self) -> None:
        """Close it."""
        await self._stack.aclose()

    async def _open_sqlite(self) -> "tuple[BaseCheckpointSaver[str], _Idle]":
        import aiosqlite  # noqa: PLC0415 - see the module's docstring
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver  # noqa: PLC0415

        path = self._settings.data_dir.resolve() / "research-checkpoints.db"
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = await self._stack.enter_async_context(aiosqlite.connect(path))
        await connection.execute("PRAGMA synchronous = NORMAL")
        saver = AsyncSqliteSaver(connection, serde=_serializer())
        await saver.setup()

        async def idle(before: str) -> list[str]:
            async with connection.execute(_IDLE_ON_SQLITE, (before,)) as found:
                return [str(row[0]) for row in await found.fetchall()]

        return saver, idle

    async def _open_postgresql(self) -> "tuple[BaseCheckpointSaver[str], _Idle]":
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver  # noqa: PLC0415
        from psycopg.rows import dict_row  # noqa: PLC0415
        from psycopg_pool import AsyncConnectionPool  # noqa: PLC0415

        address = database_url(self._settings, "").replace("postgresql+psycopg://", "postgresql://", 1)
        options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
        made = AsyncConnectionPool(address, min_size=1, max_size=4, open=False, kwargs=options)
        pool = cast("AsyncConnectionPool[AsyncConnection[DictRow]]", made)
        await self._stack.enter_async_context(pool)
        saver = AsyncPostgresSaver(pool, serde=_serializer())
        await saver.setup()

        async def idle(before: str) -> list[str]:
            async with pool.connection() as connection:
                found = await connection.execute(_IDLE_ON_POSTGRESQL, (before,))
                return [str(row["thread_id"]) for row in await found.fetchall()]

        return saver, idle


def _first_id(at: datetime) -> str:
    """Return the first id that a checkpoint of this time can have: they are UUIDs of version 6, which begin with it.

    Source: https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-6
    """
    ticks = (at - _CALENDAR) // timedelta(microseconds=1) * 10
    high, low = divmod(ticks, 1 << 12)
    return f"{high >> 16:08x}-{high & 0xFFFF:04x}-{0x6000 | low:04x}-8000-000000000000"


def _serializer() -> "JsonPlusSerializer":
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer  # noqa: PLC0415

    return JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=_TYPES)
