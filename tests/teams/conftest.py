"""Both databases."""

from tests.orchestrator.conftest import database_url

__all__ = ["database_url"]
