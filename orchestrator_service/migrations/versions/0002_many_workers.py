"""Many workers on one database, lineage and ancestry of tasks, money by tenant and day, and webhooks to deliver."""

import sqlalchemy as sa
from alembic import op

from shared.db import JSON_COLUMN, UtcTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for column in (
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column("recoveries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("runnable_at", UtcTime(), nullable=True),
        sa.Column("parked_at", UtcTime(), nullable=True),
        sa.Column("root_task_id", sa.String(), nullable=True),
        sa.Column("parent_task_id", sa.String(), nullable=True),
        sa.Column("origin_task_id", sa.String(), nullable=True),
        sa.Column("origin", JSON_COLUMN, nullable=True),
        sa.Column("ancestry", JSON_COLUMN, nullable=True),
        sa.Column("reserved", JSON_COLUMN, nullable=True),
    ):
        op.add_column("tasks", column)
    op.drop_index("ix_tasks_queue", table_name="tasks")
    op.create_index("ix_tasks_queue", "tasks", ["run_state", "tenant_id", sa.text("priority DESC"), "id"])
    op.create_index("ix_tasks_worker", "tasks", ["worker"])
    op.create_index("ix_tasks_parent_task_id", "tasks", ["parent_task_id"])
    op.create_index("ix_tasks_origin_task_id", "tasks", ["origin_task_id"])
    op.add_column("plans", sa.Column("reason", sa.Text(), nullable=True))
    op.add_column("steps", sa.Column("kept_from", sa.String(), nullable=True))
    op.add_column("attempts", sa.Column("agent_name", sa.String(), nullable=True))
    op.add_column("attempts", sa.Column("why", sa.Text(), nullable=True))
    op.add_column("attempts", sa.Column("reserved", JSON_COLUMN, nullable=True))
    op.add_column("attempts", sa.Column("stop_at", UtcTime(), nullable=True))
    is_to_stop = sa.text("stop_at IS NOT NULL")
    op.create_index(
        "ix_attempts_stop_at", "attempts", ["stop_at"], sqlite_where=is_to_stop, postgresql_where=is_to_stop
    )
    op.add_column("pending_inputs", sa.Column("path", JSON_COLUMN, nullable=True))
    op.add_column("pending_inputs", sa.Column("expires_at", UtcTime(), nullable=True))
    op.create_index("ix_pending_inputs_expires_at", "pending_inputs", ["expires_at"])
    op.create_table(
        "workers",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("seen_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_table(
        "tenant_spending",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("cost_usd", sa.Float(53), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("reserved_cost_usd", sa.Float(53), nullable=False),
        sa.Column("reserved_tokens", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "day", name=op.f("pk_tenant_spending")),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("task_id", sa.String(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("payload", JSON_COLUMN, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcTime(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.id"], name=op.f("fk_deliveries_task_id_tasks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    op.create_index("ix_deliveries_state_next_at", "deliveries", ["state", "next_at"])
