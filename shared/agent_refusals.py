"""What an agent's refusals, and calls to it that are lost, mean: our errors.

An error's facts: `reached` is False when the agent cannot have begun (None: unknown), `rpc_code` is its JSON-RPC code,
`retry_after_s` the pause it asks for.
"""

from typing import Final

import httpx
from pydantic import JsonValue

from shared import strict_json
from shared.agent import JsonObject
from shared.errors import AgentFailedError, AgentProtocolError, AgentUnavailableError, FederationError
from shared.remote_parts import clean_note, objects
from shared.retry_after import retry_after_s

TASK_NOT_FOUND: Final = -32001
TASK_NOT_CANCELABLE: Final = -32002
PUSH_NOT_SUPPORTED: Final = -32003
INTERNAL: Final = -32603
UNSUPPORTED: Final = frozenset({-32601, -32004})

_CODES: Final = {
    "TASK_NOT_FOUND": TASK_NOT_FOUND,
    "TASK_NOT_CANCELABLE": TASK_NOT_CANCELABLE,
    "PUSH_NOTIFICATION_NOT_SUPPORTED": PUSH_NOT_SUPPORTED,
    "UNSUPPORTED_OPERATION": -32004,
    "CONTENT_TYPE_NOT_SUPPORTED": -32005,
    "VERSION_NOT_SUPPORTED": -32009,
    "INVALID_PARAMS": -32602,
    "METHOD_NOT_FOUND": -32601,
}
_DEFINITE: Final = frozenset(_CODES.values())
_NOT_OFFERED: Final = UNSUPPORTED | {PUSH_NOT_SUPPORTED, -32009}
_OVERLOADED: Final = frozenset({429, 503})
_MAX_RETRY_AFTER_S: Final = 60.0


def lost(error: httpx.HTTPError) -> FederationError:
    """Return what a call that brought no whole answer means."""
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return AgentUnavailableError(f"Cannot connect to the agent: {error}.", reached=False)
        case httpx.DecodingError():
            return AgentProtocolError("The agent answered in an encoding that it was not asked for.")
        case httpx.RemoteProtocolError():
            return AgentProtocolError("The agent answered something that is not HTTP.")
        case _:
            return AgentUnavailableError(
                "The connection to the agent broke before its answer was complete.", reached=None
            )


def refused(status: int, retry_after: str | None, content: bytes, *, asks_for_task: bool) -> FederationError:
    """Return what an HTTP status that is not a success means, with the agent's own reason if it gives one.

    `asks_for_task`: the address of the call was that of a task, so that 404 means that the agent has no such task.
    """
    if status in _OVERLOADED:
        facts: JsonObject = {"reached": False}
        if (pause_s := retry_after_s(retry_after)) is not None:
            facts["retry_after_s"] = min(pause_s, _MAX_RETRY_AFTER_S)
        return AgentUnavailableError(f"The agent is overloaded: HTTP {status}.", **facts)
    try:
        answer = strict_json.parse(content)
    except strict_json.JsonError:
        answer = None
    error = answer.get("error") if isinstance(answer, dict) else None
    refusal = told(error) if isinstance(error, dict) else None
    if status == 404 and asks_for_task and (refusal is None or refusal.facts.get("rpc_code") not in _DEFINITE):
        return AgentFailedError("The agent does not know this task.", rpc_code=TASK_NOT_FOUND)
    if refusal is not None and (status < 500 or refusal.facts.get("rpc_code") in _DEFINITE):
        return refusal
    if status >= 500:
        why = "" if refusal is None else f" {refusal.detail}"
        return AgentUnavailableError(f"The agent failed with HTTP {status}.{why}", reached=None)
    if status in {401, 403}:
        return AgentFailedError(f"The agent refused the call: HTTP {status}; it asks for credentials.", reached=False)
    meaning = "redirects are not followed" if 300 <= status < 400 else "it does not answer A2A at this address"
    return AgentProtocolError(f"The agent answered HTTP {status}: {meaning}.", reached=False)


def told(error: JsonValue) -> FederationError:
    """Return the error that the agent tells, by JSON-RPC or as HTTP+JSON's google.rpc.Status.

    One of our own agents says by `retryable` that it passes by itself.
    """
    told = error if isinstance(error, dict) else {}
    details = objects(told.get("details", told.get("data")))
    reasons = [str(item.get("reason")) for item in details]
    given = told.get("code")
    named = (_CODES[reason] for reason in reasons if reason in _CODES)
    code = next(named, given if isinstance(given, int) else None)
    message = told.get("message")
    text = clean_note(message if isinstance(message, str) else "").rstrip(".") or "no reason given"
    facts: JsonObject = {} if code is None else {"rpc_code": code}
    if code in _NOT_OFFERED:
        return AgentProtocolError(f"The agent does not offer what was asked: {text}.", **facts)
    if any(isinstance(said := item.get("metadata"), dict) and said.get("retryable") is True for item in details):
        return AgentUnavailableError(f"The agent cannot answer now: {text}.", reached=None, **facts)
    return AgentFailedError(f"The agent refused the request: {text}.", **facts)
