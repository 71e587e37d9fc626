"""Answers that are given again to exactly the same prompt, for as long as LLM_CACHE_TTL_S says; in the database.

What is kept is one answer under a digest of model, prompt and form: who does not know the whole prompt finds nothing.
All services of a federation share it. A database in trouble costs a call of the model, never an answer.
"""

import hashlib
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import orjson
from pydantic import JsonValue
from sqlalchemy import Column, Connection, Float, Index, MetaData, String, Table, Text, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from shared.db import NAMING, Database, DatabaseUnavailableError, UtcTime, database_url, now, open_engine
from shared.db_migration import migrate
from shared.llm_providers import Message
from shared.settings import FederationSettings

logger = logging.getLogger(__name__)

_MIGRATIONS: Final = Path(__file__).parent / "migrations" / "models"

METADATA: Final = MetaData(naming_convention=NAMING)
ANSWERS: Final = Table(
    "model_answers",
    METADATA,
    Column("key", String(64), primary_key=True),
    Column("text", Text, nullable=False),
    Column("cost_usd", Float(53), nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Index("ix_model_answers_expires_at", "expires_at"),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer from the cache, and what it once cost."""

    text: str
    cost_usd: float


class AnswerCache:
    """The answers that are kept."""

    def __init__(self, database: Database, ttl_s: float) -> None:
        self._database = database
        self._ttl_s = ttl_s

    async def find(self, key: str) -> Kept | None:
        """Return the answer that is kept under a key, if it is not too old."""
        try:
            return await self._database.read(_find, key)
        except DatabaseUnavailableError as error:
            logger.warning("the cache of model answers cannot be read", extra={"reason": error.detail})
            return None

    async def keep(self, key: str, answer: Kept) -> None:
        """Keep an answer, and forget those that are too old."""
        try:
            await self._database.write(_keep, key, answer, self._ttl_s)
        except DatabaseUnavailableError as error:
            logger.warning("the cache of model answers cannot be written", extra={"reason": error.detail})


@asynccontextmanager
async def open_cache(settings: FederationSettings) -> AsyncGenerator[AnswerCache | None]:
    """Open the cache, or nothing where LLM_CACHE_TTL_S is 0."""
    if not settings.llm_cache_ttl_s:
        yield None
        return
    database = Database(open_engine(database_url(settings, "models"), pool_size=3, durable=False))
    try:
        await migrate(database, _MIGRATIONS, "models_version", "0001")
        yield AnswerCache(database, settings.llm_cache_ttl_s)
    finally:
        await database.close()


def key_of(model: str, messages: list[Message], max_tokens: int, form: dict[str, JsonValue] | None) -> str:
    """Return what an answer is kept under: the same for the same question only."""
    asked = orjson.dumps([model, messages, max_tokens, form], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(asked).hexdigest()


def _find(connection: Connection, key: str) -> Kept | None:
    row = connection.execute(_FIND, {"of_key": key, "at": now()}).one_or_none()
    return None if row is None else Kept(row.text, row.cost_usd)


def _keep(connection: Connection, key: str, answer: Kept, ttl_s: float) -> None:
    at = now()
    connection.execute(_FORGET, {"at": at, "of_key": key})
    insert = sqlite.insert(ANSWERS) if connection.dialect.name == "sqlite" else postgresql.insert(ANSWERS)
    kept = {"key": key, "text": answer.text, "cost_usd": answer.cost_usd, "expires_at": at + timedelta(seconds=ttl_s)}
    connection.execute(insert.on_conflict_do_nothing(), kept)


_FIND: Final = select(ANSWERS.c.text, ANSWERS.c.cost_usd).where(
    ANSWERS.c.key == bindparam("of_key"), ANSWERS.c.expires_at > bindparam("at")
)
_FORGET: Final = delete(ANSWERS).where(
    (ANSWERS.c.expires_at <= bindparam("at")) | (ANSWERS.c.key == bindparam("of_key"))
)
