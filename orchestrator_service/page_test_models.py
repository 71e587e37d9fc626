"""The tables of page tests and their runs."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from orchestrator_service.models import Base


class PageTestRow(Base):
    """A page test that is kept: a goal for a page. `cron` says when it runs by itself, next at `next_run_at`."""

    __tablename__ = "page_tests"
    __table_args__ = (Index("ix_page_tests_tenant_id", "tenant_id", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str]
    name: Mapped[str]
    url: Mapped[str] = mapped_column(Text)
    goal: Mapped[str] = mapped_column(Text)
    cron: Mapped[str | None]
    timezone: Mapped[str]
    next_run_at: Mapped[datetime | None] = mapped_column(index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class PageTestRun(Base):
    """A task that is a run of a page test; `url` and `goal` are those of this run, `origin` "request" or "schedule"."""

    __tablename__ = "page_test_runs"
    __table_args__ = (Index("ix_page_test_runs_test", "test_id", "task_id"),)

    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    test_id: Mapped[str] = mapped_column(ForeignKey("page_tests.id", ondelete="CASCADE"))
    url: Mapped[str] = mapped_column(Text)
    goal: Mapped[str] = mapped_column(Text)
    origin: Mapped[str]
