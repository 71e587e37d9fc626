"""A user's tasks are found newest first, however many there are."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    is_known = sa.text("user_id IS NOT NULL")
    op.drop_index("ix_tasks_user_id", table_name="tasks")
    op.create_index("ix_tasks_user", "tasks", ["user_id", "id"], sqlite_where=is_known, postgresql_where=is_known)
