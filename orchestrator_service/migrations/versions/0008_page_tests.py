"""Page tests, when they run by themselves, the tasks that are their runs; which task a remote task belongs to."""

import sqlalchemy as sa
from alembic import op

from shared.db import UtcTime

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "page_tests",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("goal", sa.Text(), nullable=False),
        sa.Column("cron", sa.String(), nullable=True),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("next_run_at", UtcTime(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_page_tests")),
    )
    op.create_index("ix_page_tests_tenant_id", "page_tests", ["tenant_id", "id"])
    op.create_index(op.f("ix_page_tests_next_run_at"), "page_tests", ["next_run_at"])
    op.create_table(
        "page_test_runs",
        sa.Column("task_id", sa.String(), nullable=False),
        sa.Column("test_id", sa.String(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("goal", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.id"], name=op.f("fk_page_test_runs_task_id_tasks"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["test_id"], ["page_tests.id"], name=op.f("fk_page_test_runs_test_id_page_tests"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_page_test_runs")),
    )
    op.create_index("ix_page_test_runs_test", "page_test_runs", ["test_id", "task_id"])
    op.create_index("ix_attempts_remote_task_id", "attempts", ["remote_task_id"])
