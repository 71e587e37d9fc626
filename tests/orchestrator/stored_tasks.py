"""Tasks as bare rows of a real database, for tests of what is done to rows under their lock."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.engine import make_url

from orchestrator_service import budgets, tasks
from orchestrator_service.ledger import Amount, Ledger, Spent, read
from orchestrator_service.models import StepRow, Task, TenantSpending
from shared.agent import JsonObject, Usage
from shared.db import Database, new_id, now, open_database
from tests.support import ready_made


@asynccontextmanager
async def tables(folder: Path, url: str | None) -> AsyncGenerator[Database]:
    """Open a database with the orchestrator's tables: the one at `url`, which has them, else SQLite in `folder`."""
    if url is None:
        address = f"sqlite:///{ready_made.put_orchestrators(folder)}"
    else:
        address = make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    async with open_database(address) as database:
        yield database


async def until_blocked(url: str) -> None:
    """Wait until a transaction in the PostgreSQL database at `url` waits for another one; bounded."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as watching, asyncio.timeout(20):
        while (await (await watching.execute(_BLOCKED)).fetchone()) == (0,):  # noqa: ASYNC110 - another server
            await asyncio.sleep(0.02)


_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def add_task(
    connection: Connection,
    *,
    budget: JsonObject | None = None,
    tenant_id: str = "default",
    steps: int = 0,
    deadline_at: datetime | None = None,
    **columns: object,
) -> str:
    """Insert a running task and return its id."""
    task_id = new_id()
    row: dict[str, object] = {
        "id": task_id,
        "tenant_id": tenant_id,
        "description": "x",
        "request": {"budget": budget or {}},
        "status": "executing",
        "run": 1,
        "run_state": "running",
        "priority": 5,
        "last_seq": 0,
        "usage": {"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0, "llm_calls": 0},
        "trace_id": "",
        "cancel_requested": False,
        "deadline_at": deadline_at or now() + timedelta(hours=1),
        "created_at": now(),
    }
    connection.execute(insert(Task).values(row | columns))
    add_steps(connection, task_id, steps)
    return task_id


def add_steps(connection: Connection, task_id: str, count: int) -> None:
    """Give the task steps."""
    rows = [{"task_id": task_id, "step_id": f"s{number}-{new_id()}", "status": "pending"} for number in range(count)]
    if rows:
        connection.execute(insert(StepRow), rows)


def reserve(
    connection: Connection, task_id: str, call: str, divided_by: int = 1, daily: Amount = budgets.NO_LIMIT
) -> Amount | None:
    """Reserve under the task's lock, as the engine does."""
    row, payer = _held(connection, task_id)
    grant, kept = budgets.reserve(connection, payer, call, row[0], row[1], divided_by=divided_by, daily=daily)
    connection.execute(update(Task).where(Task.id == task_id).values(reserved=kept))
    return grant


def settle(connection: Connection, task_id: str, call: str, usage: Usage, *, again_after: int | None = None) -> None:
    """Settle under the task's lock and count the usage, as the engine does, which settles a try once."""
    row, payer = _held(connection, task_id)
    kept = budgets.settle(connection, payer, call, usage, row[1], again_after=again_after)
    used = row[0]
    if kept != row[1]:
        used = {
            "input_tokens": _whole(used["input_tokens"]) + usage.input_tokens,
            "output_tokens": _whole(used["output_tokens"]) + usage.output_tokens,
            "cost_usd": float(str(used["cost_usd"])) + usage.cost_usd,
            "llm_calls": 0,
        }
    connection.execute(update(Task).where(Task.id == task_id).values(reserved=kept, usage=used))


def close(connection: Connection, task_id: str) -> None:
    """End the task."""
    tasks.finish(connection, tasks.ending(connection, task_id), "completed")


def ledger_of(connection: Connection, task_id: str) -> Ledger:
    """Return what the task's row keeps."""
    return read(connection.execute(select(Task.reserved).where(Task.id == task_id)).scalar_one())


def tenants_day(connection: Connection, tenant_id: str = "default") -> tuple[Spent, Spent]:
    """Return what the tenant spent today, and what calls under way have reserved."""
    row = connection.execute(select(TenantSpending).where(TenantSpending.tenant_id == tenant_id)).mappings().one()
    held = Spent(cost_usd=round(row["reserved_cost_usd"], 9), tokens=row["reserved_tokens"])
    return Spent(cost_usd=round(row["cost_usd"], 9), tokens=row["tokens"]), held


def _held(connection: Connection, task_id: str) -> tuple[tuple[JsonObject, JsonObject | None], budgets.Payer]:
    row = connection.execute(
        select(Task.usage, Task.reserved, Task.request, Task.tenant_id, Task.ancestry)
        .where(Task.id == task_id)
        .with_for_update(key_share=True)
    ).one()
    return (row.usage, row.reserved), budgets.payer(task_id, row.tenant_id, row.request, row.ancestry)


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
