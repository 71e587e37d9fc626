"""What a remote agent does, as events: our own words for what its A2A stream or task says."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pydantic import JsonValue

from shared.agent import File, JsonObject, Usage

State: TypeAlias = Literal[
    "submitted", "working", "input_required", "auth_required", "completed", "failed", "canceled", "rejected"
]


@dataclass(frozen=True, slots=True)
class TextPart:
    """Text in an artifact or message."""

    text: str


@dataclass(frozen=True, slots=True)
class DataPart:
    """JSON in an artifact or message."""

    data: JsonValue


Part: TypeAlias = TextPart | DataPart | File


@dataclass(frozen=True, slots=True)
class Artifact:
    """Something the agent made, as far as it is known."""

    artifact_id: str
    name: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a remote task failed, in the form of `FederationError.to_metadata`. All texts are the agent's."""

    type: str
    title: str
    detail: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class Started:
    """The agent has taken the message as this task. Keep the id: it is how the task is found again."""

    remote_task_id: str
    context_id: str


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """The agent says how it stands. `metadata` is the status message's and the event's."""

    state: State
    text: str
    metadata: JsonObject


@dataclass(frozen=True, slots=True)
class ArtifactChunk:
    """A piece of an artifact: more of it when `append`, else the whole of it from now on."""

    artifact_id: str
    name: str
    parts: tuple[Part, ...]
    append: bool
    last: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """How the remote task ended, or which input it waits for.

    `text` is what artifacts say, else the status message, else the agent's last message; for a waiting task it is the
    question. `data` has the JSON parts, `files` the file parts. `error` is there when `state` is failed or rejected.
    `schema` is the form of the answer that a waiting task asks for, if it is one of the federation's own agents.
    """

    state: State
    text: str = ""
    data: tuple[JsonValue, ...] = ()
    files: tuple[File, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    error: Failure | None = None
    usage: Usage = field(default_factory=Usage)
    schema: JsonObject | None = None


RemoteEvent: TypeAlias = Started | StatusChanged | ArtifactChunk | Ended


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an agent may send."""

    event_bytes: int = 1024 * 1024
    rpc_bytes: int = 4 * 1024 * 1024
    events: int = 5_000
    parts: int = 500
    task_bytes: int = 64 * 1024 * 1024
