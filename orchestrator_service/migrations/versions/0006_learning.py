"""Which skill a try was for, how agents do by skill and by what judges say, and plans that succeeded."""

import sqlalchemy as sa
from alembic import op

from shared.db import JSON_COLUMN, UtcTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("attempts", sa.Column("skill", sa.String(), nullable=True))
    op.add_column("agent_stats", sa.Column("score", sa.Float(53), nullable=True))
    op.add_column("agent_stats", sa.Column("scored", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("agent_stats", sa.Column("skills", JSON_COLUMN, nullable=True))
    op.create_table(
        "learned_plans",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("goal", sa.Text(), nullable=False),
        sa.Column("words", JSON_COLUMN, nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.Column("vector_model", sa.String(), nullable=True),
        sa.Column("steps", JSON_COLUMN, nullable=False),
        sa.Column("task_id", sa.String(), nullable=False),
        sa.Column("successes", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("used_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_learned_plans")),
    )
    op.create_index("uq_learned_plans_tenant_key", "learned_plans", ["tenant_id", "key"], unique=True)
    op.create_index("ix_learned_plans_tenant_used_at", "learned_plans", ["tenant_id", "used_at"])
