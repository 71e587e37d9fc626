"""What must hold for each step: its effect happens once, it says what it has to, nothing is sent or done twice."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.chaos.case import Case, Violation
from tests.chaos.evidence import SinkLine


def check(case: Case) -> Iterator[Violation]:
    """Yield what is wrong."""
    yield from _check_effects(case)
    yield from _check_texts(case)
    yield from _check_messages(case)
    yield from _check_done_is_done(case)


def _check_effects(case: Case) -> Iterator[Violation]:
    """A completed step had its effect exactly once, any other at most once."""
    effects = Counter(line.step_id for line in case.sink if line.what == "performed")
    for step in case.steps:
        count = effects.pop(step.step_id, 0)
        if count > 1 or (step.status == "completed" and count != 1):
            yield case.violation("effects", f"{count} of a {step.status} step", step.step_id)
    for step_id, count in effects.items():
        yield case.violation("effects", f"{count} of a step that the task does not have", step_id)


def _check_texts(case: Case) -> Iterator[Violation]:
    """Each step was told what it had to be told, and has its own result, not another's."""
    told = case.instructions()
    for line in case.sink:
        if line.what == "asked" and not line.facts["is_reply"] and line.facts["text"] != told.get(line.step_id):
            expected = told.get(line.step_id)
            yield case.violation("told", f"{line.facts['text']!r} instead of {expected!r}", line.step_id)
    for step in case.steps:
        if step.status == "completed" and step.output_text != case.output_of(step.step_id):
            yield case.violation("output", f"{step.output_text!r}", step.step_id)


def _check_messages(case: Case) -> Iterator[Violation]:
    """A message becomes one remote task, asked once by each process; a second message needs a failed first one."""
    asked = [line for line in case.sink if line.what == "asked"]
    remote_tasks: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for line in asked:
        remote_tasks[line.step_id, line.message_id].add(line.remote_task_id)
    for (step_id, message_id), found in remote_tasks.items():
        if len(found) > 1:
            yield case.violation("one message, two remote tasks", f"{message_id}: {sorted(found)}", step_id)
    for (step_id, message_id, life), count in Counter(_asking(line) for line in asked).items():
        if count > 1:
            yield case.violation("asked twice", f"message {message_id}, {count} times in life {life}", step_id)
    failed = Counter(line.step_id for line in case.sink if line.what == "failed")
    sent = Counter(step_id for step_id, _ in {(line.step_id, line.message_id) for line in asked if not _reply(line)})
    replies = Counter(step_id for step_id, _ in {(line.step_id, line.message_id) for line in asked if _reply(line)})
    for step_id, count in sent.items():
        if count > 1 + failed[step_id]:
            yield case.violation("sent twice", f"{count} messages, {failed[step_id]} failures", step_id)
    for step_id, count in replies.items():
        if count > 1:
            yield case.violation("answered twice", f"{count} answers reached the agent", step_id)


def _check_done_is_done(case: Case) -> Iterator[Violation]:
    """A completed step never runs again."""
    done = {step.step_id: step.completed_at for step in case.steps if step.status == "completed"}
    for one in case.tries:
        at = done.get(one.step_id)
        if at is not None and one.started_at > at:
            yield case.violation("ran again", f"a try began {one.started_at}, completed {at}", one.step_id)
    for line in case.sink:
        at = done.get(line.step_id)
        if at is not None and line.at > at and line.what in {"asked", "performed"}:
            yield case.violation("ran again", f"{line.what} {line.at}, completed {at}", line.step_id)


def _asking(line: SinkLine) -> tuple[str, str, str]:
    return line.step_id, line.message_id, line.life


def _reply(line: SinkLine) -> bool:
    return line.facts["is_reply"] is True
