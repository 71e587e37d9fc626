"""Says what is wrong with a run, from its evidence alone. An empty list is the federation's promise, kept."""

from collections.abc import Iterator

from tests.chaos import client_checks, step_checks, task_checks
from tests.chaos.case import Violation, cases
from tests.chaos.evidence import Evidence, RemoteTaskFound

ENDED = frozenset({"COMPLETED", "FAILED", "CANCELED", "REJECTED"})
"""States of an A2A task in which nothing is left to do."""


def check(evidence: Evidence) -> list[Violation]:
    """Return every violation."""
    found: list[Violation] = []
    for case in cases(evidence):
        found += task_checks.check(case)
        found += step_checks.check(case)
    found += client_checks.check(evidence)
    found += _check_agents(evidence)
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
