"""A message for an agent, and how A2A writes it."""

import base64
from dataclasses import dataclass, field

from pydantic import JsonValue

from shared.agent import METADATA_KEY, File, JsonObject
from shared.errors import InvalidRequestError


@dataclass(frozen=True, slots=True)
class PushConfig:
    """Where the agent may tell that a task has moved; it shows `token` there. What it says is a hint, not the truth."""

    url: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message for an agent. Make `message_id` once, before the first attempt, and keep it over retries.

    `task_id` and `context_id`, both, answer a task that waits for input; one that no longer waits, for it was answered
    elsewhere, is followed without the message. `metadata` and `skill` are the federation's own, under
    `METADATA_KEY`. `push` is given to an agent whose card says that it can push, and that it cannot stream.
    """

    message_id: str
    text: str = ""
    data: tuple[JsonValue, ...] = ()
    files: tuple[File, ...] = ()
    skill: str | None = None
    task_id: str | None = None
    context_id: str | None = None
    metadata: JsonObject = field(default_factory=dict[str, JsonValue])
    push: PushConfig | None = None


def to_params(message: OutgoingMessage, *, returns_at_once: bool, push: PushConfig | None) -> JsonObject:
    """Return the parameters that send the message, in A2A 1.0's form.

    `returns_at_once`: the agent should answer before it has finished. Raises: InvalidRequestError for no content.
    """
    configuration: JsonObject = {"historyLength": 0}  # or the answer is as large as the message
    if returns_at_once:
        configuration["returnImmediately"] = True
    if push is not None:
        configuration["taskPushNotificationConfig"] = {"url": push.url, "token": push.token}
    sent = _to_json(message)
    return {"message": sent, "configuration": configuration}


def _to_json(message: OutgoingMessage) -> JsonObject:
    parts: list[JsonValue] = [{"text": message.text}] if message.text else []
    parts.extend({"data": data, "mediaType": "application/json"} for data in message.data)
    for file in message.files:
        place: JsonObject = (
            {"url": file.url} if file.content is None else {"raw": base64.b64encode(file.content).decode()}
        )
        parts.append({**place, "filename": file.name, "mediaType": file.media_type})
    if not parts:
        raise InvalidRequestError("A message to an agent needs text, data or a file.")
    sent: JsonObject = {"messageId": message.message_id, "role": "ROLE_USER", "parts": parts}
    if message.task_id:
        sent["taskId"] = message.task_id
    if message.context_id:
        sent["contextId"] = message.context_id
    call = message.metadata | ({"skill": message.skill} if message.skill else {})
    if call:
        sent["metadata"] = {METADATA_KEY: call}
    return sent
