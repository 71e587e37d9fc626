"""An extension of A2A: the numbers of a task's events travel with them, so that a stream is resumed without a gap.

A client asks for it with `A2A-Extensions`. Then the metadata of the task that begins a stream says which event was its
last, and each event its own number; SubscribeToTask with `Last-Event-ID` sends every event after that one, also those
that the task has in it already. Without it nothing is different.
"""

from copy import deepcopy
from typing import Final, TypeAlias, cast

from a2a.server.context import ServerCallContext
from a2a.types import AgentExtension, Message, Task, TaskArtifactUpdateEvent, TaskStatusUpdateEvent

from shared.agent import JsonObject

URI: Final = "urn:agent-federation:sequence:1"

Told: TypeAlias = tuple[int, Task | Message | TaskStatusUpdateEvent | TaskArtifactUpdateEvent]
"""What a stream brings, with the number of its event; a task comes with the number of its last."""

_LAST_SEEN: Final = "last-event-id"
_MAX_DIGITS: Final = 18


def declare() -> AgentExtension:
    """Return what a card says of the extension."""
    return AgentExtension(
        uri=URI,
        description=(
            "Numbers the events of a task in their metadata. SubscribeToTask with the header Last-Event-ID sends all "
            "events after that number."
        ),
    )


def is_asked(context: ServerCallContext) -> bool:
    """Tell whether the caller wants numbers."""
    return URI in context.requested_extensions


def last_seen(context: ServerCallContext) -> int | None:
    """Return the number of the last event that the caller has seen; None if it does not say."""
    if not is_asked(context):
        return None
    given = cast("dict[str, str]", context.state["headers"]).get(_LAST_SEEN, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) <= _MAX_DIGITS else None


def number_of(event: JsonObject) -> int | None:
    """Return the number that a stream response carries; None if it has none."""
    for content in event.values():
        if not isinstance(content, dict) or not isinstance(metadata := content.get("metadata"), dict):
            continue
        told = metadata.get(URI)
        seq = told.get("seq") if isinstance(told, dict) else None
        if isinstance(seq, int | float) and not isinstance(seq, bool) and 0 <= seq < 10**_MAX_DIGITS:
            return int(seq)
    return None


def number(told: Told) -> Task | Message | TaskStatusUpdateEvent | TaskArtifactUpdateEvent:
    """Return a copy that carries its number: what followers share is not changed."""
    seq, each = told
    numbered = deepcopy(each)
    numbered.metadata.update({URI: {"seq": seq}})
    return numbered
