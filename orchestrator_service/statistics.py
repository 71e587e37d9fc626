"""How agents' latest calls went, kept beside the hot path: what ranks agents that can do the same."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from statistics import median
from typing import Final, TypeAlias

from pydantic import TypeAdapter
from sqlalchemy import Connection, RowMapping, bindparam, delete, func, insert, select

from orchestrator_service.models import Attempt, StepRow
from orchestrator_service.registry_models import Agent, AgentStats
from shared.agent import JsonObject
from shared.db import now

_LATEST: Final = 2_000
_FEWEST: Final = 3
_SEEN_WITHIN: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an agent that is over. `score` is what its answer was judged to be worth, 0 to 1, if it was."""

    agent_id: str
    failed: bool
    duration_ms: float
    cost_usd: float
    skill: str = ""
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """How an agent's calls went: `duration_ms` is the median, `cost_usd` the mean of those that succeeded.

    `score` is the mean of what `scored` answers were judged to be worth; `skills` the same by skill.
    """

    calls: int
    failures: int
    duration_ms: float
    cost_usd: float
    score: float | None = None
    scored: int = 0
    skills: "Mapping[str, Record]" = field(default_factory=dict[str, "Record"])

    def of(self, skill: str) -> "Record":
        """Return how it did at one skill, if it has done enough at it; else at all."""
        at_skill = self.skills.get(skill)
        return self if at_skill is None or at_skill.calls < _FEWEST else at_skill

    @property
    def success_rate(self) -> float:
        """The share of calls that succeeded, doubted while there are few: none at all counts as nine of ten."""
        return (self.calls - self.failures + 4.5) / (self.calls + 5)


Records: TypeAlias = dict[str, Record]

_SKILLS: Final = TypeAdapter(dict[str, Record])
_COLUMNS: Final = TypeAdapter(dict[str, object])


def summarize(calls: Iterable[Call]) -> Records:
    """Return the record of each agent that has calls."""
    by_agent: dict[str, list[Call]] = {}
    for call in calls:
        by_agent.setdefault(call.agent_id, []).append(call)
    return {agent_id: _with_skills(of_agent) for agent_id, of_agent in by_agent.items()}


def collect(connection: Connection) -> Records:
    """Return the records by the latest calls; empty if the newest was over well before they were last kept.

    A call's end is seen a moment later than it says, when its transaction is committed.
    """
    newest = connection.execute(_NEWEST, {"at_most": _LATEST}).scalar_one_or_none()
    kept_at = connection.execute(_KEPT_AT).scalar_one_or_none()
    if newest is None or (kept_at is not None and newest + _SEEN_WITHIN <= kept_at):
        return {}
    scores = _scores(connection)
    return summarize(_call(row, scores) for row in connection.execute(_CALLS, {"at_most": _LATEST}).mappings())


def keep(connection: Connection, records: Records) -> None:
    """Keep the records in place of older ones; agents that have none now keep theirs."""
    at = now()
    known = connection.execute(select(Agent.id).where(Agent.id.in_(records)).order_by(Agent.id)).scalars().all()
    values = [{"agent_id": agent_id, "updated_at": at, **_columns(records[agent_id])} for agent_id in known]
    if values:
        connection.execute(delete(AgentStats).where(AgentStats.agent_id.in_(known)))
        connection.execute(insert(AgentStats), values)


def read(connection: Connection, agent_ids: Iterable[str]) -> Records:
    """Return the records of these agents; one with too few calls to say anything has none."""
    rows = connection.execute(_RECORDS, {"of_agents": list(agent_ids), "fewest": _FEWEST})
    return {
        row.agent_id: Record(
            row.calls,
            row.failures,
            row.duration_ms,
            row.cost_usd,
            row.score,
            row.scored,
            _SKILLS.validate_python(row.skills or {}),
        )
        for row in rows
    }


def to_json(record: Record) -> JsonObject:
    """Return a record as the API shows it."""
    return _COLUMNS.dump_python(_columns(record), mode="json")


def _columns(record: Record) -> dict[str, object]:
    columns = asdict(record)
    for of_skill in columns["skills"].values():
        del of_skill["skills"]
    return columns


def _call(row: RowMapping, scores: Mapping[tuple[str, str], float]) -> Call:
    error: JsonObject | None = row["error"]
    usage: JsonObject | None = row["usage"]
    lasted: timedelta = row["ended_at"] - row["started_at"]
    cost = (usage or {}).get("cost_usd")
    return Call(
        row["agent_id"],
        failed=error is not None,
        duration_ms=lasted.total_seconds() * 1000,
        cost_usd=float(cost) if isinstance(cost, int | float) else 0.0,
        skill=row["skill"] or "",
        score=scores.get((row["task_id"], row["step_id"])) if error is None else None,
    )


def _scores(connection: Connection) -> dict[tuple[str, str], float]:
    """Return what answers were judged to be worth, by task and the answer's id."""
    scores: dict[tuple[str, str], float] = {}
    for row in connection.execute(_VERDICTS, {"at_most": _LATEST}):
        decided: JsonObject = row.output_data[0] if row.output_data else {}
        evaluation, chosen = decided.get("evaluation"), decided.get("chosen")
        score = evaluation.get("score") if isinstance(evaluation, dict) else None
        if isinstance(score, int | float) and isinstance(chosen, list):
            scores |= {(row.task_id, str(answer)): float(score) for answer in chosen}
    return scores


def _with_skills(calls: list[Call]) -> Record:
    skills = {call.skill for call in calls if call.skill}
    by_skill = {skill: _record([call for call in calls if call.skill == skill]) for skill in skills}
    return replace(_record(calls), skills=by_skill)


def _record(calls: list[Call]) -> Record:
    well = [call for call in calls if not call.failed]
    scores = [call.score for call in calls if call.score is not None]
    return Record(
        calls=len(calls),
        failures=len(calls) - len(well),
        duration_ms=median(call.duration_ms for call in well or calls),
        cost_usd=sum(call.cost_usd for call in well) / max(len(well), 1),
        score=sum(scores) / len(scores) if scores else None,
        scored=len(scores),
    )


# A task's id says when it was made: the latest calls stand at the end of the attempts' primary key.
_latest = (
    select(
        Attempt.task_id,
        Attempt.step_id,
        Attempt.agent_id,
        Attempt.skill,
        Attempt.started_at,
        Attempt.ended_at,
        Attempt.error,
    )
    .order_by(Attempt.task_id.desc())
    .limit(bindparam("at_most"))
    .subquery()
)
_NEWEST: Final = select(func.max(_latest.c.ended_at)).select_from(_latest)
_KEPT_AT: Final = select(func.max(AgentStats.updated_at))
_CALLS: Final = (
    select(*_latest.c, StepRow.usage)
    .outerjoin(StepRow, (StepRow.task_id == _latest.c.task_id) & (StepRow.step_id == _latest.c.step_id))
    .where(_latest.c.ended_at.is_not(None))
)
_VERDICTS: Final = select(StepRow.task_id, StepRow.output_data).where(
    StepRow.task_id.in_(select(_latest.c.task_id)), StepRow.step_id.like("%:_.v"), StepRow.status == "completed"
)
_kept = [column for column in AgentStats.__table__.c if column.name != "updated_at"]
_RECORDS: Final = select(*_kept).where(
    AgentStats.agent_id.in_(bindparam("of_agents", expanding=True)), AgentStats.calls >= bindparam("fewest")
)
