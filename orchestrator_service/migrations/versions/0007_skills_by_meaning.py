"""Vectors of skills, by the digest of the text that they are of; new skills are searched for at once on PostgreSQL."""

import sqlalchemy as sa
from alembic import op

from orchestrator_service.meaning import digest_of, text_of

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("agent_skills", sa.Column("digest", sa.String(), nullable=False, server_default=""))
    op.create_index(op.f("ix_agent_skills_digest"), "agent_skills", ["digest"])
    op.create_table(
        "skill_vectors",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_skill_vectors")),
    )
    op.create_index("uq_skill_vectors_digest_model", "skill_vectors", ["digest", "model"], unique=True)
    connection = op.get_bind()
    texts = [sa.column(name, sa.String()) for name in ("name", "description", "tags", "examples", "digest")]
    skills = sa.table("agent_skills", sa.column("id", sa.Integer()), *texts)
    for row in connection.execute(sa.select(skills)).all():
        digest = digest_of(text_of(row.name, row.description, row.tags, row.examples))
        connection.execute(sa.update(skills).where(skills.c.id == row.id).values(digest=digest))
    if connection.dialect.name != "sqlite":
        op.execute("ALTER INDEX ix_agent_skills_search SET (fastupdate = off)")
