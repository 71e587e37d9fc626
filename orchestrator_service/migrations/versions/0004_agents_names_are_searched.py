"""An agent's name is among the words that a search for skills reads, on PostgreSQL as on SQLite."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("agent_skills", sa.Column("agent_name", sa.Text(), nullable=False, server_default=""))
    op.execute("UPDATE agent_skills SET agent_name = (SELECT name FROM agents WHERE agents.id = agent_skills.agent_id)")
    if op.get_bind().dialect.name == "sqlite":
        return
    op.drop_column("agent_skills", "search")
    op.execute(
        "ALTER TABLE agent_skills ADD COLUMN search tsvector GENERATED ALWAYS AS (to_tsvector('english',"
        " skill_id || ' ' || name || ' ' || tags || ' ' || description || ' ' || examples || ' ' || agent_name)) STORED"
    )
    op.execute("CREATE INDEX ix_agent_skills_search ON agent_skills USING gin (search)")
