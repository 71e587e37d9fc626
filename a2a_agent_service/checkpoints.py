"""Where the graph's state is kept between its nodes, so that a run that was killed goes on at the node it was in.

SQLite in DATA_DIR, or DATABASE_URL's PostgreSQL, by LangGraph's own packages. They are imported, and the database is
opened, when the first request comes. What is read back is data of the types listed here and nothing else: no pickle.
"""

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, cast

from a2a_agent_service.settings import Settings
from shared.db import database_url

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow
    from psycopg_pool import AsyncConnectionPool

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


class Checkpoints:
    """The opened checkpointer; `close` it at the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._saver: BaseCheckpointSaver[str] | None = None
        self._opening = asyncio.Lock()

    async def saver(self) -> "BaseCheckpointSaver[str]":
        """Return the checkpointer, opened when first asked for."""
        async with self._opening:
            if self._saver is None:
                if self._settings.database_url is None:
                    self._saver = await self._open_sqlite()
                else:
                    self._saver = await self._open_postgresql()
        return self._saver

    async def forget(self, thread: str) -> None:
        """Drop what is kept of a run."""
        await (await self.saver()).adelete_thread(thread)

    async def close(self) -> None:
        """Close it."""
        await self._stack.aclose()

    async def _open_sqlite(self) -> "BaseCheckpointSaver[str]":
        import aiosqlite  # noqa: PLC0415 - see the module's docstring
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver  # noqa: PLC0415

        path = self._settings.data_dir.resolve() / "research-checkpoints.db"
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = await self._stack.enter_async_context(aiosqlite.connect(path))
        await connection.execute("PRAGMA synchronous = NORMAL")
        saver = AsyncSqliteSaver(connection, serde=_serializer())
        await saver.setup()
        return saver

    async def _open_postgresql(self) -> "BaseCheckpointSaver[str]":
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
        return saver


def _serializer() -> "JsonPlusSerializer":
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer  # noqa: PLC0415

    return JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=_TYPES)
