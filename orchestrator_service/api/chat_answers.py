"""A task as OpenAI's clients read it: its answer as Markdown, pieces of a stream, usage, failures. Pure.

Source: https://platform.openai.com/docs/api-reference/chat/object
"""

import re
from collections.abc import Callable
from datetime import datetime
from hmac import compare_digest
from typing import Final

import orjson
from pydantic import JsonValue

from orchestrator_service import inputs
from shared.agent import JsonObject
from shared.errors import FederationError, NotFoundError, UnavailableError
from shared.remote_parts import objects

_ID: Final = "chatcmpl-"
_OWNER: Final = "agent-federation"
_COUNTED: Final = ("input_tokens", "output_tokens")
_KINDS: Final = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_LINK: Final = "Open the task"
_ID_FORM: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ASKED: Final = re.compile(rf"\[{_LINK}\]\(\S*/tasks/({_ID_FORM})#question-([0-9a-f]{{32}})\)\s*\Z")


class TaskFailedError(FederationError):
    """The task behind an answer did not succeed; the text says at which step and why."""

    slug = "task-failed"
    title = "The task failed"
    status = 502


class UnknownModelError(NotFoundError):
    """A model that is none of those that can be asked."""

    slug = "unknown-model"
    title = "There is no such model"


def model(name: str, at: datetime | None = None) -> JsonObject:
    """Return what can be asked by that name, since `at`."""
    return {"id": name, "object": "model", "created": 0 if at is None else int(at.timestamp()), "owned_by": _OWNER}


def completion(task: JsonObject, name: str, text: str) -> JsonObject:
    """Return the answer of a task that `failure` says nothing of."""
    message: JsonObject = {"role": "assistant", "content": text, "refusal": None}
    choice: JsonObject = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {**_head(task, name), "object": "chat.completion", "choices": [choice], "usage": usage(task)}


def piece(
    task: JsonObject, name: str, delta: JsonObject | None = None, finish_reason: str | None = None, **more: JsonValue
) -> bytes:
    """Return a piece of a stream, as it is sent; without a `delta`, one with `more` alone."""
    choice: JsonObject = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    choices: list[JsonValue] = [] if delta is None else [choice]
    told: JsonObject = {"object": "chat.completion.chunk", "choices": choices, "usage": None, **more}
    return b"data: %s\n\n" % orjson.dumps({**_head(task, name), **told})


def answer(task: JsonObject, url: str, token: Callable[[str], str]) -> str:
    """Return the answer as Markdown: the result with its files, or what is asked, which `token` is to show.

    `url` is the orchestrator's.
    """
    if waiting := objects(task["pending_inputs"]):
        shown = token(str(waiting[0]["input_id"]))
        return f"{waiting[0]['prompt']}{_way(waiting[0])}\n\n[{_LINK}]({url}/tasks/{task['id']}#question-{shown})"
    result = task["result"] if isinstance(task["result"], dict) else {}
    links = [
        f"{'!' if str(file['media_type']).startswith('image/') else ''}[{_label(str(file['name']))}]"
        f"({url}/api/tasks/{task['id']}/artifacts/{file['id']})"
        for file in objects(result.get("artifacts"))
    ]
    return "\n\n".join([str(result.get("summary", "")), *links])


def rest(said: str, whole: str) -> str:
    """Return what of the answer was not said yet; all of it if it came out differently."""
    known = said.strip()
    return whole[len(known) :] if whole.startswith(known) else f"\n\n---\n\n{whole}"


def asked_by(said: str) -> tuple[str, str] | None:
    """Return the id of the task that asked what an earlier answer says, and what shows that; None if nothing does."""
    found = _ASKED.search(said)
    return None if found is None else (found[1], found[2])


def asked(task: JsonObject, shown: str, token: Callable[[str], str]) -> JsonObject | None:
    """Return the question of the task that was `shown`, if it is open still."""
    waiting = objects(task["pending_inputs"])
    return next((each for each in waiting if compare_digest(token(str(each["input_id"])), shown)), None)


def usage(task: JsonObject) -> JsonObject:
    """Return how many tokens models read and wrote."""
    used = task["usage"] if isinstance(task["usage"], dict) else {}
    read, written = (count if isinstance(count := used.get(name), int) else 0 for name in _COUNTED)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def failure(task: JsonObject) -> FederationError | None:
    """Return why there is neither an answer nor a question; nothing if there is one."""
    if task["status"] == "completed" or task["pending_inputs"]:
        return None
    if task["status"] in {"failed", "canceled"}:
        error = task["error"] if isinstance(task["error"], dict) else {}
        return TaskFailedError(str(error.get("detail") or f"The task was {task['status']}."), task_id=task["id"])
    return UnavailableError("The task goes on, but cannot be waited for here any longer.", task_id=task["id"])


def told(error: FederationError) -> JsonObject:
    """Return a failure as these clients look for it."""
    kind = _KINDS.get(error.status, "server_error" if error.status >= 500 else "invalid_request_error")
    code = "model_not_found" if isinstance(error, UnknownModelError) else error.slug
    faults = objects(error.facts.get("errors"))
    wrong = "; ".join(f"{fault['pointer']}: {fault['detail']}" for fault in faults)
    param = faults[0]["pointer"] if faults else None
    return {"message": wrong or error.detail, "type": kind, "param": param, "code": code}


def _head(task: JsonObject, name: str) -> JsonObject:
    created = int(datetime.fromisoformat(str(task["created_at"])).timestamp())
    return {"id": f"{_ID}{task['id']}", "created": created, "model": name}


def _way(question: JsonObject) -> str:
    """Return how the question is answered, where that is not plain."""
    if question["kind"] in inputs.APPROVALS:
        return "\n\nAnswer yes or no."
    schema = question["schema"] if isinstance(question["schema"], dict) else {}
    fields, required = schema.get("properties"), schema.get("required")
    names = sorted(fields) if isinstance(fields, dict) else []
    needed = [name for name in names if isinstance(required, list) and name in required]
    kinds = {"has": needed, "may have": [name for name in names if name not in needed]}
    told = [f"{verb} {', '.join(f'`{name}`' for name in listed)}" for verb, listed in kinds.items() if listed]
    return f"\n\nAnswer with a JSON object that {' and '.join(told)}." if told else ""


def _label(name: str) -> str:
    return re.sub(r"([\\\[\]])", r"\\\1", name)
