"""One task of a run with all that belongs to it, and what the checks say when something is wrong."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from shared.agent import JsonObject
from tests.chaos.evidence import EventFound, Evidence, SinkLine, StepFound, TaskFound, TryFound

Kind = Literal[
    "accepted task is missing",
    "one key, two tasks",
    "not terminal",
    "over but not idle",
    "failed without a reason in the run",
    "over with an open step",
    "completed without a step",
    "tried after the end",
    "over with an open try",
    "event numbers",
    "terminal event",
    "statuses",
    "status goes back",
    "step statuses",
    "step status goes back",
    "told more of a step that had ended",
    "spending",
    "spending of days",
    "effects",
    "effect of an unknown task",
    "told",
    "output",
    "one message, two remote tasks",
    "asked twice",
    "sent twice",
    "answered twice",
    "ran again",
    "orphaned remote task",
    "refused by the orchestrator",
    "lost by the orchestrator",
    "unforeseen failure",
    "does not stop when told to",
    "stopped by itself",
    "cancel refused",
    "answer refused",
    "a question was answered twice",
    "an accepted answer is lost",
    "a cancel is lost",
    "a terminal status changed",
    "a watcher saw a gap or a repeat",
    "a watcher saw another event",
    "a watcher did not see the end",
    "an event's fields differ from its data",
    "webhook of the end",
    "a failpoint was not reached",
]
"""The invariants, by what breaks them."""


class _OfTask(Protocol):
    @property
    def task_id(self) -> str: ...


T = TypeVar("T", bound=_OfTask)


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must not be: the invariant's name, the task or process, and what was found."""

    kind: Kind
    where: str
    detail: str

    def __str__(self) -> str:
        """Return it as a line."""
        return f"{self.kind}: {self.where}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Case:
    """A task, what was asked for (`body`), and everything of it."""

    task: TaskFound
    body: JsonObject
    steps: Sequence[StepFound]
    tries: Sequence[TryFound]
    events: Sequence[EventFound]
    sink: Sequence[SinkLine]

    def violation(self, kind: Kind, detail: str, step_id: str = "") -> Violation:
        """Return a violation of this task, or of one of its steps."""
        place = f"{self.task.key}.{step_id}" if step_id else self.task.key
        return Violation(kind, f"{place} ({self.task.id}, {self.task.status})", detail)

    def instructions(self) -> dict[str, str]:
        """Return what each step is told, with the results of the steps before it filled in as they have to be."""
        plan = next((event.json["plan"] for event in self.events if event.json["type"] == "plan.created"), None)
        plan = self.body.get("plan", plan)
        steps = plan.get("steps") if isinstance(plan, dict) else None
        told: dict[str, str] = {}
        for step in steps if isinstance(steps, list) else []:
            if isinstance(step, dict):
                told[str(step["id"])] = str(step["instruction"])
        return {step_id: self._fill(instruction, told) for step_id, instruction in told.items()}

    def _fill(self, instruction: str, steps: Iterable[str]) -> str:
        for step_id in steps:
            instruction = instruction.replace(f"{{{{ steps.{step_id}.output }}}}", self.output_of(step_id))
        return instruction

    def output_of(self, step_id: str) -> str:
        """Return what the sink says when it has done the step."""
        return f"done {self.task.key}.{step_id}"


def cases(evidence: Evidence) -> list[Case]:
    """Return the tasks that are in the database."""
    bodies: dict[str, JsonObject] = {}
    for line in evidence.history:
        if line["what"] == "submit" and isinstance(line["body"], dict):
            bodies[str(line["key"])] = line["body"]
    steps, tries = _by_task(evidence.steps), _by_task(evidence.tries)
    events, sink = _by_task(evidence.events), _by_task(evidence.sink)
    return [
        Case(task, bodies.get(task.key, {}), steps[task.id], tries[task.id], events[task.id], sink[task.id])
        for task in evidence.tasks
    ]


def _by_task(found: Iterable[T]) -> defaultdict[Hashable, list[T]]:
    of_task: defaultdict[Hashable, list[T]] = defaultdict(list)
    for each in found:
        of_task[each.task_id].append(each)
    return of_task
