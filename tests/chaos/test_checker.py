"""The checker finds each kind of violation in a forged run, and none in one that went well."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from pydantic import JsonValue

from shared.agent import JsonObject
from tests.chaos.case import Kind
from tests.chaos.checker import check
from tests.chaos.evidence import (
    DayFound,
    EventFound,
    Evidence,
    RemoteTaskFound,
    SinkLine,
    StepFound,
    TaskFound,
    TryFound,
)

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """Return a moment of the run."""
    return BEGUN + timedelta(seconds=seconds)


def event(seq: int, type_: str, **data: JsonValue) -> EventFound:
    """Return an event of the task."""
    return EventFound("T", seq, {"type": type_, "task_id": "T", "seq": seq, "at": at(seq).isoformat(), **data})


def line(what: str, seconds: float, step_id: str, **facts: JsonValue) -> SinkLine:
    """Return a line of the sink's ledger, of the first message of a step."""
    return SinkLine("sink-1", what, at(seconds), "L1", f"m-{step_id}", f"r-{step_id}", "T", step_id, facts)


def work(step_id: str, seconds: float, text: str) -> list[SinkLine]:
    """Return what the sink writes when it does a step."""
    spent: JsonObject = {"input_tokens": 4, "output_tokens": 2, "cost_usd": 0.25, "llm_calls": 1}
    return [
        line("asked", seconds, step_id, key=f"t1.{step_id}", text=text, is_reply=False),
        line("metered", seconds, step_id, **spent),
        line("performed", seconds, step_id, key=f"t1.{step_id}"),
    ]


EVENTS = [
    event(1, "task.status", status="pending"),
    event(2, "task.status", status="executing"),
    event(3, "step.status", step_id="a", status="running"),
    event(4, "step.status", step_id="a", status="completed"),
    event(5, "step.status", step_id="b", status="running"),
    event(6, "step.status", step_id="b", status="input_required"),
    event(7, "input.required", step_id="b", input_id="q", prompt="Which?"),
    event(8, "task.status", status="input_required"),
    event(9, "input.answered", input_id="q"),
    event(10, "task.status", status="executing"),
    event(11, "step.status", step_id="b", status="completed"),
    event(12, "task.result", result={}),
    event(13, "task.status", status="completed"),
]
BODY: JsonObject = {
    "description": "chaos t1",
    "callback_url": "http://127.0.0.1:1/webhook",
    "plan": {
        "steps": [
            {"id": "a", "instruction": "instant t1.a"},
            {"id": "b", "instruction": "instant t1.b {{ steps.a.output }}"},
        ]
    },
}
WATCHED: list[JsonObject] = [
    {"what": "event", "watcher": "w", "id": str(each.seq), "event": each.json["type"], "data": each.json}
    for each in EVENTS
]
HISTORY: list[JsonObject] = [
    {"what": "submit", "key": "t1", "body": BODY},
    {"what": "accepted", "key": "t1", "status": 202, "task_id": "T"},
    {"what": "seen", "task_id": "T", "status": "pending", "asked_s": 0.1, "at_s": 0.2},
    {"what": "watch", "watcher": "w", "task_id": "T", "after": 0},
    *WATCHED[:5],
    {"what": "watch", "watcher": "w", "task_id": "T", "after": 5},
    *WATCHED[5:],
    {"what": "answer", "task_id": "T", "input_id": "q", "status": 200},
    {"what": "seen", "task_id": "T", "status": "completed", "asked_s": 13.1, "at_s": 13.2},
    {"what": "webhook", "id": "h", "task_id": "T", "status": "completed"},
    {"what": "webhook", "id": "h", "task_id": "T", "status": "completed"},
]
SPENT: JsonObject = {"input_tokens": 8, "output_tokens": 4, "cost_usd": 0.5, "llm_calls": 2}
GOOD = Evidence(
    history=HISTORY,
    tasks=[TaskFound("T", "t1", "completed", "idle", 13, SPENT, None, None, at(13))],
    steps=[
        StepFound("T", "a", "completed", "done t1.a", at(4)),
        StepFound("T", "b", "completed", "done t1.b", at(11)),
    ],
    tries=[
        TryFound("T", "a", "m-a", at(3), at(4), None),
        TryFound("T", "b", "m-b", at(5), at(11), None),
    ],
    events=EVENTS,
    remote_tasks=[RemoteTaskFound("sink-1", "r-a", "COMPLETED"), RemoteTaskFound("sink-1", "r-b", "COMPLETED")],
    sink=[*work("a", 3.5, "instant t1.a"), *work("b", 6, "instant t1.b done t1.a")],
    days=[DayFound(12, 0.5, 0, 0.0)],
)


def task(**changes: object) -> Callable[[Evidence], Evidence]:
    """Return a forgery: the task's row says something else."""
    return lambda evidence: replace(evidence, tasks=[replace(evidence.tasks[0], **changes)])  # pyright: ignore[reportArgumentType]


def step(place: int, **changes: object) -> Callable[[Evidence], Evidence]:
    """Return a forgery: a step's row says something else."""

    def forge(evidence: Evidence) -> Evidence:
        steps = list(evidence.steps)
        steps[place] = replace(steps[place], **changes)  # pyright: ignore[reportArgumentType]
        return replace(evidence, steps=steps)

    return forge


def events(found: list[EventFound]) -> Callable[[Evidence], Evidence]:
    """Return a forgery: the log is another."""
    return lambda evidence: replace(evidence, events=found)


def more_events(*found: EventFound) -> Callable[[Evidence], Evidence]:
    """Return a forgery: the log has more at its end."""
    return lambda evidence: task(last_seq=13 + len(found))(replace(evidence, events=[*EVENTS, *found]))


def sink(*lines: SinkLine) -> Callable[[Evidence], Evidence]:
    """Return a forgery: the sink did more."""
    return lambda evidence: replace(evidence, sink=[*evidence.sink, *lines])


def days(*found: DayFound) -> Callable[[Evidence], Evidence]:
    """Return a forgery: the tenant's days were charged otherwise."""
    return lambda evidence: replace(evidence, days=found)


def history(*lines: JsonObject) -> Callable[[Evidence], Evidence]:
    """Return a forgery: the clients saw more."""
    return lambda evidence: replace(evidence, history=[*evidence.history, *lines])


def history_without(place: int) -> Callable[[Evidence], Evidence]:
    """Return a forgery: the clients did not see this."""
    return lambda evidence: replace(evidence, history=[*HISTORY[:place], *HISTORY[place + 1 :]])


ASKED_AGAIN = line("asked", 3.6, "a", text="instant t1.a", is_reply=False)
FORGERIES: dict[str, tuple[str, Callable[[Evidence], Evidence]]] = {
    "an accepted task is not in the database": (
        "accepted task is missing",
        history({"what": "accepted", "key": "t2", "status": 202, "task_id": "U"}),
    ),
    "a key made two tasks": (
        "one key, two tasks",
        history({"what": "accepted", "key": "t1", "status": 200, "task_id": "U"}),
    ),
    "a task never ends": ("not terminal", task(status="executing", run_state="running")),
    "a task that is over is still queued": ("over but not idle", task(run_state="queued")),
    "a task fails": ("failed without a reason in the run", task(status="failed")),
    "a step stays open": ("over with an open step", step(1, status="running")),
    "a task is completed without one of its steps": ("completed without a step", step(1, status="skipped")),
    "a try begins after the end": (
        "tried after the end",
        lambda evidence: replace(evidence, tries=[*evidence.tries, TryFound("T", "b", "m", at(20), at(21), None)]),
    ),
    "a try stays open": (
        "over with an open try",
        lambda evidence: replace(evidence, tries=[replace(evidence.tries[0], ended_at=None)]),
    ),
    "an event is missing": ("event numbers", events([*EVENTS[:4], *EVENTS[5:]])),
    "an event number comes twice": ("event numbers", events([*EVENTS[:4], EVENTS[3], *EVENTS[4:]])),
    "the last event is missing": ("terminal event", events(EVENTS[:-1])),
    "there are two terminal events": ("terminal event", more_events(event(14, "task.status", status="completed"))),
    "something is told after the end": (
        "terminal event",
        more_events(event(14, "step.progress", step_id="b", text="still here")),
    ),
    "the log ends otherwise than the row": ("statuses", task(status="canceled")),
    "a status goes back": ("status goes back", more_events(event(14, "task.status", status="planning"))),
    "a step's log ends otherwise than its row": ("step statuses", step(0, status="failed")),
    "a step's status goes back": (
        "step status goes back",
        more_events(event(14, "step.status", step_id="a", status="running")),
    ),
    "more is told of a step that had ended": (
        "told more of a step that had ended",
        more_events(event(14, "step.output", step_id="a", text="again")),
    ),
    "a call is not charged": ("spending", task(usage={**SPENT, "cost_usd": 0.25})),
    "a call is charged twice": ("spending", task(usage={**SPENT, "llm_calls": 3})),
    "something stays reserved": ("spending", task(reserved={"tokens": 10})),
    "a day is charged twice": ("spending of days", days(DayFound(24, 1.0, 0, 0.0))),
    "something stays reserved on a day": ("spending of days", days(DayFound(12, 0.5, 100, 0.0))),
    "a completed step had no effect": (
        "effects",
        lambda evidence: replace(evidence, sink=[each for each in evidence.sink if each.what != "performed"]),
    ),
    "a step had its effect twice": ("effects", sink(replace(line("performed", 3.6, "a"), message_id="m-other"))),
    "an effect belongs to no step": ("effects", sink(line("performed", 3.6, "z"))),
    "an effect belongs to no task": (
        "effect of an unknown task",
        sink(replace(line("performed", 3.6, "a"), task_id="U")),
    ),
    "a step is told something else": ("told", sink(replace(ASKED_AGAIN, facts={"text": "x", "is_reply": False}))),
    "a step has another's output": ("output", step(1, output_text="done t1.a")),
    "a message becomes two remote tasks": (
        "one message, two remote tasks",
        sink(replace(ASKED_AGAIN, remote_task_id="r-other")),
    ),
    "a message is worked on twice": ("asked twice", sink(ASKED_AGAIN)),
    "a step is sent twice": ("sent twice", sink(replace(ASKED_AGAIN, message_id="m-other"))),
    "an answer reaches the agent twice": (
        "answered twice",
        sink(
            replace(ASKED_AGAIN, message_id="m-1", facts={"text": "green", "is_reply": True}),
            replace(ASKED_AGAIN, message_id="m-2", facts={"text": "green", "is_reply": True}),
        ),
    ),
    "a completed step is asked again": ("ran again", sink(replace(ASKED_AGAIN, life="L2", at=at(9)))),
    "a completed step is tried again": (
        "ran again",
        lambda evidence: replace(evidence, tries=[*evidence.tries, TryFound("T", "a", "m", at(9), at(10), None)]),
    ),
    "a remote task is left": (
        "orphaned remote task",
        lambda evidence: replace(evidence, remote_tasks=[RemoteTaskFound("sink-1", "r-a", "WORKING")]),
    ),
    "a submission is refused": (
        "refused by the orchestrator",
        history({"what": "refused", "key": "t9", "status": 422, "problem": {}}),
    ),
    "an accepted task is not found": ("lost by the orchestrator", history({"what": "lost", "task_id": "T"})),
    "the server fails in a way nobody foresaw": (
        "unforeseen failure",
        history({"what": "put off", "path": "/api/tasks", "status": 500, "said": ""}),
    ),
    "a process does not stop": (
        "does not stop when told to",
        history({"what": "fault", "process": "orchestrator-1", "life": 1, "action": "did not stop"}),
    ),
    "a service gives up": (
        "stopped by itself",
        history({"what": "ended", "process": "orchestrator-1", "life": 1, "code": -15, "told": False}),
    ),
    "a cancel is not found": ("cancel refused", history({"what": "cancel", "task_id": "T", "status": 404})),
    "an answer is not found": (
        "answer refused",
        history({"what": "answer", "task_id": "T", "input_id": "q", "status": 404}),
    ),
    "a failpoint is not reached": (
        "a failpoint was not reached",
        history({"what": "missed", "process": "orchestrator-1", "failpoint": "step-sent"}),
    ),
    "a question is answered twice": (
        "a question was answered twice",
        history({"what": "answer", "task_id": "T", "input_id": "q", "status": 200}),
    ),
    "an answer is told twice": (
        "a question was answered twice",
        more_events(event(14, "input.answered", input_id="q")),
    ),
    "an accepted answer is lost": (
        "an accepted answer is lost",
        history({"what": "answer", "task_id": "T", "input_id": "other", "status": 200}),
    ),
    "a cancel that was accepted has no effect": (
        "a cancel is lost",
        history({"what": "cancel", "task_id": "T", "status": 200}),
    ),
    "a terminal status changes": (
        "a terminal status changed",
        history({"what": "seen", "task_id": "T", "status": "executing", "asked_s": 13.3, "at_s": 13.4}),
    ),
    "the database has another end than was seen": (
        "a terminal status changed",
        task(status="canceled"),
    ),
    "a watcher misses an event": ("a watcher saw a gap or a repeat", history_without(6)),
    "a watcher sees an event twice": ("a watcher saw a gap or a repeat", history(WATCHED[-1])),
    "a watcher sees something else": (
        "a watcher saw another event",
        events([*EVENTS[:3], event(4, "step.status", step_id="a", status="failed"), *EVENTS[4:]]),
    ),
    "a watcher does not see the end": (
        "a watcher did not see the end",
        lambda evidence: replace(evidence, history=[each for each in HISTORY if each is not WATCHED[-1]]),
    ),
    "an event has another number outside than inside": (
        "an event's fields differ from its data",
        history({**WATCHED[-1], "id": "12"}),
    ),
    "nobody is told of the end": (
        "webhook of the end",
        lambda evidence: replace(evidence, history=[each for each in HISTORY if each["what"] != "webhook"]),
    ),
    "the end is told under two ids": (
        "webhook of the end",
        history({"what": "webhook", "id": "h2", "task_id": "T", "status": "completed"}),
    ),
}


def test_a_run_that_went_well_has_no_violations() -> None:
    assert check(GOOD) == []


@pytest.mark.parametrize(("kind", "forge"), FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_violation_is_found(kind: str, forge: Callable[[Evidence], Evidence]) -> None:
    found = check(forge(GOOD))
    assert kind in {violation.kind for violation in found}, [str(violation) for violation in found]


def test_an_answer_that_was_under_way_when_the_end_was_seen_is_no_violation() -> None:
    late: JsonObject = {"what": "seen", "task_id": "T", "status": "executing", "asked_s": 12.9, "at_s": 13.3}
    assert check(history(late)(GOOD)) == []


def test_every_kind_of_violation_is_forged() -> None:
    assert {kind for kind, _ in FORGERIES.values()} == set(get_args(Kind))
