"""Says what is wrong with a run, from its evidence alone. An empty list is the federation's promise, kept."""

from collections.abc import Iterator

from tests.chaos import client_checks, step_checks, task_checks
from tests.chaos.case import Violation, cases
from tests.chaos.evidence import Evidence, RemoteTaskFound
from tests.chaos.task_checks import number_of

ENDED = frozenset({"COMPLETED", "FAILED", "CANCELED", "REJECTED"})
"""States of an A2A task in which nothing is left to do."""

_ROUNDING_USD = 1e-6


def check(evidence: Evidence) -> list[Violation]:
    """Return every violation."""
    found: list[Violation] = []
    for case in cases(evidence):
        found += task_checks.check(case)
        found += step_checks.check(case)
    found += client_checks.check(evidence)
    found += _check_agents(evidence)
    found += _check_days(evidence)
    return found


def orphans(remote_tasks: list[RemoteTaskFound]) -> list[RemoteTaskFound]:
    """Return the A2A tasks that nobody will end."""
    return [remote for remote in remote_tasks if remote.state not in ENDED]


def _check_agents(evidence: Evidence) -> Iterator[Violation]:
    """Nothing is left at work at the agents, and nothing was done there for a task that is not in the database."""
    for remote in orphans(list(evidence.remote_tasks)):
        owner = next((line for line in evidence.sink if line.remote_task_id == remote.id), None)
        step = "an unknown step" if owner is None else f"step {owner.step_id} of task {owner.task_id}"
        yield Violation("orphaned remote task", remote.agent, f"{remote.id} is {remote.state}; it was {step}")
    known = {task.id for task in evidence.tasks}
    for line in evidence.sink:
        if line.what == "performed" and line.task_id not in known:
            yield Violation("effect of an unknown task", line.agent, f"message {line.message_id}: {line.task_id!r}")


def _check_days(evidence: Evidence) -> Iterator[Violation]:
    """The tenant's days were charged what its tasks were, and nothing stays reserved on them."""
    if not evidence.days:
        return
    charged = sum(day.tokens for day in evidence.days), sum(day.cost_usd for day in evidence.days)
    spent = _spent(evidence, "input_tokens") + _spent(evidence, "output_tokens"), _spent(evidence, "cost_usd")
    if charged != spent:
        yield Violation("spending of days", "tokens and dollars", f"charged {charged}, the tasks {spent}")
    for day in evidence.days:
        if day.reserved_tokens or abs(day.reserved_cost_usd) > _ROUNDING_USD:
            yield Violation("spending of days", "still reserved", str(day))


def _spent(evidence: Evidence, name: str) -> float:
    return sum(number_of(task.usage.get(name)) for task in evidence.tasks)
