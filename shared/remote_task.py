"""What is known of a task at another agent: folds what the agent says (A2A 1.0 JSON) into events and an outcome.

Nothing here does I/O. What an agent says is peer text: ids are checked, states only move forward, sizes are bounded.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import JsonValue

from shared import agent_sequence, model_usage, remote_parts
from shared.agent import METADATA_KEY, File, JsonObject
from shared.agent_events import (
    Artifact,
    ArtifactChunk,
    DataPart,
    Ended,
    Failure,
    Limits,
    Part,
    RemoteEvent,
    Started,
    State,
    StatusChanged,
    TextPart,
)
from shared.errors import AgentProtocolError, TooLargeError
from shared.remote_parts import clean_note, objects, text, text_of

_STATES: dict[str, State] = {
    "TASK_STATE_UNSPECIFIED": "submitted",
    "TASK_STATE_SUBMITTED": "submitted",
    "TASK_STATE_WORKING": "working",
    "TASK_STATE_INPUT_REQUIRED": "input_required",
    "TASK_STATE_AUTH_REQUIRED": "auth_required",
    "TASK_STATE_COMPLETED": "completed",
    "TASK_STATE_FAILED": "failed",
    "TASK_STATE_CANCELED": "canceled",
    "TASK_STATE_REJECTED": "rejected",
}
_INTERRUPTED = frozenset({"input_required", "auth_required"})
_WORKING = 1
_TERMINAL = 2
_FACTS = ("usage", "error", "schema")  # what is read of those that an agent tells
_RANKS: dict[State, int] = {
    "submitted": 0,
    "working": _WORKING,
    "input_required": _WORKING,
    "auth_required": _WORKING,
    "completed": _TERMINAL,
    "failed": _TERMINAL,
    "canceled": _TERMINAL,
    "rejected": _TERMINAL,
}
"""A task only goes up, or stays at its rank."""


@dataclass(slots=True)
class _Growing:
    """An artifact that may get more. `size` counts its parts, a run of texts as one: they join to one part."""

    name: str
    pieces: list[Part] = field(default_factory=list)
    size: int = 0
    size_bytes: int = 0

    def extend(self, parts: Iterable[Part]) -> None:
        for part in parts:
            joins = isinstance(part, TextPart) and bool(self.pieces) and isinstance(self.pieces[-1], TextPart)
            self.size += 0 if joins else 1
            self.size_bytes += remote_parts.size_of(part)
            self.pieces.append(part)


class RemoteTask:
    """One remote task, as its events tell it. `ended` is set once, by the first terminal or interrupted state.

    `is_too_large`: the agent sent more for it than it may. `seq` is the number of the last event that is known, None
    unless the agent numbers them (`shared.agent_sequence`).
    """

    def __init__(self, remote_task_id: str | None = None, limits: Limits | None = None) -> None:
        self.id = remote_task_id
        self.context_id = ""
        self.state: State = "submitted"
        self.ended: Ended | None = None
        self.is_too_large = False
        self.seq: int | None = None
        self._limits = limits or Limits()
        self._artifacts: dict[str, _Growing] = {}
        self._status: JsonObject = {}
        self._status_before: JsonObject | None = None
        self._last_message: JsonObject = {}
        self._facts: JsonObject = {}
        self._started = False
        self._event_count = 0
        self._is_whole = True

    @property
    def begun(self) -> bool:
        """Whether the agent has said that it has this task."""
        return self._started

    @property
    def repeats_itself(self) -> bool:
        """Whether a task that waited, and was answered, has not been seen in another status since."""
        return self.ended is None and self._status_before is not None

    @property
    def says_nothing(self) -> bool:
        """Whether it ended, for what is known, without an answer, a question or a reason. A cancel needs none."""
        if self.ended is None or self._is_whole or self.state == "canceled":
            return False
        answered = self.state == "completed" and self._artifacts
        said = answered or self._status.get("message") or self._facts.get("error")
        return not said

    def expect_answer_after(self, task: JsonObject) -> bool:
        """Remember how a waiting task stands before it is answered: that same status again is no news.

        Returns whether it waits.
        """
        status = _object(task.get("status"))
        if _state(status) in _INTERRUPTED:
            self._status_before = status
            return True
        return False

    def has_missed_one_before(self, event: JsonObject) -> bool:
        """Whether the number of `event` is not the next one."""
        if self.seq is None or "task" in event:
            return False
        seq = agent_sequence.number_of(event)
        return seq is not None and seq > self.seq + 1

    def read(self, event: JsonObject, *, resumed: bool = False) -> list[RemoteEvent]:
        """Take in one stream response, or the result of a sent message.

        What is known by its number is no news; `resumed`: the stream brings every event after the last known one, so
        the task that it begins with, which has them in it already, is left out.
        Raises: AgentProtocolError, TooLargeError.
        """
        seq = agent_sequence.number_of(event)
        if self._knows(seq, is_task="task" in event, resumed=resumed):
            self._count()
            return []
        self.seq = seq
        match event:
            case {"statusUpdate": dict(update)}:
                self._count()
                self._is_whole = False
                begun = self._identify(update.get("taskId"), update.get("contextId"))
                return begun + self._read_status(update.get("status"), update.get("metadata"))
            case {"artifactUpdate": dict(update)}:
                self._count()
                begun = self._identify(update.get("taskId"), update.get("contextId"))
                return [*begun, self._read_artifact(update)]
            case {"task": dict(task)}:
                self._count()
                return self._compare(task)
            case {"message": dict(message)}:
                return self._read_message(message)
            case _:
                raise AgentProtocolError("The agent sent an event that is neither a task, a message nor an update.")

    def read_task(self, task: JsonObject) -> list[RemoteEvent]:
        """Take in the whole task that was asked for, and return how it differs from what was known.

        Only one that differs counts as an event: an agent that works for hours is asked often. Raises: as `read`.
        """
        events = self._compare(task)
        if events:
            self._count()
            self.seq = None  # nobody says which events these were
        return events

    def fill_in(self, task: JsonObject) -> list[RemoteEvent]:
        """Take in what a task that ended without a word holds, and return it; the state in which it ended stays."""
        events = self._take_in(task)
        status = _object(task.get("status"))
        self._status = status if _state(status) == self.state else self._status
        return [*events, self.outcome()]

    def settle(self) -> Ended:
        """Take the present state for the end, though it was no news."""
        if self._status_before is not None:
            self.state = _state(self._status_before)
            self._status = self._status_before
        self.ended = self.outcome()
        return self.ended

    def outcome(self) -> Ended:
        """Return the outcome as it stands now, also while the task still works."""
        artifacts = [
            Artifact(key, growing.name, remote_parts.join(growing.pieces)) for key, growing in self._artifacts.items()
        ]
        made = [part for artifact in artifacts for part in artifact.parts]
        said = remote_parts.read(_object(self._status.get("message"))) or remote_parts.read(self._last_message)
        waiting = self.state in _INTERRUPTED
        spoken = remote_parts.question_of(said) if waiting else text_of(said)
        written = "" if waiting else "\n\n".join(filter(None, [text_of(artifact.parts) for artifact in artifacts]))
        carriers = said if waiting or not made else made
        return Ended(
            state=self.state,
            text=written or spoken,
            data=tuple([part.data for part in carriers if isinstance(part, DataPart)]),
            files=tuple([part for part in carriers if isinstance(part, File)]),
            artifacts=tuple(artifacts),
            error=self._failure(spoken) if self.state in {"failed", "rejected"} else None,
            usage=model_usage.from_json(self._facts.get("usage")),
            schema=schema if isinstance(schema := self._facts.get("schema"), dict) else None,
        )

    def _knows(self, seq: int | None, *, is_task: bool, resumed: bool) -> bool:
        if seq is None or self.seq is None:
            return False
        return resumed and seq >= self.seq if is_task else seq <= self.seq

    def _compare(self, task: JsonObject) -> list[RemoteEvent]:
        return self._take_in(task) + self._read_status(task.get("status"))

    def _take_in(self, task: JsonObject) -> list[RemoteEvent]:
        self._is_whole = bool(task.get("history"))
        events = self._identify(task.get("id"), task.get("contextId"))
        for message in objects(task.get("history")):
            if message.get("role") == "ROLE_AGENT":
                self._last_message = message
        for artifact in objects(task.get("artifacts")):
            events.extend(self._compare_artifact(artifact))
        self._keep_facts(task.get("metadata"))
        return events

    def _identify(self, found: JsonValue, context_id: JsonValue) -> list[RemoteEvent]:
        if not isinstance(found, str) or not found or len(found) > 500:
            raise AgentProtocolError("The agent sent an event without a task id.")
        if self.id is not None and found != self.id:
            raise self._foreign(found)
        self.id = found
        if self._started:
            return []
        self._started = True
        self.context_id = context_id[:500] if isinstance(context_id, str) else ""
        return [Started(found, self.context_id)]

    def _foreign(self, found: JsonValue) -> AgentProtocolError:
        return AgentProtocolError(
            f"The agent sent an event of another task ({clean_note(str(found))[:80]}) than this one ({self.id})."
        )

    def _read_status(self, said: JsonValue, metadata: JsonValue = None) -> list[RemoteEvent]:
        status = _object(said)
        message = _object(status.get("message"))
        self._keep_facts(metadata)
        self._keep_facts(message.get("metadata"))
        state = _state(status)
        rank = _RANKS[state]
        if status in (self._status_before, self._status) or rank < _RANKS[self.state]:
            return []
        if (
            rank < _TERMINAL
            and state not in _INTERRUPTED
            and not metadata
            and _untimed(status) == _untimed(self._status)
        ):
            return []  # some agents say the time at which they were asked
        self._status_before = None
        self.state = state
        self._status = status
        if message:
            self._last_message = message
        if rank == _TERMINAL or state in _INTERRUPTED:
            self.ended = self.outcome()
            return [self.ended]
        told = _object(message.get("metadata")) | _object(metadata)
        return [StatusChanged(state, clean_note(text_of(remote_parts.read(message))), told)]

    def _read_artifact(self, update: JsonObject) -> ArtifactChunk:
        key, name, parts = _artifact(_object(update.get("artifact")))
        append = update.get("append") is True and key in self._artifacts
        growing = self._artifacts[key] if append else _Growing(name)
        self._keep_artifact(key, growing, parts)
        return ArtifactChunk(key, growing.name, tuple(parts), append, update.get("lastChunk") is True)

    def _compare_artifact(self, artifact: JsonObject) -> list[RemoteEvent]:
        key, name, pieces = _artifact(artifact)
        parts = remote_parts.join(pieces)
        known = remote_parts.join(self._artifacts[key].pieces) if key in self._artifacts else None
        if parts == known:
            return []
        more = remote_parts.rest(known, parts) if known is not None else None
        self._keep_artifact(key, _Growing(name), parts)
        return [ArtifactChunk(key, name, parts if more is None else more, append=more is not None, last=False)]

    def _keep_artifact(self, key: str, growing: _Growing, parts: Iterable[Part]) -> None:
        growing.extend(parts)
        self._artifacts[key] = growing
        if sum(max(each.size, 1) for each in self._artifacts.values()) > self._limits.parts:
            raise self._too_much(self._limits.parts, "parts")
        if sum(each.size_bytes for each in self._artifacts.values()) > self._limits.task_bytes:
            raise self._too_much(self._limits.task_bytes, "bytes")

    def _read_message(self, message: JsonObject) -> list[RemoteEvent]:
        """A message that comes first is the whole answer, else only something said on the way."""
        self._count()
        found = message.get("taskId")
        if found and found != self.id and self.id is not None:
            raise self._foreign(found)
        self._last_message = message
        if self.begun:
            return []
        self._keep_facts(message.get("metadata"))
        self.state = "completed"
        self.ended = self.outcome()
        return [self.ended]

    def _keep_facts(self, metadata: JsonValue) -> None:
        if isinstance(metadata, dict) and isinstance(facts := metadata.get(METADATA_KEY), dict):
            self._facts |= {name: facts[name] for name in _FACTS if name in facts}

    def _failure(self, said: str) -> Failure:
        told = _object(self._facts.get("error"))
        kind, title, detail = (clean_note(text(told.get(key))) for key in ("type", "title", "detail"))
        return Failure(
            type=kind or "agent-failed",
            title=title or "The agent reported a failure",
            detail=detail or clean_note(said) or f"The agent ended the task as {self.state} and did not say why.",
            retryable=told.get("retryable") is True,
        )

    def _too_much(self, most: int, what: str) -> TooLargeError:
        self.is_too_large = True
        return TooLargeError(f"The agent sent more than {most:,} {what} for one task.")

    def _count(self) -> None:
        self._event_count += 1
        if self._event_count > self._limits.events:
            raise self._too_much(self._limits.events, "events")


def _state(status: JsonObject) -> State:
    name = status.get("state", "TASK_STATE_UNSPECIFIED")
    state = _STATES.get(name) if isinstance(name, str) else None
    if state is None:
        raise AgentProtocolError(f"The agent sent a task state that A2A does not have: {clean_note(str(name))[:60]}.")
    return state


def _untimed(status: JsonObject) -> JsonObject:
    return {key: value for key, value in status.items() if key != "timestamp"}


def _artifact(artifact: JsonObject) -> tuple[str, str, list[Part]]:
    key, name = text(artifact.get("artifactId"))[:500], clean_note(text(artifact.get("name")))[:500]
    if not key:
        raise AgentProtocolError("The agent sent an artifact without an artifact id.")
    return key, name or key, remote_parts.read(artifact)


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}
