"""The schema becomes what the code asks for, which is the newest there is, or why it cannot is said."""

import shutil
from pathlib import Path

import psycopg
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import make_url, text

from shared.db import database_url, open_database
from shared.db_migration import DatabaseUnusableError, migrate
from shared.settings import FederationSettings
from tests.shared.scripted_agent import Settings
from tests.support.postgres import new_database

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("scripts", "caller"),
    [
        ("orchestrator_service/migrations", "orchestrator_service/core.py"),
        ("shared/migrations/a2a", "shared/agent_server.py"),
        ("shared/migrations/models", "shared/llm_cache.py"),
        ("a2a_agent_service/migrations", "a2a_agent_service/memory.py"),
    ],
)
async def test_the_code_asks_for_the_newest_revision(scripts: str, caller: str, tmp_path: Path) -> None:
    head = ScriptDirectory(str(ROOT / scripts)).get_current_head()
    assert head is not None
    assert f'"{head}")' in (ROOT / caller).read_text()
    url = database_url(FederationSettings(data_dir=tmp_path), "test")
    async with open_database(url) as database:
        for _ in range(2):  # a second start finds nothing to do
            await migrate(database, ROOT / scripts, "test_version", head)


async def test_a_database_of_a_newer_version_is_refused_in_a_sentence_and_left_alone(stored_settings: Settings) -> None:
    scripts = ROOT / "shared/migrations/models"
    async with open_database(database_url(stored_settings, "test")) as database:
        await migrate(database, scripts, "test_version", "0001")
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE test_version SET version_num = '0099'"))
        with pytest.raises(DatabaseUnusableError, match=r"newer version .* test_version is 0099"):
            await migrate(database, scripts, "test_version", "0001")
        with database.engine.connect() as connection:
            assert connection.execute(text("SELECT version_num FROM test_version")).scalar_one() == "0099"


async def test_a_file_that_is_no_database_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "test.db"
    file.write_text("a text, long enough to be taken for the first page of a database" * 100)
    async with open_database(database_url(FederationSettings(data_dir=tmp_path), "test")) as database:
        with pytest.raises(DatabaseUnusableError, match=r"test\.db cannot be used: file is not a database"):
            await migrate(database, ROOT / "shared/migrations/models", "test_version", "0001")
    assert file.read_text().startswith("a text, long enough")


async def test_a_database_whose_user_may_not_make_tables_is_refused_in_a_sentence() -> None:
    with new_database() as url, psycopg.connect(url, autocommit=True) as owner:
        owner.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        owner.execute("CREATE ROLE reader_only LOGIN PASSWORD 'reader'")
        try:
            reader = make_url(url).set(drivername="postgresql+psycopg", username="reader_only", password="reader")
            async with open_database(reader.render_as_string(hide_password=False)) as database:
                with pytest.raises(DatabaseUnusableError, match=r"permission denied for schema public.* make tables"):
                    await migrate(database, ROOT / "shared/migrations/models", "test_version", "0001")
        finally:
            owner.execute("DROP ROLE reader_only")


async def test_a_folder_with_a_percent_sign_in_its_name_is_migrated_from(tmp_path: Path) -> None:
    scripts = tmp_path / "100% mine" / "migrations"
    shutil.copytree(ROOT / "shared/migrations/models", scripts)
    async with open_database(database_url(FederationSettings(data_dir=tmp_path), "test")) as database:
        await migrate(database, scripts, "test_version", "0001")
