"""The revision that the code asks for is the newest there is: else a start would leave the schema behind."""

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from shared.db import database_url, migrate, open_database
from shared.settings import FederationSettings

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
            migrate(database, ROOT / scripts, "test_version", head)
