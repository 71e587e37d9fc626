"""What the research agent found earlier in a session."""

import sqlalchemy as sa
from alembic import op

from shared.db import JSON_COLUMN, UtcTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "research_findings",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("session", sa.String(256), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("passages", JSON_COLUMN, nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_research_findings")),
    )
    op.create_index("ix_research_findings_session", "research_findings", ["session", "id"])
    op.create_index("ix_research_findings_at", "research_findings", ["at"])
