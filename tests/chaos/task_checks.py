"""What must hold for each task: it ends, its log is whole and goes forward, it is charged what was metered."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from pydantic import JsonValue

from orchestrator_service.events import TERMINAL
from tests.chaos.case import Case, Violation

STEP_ENDED: Final = frozenset({"completed", "failed", "skipped", "canceled"})
"""Statuses that a step never leaves."""

METERED: Final = ("input_tokens", "output_tokens", "cost_usd", "llm_calls")

_FOLLOWS: Final[dict[str, frozenset[str]]] = {
    "pending": frozenset({"planning", "executing", *TERMINAL}),
    "planning": frozenset({"executing", "input_required", *TERMINAL}),
    "executing": frozenset({"input_required", *TERMINAL}),
    "input_required": frozenset({"input_required", "planning", "executing", *TERMINAL}),
}
_STEP_FOLLOWS: Final[dict[str, frozenset[str]]] = {
    "running": frozenset({"running", "input_required", *STEP_ENDED}),
    "input_required": frozenset({"running", "input_required", *STEP_ENDED}),
}


def check(case: Case) -> Iterator[Violation]:
    """Yield what is wrong."""
    yield from _check_end(case)
    yield from _check_numbers(case)
    yield from _check_statuses(case)
    yield from _check_step_statuses(case)
    yield from _check_spending(case)


def _check_end(case: Case) -> Iterator[Violation]:
    task = case.task
    if task.status not in TERMINAL:
        yield case.violation("not terminal", f"its run is {task.run_state}")
        return
    if task.run_state != "idle":
        yield case.violation("over but not idle", f"its run is {task.run_state}")
    if task.status == "failed":
        yield case.violation("failed without a reason in the run", str(task.error))
    for step in case.steps:
        if step.status not in STEP_ENDED:
            yield case.violation("over with an open step", step.status, step.step_id)
        elif task.status == "completed" and step.status != "completed":
            yield case.violation("completed without a step", step.status, step.step_id)
    for one in case.tries:
        if task.completed_at is not None and one.started_at > task.completed_at:
            yield case.violation("tried after the end", f"began {one.started_at}", one.step_id)
        if one.ended_at is None:
            yield case.violation("over with an open try", one.message_id, one.step_id)


def _check_numbers(case: Case) -> Iterator[Violation]:
    numbers = [event.seq for event in case.events]
    if numbers != list(range(1, case.task.last_seq + 1)):
        yield case.violation("event numbers", f"{numbers} with last_seq {case.task.last_seq}")
    ends = [event.seq for event in case.events if _is_end(event.json)]
    if case.task.status in TERMINAL and ends != [case.task.last_seq]:
        yield case.violation("terminal event", f"at {ends} of {case.task.last_seq}")


def _check_statuses(case: Case) -> Iterator[Violation]:
    told = [str(event.json["status"]) for event in case.events if event.json["type"] == "task.status"]
    if told[:1] != ["pending"] or told[-1] != case.task.status:
        yield case.violation("statuses", f"the log tells {told}")
    for before, after in pairwise(told):
        if after not in _FOLLOWS.get(before, frozenset()):
            yield case.violation("status goes back", f"{before} → {after}")


def _check_step_statuses(case: Case) -> Iterator[Violation]:
    for step in case.steps:
        events = [event.json for event in case.events if event.json.get("step_id") == step.step_id]
        told = [str(event["status"]) for event in events if event["type"] == "step.status"]
        if step.status != "pending" and told[-1:] != [step.status]:
            yield case.violation("step statuses", f"it is {step.status}, the log tells {told}", step.step_id)
        for before, after in pairwise(told):
            if after not in _STEP_FOLLOWS.get(before, frozenset()):
                yield case.violation("step status goes back", f"{before} → {after}", step.step_id)
        ends = [place for place, event in enumerate(events) if event.get("status") in STEP_ENDED]
        if ends and ends != [len(events) - 1]:
            later = [event["type"] for event in events[ends[0] + 1 :]]
            yield case.violation("told more of a step that had ended", str(later), step.step_id)


def _check_spending(case: Case) -> Iterator[Violation]:
    """A completed task is charged each call, once; another at least those of its completed steps."""
    calls = [line for line in case.sink if line.what == "metered"]
    completed = {step.step_id for step in case.steps if step.status == "completed"}
    for name in METERED:
        charged = number_of(case.task.usage.get(name))
        most = sum(number_of(line.facts[name]) for line in calls)
        least = sum(number_of(line.facts[name]) for line in calls if line.step_id in completed)
        if case.task.status == "completed":
            least = most
        if not least <= charged <= most:
            yield case.violation("spending", f"{name}: charged {charged:g}, metered {least:g} to {most:g}")
    if case.task.status in TERMINAL and any(number_of(each) for each in (case.task.reserved or {}).values()):
        yield case.violation("spending", f"still reserved: {case.task.reserved}")


def _is_end(event: dict[str, JsonValue]) -> bool:
    return event["type"] == "task.status" and event["status"] in TERMINAL


def number_of(value: JsonValue) -> float:
    """Return a number of JSON; 0.0 for what is none."""
    return value if isinstance(value, int | float) else 0.0
