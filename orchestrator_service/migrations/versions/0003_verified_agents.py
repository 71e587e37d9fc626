"""What was found about agents, changed cards that wait, capabilities as rows, and how agents' calls went."""

import sqlalchemy as sa
from alembic import op

from shared.db import JSON_COLUMN, UtcTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for column in (
        sa.Column("skeleton", sa.String(), nullable=False, server_default=""),
        sa.Column("verification", JSON_COLUMN, nullable=True),
        sa.Column("pinned_key", JSON_COLUMN, nullable=True),
        sa.Column("pending", JSON_COLUMN, nullable=True),
        sa.Column("source", sa.String(), nullable=True),
    ):
        op.add_column("agents", column)
    op.create_index("ix_agents_tenant_id", "agents", ["tenant_id", "id"])
    op.create_index("ix_agents_tenant_skeleton", "agents", ["tenant_id", "skeleton"])
    capabilities = op.create_table(
        "agent_capabilities",
        sa.Column("capability", sa.String(), nullable=False),
        sa.Column("agent_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agents.id"], name=op.f("fk_agent_capabilities_agent_id_agents"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("capability", "agent_id", name=op.f("pk_agent_capabilities")),
    )
    op.create_index("ix_agent_capabilities_agent_id", "agent_capabilities", ["agent_id"])
    agents = sa.table("agents", sa.column("id", sa.String()), sa.column("capabilities", JSON_COLUMN))
    known = op.get_bind().execute(sa.select(agents.c.id, agents.c.capabilities)).all()
    rows = [
        {"capability": capability, "agent_id": agent_id}
        for agent_id, offered in known
        for capability in dict.fromkeys(offered)
    ]
    if rows:
        op.bulk_insert(capabilities, rows)
    op.create_table(
        "agent_stats",
        sa.Column("agent_id", sa.String(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("duration_ms", sa.Float(53), nullable=False),
        sa.Column("cost_usd", sa.Float(53), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agents.id"], name=op.f("fk_agent_stats_agent_id_agents"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("agent_id", name=op.f("pk_agent_stats")),
    )
