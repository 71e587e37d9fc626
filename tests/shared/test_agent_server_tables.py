"""The tables of A2A tasks: migrations make what the code describes, on both databases, however many start at once."""

import asyncio
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from shared.agent_tables import METADATA
from shared.db import database_url, open_database
from tests.shared.scripted_agent import ScriptedAgent, Settings, build_settings, serving


async def test_the_migrations_make_the_tables_that_the_code_describes(stored_settings: Settings) -> None:
    async with serving(ScriptedAgent(), stored_settings):
        pass
    async with open_database(database_url(stored_settings, "a2a-api")) as database:
        assert await database.read(_differences) == []


async def test_services_that_start_at_once_share_one_new_database(stored_settings: Settings, tmp_path: Path) -> None:
    url = stored_settings.database_url
    twin = build_settings(tmp_path / "twin", database_url=url)

    async def call(settings: Settings) -> None:
        async with serving(ScriptedAgent(), settings) as caller:
            await caller.send("hello")

    await asyncio.gather(call(stored_settings), call(twin))


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"include_name": _is_ours})
    return list(compare_metadata(context, METADATA))


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or name in METADATA.tables
