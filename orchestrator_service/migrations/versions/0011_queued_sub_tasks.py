"""Sub-tasks that wait in the queue are found by an index of their own: they are claimed where there is no room."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    is_queued = sa.text("run_state = 'queued' AND parent_task_id IS NOT NULL")
    op.create_index(
        "ix_tasks_queued_sub_tasks",
        "tasks",
        ["parent_task_id"],
        sqlite_where=is_queued,
        postgresql_where=is_queued,
    )
