"""What tasks may still spend: money and tokens are reserved before each call and settled after it.

A task's `reserved` column is its ledger: what each call under way may spend. Whoever holds the row's lock reads and
writes that column; so calls at the same time together never get more than the limit. The rules:
- A step gets what is left, divided by itself and the steps that may begin while it is under way (`parts`); so a chain
  hands all of it on, and nothing that can still begin finds the purse empty because others hold it.
- Of a tenant's day a call reserves at most an eighth of what is left.
- A task that an agent started (a sub-task) spends out of the grant of that call, at most half of what is left at a
  time: the rest is for the agent itself and its other sub-tasks.
- What an agent says it spent counts in full, even beyond its grant; then the next call is refused.
A task without limits, of a tenant without limits, reserves nothing and costs no statement.

Rows are locked from a task upwards: first its own, then its lender's, then the tenant's day.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, func, select, update

from orchestrator_service import ledger
from orchestrator_service.ledger import Amount, BudgetExhaustedError, Call, Ledger, Spent, parts
from orchestrator_service.models import StepRow, Task, TenantSpending, insert_or_skip
from shared.agent import JsonObject, Usage
from shared.db import now

__all__ = [
    "EVALUATION",
    "NO_LIMIT",
    "PLANNING",
    "SUMMARY",
    "Amount",
    "BudgetExhaustedError",
    "Payer",
    "affordable_tokens",
    "check_steps",
    "close",
    "holding",
    "own_call",
    "parts",
    "payer",
    "reserve",
    "settle",
    "steps_left",
    "to_metadata",
]

NO_LIMIT: Final = Amount()
_NOTHING: Final = Amount(cost_usd=0.0, tokens=0)

PLANNING: Final = ":plan"
"""The orchestrator's own call for a plan. A step's id is the name of its call, and has no colon."""

SUMMARY: Final = ":summary"
"""The orchestrator's own call for a summary."""

EVALUATION: Final = ":evaluation"
"""The orchestrator's own call to judge the result."""

_OWN: Final = (PLANNING, SUMMARY, EVALUATION)
_TENANT_PARTS: Final = 8
_SUB_TASK_PARTS: Final = 2


@dataclass(frozen=True, slots=True)
class Payer:
    """A task that spends. `lender` is the task and the call whose grant it spends, if an agent's call led to it."""

    task_id: str
    tenant_id: str
    limit: Amount
    lender: tuple[str, str] | None = None


def payer(task_id: str, tenant_id: str, request: JsonObject, ancestry: JsonObject | None) -> Payer:
    """Return the task as one who spends, from what its row says."""
    budget = request.get("budget")
    limit = Amount.model_validate(budget) if budget else NO_LIMIT
    match (ancestry or {}).get("lender"):
        case [str(lender_id), str(call)]:
            return Payer(task_id, tenant_id, limit, (lender_id, call))
        case _:
            return Payer(task_id, tenant_id, limit)


def reserve(
    connection: Connection,
    payer: Payer,
    call: str,
    used: JsonObject,
    reserved: JsonObject | None,
    *,
    divided_by: int = 1,
    daily: Amount = NO_LIMIT,
) -> tuple[Amount | None, JsonObject | None]:
    """Reserve what a call may spend; return that, and the ledger that the task's row is to keep in `reserved`.

    Without any limit the first is None, and there is nothing to settle but the usage. `call` is the step's id, or one
    of the orchestrator's own. What the call has reserved already, before a crash or for an earlier try, stays its own.
    `used` and `reserved` are the columns of the task's row, which is locked; `daily` is the tenant's limit.
    Raises: BudgetExhaustedError, with nothing written.
    """
    if payer.limit.is_unlimited and daily.is_unlimited:
        return None, reserved
    book = ledger.read(reserved)
    known = book.calls.get(call, Call(may=_NOTHING))
    if call in book.calls and known.may.cost_usd != 0 and known.may.tokens != 0:
        return known.may, reserved
    more = ledger.share(payer.limit, [_spent(used), *book.taken()], divided_by)
    lending = None
    if payer.lender is not None:
        lending = _lending(connection, *payer.lender)
        more = more.at_most(ledger.share(lending[1].may, [lending[1].lent, lending[1].below], _SUB_TASK_PARTS))
    day = known.day
    if not daily.is_unlimited:
        day = day or now().date().isoformat()
        more = _book(connection, payer.tenant_id, day, daily, more)
    if lending is not None and payer.lender is not None:
        lenders, entry = lending
        entry = entry.model_copy(update={"lent": entry.lent.plus(more.held)})
        _write(connection, payer.lender[0], lenders.opened(payer.lender[1], entry))
    may = more.plus(known.may.held)
    return may, book.opened(call, known.model_copy(update={"may": may, "day": day})).to_json()


def settle(
    connection: Connection,
    payer: Payer,
    call: str,
    usage: Usage,
    reserved: JsonObject | None,
    *,
    again_after: int | None = None,
) -> JsonObject | None:
    """Settle what a call has reserved with what it spent; return the ledger that the task's row is to keep.

    The same ledger comes back if there is nothing to settle: nothing was reserved, or it is settled already.
    `again_after` is the number of the step's try that failed, if another follows: what is left stays for it.
    """
    book = ledger.read(reserved)
    entry = book.calls.get(call)
    if entry is None or (again_after is not None and entry.settled >= again_after):
        return reserved
    spent = Spent(cost_usd=round(usage.cost_usd, 9), tokens=usage.input_tokens + usage.output_tokens)
    held = entry.may.held
    if again_after is not None:
        left = entry.may.less(spent)
        _give_back(connection, payer, entry, held.minus(left.held), spent)
        return book.opened(call, entry.model_copy(update={"may": left, "settled": again_after})).to_json()
    _give_back(connection, payer, entry, held, spent, entry.below)
    return book.closed(call).to_json()


def close(connection: Connection, payer: Payer, reserved: JsonObject | None) -> None:
    """Return all that the task's calls still hold, because the task is over; its row is to keep no ledger."""
    for entry in ledger.read(reserved).calls.values():
        _give_back(connection, payer, entry, entry.may.held, Spent(), entry.below)


def holding(reserved: JsonObject | None) -> set[str]:
    """Return the calls that hold something by the ledger in a task's row."""
    return set(ledger.read(reserved).calls)


def own_call(reserved: JsonObject | None) -> str:
    """Return which of the orchestrator's own calls is under way by the ledger; that for a plan, if none is."""
    return next((call for call in _OWN if call in holding(reserved)), PLANNING)


def check_steps(connection: Connection, task_id: str, request: JsonObject, root_task_id: str | None, new: int) -> None:
    """Refuse a plan with `new` steps more than the task, or the task that its tree began with, may have.

    Counted are the steps of every revision, and those of all sub-tasks. The root's row is locked.
    Raises: BudgetExhaustedError.
    """
    own = _most_steps(request)
    if own is not None and (steps := _count_steps(connection, task_id) + new) > own:
        raise BudgetExhaustedError(f"The plan has {steps} steps, more than the {own} that the task's budget allows.")
    if root_task_id is None:
        return
    root = connection.execute(_ROOT, {"of_task": root_task_id}).scalar_one_or_none()
    most = None if root is None else _most_steps(root)
    if most is not None and (steps := _count_steps(connection, root_task_id) + new) > most:
        raise BudgetExhaustedError(f"With this plan the whole task has {steps} steps, more than the {most} it may.")


def steps_left(connection: Connection, task_id: str, request: JsonObject) -> int | None:
    """Return how many steps a task's budget still allows it and its sub-tasks; None: as many as they like."""
    most = _most_steps(request)
    return None if most is None else max(0, most - _count_steps(connection, task_id))


def to_metadata(
    grant: Amount | None, request: JsonObject, deadline_at: datetime, planned: int = 0, at: datetime | None = None
) -> JsonObject:
    """Return what goes into the metadata of a message, under METADATA_KEY, so that the agent knows what it may spend.

    `planned` is how many steps the task has had; `seconds` are those left from `at`, or now, until `deadline_at`.
    """
    given = request.get("budget")
    budget: JsonObject = {"seconds": max(0.0, round((deadline_at - (at or now())).total_seconds(), 3))}
    if isinstance(given, dict) and isinstance(depth := given.get("depth"), int):
        budget["depth"] = depth
    if (most := _most_steps(request)) is not None:
        budget["steps"] = max(0, most - planned)
    if grant is not None:
        budget |= grant.model_dump(mode="json", exclude_none=True)
    return {"budget": budget}


def affordable_tokens(grant: Amount | None, usd_per_mtok: float) -> int | None:
    """Return how many tokens a model may use for a grant, at this price of a million; None: no limit."""
    if grant is None:
        return None
    limits = [] if grant.tokens is None else [grant.tokens]
    if grant.cost_usd is not None and usd_per_mtok > 0:
        limits.append(math.floor(grant.cost_usd / usd_per_mtok * 1_000_000))
    return min(limits, default=None)


def _give_back(
    connection: Connection, of: Payer, entry: Call, released: Spent, spent: Spent, below: Spent | None = None
) -> None:
    """Tell the tenant's day and the lender that a call no longer holds something, and what it and sub-tasks spent.

    What sub-tasks spent is on the tenant's day already.
    """
    if entry.day is not None:
        _rebook(connection, of.tenant_id, entry.day, released, spent)
    if of.lender is not None:
        lender, name = of.lender
        row = connection.execute(_LENDER, {"of_task": lender}).one_or_none()
        if row is None:
            return
        book, whole = ledger.read(row.reserved), spent.plus(below or Spent())
        _write(connection, lender, book.repaid(name, released, whole))
        if name not in book.calls:  # it was settled, with its own lender too, before this was spent
            above = payer(lender, row.tenant_id, row.request, row.ancestry)
            _give_back(connection, above, Call(may=_NOTHING), Spent(), whole)


def _lending(connection: Connection, task_id: str, call: str) -> tuple[Ledger, Call]:
    """Return the ledger and the call that a sub-task spends from, locked. Raises: BudgetExhaustedError."""
    book = ledger.read(connection.execute(_LENDER, {"of_task": task_id}).scalar_one_or_none())
    entry = book.calls.get(call)
    if entry is None:
        raise BudgetExhaustedError("The call that this task works for is over, and with it its budget.")
    return book, entry


def _book(connection: Connection, tenant_id: str, day: str, daily: Amount, wanted: Amount) -> Amount:
    """Reserve on the tenant's day, at most its share of what is left. Raises: BudgetExhaustedError."""
    key = {"of_tenant": tenant_id, "of_day": day}
    row = connection.execute(_DAY, key).one_or_none()
    if row is None:
        nothing = {"cost_usd": 0.0, "tokens": 0, "reserved_cost_usd": 0.0, "reserved_tokens": 0}
        connection.execute(insert_or_skip(connection, TenantSpending).values(tenant_id=tenant_id, day=day, **nothing))
        row = connection.execute(_DAY, key).one()
    spent = Spent(cost_usd=row.cost_usd, tokens=row.tokens)
    held = Spent(cost_usd=row.reserved_cost_usd, tokens=row.reserved_tokens)
    try:
        may = wanted.at_most(ledger.share(daily, [spent, held], _TENANT_PARTS))
    except BudgetExhaustedError as error:
        raise BudgetExhaustedError(
            "What this tenant may spend in a day is spent or reserved (TENANT_DAILY_COST_USD, TENANT_DAILY_TOKENS); "
            "try again tomorrow, UTC, or raise it."
        ) from error
    _rebook(connection, tenant_id, day, Spent(cost_usd=-may.held.cost_usd, tokens=-may.held.tokens), Spent())
    return may


def _rebook(connection: Connection, tenant_id: str, day: str, released: Spent, spent: Spent) -> None:
    connection.execute(
        _BOOK,
        {
            "of_tenant": tenant_id,
            "of_day": day,
            "spent_usd": spent.cost_usd,
            "spent_tokens": spent.tokens,
            "freed_usd": released.cost_usd,
            "freed_tokens": released.tokens,
        },
    )


def _write(connection: Connection, task_id: str, book: Ledger) -> None:
    connection.execute(_SAVE, {"of_task": task_id, "ledger": book.to_json()})


def _most_steps(request: JsonObject) -> int | None:
    budget = request.get("budget")
    most = budget.get("steps") if isinstance(budget, dict) else None
    return most if isinstance(most, int) else None


def _count_steps(connection: Connection, task_id: str) -> int:
    return connection.execute(_STEPS, {"of_task": task_id}).scalar_one()


def _spent(used: JsonObject) -> Spent:
    tokens = _number(used.get("input_tokens")) + _number(used.get("output_tokens"))
    return Spent(cost_usd=round(_number(used.get("cost_usd")), 9), tokens=int(tokens))


def _number(value: object) -> int | float:
    return value if isinstance(value, int | float) else 0


# Statements are built once: building one costs more than SQLite takes to run it.
_SAVE: Final = update(Task).where(Task.id == bindparam("of_task")).values(reserved=bindparam("ledger"))
_LENDER: Final = (
    select(Task.reserved, Task.tenant_id, Task.request, Task.ancestry)
    .where(Task.id == bindparam("of_task"))
    .with_for_update(key_share=True)
)
_ROOT: Final = select(Task.request).where(Task.id == bindparam("of_task")).with_for_update(key_share=True)
_day = (TenantSpending.tenant_id == bindparam("of_tenant"), TenantSpending.day == bindparam("of_day"))
_DAY: Final = (
    select(
        TenantSpending.cost_usd,
        TenantSpending.tokens,
        TenantSpending.reserved_cost_usd,
        TenantSpending.reserved_tokens,
    )
    .where(*_day)
    .with_for_update()
)
_BOOK: Final = (
    update(TenantSpending)
    .where(*_day)
    .values(
        cost_usd=TenantSpending.cost_usd + bindparam("spent_usd"),
        tokens=TenantSpending.tokens + bindparam("spent_tokens"),
        reserved_cost_usd=TenantSpending.reserved_cost_usd - bindparam("freed_usd"),
        reserved_tokens=TenantSpending.reserved_tokens - bindparam("freed_tokens"),
    )
)
_seed = select(Task.id).where(Task.id == bindparam("of_task")).cte("family", recursive=True)
_family = _seed.union_all(select(Task.id).join(_seed, Task.parent_task_id == _seed.c.id))
_STEPS: Final = select(func.count()).select_from(StepRow).where(StepRow.task_id.in_(select(_family.c.id)))
