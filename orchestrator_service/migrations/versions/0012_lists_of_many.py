"""Open questions, by their ids and their expiry, and the newest sessions are found however many there were before.

The index of sessions by their users was not used by anything.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    is_open = sa.text("answered_at IS NULL")
    op.drop_index("ix_pending_inputs_expires_at", table_name="pending_inputs")
    for name, column in (("ix_pending_inputs_open", "id"), ("ix_pending_inputs_expires_at", "expires_at")):
        op.create_index(name, "pending_inputs", [column], sqlite_where=is_open, postgresql_where=is_open)
    op.drop_index("ix_sessions_user_id", table_name="sessions")
    op.create_index("ix_sessions_tenant_created_at", "sessions", ["tenant_id", "created_at", "id"])
