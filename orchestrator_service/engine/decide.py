"""What to do next, from a plan and how its steps went. Pure: no I/O, no clock, the same answer whoever asks."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Literal, TypeAlias

from orchestrator_service.events import TerminalStatus
from orchestrator_service.planning.plan import Plan, PlanStep
from shared.agent import JsonObject

OutcomeState = Literal["completed", "failed", "skipped", "canceled", "input_required"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended, or that it waits for a person. `error` is a problem of `FederationError.to_metadata`."""

    state: OutcomeState
    error: JsonObject | None = None


Outcomes: TypeAlias = Mapping[str, Outcome]


@dataclass(frozen=True, slots=True)
class StartSteps:
    """These steps have everything they need: perform them, all at once."""

    steps: tuple[PlanStep, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to start; something is still running."""


@dataclass(frozen=True, slots=True)
class Park:
    """Every way on leads through a person: the run ends, the answer starts the next."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The plan is over. `error` says which step stopped it, if one did."""

    status: TerminalStatus
    error: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Revise:
    """A step failed, nothing else can go on, and another plan may still lead to the goal."""


Decision: TypeAlias = StartSteps | Wait | Park | Revise | Finish


def decide(
    plan: Plan,
    outcomes: Outcomes,
    running: Set[str] = frozenset(),
    *,
    canceling: bool = False,
    may_revise: bool = False,
) -> Decision:
    """Say what comes next. Steps that do not depend on a failed one still run: their results are worth having.

    The plan is a checked one: `depends_on` names all that a step needs.
    """
    states = {outcome.state for outcome in outcomes.values()}
    if canceling or "canceled" in states:
        return Wait() if running else Finish("canceled")
    completed = {step_id for step_id, outcome in outcomes.items() if outcome.state == "completed"}
    ready = tuple(
        step
        for step in plan.steps
        if step.id not in outcomes and step.id not in running and completed.issuperset(step.depends_on)
    )
    if ready:
        return StartSteps(ready)
    if running:
        return Wait()
    if "input_required" in states:
        return Park()
    for step in plan.steps:
        outcome = outcomes.get(step.id)
        if outcome is not None and outcome.state in {"failed", "skipped"}:
            is_open = may_revise and outcome.state == "failed"  # a person's no is not to be worked around
            return Revise() if is_open else Finish("failed", _blame(step, outcome))
    return Finish("completed")


def _blame(step: PlanStep, outcome: Outcome) -> JsonObject:
    error = outcome.error or {}
    return {
        **error,
        "detail": f"Step {step.step_number} failed: {error.get('detail', 'no reason was given')}",
        "step_id": step.id,
    }
