"""A2A tasks, their events, the message ids that were seen, and the processes that work on tasks."""

import sqlalchemy as sa
from alembic import op

from shared.db import UtcTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "a2a_tasks",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("service", sa.String(32), nullable=False),
        sa.Column("owner", sa.String(512), nullable=False),
        sa.Column("context_id", sa.String(256), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("status_ns", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("snapshot", sa.LargeBinary(), nullable=False),
        sa.Column("snapshot_seq", sa.BigInteger(), nullable=False),
        sa.Column("runner", sa.String(64), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_a2a_tasks"),
    )
    op.create_index("ix_a2a_tasks_listing", "a2a_tasks", ["service", "owner", "status_ns", "id"])
    op.create_index("ix_a2a_tasks_state", "a2a_tasks", ["service", "state"])
    op.create_table(
        "a2a_events",
        sa.Column("task_id", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("event", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id"], ["a2a_tasks.id"], name="fk_a2a_events_task_id_a2a_tasks", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("task_id", "seq", name="pk_a2a_events"),
    )
    op.create_table(
        "a2a_messages",
        sa.Column("service", sa.String(32), nullable=False),
        sa.Column("owner", sa.String(512), nullable=False),
        sa.Column("message_id", sa.String(256), nullable=False),
        sa.Column("task_id", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("service", "owner", "message_id", name="pk_a2a_messages"),
    )
    op.create_index("ix_a2a_messages_created_at", "a2a_messages", ["created_at"])
    op.create_table(
        "a2a_runners",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("service", sa.String(32), nullable=False),
        sa.Column("seen_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_a2a_runners"),
    )
