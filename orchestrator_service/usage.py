"""What calls of models cost: a row for each call that is known, and sums of them by day, user, agent and so on.

The rows of a task together are what its own `usage` says. They stay when the task is deleted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, TypeAlias

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, select

from orchestrator_service.models import ModelCallRow, StepRow
from shared.agent import JsonObject, ModelCall, Usage
from shared.auth import Caller
from shared.db import new_id, now
from shared.prepared import prepared

Group: TypeAlias = Literal["day", "user", "agent", "model", "tenant", "workflow", "role", "task"]

ORCHESTRATOR: Final = "orchestrator"
"""Who made the calls that were the orchestrator's own: for plans and summaries."""

_GROUPS: Final[dict[Group, ColumnElement[str] | ColumnElement[str | None]]] = {
    "day": ModelCallRow.day.expression,
    "user": ModelCallRow.user_id.expression,
    "agent": ModelCallRow.agent.expression,
    "model": ModelCallRow.model.expression,
    "tenant": ModelCallRow.tenant_id.expression,
    "workflow": ModelCallRow.workflow.expression,
    "role": ModelCallRow.role.expression,
    "task": ModelCallRow.task_id.expression,
}


@dataclass(frozen=True, slots=True)
class Spender:
    """Whose money it was."""

    tenant_id: str
    user_id: str | None
    task_id: str
    workflow: str | None


@dataclass(frozen=True, slots=True)
class Question:
    """Which rows are summed up, and how: `groups` in the order of the answer; `since` is included, `until` is not."""

    groups: Sequence[Group]
    since: datetime | None = None
    until: datetime | None = None


def record(connection: Connection, spender: Spender, step_id: str | None, usage: Usage) -> None:
    """Write what was spent by a step's agent, or by the orchestrator itself (`step_id` None)."""
    agent: str | None = ORCHESTRATOR
    if step_id is not None:
        agent = connection.execute(_AGENT, {"of_task": spender.task_id, "of_step": step_id}).scalar_one_or_none()
    at = now()
    connection.execute(
        _ADD,
        [
            {
                "id": new_id(),
                "tenant_id": spender.tenant_id,
                "user_id": spender.user_id,
                "task_id": spender.task_id,
                "step_id": step_id,
                "workflow": spender.workflow,
                "agent": agent,
                "model": call.model,
                "role": call.role,
                "input_tokens": call.input_tokens,
                "output_tokens": call.output_tokens,
                "cached_tokens": call.cached_tokens,
                "cost_usd": call.cost_usd,
                "llm_calls": 0 if call.cached else call.count,
                "saved_calls": call.count if call.cached else 0,
                "saved_usd": call.saved_usd,
                "latency_ms": call.latency_ms,
                "day": at.date().isoformat(),
                "at": at,
            }
            for call in itemized(usage)
        ],
    )


def itemized(usage: Usage) -> list[ModelCall]:
    """Return the calls of a usage so that they add up to it; what is not known of is a call of no named model.

    Calls that would add up to more are not believed: the sums are what was paid. Nothing at all gives no call.
    """
    paid = [call for call in usage.calls if not call.cached]
    rest = ModelCall(
        "",
        input_tokens=usage.input_tokens - sum(call.input_tokens for call in paid),
        output_tokens=usage.output_tokens - sum(call.output_tokens for call in paid),
        cost_usd=round(usage.cost_usd - sum(call.cost_usd for call in paid), 9),
        count=usage.llm_calls - sum(call.count for call in paid),
    )
    amounts = (rest.input_tokens, rest.output_tokens, rest.cost_usd, rest.count)
    if min(amounts) < 0:
        whole = ModelCall("", "", usage.input_tokens, usage.output_tokens, cost_usd=usage.cost_usd)
        return [replace(whole, count=usage.llm_calls), *(call for call in usage.calls if call.cached)]
    return [*usage.calls, *([rest] if any(amounts) else [])]


def summed(connection: Connection, caller: Caller, question: Question) -> list[JsonObject]:
    """Return one entry for each group of the caller's tenant, those of a day in order, else the dearest first."""
    columns = [_GROUPS[group].label(group) for group in question.groups]
    query = select(*columns, *_SUMS).where(ModelCallRow.tenant_id == caller.tenant_id)
    if question.since is not None:
        query = query.where(ModelCallRow.at >= question.since)
    if question.until is not None:
        query = query.where(ModelCallRow.at < question.until)
    dearest_first = (func.sum(ModelCallRow.cost_usd).desc(), func.sum(ModelCallRow.llm_calls).desc())
    day_first = [_GROUPS["day"]] if "day" in question.groups else []
    query = query.group_by(*columns).order_by(*day_first, *dearest_first, *columns) if columns else query
    return [_entry(dict(row)) for row in connection.execute(query).mappings()]


def _entry(row: dict[str, object]) -> JsonObject:
    """Return a row of sums as JSON: PostgreSQL sums whole numbers to Decimal, and nothing to null."""
    entry: JsonObject = {}
    for name, value in row.items():
        if name in _GROUPS:
            entry[name] = None if value is None or value == "" else str(value)
        else:
            number = float(str(value or 0))
            entry[name] = number if name in {"cost_usd", "saved_usd"} else int(number)
    busy_ms, calls = entry.pop("latency_ms"), entry["llm_calls"]
    average = round(busy_ms / calls, 1) if isinstance(busy_ms, int) and isinstance(calls, int) and calls else None
    return {**entry, "latency_ms": average}


_SUMS: Final = [
    func.sum(column).label(column.key)
    for column in (
        ModelCallRow.llm_calls,
        ModelCallRow.input_tokens,
        ModelCallRow.output_tokens,
        ModelCallRow.cached_tokens,
        ModelCallRow.cost_usd,
        ModelCallRow.saved_calls,
        ModelCallRow.saved_usd,
        ModelCallRow.latency_ms,
    )
]
_ADD: Final = prepared(insert(ModelCallRow))
_AGENT: Final = prepared(
    select(StepRow.agent_name).where(StepRow.task_id == bindparam("of_task"), StepRow.step_id == bindparam("of_step"))
)
