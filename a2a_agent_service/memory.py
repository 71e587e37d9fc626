"""What was found earlier in the same session: questions, and the passages that answered them, for the next question."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import Column, Connection, Index, MetaData, String, Table, Text, bindparam, delete, insert, select

from a2a_agent_service.passages import Passage
from a2a_agent_service.settings import Settings
from shared.agent import METADATA_KEY, AgentRequest
from shared.db import JSON_COLUMN, NAMING, Database, UtcTime, database_url, new_id, now, open_engine
from shared.db_migration import migrate

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_MOST_FINDINGS: Final = 5

METADATA: Final = MetaData(naming_convention=NAMING)
FINDINGS: Final = Table(
    "research_findings",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("session", String(256), nullable=False),
    Column("question", Text, nullable=False),
    Column("passages", JSON_COLUMN, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index("ix_research_findings_session", "session", "id"),
    Index("ix_research_findings_at", "at"),
)
_PASSAGES: Final = TypeAdapter(list[Passage])


@dataclass(frozen=True, slots=True)
class Finding:
    """A question of this session and the passages that its answer cited."""

    question: str
    passages: Sequence[Passage]


class Memory:
    """The findings of sessions; those older than A2A_RETENTION_H are forgotten."""

    def __init__(self, database: Database, retention_h: float) -> None:
        self._database = database
        self._retention_h = retention_h

    async def recall(self, session: str) -> list[Finding]:
        """Return the latest findings of a session, the newest first."""
        return await self._database.read(_recall, session)

    async def keep(self, session: str, question: str, cited: Mapping[int, Passage]) -> None:
        """Remember what answered a question."""
        await self._database.write(_keep, session, question, list(cited.values()), self._retention_h)


def session_of(request: AgentRequest) -> str:
    """Return the session that a request belongs to: the orchestrator's where it names one, else A2A's context."""
    call = request.metadata.get(METADATA_KEY)
    told = call.get("session_id") if isinstance(call, dict) else None
    return (told if isinstance(told, str) and told else request.context_id)[:256]


@asynccontextmanager
async def open_memory(settings: Settings) -> AsyncGenerator[Memory]:
    """Open the findings' database."""
    database = Database(open_engine(database_url(settings, "research-memory"), pool_size=3, durable=False))
    try:
        await migrate(database, _MIGRATIONS, "research_version", "0001")
        yield Memory(database, settings.a2a_retention_h)
    finally:
        await database.close()


def _recall(connection: Connection, session: str) -> list[Finding]:
    rows = connection.execute(_RECALL, {"of_session": session, "at_most": _MOST_FINDINGS})
    return [Finding(row.question, _PASSAGES.validate_python(row.passages)) for row in rows]


def _keep(connection: Connection, session: str, question: str, passages: list[Passage], retention_h: float) -> None:
    at = now()
    connection.execute(_FORGET, {"before": at - timedelta(hours=retention_h)})
    kept = {"id": new_id(), "session": session, "question": question, "at": at}
    connection.execute(_KEEP, kept | {"passages": _PASSAGES.dump_python(passages, mode="json")})


_RECALL: Final = (
    select(FINDINGS.c.question, FINDINGS.c.passages)
    .where(FINDINGS.c.session == bindparam("of_session"))
    .order_by(FINDINGS.c.id.desc())
    .limit(bindparam("at_most"))
)
_KEEP: Final = insert(FINDINGS)
_FORGET: Final = delete(FINDINGS).where(FINDINGS.c.at < bindparam("before"))
