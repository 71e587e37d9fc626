"""Turns A2A 1.0 JSON into 0.3's for older agents, and their answers back. Source: https://a2a-protocol.org/v0.3.0/"""

from pydantic import JsonValue

from shared.agent import JsonObject
from shared.errors import AgentProtocolError


def to_0_3(params: JsonObject) -> JsonObject:
    """Return a request's parameters in 0.3's form."""
    message, configuration = params.get("message"), params.get("configuration")
    older: JsonObject = {key: value for key, value in params.items() if key in {"id", "historyLength"}}
    if isinstance(message, dict):
        older["message"] = {
            **message,
            "kind": "message",
            "role": "user",
            "parts": [_part_to_0_3(part) for part in _objects(message.get("parts"))],
        }
    if isinstance(configuration, dict):
        push = configuration.get("taskPushNotificationConfig")
        older["configuration"] = {
            "blocking": not configuration.get("returnImmediately", False),
            **{key: value for key, value in configuration.items() if key == "historyLength"},
            **({"pushNotificationConfig": push} if push else {}),
        }
    return older


def event_to_1_0(result: JsonObject) -> JsonObject:
    """Return what 0.3 answers to a message, or streams, in the form of 1.0's stream response."""
    match result.get("kind"):
        case "task":
            return {"task": task_to_1_0(result)}
        case "message":
            return {"message": _message(result)}
        case "status-update":
            return {"statusUpdate": {**result, "status": _status(result.get("status"))}}
        case "artifact-update":
            return {"artifactUpdate": {**result, "artifact": _artifact(result.get("artifact"))}}
        case _:
            raise AgentProtocolError(
                "The agent sent an event that A2A 0.3 does not have: its kind is missing or unknown."
            )


def task_to_1_0(task: JsonObject) -> JsonObject:
    """Return a 0.3 task in 1.0's form."""
    return {
        **task,
        "status": _status(task.get("status")),
        "artifacts": [_artifact(artifact) for artifact in _objects(task.get("artifacts"))],
        "history": [_message(message) for message in _objects(task.get("history"))],
    }


def _status(status: JsonValue) -> JsonValue:
    if not isinstance(status, dict):
        return status
    state = str(status.get("state", "unknown"))
    name = "UNSPECIFIED" if state == "unknown" else state.upper().replace("-", "_")
    message = status.get("message")
    return {
        "state": f"TASK_STATE_{name}",
        "timestamp": status.get("timestamp"),
        **({"message": _message(message)} if isinstance(message, dict) else {}),
    }


def _message(message: JsonObject) -> JsonObject:
    role = "ROLE_AGENT" if message.get("role") == "agent" else "ROLE_USER"
    return {**message, "role": role, "parts": [_part(part) for part in _objects(message.get("parts"))]}


def _artifact(artifact: JsonValue) -> JsonValue:
    if not isinstance(artifact, dict):
        return artifact
    return {**artifact, "parts": [_part(part) for part in _objects(artifact.get("parts"))]}


def _part(part: JsonObject) -> JsonObject:
    match part:
        case {"kind": "text", "text": text}:
            return {"text": text}
        case {"kind": "data", "data": data}:
            return {"data": data}
        case {"kind": "file", "file": dict(file)}:
            content: JsonObject = {"url": file.get("uri")} if file.get("bytes") is None else {"raw": file["bytes"]}
            return {**content, "filename": file.get("name"), "mediaType": file.get("mimeType")}
        case _:
            return {}


def _part_to_0_3(part: JsonObject) -> JsonValue:
    match part:
        case {"text": text}:
            return {"kind": "text", "text": text}
        case {"data": data}:
            return {"kind": "data", "data": data if isinstance(data, dict) else {"value": data}}
        case _:
            place: JsonObject = {"bytes": part["raw"]} if "raw" in part else {"uri": part.get("url")}
            return {"kind": "file", "file": {**place, "name": part.get("filename"), "mimeType": part.get("mediaType")}}


def _objects(value: JsonValue) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
