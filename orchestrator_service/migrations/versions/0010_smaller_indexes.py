"""Indexes of columns that few rows have hold those rows only: every other task is written without them."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_OF_TASKS = {
    "ix_tasks_worker": ["worker"],
    "ix_tasks_session": ["session_id", "id"],
    "ix_tasks_user_id": ["user_id"],
    "ix_tasks_parent_task_id": ["parent_task_id"],
    "ix_tasks_origin_task_id": ["origin_task_id"],
}


def upgrade() -> None:
    for name, columns in _OF_TASKS.items():
        _make_smaller("tasks", name, columns)
    _make_smaller("attempts", "ix_attempts_remote_task_id", ["remote_task_id"])


def _make_smaller(table: str, name: str, columns: list[str]) -> None:
    is_known = sa.text(f"{columns[0]} IS NOT NULL")
    op.drop_index(name, table_name=table)
    op.create_index(name, table, columns, sqlite_where=is_known, postgresql_where=is_known)
