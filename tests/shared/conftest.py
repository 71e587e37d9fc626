"""A scripted agent served over real HTTP, in a data folder of its own."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from tests.shared.scripted_agent import Caller, ScriptedAgent, Settings, build_settings, serving
from tests.support.postgres import new_database


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return build_settings(tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def stored_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Settings]:
    """Settings on each of the two databases, empty."""
    if request.param == "sqlite":
        yield build_settings(tmp_path)
        return
    with new_database() as url:
        yield build_settings(tmp_path, database_url=url)


@pytest.fixture
async def agent() -> ScriptedAgent:
    return ScriptedAgent()


@pytest.fixture
async def caller(agent: ScriptedAgent, settings: Settings) -> AsyncGenerator[Caller]:
    async with serving(agent, settings) as caller:
        yield caller
