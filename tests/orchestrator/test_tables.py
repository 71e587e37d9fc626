"""The orchestrator's tables: migrations make what the code describes, on both databases."""

from pathlib import Path
from typing import Final

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from orchestrator_service.page_test_models import PageTestRow
from orchestrator_service.registry_models import Agent
from tests.orchestrator.stored_tasks import tables

_METADATA: Final = Agent.metadata
_ONLY_IN_THE_DATABASE: Final = {"search", "ix_agent_skills_search"}  # PostgreSQL's full-text search
_UNREAD: Final = {"ix_tasks_queue"}  # has an expression, which SQLite does not give back


async def test_the_migrations_make_the_tables_that_the_code_describes(tmp_path: Path, database_url: str | None) -> None:
    assert PageTestRow.__tablename__ in _METADATA.tables
    async with tables(tmp_path, database_url) as database:
        assert await database.read(_differences) == []


def _differences(connection: Connection) -> list[object]:
    is_sqlite = connection.dialect.name == "sqlite"

    def is_ours(name: str | None, kind: str, _parents: object) -> bool:
        if kind == "table":
            return name in _METADATA.tables
        return name not in _ONLY_IN_THE_DATABASE

    def is_read(_item: object, name: str | None, kind: str, *_: object) -> bool:
        return not (is_sqlite and kind == "index" and name in _UNREAD)

    options = {"include_name": is_ours, "include_object": is_read, "compare_type": not is_sqlite}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), _METADATA))
