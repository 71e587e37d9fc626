"""Alembic's entry: runs on the connection that `shared.db.migrate` opened."""

from alembic import context

from shared.agent_tasks import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=context.config.attributes["version_table"],
)
context.run_migrations()
