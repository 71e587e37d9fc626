"""What must hold for those outside: what was accepted is there, what was answered stays so, all see the same."""

import signal
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from orchestrator_service.events import TERMINAL
from shared.agent import JsonObject
from tests.chaos.case import Violation
from tests.chaos.evidence import Evidence


def check(evidence: Evidence) -> Iterator[Violation]:
    """Yield what is wrong."""
    yield from _check_accepted(evidence)
    yield from _check_lives(evidence)
    yield from _check_answers(evidence)
    yield from _check_seen(evidence)
    yield from _check_watchers(evidence)
    yield from _check_webhooks(evidence)


def _check_accepted(evidence: Evidence) -> Iterator[Violation]:
    """Each accepted task is there, once for a key."""
    known = {task.id for task in evidence.tasks}
    of_key: defaultdict[str, set[str]] = defaultdict(set)
    for line in _lines(evidence, "accepted"):
        of_key[str(line["key"])].add(str(line["task_id"]))
        if line["task_id"] not in known:
            yield Violation("accepted task is missing", str(line["key"]), str(line["task_id"]))
    for task in evidence.tasks:
        of_key[task.key].add(task.id)
    for key, found in of_key.items():
        if len(found) > 1:
            yield Violation("one key, two tasks", key, str(sorted(found)))


def _check_lives(evidence: Evidence) -> Iterator[Violation]:
    """Processes end when they are killed or told to stop, not by themselves."""
    sent = {
        (line["process"], line["life"]) for line in _lines(evidence, "fault") if str(line["action"]).startswith("sent ")
    }
    for line in _lines(evidence, "ended"):
        is_killed = line["code"] == -signal.SIGKILL
        if not is_killed and not line["told"] and (line["process"], line["life"]) not in sent:
            yield Violation("stopped by itself", str(line["process"]), str(line))


def _check_answers(evidence: Evidence) -> Iterator[Violation]:
    """Nothing was refused that must not be; a question was answered once; what was canceled is."""
    for line in evidence.history:
        match line["what"]:
            case "refused":
                yield Violation("refused by the orchestrator", str(line["key"]), str(line))
            case "lost":
                yield Violation("lost by the orchestrator", str(line["task_id"]), str(line))
            case "put off" if line["status"] == 500:
                yield Violation("unforeseen failure", str(line["path"]), str(line["said"]))
            case "fault" if line["action"] == "did not stop":
                yield Violation("does not stop when told to", str(line["process"]), str(line))
            case "missed":
                yield Violation("a failpoint was not reached", str(line["process"]), str(line["failpoint"]))
            case "cancel" if line["status"] not in {200, 409}:
                yield Violation("cancel refused", str(line["task_id"]), str(line))
            case "answer" if line["status"] not in {200, 409}:
                yield Violation("answer refused", str(line["task_id"]), str(line))
            case _:
                continue
    accepted = Counter(line["input_id"] for line in _lines(evidence, "answer") if line["status"] == 200)
    told = Counter(event.json["input_id"] for event in evidence.events if event.json["type"] == "input.answered")
    for input_id in accepted.keys() | told.keys():
        if accepted[input_id] > 1 or told[input_id] > 1:
            detail = f"{accepted[input_id]} answers accepted, {told[input_id]} told"
            yield Violation("a question was answered twice", str(input_id), detail)
        if accepted[input_id] > told[input_id]:
            yield Violation("an accepted answer is lost", str(input_id), "the log does not tell of it")
    final = {task.id: task.status for task in evidence.tasks}
    for line in _lines(evidence, "cancel"):
        if line["status"] == 200 and final.get(str(line["task_id"])) != "canceled":
            yield Violation("a cancel is lost", str(line["task_id"]), f"it is {final.get(str(line['task_id']))}")


def _check_seen(evidence: Evidence) -> Iterator[Violation]:
    """Whoever asks after a task was seen over sees it so."""
    final = {task.id: task.status for task in evidence.tasks}
    over: dict[str, tuple[str, float]] = {}
    for line in _lines(evidence, "seen"):
        task_id, status = str(line["task_id"]), str(line["status"])
        known, seen_s = over.get(task_id, (status, 0.0))
        if known != status and float(str(line["asked_s"])) > seen_s:
            yield Violation("a terminal status changed", task_id, f"{known} → {status}")
        if status in TERMINAL:
            over.setdefault(task_id, (status, float(str(line["at_s"]))))
    for task_id, (status, _) in over.items():
        if final.get(task_id) != status:
            yield Violation("a terminal status changed", task_id, f"{status} → {final.get(task_id)}")


def _check_watchers(evidence: Evidence) -> Iterator[Violation]:
    """Every watcher sees every event once, in order, as the database has it, over all its connections."""
    log = {(event.task_id, event.seq): event.json for event in evidence.events}
    last_seq = {task.id: task.last_seq for task in evidence.tasks if task.status in TERMINAL}
    seen: defaultdict[str, list[JsonObject]] = defaultdict(list)
    task_of: dict[str, str] = {}
    for line in _lines(evidence, "watch"):
        task_of[str(line["watcher"])] = str(line["task_id"])
    for line in _lines(evidence, "event"):
        data = line["data"]
        assert isinstance(data, dict)
        if line["id"] != str(data["seq"]) or line["event"] != data["type"]:
            yield Violation("an event's fields differ from its data", str(line["watcher"]), str(line))
        seen[str(line["watcher"])].append(data)
    for watcher, task_id in task_of.items():
        numbers = [event["seq"] for event in seen[watcher]]
        if numbers != list(range(1, len(numbers) + 1)):
            yield Violation("a watcher saw a gap or a repeat", watcher, str(numbers))
        for event in seen[watcher]:
            stored = log.get((task_id, int(str(event["seq"]))))
            if event != stored:
                yield Violation("a watcher saw another event", watcher, f"{event} instead of {stored}")
        if task_id in last_seq and len(numbers) != last_seq[task_id]:
            yield Violation("a watcher did not see the end", watcher, f"{len(numbers)} of {last_seq[task_id]}")


def _check_webhooks(evidence: Evidence) -> Iterator[Violation]:
    """Whoever asked to be told of a task's end was told of it, under one id however often."""
    task_of = {str(line["key"]): str(line["task_id"]) for line in _lines(evidence, "accepted")}
    final = {task.id: task.status for task in evidence.tasks}
    told: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for line in _lines(evidence, "webhook"):
        if line["status"] in TERMINAL:
            told[str(line["task_id"])].add((str(line["id"]), str(line["status"])))
    for line in _lines(evidence, "submit"):
        task_id = task_of.get(str(line["key"]), "")
        status, found = final.get(task_id), told[task_id]
        wants = isinstance(line["body"], dict) and "callback_url" in line["body"]
        if wants and status in TERMINAL and [said for _, said in found] != [status]:
            yield Violation("webhook of the end", f"{line['key']} ({task_id}, {status})", str(sorted(found)))


def _lines(evidence: Evidence, what: str) -> Sequence[JsonObject]:
    return [line for line in evidence.history if line["what"] == what]
