"""How agents were over time: what their health checks found, by quarters of an hour, for two days."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Float, Integer, Text, bindparam, delete, func, insert, select, update

from orchestrator_service.registry_models import AgentHealth
from shared.agent import JsonObject
from shared.db import UtcTime, now

_SPAN: Final = timedelta(minutes=15)
"""How long a time is that is counted together: it begins at a multiple of this from midnight, UTC."""

KEPT_FOR: Final = timedelta(days=2)
_MOST_ERROR: Final = 500


def record(connection: Connection, agent_id: str, health: JsonObject, at: datetime | None = None) -> None:
    """Count a health check of a registered agent; with the first one of a quarter of an hour, forget what is old."""
    begins = _begin_of(at or now())
    latency_ms, error = health.get("latency_ms"), health.get("error")
    counted = {
        "of_agent": agent_id,
        "begins": begins,
        "failed": int(health["state"] != "healthy"),
        "took_ms": float(latency_ms) if isinstance(latency_ms, int | float) else 0.0,
        "wrong": None if error is None else str(error)[:_MOST_ERROR],
    }
    if connection.execute(_COUNT, counted).rowcount == 0:
        connection.execute(_FORGET, {"of_agent": agent_id, "before": begins - KEPT_FOR})
        connection.execute(_BEGIN, counted)


def of_agent(connection: Connection, agent_id: str) -> list[JsonObject]:
    """Return how an agent was, oldest first; times in which it was not asked are not there."""
    return [
        {
            "at": row["at"].isoformat(),
            "checks": row["checks"],
            "failures": row["failures"],
            "latency_ms": _mean(row["latency_ms"], row["checks"] - row["failures"]),
            "error": row["error"],
        }
        for row in connection.execute(_OF_AGENT, {"of_agent": agent_id, "since": now() - KEPT_FOR}).mappings()
    ]


def _begin_of(at: datetime) -> datetime:
    return at - (at - at.replace(hour=0, minute=0, second=0, microsecond=0)) % _SPAN


def _mean(total: float, count: int) -> float | None:
    return round(total / count, 1) if count else None


_failed: Final = bindparam("failed", type_=Integer())
_took_ms: Final = bindparam("took_ms", type_=Float())
_wrong: Final = bindparam("wrong", type_=Text())
_begins: Final = bindparam("begins", type_=UtcTime())
_COUNT: Final = (
    update(AgentHealth)
    .where(AgentHealth.agent_id == bindparam("of_agent"), AgentHealth.at == _begins)
    .values(
        checks=AgentHealth.checks + 1,
        failures=AgentHealth.failures + _failed,
        latency_ms=AgentHealth.latency_ms + _took_ms,
        error=func.coalesce(_wrong, AgentHealth.error),
    )
)
_BEGIN: Final = insert(AgentHealth).values(
    agent_id=bindparam("of_agent"), at=_begins, checks=1, failures=_failed, latency_ms=_took_ms, error=_wrong
)
_FORGET: Final = delete(AgentHealth).where(
    AgentHealth.agent_id == bindparam("of_agent"), AgentHealth.at < bindparam("before", type_=UtcTime())
)
_OF_AGENT: Final = (
    select(*AgentHealth.__table__.c)
    .where(AgentHealth.agent_id == bindparam("of_agent"), AgentHealth.at >= bindparam("since", type_=UtcTime()))
    .order_by(AgentHealth.at)
)
