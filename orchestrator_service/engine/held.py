"""A task whose row a run has locked for one transaction: what changes is collected, and written together at its end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import JsonValue
from sqlalchemy import Connection, Row, bindparam, select

from orchestrator_service import budgets, deliveries, events, tasks
from orchestrator_service import usage as usage_records
from orchestrator_service.engine.decide import Outcome
from orchestrator_service.engine.work import Run, StaleRunError
from orchestrator_service.models import StepRow, Task
from shared.agent import JsonObject, Usage
from shared.prepared import prepared


@dataclass(slots=True)
class StepState:
    """How a step stands. `begun` tells whether it was ever started."""

    status: str
    error: JsonObject | None = None
    begun: bool = False

    @property
    def outcome(self) -> Outcome | None:
        """Return how it ended, or that it waits for a person; None if it is still to be done or under way."""
        match self.status:
            case "completed" | "failed" | "skipped" | "canceled" | "input_required":
                return Outcome(self.status, self.error)
            case _:
                return None


@dataclass(slots=True)
class Held:
    """The locked task. `changes` are columns of its row, `drafts` events; `write` stores both in two statements.

    `is_news`: whoever gave a callback URL is to hear of it. `said` is what the steps said that ended in here.
    """

    connection: Connection
    run: Run
    status: str
    cancel_requested: bool
    usage: JsonObject
    reserved: JsonObject | None
    has_started: bool
    user_id: str | None = None
    drafts: list[events.Draft] = field(default_factory=list[events.Draft])
    changes: dict[str, object] = field(default_factory=dict[str, object])
    steps: dict[str, StepState] = field(default_factory=dict[str, StepState])
    said: dict[str, str] = field(default_factory=dict[str, str])
    is_news: bool = False

    @property
    def payer(self) -> budgets.Payer:
        """The task as one who spends."""
        run = self.run
        return budgets.payer(run.task_id, run.tenant_id, run.request, run.ancestry)

    @property
    def spender(self) -> usage_records.Spender:
        """Whom the records of calls of models name."""
        run = self.run
        workflow = run.request.get("workflow")
        return usage_records.Spender(
            run.tenant_id, self.user_id, run.task_id, workflow if isinstance(workflow, str) else None
        )

    def reserve(
        self, call: str, daily: budgets.Amount, divided_by: Callable[[], int] = lambda: 1
    ) -> budgets.Amount | None:
        """Reserve what a call may spend; None: there is no limit. Raises: BudgetExhaustedError."""
        if not self.run.request.get("budget") and daily.is_unlimited:
            return None
        granted, reserved = budgets.reserve(
            self.connection, self.payer, call, self.usage, self.reserved, divided_by=divided_by(), daily=daily
        )
        self._keep(reserved)
        return granted

    def settle(self, call: str, usage: Usage, again_after: int | None = None) -> None:
        """Count what a call spent, and give back what it had reserved. `again_after`: the try that another follows."""
        self.spend(usage, call)
        if self.reserved is not None:
            self._keep(budgets.settle(self.connection, self.payer, call, usage, self.reserved, again_after=again_after))

    def _keep(self, reserved: JsonObject | None) -> None:
        if reserved != self.reserved:
            self.reserved = self.changes["reserved"] = reserved

    def tell(self, type_: str, **data: JsonValue) -> None:
        """Add an event."""
        self.drafts.append(events.draft(type_, **data))

    def spend(self, usage: Usage, call: str) -> None:
        """Add to what models cost the task, with the event that says so, if there was any cost."""
        if not usage:
            return
        usage_records.record(self.connection, self.spender, None if call.startswith(":") else call, usage)
        spent = usage_json(usage)
        self.usage = {key: number_of(self.usage.get(key)) + number_of(spent.get(key)) for key in tasks.NO_USAGE}
        self.changes["usage"] = self.usage
        self.tell("usage", usage=self.usage)

    def write(self) -> None:
        """Store what was collected."""
        events.append(self.connection, self.run.task_id, self.drafts, **self.changes)
        if self.is_news and isinstance(url := self.run.request.get("callback_url"), str):
            deliveries.announce(self.connection, self.run.task_id, url)
        self.drafts, self.changes, self.is_news = [], {}, False


def hold(connection: Connection, run: Run) -> Held:
    """Lock the task's row. Every transition of a run begins so.

    Raises: StaleRunError when the run is not the task's newest any more, or the task is over.
    """
    row = connection.execute(_HOLD, {"of_task": run.task_id}).one_or_none()
    if row is None or row.run != run.number or row.run_state != "running" or row.status in events.TERMINAL:
        raise StaleRunError("Another worker has the task by now, or it is over.")
    held = _held(connection, run, row)
    _read_steps(held)
    return held


def taken(connection: Connection, run: Run, row: Row[*tuple[Any, ...]]) -> Held:
    """Return a task that was stored and claimed in this transaction, by the row that the claim gave back."""
    held = _held(connection, run, row)
    if row.origin_task_id is not None:
        _read_steps(held)  # a retry or fork brings its plan
    return held


def _held(connection: Connection, run: Run, row: Row[*tuple[Any, ...]]) -> Held:
    return Held(
        connection, run, row.status, row.cancel_requested, row.usage, row.reserved, row.has_started, row.user_id
    )


def _read_steps(held: Held) -> None:
    for step in held.connection.execute(_STEPS, {"of_task": held.run.task_id}):
        held.steps[step.step_id] = StepState(step.status, step.error, begun=step.has_started)


def usage_json(usage: Usage) -> JsonObject:
    """Return usage as the API shows it."""
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": usage.cost_usd,
        "llm_calls": usage.llm_calls,
    }


def number_of(value: JsonValue) -> int | float:
    """Return a stored number; 0 for what is none."""
    return value if isinstance(value, int | float) else 0


HELD: Final = (
    Task.status,
    Task.cancel_requested,
    Task.usage,
    Task.reserved,
    Task.started_at.is_not(None).label("has_started"),
    Task.user_id,
)
"""What a transition has to know of a task's row."""

_HOLD: Final = prepared(
    select(Task.run, Task.run_state, *HELD).where(Task.id == bindparam("of_task")).with_for_update(key_share=True)
)
_STEPS: Final = prepared(
    select(StepRow.step_id, StepRow.status, StepRow.error, StepRow.started_at.is_not(None).label("has_started")).where(
        StepRow.task_id == bindparam("of_task")
    )
)
