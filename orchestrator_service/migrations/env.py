"""Alembic's entry: runs on the connection that `shared.db_migration.migrate` opened."""

from alembic import context

from orchestrator_service.models import Task

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Task.metadata,
    version_table=context.config.attributes["version_table"],
)
context.run_migrations()
