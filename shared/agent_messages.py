"""What A2A's messages mean here: a message as a request to an agent, a task as the sum of its events. Pure."""

import hashlib
import mimetypes
from collections.abc import Sequence
from typing import Final, TypeAlias, cast

import orjson
from a2a.types import (
    Artifact,
    InvalidParamsError,
    Message,
    Part,
    Role,
    SendMessageRequest,
    Task,
    TaskArtifactUpdateEvent,
    TaskState,
    TaskStatusUpdateEvent,
)
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message as ProtoMessage
from google.protobuf.struct_pb2 import Struct, Value
from pydantic import JsonValue

from shared import data_urls
from shared.agent import METADATA_KEY, AgentRequest, File, JsonObject, Turn
from shared.strict_json import whole

Event: TypeAlias = TaskStatusUpdateEvent | TaskArtifactUpdateEvent

ENDED: Final = frozenset(
    {
        TaskState.TASK_STATE_COMPLETED,
        TaskState.TASK_STATE_FAILED,
        TaskState.TASK_STATE_CANCELED,
        TaskState.TASK_STATE_REJECTED,
    }
)
"""States that a task never leaves."""

AT_REST: Final = ENDED | {TaskState.TASK_STATE_INPUT_REQUIRED, TaskState.TASK_STATE_AUTH_REQUIRED}
"""States in which nobody works on a task."""

_MAX_PARTS: Final = 500
_MAX_ID_CHARS: Final = 256


def check(message: Message) -> None:
    """Refuse what cannot be stored or understood. Raises: the SDK's InvalidParamsError, with a sentence."""
    for name, value in (("messageId", message.message_id), ("contextId", message.context_id)):
        if len(value) > _MAX_ID_CHARS or not value.isprintable():
            raise InvalidParamsError(f"{name} must have at most {_MAX_ID_CHARS} characters, all printable.")
    if message.role != Role.ROLE_USER:
        raise InvalidParamsError("The message's role must be ROLE_USER; agents do not send messages here.")
    if len(message.parts) > _MAX_PARTS:
        raise InvalidParamsError(f"The message has {len(message.parts)} parts; at most {_MAX_PARTS} are accepted.")
    for place, part in enumerate(message.parts, 1):
        if part.WhichOneof("content") is None:
            raise InvalidParamsError(f"Part {place} of the message has none of text, raw, url and data.")


def is_complete(request: SendMessageRequest) -> bool:
    """Tell whether everything that A2A requires is certainly there: a quick look instead of the SDK's long one."""
    message = request.message
    return bool(
        message.message_id
        and message.role
        and message.parts
        and not request.configuration.HasField("task_push_notification_config")
    )


def to_request(task: Task, caller: str = "/") -> AgentRequest:
    """Return what `caller` asks the agent of `task`: its last user message, with the turns before it.

    A tenant's context is told apart from those of all others with the same id: agents keep by it what is one caller's.
    """
    tenant = caller.partition("/")[0]
    last = max(index for index, message in enumerate(task.history) if message.role == Role.ROLE_USER)
    message = task.history[last]
    content = [part for part in message.parts if not part.filename]
    return AgentRequest(
        text="\n".join(part.text for part in content if part.HasField("text")),
        task_id=task.id,
        context_id=_context_of(tenant, task.context_id),
        message_id=message.message_id,
        data=tuple(_to_json(part.data) for part in content if part.HasField("data")),
        files=_files(message),
        skill=_skill(task.history),
        history=tuple(_to_turn(earlier) for earlier in task.history[:last]),
        metadata=_metadata_of(tenant, message),
        caller=caller,
    )


def apply(task: Task, event: Event) -> None:
    """Change `task` as `event` says. A question that was answered becomes a turn of the history."""
    if isinstance(event, TaskStatusUpdateEvent):
        if task.status.state == TaskState.TASK_STATE_INPUT_REQUIRED and task.status.HasField("message"):
            task.history.append(task.status.message)
        task.status.CopyFrom(event.status)
        task.metadata.MergeFrom(event.metadata)
        return
    artifact = next((known for known in task.artifacts if known.artifact_id == event.artifact.artifact_id), None)
    if artifact is None:
        task.artifacts.append(event.artifact)
    elif event.append:
        _extend(artifact, event.artifact.parts)
    else:
        artifact.CopyFrom(event.artifact)


def join(events: Sequence[Event]) -> list[Event]:
    """Return fewer events that say the same: pieces of one text that follow each other become one piece."""
    joined: list[Event] = []
    for event in events:
        last = joined[-1] if joined else None
        if (
            isinstance(last, TaskArtifactUpdateEvent)
            and isinstance(event, TaskArtifactUpdateEvent)
            and event.append
            and last.artifact.artifact_id == event.artifact.artifact_id
        ):
            _extend(last.artifact, event.artifact.parts)
            last.last_chunk = event.last_chunk
        else:
            joined.append(event)
    return joined


def is_piece(event: Event) -> bool:
    """Tell whether `event` is a piece of a text that is still being written."""
    return isinstance(event, TaskArtifactUpdateEvent) and not event.last_chunk


def to_json_object(struct: Struct) -> JsonObject:
    """Return metadata as JSON."""
    return cast("JsonObject", whole(MessageToDict(cast("ProtoMessage", struct))))


def _extend(artifact: Artifact, parts: Sequence[Part]) -> None:
    for part in parts:
        last = artifact.parts[-1] if artifact.parts else None
        if last is not None and last.HasField("text") and part.HasField("text"):
            last.text += part.text
        else:
            artifact.parts.append(part)


def _to_turn(message: Message) -> Turn:
    texts = [
        part.text if part.HasField("text") else orjson.dumps(_to_json(part.data)).decode()
        for part in message.parts
        if not part.filename and (part.HasField("text") or part.HasField("data"))
    ]
    role = "user" if message.role == Role.ROLE_USER else "agent"
    return Turn(role, "\n".join(texts), _fact(message, "key") or "", _files(message))


def _context_of(tenant: str, context_id: str) -> str:
    return hashlib.sha256(f"{tenant}/{context_id}".encode()).hexdigest() if tenant else context_id


def _metadata_of(tenant: str, message: Message) -> JsonObject:
    metadata = to_json_object(message.metadata)
    call = metadata.get(METADATA_KEY)
    if tenant and isinstance(call, dict):
        call.pop("session_id", None)  # a session of the orchestrator's is of no tenant
    return metadata


def _skill(history: Sequence[Message]) -> str | None:
    """Return the skill that was asked for last: who answers a question need not name it again."""
    asked = (_fact(message, "skill") for message in reversed(history) if message.role == Role.ROLE_USER)
    return next(filter(None, asked), None)


def _fact(message: Message, name: str) -> str | None:
    facts = to_json_object(message.metadata).get(METADATA_KEY)
    fact = facts.get(name) if isinstance(facts, dict) else None
    return fact if isinstance(fact, str) else None


def _files(message: Message) -> tuple[File, ...]:
    return tuple(
        _to_file(part, index)
        for index, part in enumerate(message.parts, 1)
        if part.filename or part.HasField("raw") or part.HasField("url")
    )


def _to_file(part: Part, index: int) -> File:
    """Return a part as a file; a text or data part is one when it has a file name."""
    name = part.filename or f"file-{index}"
    guessed = mimetypes.guess_type(name)[0]
    if part.HasField("url"):
        kind, content = data_urls.read(part.url) or ("", None)
        media_type = part.media_type or kind or guessed or "application/octet-stream"
        return File(name, media_type, content, None if content is not None else part.url)
    if part.HasField("text"):
        return File(name, part.media_type or guessed or "text/plain", part.text.encode())
    if part.HasField("data"):
        return File(name, part.media_type or "application/json", orjson.dumps(_to_json(part.data)))
    return File(name, part.media_type or guessed or "application/octet-stream", part.raw)


def _to_json(value: Value) -> JsonValue:
    return whole(cast("JsonValue", MessageToDict(cast("ProtoMessage", value))))
