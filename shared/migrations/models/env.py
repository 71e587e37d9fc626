"""Alembic's entry: runs on the connection that `shared.db_migration.migrate` opened."""

from alembic import context

from shared.llm_cache import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=context.config.attributes["version_table"],
)
context.run_migrations()
