"""The tables of A2A tasks. A service's rows carry its name, so that several services can share one database.

A notification is an event (by its number) that is to be pushed to one of a task's configs; it goes once it arrived.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
)

from shared.db import NAMING, UtcTime

METADATA: Final = MetaData(naming_convention=NAMING)

TASKS: Final = Table(
    "a2a_tasks",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("service", String(32), nullable=False),
    Column("owner", String(512), nullable=False),
    Column("context_id", String(256), nullable=False),
    Column("state", Integer, nullable=False),
    Column("status_ns", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("snapshot", LargeBinary, nullable=False),
    Column("snapshot_seq", BigInteger, nullable=False),
    Column("runner", String(64), nullable=False),
    Column("is_pushed", Boolean, nullable=False, server_default=false()),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index("ix_a2a_tasks_listing", "service", "owner", "status_ns", "id"),
    Index("ix_a2a_tasks_state", "service", "state"),
)
EVENTS: Final = Table(
    "a2a_events",
    METADATA,
    Column("task_id", String(64), ForeignKey("a2a_tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("event", LargeBinary, nullable=False),
)
MESSAGES: Final = Table(
    "a2a_messages",
    METADATA,
    Column("service", String(32), primary_key=True),
    Column("owner", String(512), primary_key=True),
    Column("message_id", String(256), primary_key=True),
    Column("task_id", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False, index=True),
)
RUNNERS: Final = Table(
    "a2a_runners",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("service", String(32), nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("beat", BigInteger, nullable=False, server_default="0"),
)
PUSH_CONFIGS: Final = Table(
    "a2a_push_configs",
    METADATA,
    Column("task_id", String(64), ForeignKey("a2a_tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("id", String(256), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)
NOTIFICATIONS: Final = Table(
    "a2a_notifications",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("service", String(32), nullable=False),
    Column("task_id", String(64), nullable=False),
    Column("config_id", String(256), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("last_error", Text),
    ForeignKeyConstraint(
        ["task_id", "config_id"], ["a2a_push_configs.task_id", "a2a_push_configs.id"], ondelete="CASCADE"
    ),
    Index("ix_a2a_notifications_due", "service", "next_at"),
    Index("ix_a2a_notifications_order", "task_id", "config_id", "seq"),
)
