"""A task's money as its row keeps it: what calls under way hold, and how what is left is divided. Pure."""

from collections.abc import Collection, Iterable
from typing import Final

from pydantic import BaseModel, ConfigDict

from orchestrator_service.planning.plan import Plan, needs
from shared.agent import JsonObject
from shared.errors import FederationError

_SMALLEST_USD: Final = 1e-9


class BudgetExhaustedError(FederationError):
    """What the task, its tenant or the call that it works for may spend is spent or reserved."""

    slug = "budget-exhausted"
    title = "The budget is used up"
    status = 402


class Spent(BaseModel):
    """Money and tokens that are gone, or held for something."""

    model_config = ConfigDict(frozen=True)

    cost_usd: float = 0.0
    tokens: int = 0

    def plus(self, other: "Spent") -> "Spent":
        """Return both together."""
        return Spent(cost_usd=round(self.cost_usd + other.cost_usd, 9), tokens=self.tokens + other.tokens)

    def minus(self, other: "Spent") -> "Spent":
        """Return what is left of this, at least nothing."""
        cost_usd = round(self.cost_usd - other.cost_usd, 9)
        return Spent(cost_usd=max(0.0, cost_usd), tokens=max(0, self.tokens - other.tokens))


class Amount(BaseModel):
    """What may be spent; None: no limit."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    cost_usd: float | None = None
    tokens: int | None = None

    @property
    def is_unlimited(self) -> bool:
        """Whether there is no limit at all."""
        return self.cost_usd is None and self.tokens is None

    @property
    def held(self) -> Spent:
        """What has to be kept for it."""
        return Spent(cost_usd=self.cost_usd or 0.0, tokens=self.tokens or 0)

    def less(self, spent: Spent) -> "Amount":
        """Return what is left of it."""
        left = self.held.minus(spent)
        return Amount(
            cost_usd=None if self.cost_usd is None else left.cost_usd,
            tokens=None if self.tokens is None else left.tokens,
        )

    def plus(self, held: Spent) -> "Amount":
        """Return it and what was held before, where there is a limit."""
        whole = self.held.plus(held)
        return Amount(
            cost_usd=None if self.cost_usd is None else whole.cost_usd,
            tokens=None if self.tokens is None else whole.tokens,
        )

    def at_most(self, other: "Amount") -> "Amount":
        """Return the smaller of both, each by itself."""
        costs = [cost for cost in (self.cost_usd, other.cost_usd) if cost is not None]
        tokens = [each for each in (self.tokens, other.tokens) if each is not None]
        return Amount(cost_usd=min(costs, default=None), tokens=min(tokens, default=None))


class Call(BaseModel):
    """A call under way: what it may still spend, what sub-tasks hold of that, and what they have spent of it.

    `day` is the day of the tenant that it is booked on. `settled` is the last try that was settled.
    """

    model_config = ConfigDict(frozen=True)

    may: Amount
    day: str | None = None
    settled: int = 0
    lent: Spent = Spent()
    below: Spent = Spent()

    def for_sub_tasks(self) -> Amount:
        """Return what it may still hand to sub-tasks."""
        return self.may.less(self.lent.plus(self.below))


class Ledger(BaseModel):
    """What a task's calls hold, and what sub-tasks hold and have spent whose call is over."""

    model_config = ConfigDict(frozen=True)

    calls: dict[str, Call] = {}
    lent: Spent = Spent()
    below: Spent = Spent()

    def taken(self) -> list[Spent]:
        """Return what is held, and what sub-tasks spent whose call is over."""
        return [self.lent, self.below, *(call.may.held for call in self.calls.values())]

    def opened(self, name: str, call: Call) -> "Ledger":
        """Return it with this call, in place of the one it had."""
        return self.model_copy(update={"calls": {**self.calls, name: call}})

    def closed(self, name: str) -> "Ledger":
        """Return it without the call. What its sub-tasks still hold stays held, what they spent stays spent."""
        call = self.calls[name]
        rest = {other: entry for other, entry in self.calls.items() if other != name}
        return Ledger(calls=rest, lent=self.lent.plus(call.lent), below=self.below.plus(call.below))

    def repaid(self, name: str, released: Spent, spent: Spent) -> "Ledger":
        """Return it after a sub-task of a call gave back what it held, and said what it spent."""
        call = self.calls.get(name)
        if call is None:
            return self.model_copy(update={"lent": self.lent.minus(released), "below": self.below.plus(spent)})
        changes = {"lent": call.lent.minus(released), "below": call.below.plus(spent)}
        return self.opened(name, call.model_copy(update=changes))

    def to_json(self) -> JsonObject | None:
        """Return it as it is stored."""
        return self.model_dump(mode="json", exclude_defaults=True) or None


def read(stored: JsonObject | None) -> Ledger:
    """Return the ledger that a row holds."""
    return Ledger.model_validate(stored or {})


def share(limit: Amount, taken: Iterable[Spent], divided_by: int) -> Amount:
    """Return the part of what is left that one call may have: never nothing. Raises: BudgetExhaustedError."""
    gone = Spent()
    for each in taken:
        gone = gone.plus(each)
    cost_usd = tokens = None
    if limit.tokens is not None:
        if gone.tokens >= limit.tokens:
            raise _exhausted(f"{gone.tokens:,} of the {limit.tokens:,} tokens")
        tokens = max(1, (limit.tokens - gone.tokens) // divided_by)
    if limit.cost_usd is not None:
        left = round((limit.cost_usd - gone.cost_usd) / _SMALLEST_USD)
        if left < 1:
            raise _exhausted(f"{gone.cost_usd:g} of the {limit.cost_usd:g} USD (cost_usd)")
        cost_usd = round(max(1, left // divided_by) * _SMALLEST_USD, 9)
    return Amount(cost_usd=cost_usd, tokens=tokens)


def parts(plan: Plan, step_id: str, begun: Collection[str]) -> int:
    """Return by how much what is left is divided for a step: it, and the steps that may begin while it is under way.

    `begun` are the steps that have begun, or are over.
    """
    later = {step_id}
    for step in plan.in_order():
        if not later.isdisjoint(needs(step)):
            later.add(step.id)
    return 1 + sum(step.id not in later and step.id not in begun for step in plan.steps)


def _exhausted(what: str) -> BudgetExhaustedError:
    return BudgetExhaustedError(f"{what} that the budget allows are spent, or reserved; give the task a larger one.")
