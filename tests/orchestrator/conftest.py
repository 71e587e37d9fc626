"""Both databases, and agents whose behaviour the request's words choose."""

from collections.abc import Generator

import pytest

from tests.support import ready_made


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Generator[str | None]:
    """The database of the orchestrator: None for the default, SQLite in its folder."""
    if request.param == "sqlite":
        yield None
        return
    with ready_made.on_postgres() as url:
        yield url
