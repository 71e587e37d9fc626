"""Push notifications: who wants them, and which are still to be delivered; a beat by which a runner shows its life."""

import sqlalchemy as sa
from alembic import op

from shared.db import UtcTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables and columns."""
    op.add_column("a2a_tasks", sa.Column("is_pushed", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("a2a_runners", sa.Column("beat", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "a2a_push_configs",
        sa.Column("task_id", sa.String(64), nullable=False),
        sa.Column("id", sa.String(256), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id"], ["a2a_tasks.id"], name="fk_a2a_push_configs_task_id_a2a_tasks", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("task_id", "id", name="pk_a2a_push_configs"),
    )
    op.create_table(
        "a2a_notifications",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("service", sa.String(32), nullable=False),
        sa.Column("task_id", sa.String(64), nullable=False),
        sa.Column("config_id", sa.String(256), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcTime(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["task_id", "config_id"],
            ["a2a_push_configs.task_id", "a2a_push_configs.id"],
            name="fk_a2a_notifications_task_id_a2a_push_configs",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_a2a_notifications"),
    )
    op.create_index("ix_a2a_notifications_due", "a2a_notifications", ["service", "next_at"])
    op.create_index("ix_a2a_notifications_order", "a2a_notifications", ["task_id", "config_id", "seq"])
