"""How agents' latest calls went, kept beside the hot path: what ranks agents that can do the same."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Final, TypeAlias

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from orchestrator_service.models import Agent, AgentStats, Attempt, StepRow
from shared.agent import JsonObject
from shared.db import now

_LATEST: Final = 2_000
_FEWEST: Final = 3
_SEEN_WITHIN: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an agent that is over."""

    agent_id: str
    failed: bool
    duration_ms: float
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Record:
    """How an agent's calls went: `duration_ms` is the median, `cost_usd` the mean of those that succeeded."""

    calls: int
    failures: int
    duration_ms: float
    cost_usd: float

    @property
    def success_rate(self) -> float:
        """The share of calls that succeeded, doubted while there are few: none at all counts as nine of ten."""
        return (self.calls - self.failures + 4.5) / (self.calls + 5)


Records: TypeAlias = dict[str, Record]


def summarize(calls: Iterable[Call]) -> Records:
    """Return the record of each agent that has calls."""
    by_agent: dict[str, list[Call]] = {}
    for call in calls:
        by_agent.setdefault(call.agent_id, []).append(call)
    return {agent_id: _record(of_agent) for agent_id, of_agent in by_agent.items()}


def collect(connection: Connection) -> Records:
    """Return the records by the latest calls; empty if the newest was over well before they were last kept.

    A call's end is seen a moment later than it says, when its transaction is committed.
    """
    newest = connection.execute(_NEWEST, {"at_most": _LATEST}).scalar_one_or_none()
    kept_at = connection.execute(_KEPT_AT).scalar_one_or_none()
    if newest is None or (kept_at is not None and newest + _SEEN_WITHIN <= kept_at):
        return {}
    return summarize(_call(*row) for row in connection.execute(_CALLS, {"at_most": _LATEST}))


def keep(connection: Connection, records: Records) -> None:
    """Keep the records in place of older ones; agents that have none now keep theirs."""
    at = now()
    known = connection.execute(select(Agent.id).where(Agent.id.in_(records)).order_by(Agent.id)).scalars().all()
    values = [{"agent_id": agent_id, "updated_at": at, **asdict(records[agent_id])} for agent_id in known]
    if values:
        connection.execute(delete(AgentStats).where(AgentStats.agent_id.in_(known)))
        connection.execute(insert(AgentStats), values)


def read(connection: Connection, agent_ids: Iterable[str]) -> Records:
    """Return the records of these agents; one with too few calls to say anything has none."""
    rows = connection.execute(_RECORDS, {"of_agents": list(agent_ids), "fewest": _FEWEST})
    return {row.agent_id: Record(row.calls, row.failures, row.duration_ms, row.cost_usd) for row in rows}


def _call(
    agent_id: str, started_at: datetime, ended_at: datetime, error: JsonObject | None, usage: JsonObject | None
) -> Call:
    cost = (usage or {}).get("cost_usd")
    return Call(
        agent_id,
        failed=error is not None,
        duration_ms=(ended_at - started_at).total_seconds() * 1000,
        cost_usd=float(cost) if isinstance(cost, int | float) else 0.0,
    )


def _record(calls: list[Call]) -> Record:
    well = [call for call in calls if not call.failed]
    return Record(
        calls=len(calls),
        failures=len(calls) - len(well),
        duration_ms=median(call.duration_ms for call in well or calls),
        cost_usd=sum(call.cost_usd for call in well) / max(len(well), 1),
    )


# A task's id says when it was made: the latest calls stand at the end of the attempts' primary key.
_latest = (
    select(Attempt.task_id, Attempt.step_id, Attempt.agent_id, Attempt.started_at, Attempt.ended_at, Attempt.error)
    .order_by(Attempt.task_id.desc())
    .limit(bindparam("at_most"))
    .subquery()
)
_NEWEST: Final = select(func.max(_latest.c.ended_at)).select_from(_latest)
_KEPT_AT: Final = select(func.max(AgentStats.updated_at))
_CALLS: Final = (
    select(_latest.c.agent_id, _latest.c.started_at, _latest.c.ended_at, _latest.c.error, StepRow.usage)
    .outerjoin(StepRow, (StepRow.task_id == _latest.c.task_id) & (StepRow.step_id == _latest.c.step_id))
    .where(_latest.c.ended_at.is_not(None))
)
_RECORDS: Final = select(
    AgentStats.agent_id, AgentStats.calls, AgentStats.failures, AgentStats.duration_ms, AgentStats.cost_usd
).where(AgentStats.agent_id.in_(bindparam("of_agents", expanding=True)), AgentStats.calls >= bindparam("fewest"))
