"""Tells what an agent does in A2A's events: statuses, artifacts, the federation's facts in their metadata. Pure."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from a2a.types import (
    Artifact,
    Message,
    Part,
    Role,
    Task,
    TaskArtifactUpdateEvent,
    TaskState,
    TaskStatus,
    TaskStatusUpdateEvent,
)
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct, Value
from pydantic import JsonValue

from shared import model_usage
from shared.agent import (
    METADATA_KEY,
    Answer,
    Delta,
    File,
    InputRequired,
    JsonObject,
    Produced,
    Progress,
    Update,
    Usage,
)
from shared.agent_messages import Event, to_json_object
from shared.db import new_id
from shared.errors import FederationError
from shared.strict_json import EXACT


def to_status(
    task: Task,
    state: TaskState,
    text: str = "",
    *,
    message_facts: JsonObject | None = None,
    task_facts: JsonObject | None = None,
) -> TaskStatusUpdateEvent:
    """Return the event that puts `task` into `state`; facts are the federation's own object in the metadata."""
    status = TaskStatus(state=state)
    status.timestamp.FromDatetime(datetime.now(UTC))
    if text:
        message = Message(message_id=new_id(), task_id=task.id, context_id=task.context_id, role=Role.ROLE_AGENT)
        message.parts.append(Part(text=_valid(text)))
        if message_facts:
            message.metadata.CopyFrom(_to_struct({METADATA_KEY: message_facts}))
        status.message.CopyFrom(message)
    event = TaskStatusUpdateEvent(task_id=task.id, context_id=task.context_id, status=status)
    if task_facts:
        event.metadata.CopyFrom(_to_struct({METADATA_KEY: task_facts}))
    return event


def to_failure(task: Task, error: FederationError, usage: Usage | None = None) -> TaskStatusUpdateEvent:
    """Return the event that ends `task` with `error`, in the form that `shared.agent_client` reads."""
    failure: JsonObject = {"error": error.to_metadata()}
    spent = {} if usage is None else _usage_facts(usage)
    return to_status(
        task,
        TaskState.TASK_STATE_FAILED,
        error.detail or error.title,
        message_facts=failure,
        task_facts={**failure, **spent},
    )


class Narrator:
    """Turns the updates of one run of an agent into the events of its task.

    A run that is `resumed` tells its story from the beginning, so its files take the places of those it made before;
    a run that answers a follow-up adds to them.
    """

    def __init__(self, task: Task, *, resumed: bool = False) -> None:
        self._task = task
        self._drafts: dict[str, str] = {}
        self._files = 0 if resumed else sum(known.artifact_id.startswith("file-") for known in task.artifacts)
        self.usage = _usage_of(task)

    def tell(self, update: Update) -> list[Event]:
        """Return the events that tell `update`."""
        match update:
            case Progress(text):
                return [to_status(self._task, TaskState.TASK_STATE_WORKING, text or "working")]
            case Delta(name, text):
                begun = name in self._drafts
                self._drafts[name] = self._drafts.get(name, "") + text
                return [self._artifact(_named(name, [_text(text)]), append=begun)]
            case Answer():
                self._drafts.pop(update.name, None)
                return [self._answer(update)]
            case Produced(file):
                self._files += 1
                artifact = Artifact(artifact_id=f"file-{self._files}", name=_valid(file.name), parts=[_to_part(file)])
                return [self._artifact(artifact, last=True)]
            case InputRequired(prompt, schema, key):
                question: JsonObject = {"schema": schema} if schema is not None else {}
                if key:
                    question["key"] = key
                state = TaskState.TASK_STATE_INPUT_REQUIRED
                facts = _usage_facts(self.usage)
                text = prompt or "The agent needs more input."
                return [
                    *self._finish_drafts(),
                    to_status(self._task, state, text, message_facts=question, task_facts=facts),
                ]
            case Usage():
                self.usage += update
                return []

    def complete(self) -> list[Event]:
        """Return the events of an agent that is done."""
        facts = _usage_facts(self.usage)
        return [*self._finish_drafts(), to_status(self._task, TaskState.TASK_STATE_COMPLETED, task_facts=facts)]

    def fail(self, error: FederationError) -> list[Event]:
        """Return the events of an agent that failed; what it has written so far stays."""
        return [*self._finish_drafts(), to_failure(self._task, error, self.usage)]

    def cancel(self) -> list[Event]:
        """Return the events of an agent that was stopped."""
        facts = _usage_facts(self.usage)
        return [*self._finish_drafts(), to_status(self._task, TaskState.TASK_STATE_CANCELED, task_facts=facts)]

    def _finish_drafts(self) -> list[Event]:
        drafts, self._drafts = self._drafts, {}
        return [self._answer(Answer(name, text)) for name, text in drafts.items()]

    def _answer(self, answer: Answer) -> Event:
        """Replace the draft by the whole answer: clients join pieces in different ways."""
        parts = [_text(answer.text)] if answer.text or answer.data is None else []
        if answer.data is not None:
            parts.append(Part(data=_to_value(answer.data), media_type="application/json"))
        return self._artifact(_named(answer.name, parts), last=True)

    def _artifact(self, artifact: Artifact, *, append: bool = False, last: bool = False) -> TaskArtifactUpdateEvent:
        return TaskArtifactUpdateEvent(
            task_id=self._task.id,
            context_id=self._task.context_id,
            artifact=artifact,
            append=append,
            last_chunk=last,
        )


def _to_part(file: File) -> Part:
    name, media_type = _valid(file.name), _valid(file.media_type)
    if file.url is not None:
        return Part(url=_valid(file.url), filename=name, media_type=media_type)
    return Part(raw=file.content or b"", filename=name, media_type=media_type)


def _named(name: str, parts: Sequence[Part]) -> Artifact:
    return Artifact(artifact_id=_valid(name) or "answer", name=_valid(name), parts=parts)


def _text(text: str) -> Part:
    return Part(text=_valid(text))


def _usage_of(task: Task) -> Usage:
    facts = to_json_object(task.metadata).get(METADATA_KEY)
    return model_usage.from_json(facts.get("usage")) if isinstance(facts, dict) else Usage()


def _usage_facts(usage: Usage) -> JsonObject:
    return {"usage": model_usage.to_json(usage)} if usage else {}


def _to_value(data: JsonObject) -> Value:
    return Value(struct_value=_to_struct(data))


def _to_struct(data: JsonObject) -> Struct:
    return ParseDict(_plain_object(data), Struct())


def _plain_object(data: JsonObject) -> JsonObject:
    return {_valid(key): _plain(item) for key, item in data.items()}


def _plain(value: JsonValue) -> JsonValue:
    """Return `value` as protobuf's JSON can hold it: NaN and infinity are null, integers past 2**53 are text."""
    match value:
        case bool() | None:
            return value
        case str():
            return _valid(value)
        case int():
            return value if -EXACT <= value <= EXACT else str(value)
        case float():
            return value if math.isfinite(value) else None
        case list():
            return [_plain(item) for item in value]
        case dict():
            return _plain_object(value)


def _valid(text: str) -> str:
    """Return `text` without lone surrogates, which no encoding can carry."""
    return text.encode("utf-8", "replace").decode()
