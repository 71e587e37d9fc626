"""Where a task comes from: what travels in the metadata of messages, so that loops end and sub-tasks are known.

A message of the federation says, under METADATA_KEY: `root_task_id`, `task_id`, `step_id`, `hops` (how many messages
led to this one, it included), `trail` (who was asked what on the way, as short hashes) and `budget`. An agent that asks
others for the sake of a request passes it on (`AgentRequest.onward`). What comes in is peer text: it can make a request
poorer or refuse it, never richer, and nothing is believed of it that our own rows do not say too.
"""

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue
from sqlalchemy import Connection, bindparam, select

from orchestrator_service import budgets, events, ledger
from orchestrator_service.models import Task
from shared.agent import METADATA_KEY, JsonObject
from shared.auth import Caller
from shared.db import now
from shared.errors import ConflictError, FederationError

MAX_HOPS: Final = 8
"""How many messages in a row may lead to a task, unless MAX_HOPS says otherwise."""

REPETITIONS: Final = 3
"""So often in a row is a pattern a loop."""

MOST_BUDGET: Final = 10**15
"""More of anything is no limit, and cannot be counted exactly."""

_MAX_TRAIL: Final = 64
_MOST_HOPS: Final = 10_000
_MAX_ID_CHARS: Final = 256
_MAX_HASHED_CHARS: Final = 20_000
_MARK: Final = re.compile(r"[0-9a-f]{12}:[0-9a-f]{16}")


class LoopDetectedError(FederationError):
    """A request came back to where it had been, or went on for too long. Asking again cannot help.

    508 is the one registered status that says so, and no client takes it for a reason to try again.
    Source: https://www.rfc-editor.org/rfc/rfc5842#section-7.2
    """

    slug = "loop-detected"
    title = "The request goes round in a circle"
    status = 508


@dataclass(frozen=True, slots=True)
class Ancestry:
    """What a message says of where it comes from. Of a message that says nothing, or nonsense, all is empty.

    `trail` holds a mark for each time that somebody was asked something, oldest first; `budget` what is left.
    """

    root_task_id: str | None = None
    task_id: str | None = None
    step_id: str | None = None
    hops: int = 0
    trail: tuple[str, ...] = ()
    budget: JsonObject = field(default_factory=dict[str, JsonValue])


@dataclass(frozen=True, slots=True)
class Link:
    """How a task hangs together with those before it, as it is submitted. `budget` is what it inherits."""

    ancestry: JsonObject
    budget: JsonObject = field(default_factory=dict[str, JsonValue])
    root_task_id: str | None = None
    parent_task_id: str | None = None


def read(metadata: JsonObject) -> Ancestry:
    """Return what a message's metadata say of where it comes from; what is malformed is as if it were not there."""
    told = metadata.get(METADATA_KEY)
    return _read(told) if isinstance(told, dict) else Ancestry()


def check(ancestry: Ancestry, asked: str, request_text: str, max_hops: int = MAX_HOPS) -> str:
    """Refuse a request that would go round in a circle, or return its mark for the trail.

    `asked` is who is asked: an agent's endpoint, a `door`.

    Raises: LoopDetectedError when it has come too far, when the same was asked for there before on the way, or when
    those asked on the way repeat a pattern.
    """
    if ancestry.hops > max_hops:
        raise LoopDetectedError(
            f"This request was handed on {ancestry.hops} times; at most {max_hops} are allowed (MAX_HOPS)."
        )
    mark = _mark(asked, request_text)
    if mark in ancestry.trail:
        raise LoopDetectedError("The same was asked for there before, and led to this request; it would never end.")
    if repeats([each.partition(":")[0] for each in (*ancestry.trail, mark)]):
        raise LoopDetectedError(f"The same agents were asked in the same order {REPETITIONS} times, one by the other.")
    return mark


def repeats(items: Sequence[str]) -> bool:
    """Tell whether a sequence ends with a pattern (of any length) that comes `REPETITIONS` times in a row."""
    for length in range(1, len(items) // REPETITIONS + 1):
        tail = items[len(items) - length * REPETITIONS :]
        if all(tail[place] == tail[place % length] for place in range(length, len(tail))):
            return True
    return False


def check_prompts(earlier: Sequence[str], prompt: str) -> None:
    """Refuse an agent's question that goes round in a circle, in spite of the answers. `earlier`: oldest first.

    Raises: LoopDetectedError.
    """
    if repeats([_plain(text) for text in (*earlier, prompt)]):
        raise LoopDetectedError(
            f"The agent asked the same {REPETITIONS} times, whatever it was answered: {prompt[:200]}"
        )


def child_metadata(
    *,
    task_id: str,
    root_task_id: str | None,
    ancestry: JsonObject | None,
    step_id: str,
    agent: str,
    request_text: str,
    max_hops: int = MAX_HOPS,
) -> JsonObject:
    """Return what the message of a step to an agent says of where it comes from (the budget is `budgets.to_metadata`).

    `ancestry` is the task's own, as it was submitted; `agent` is the agent's endpoint, which is the same for everybody.
    Raises: LoopDetectedError, when the message must not be sent.
    """
    come = _read(ancestry) if ancestry is not None else Ancestry()
    onward = Ancestry(hops=come.hops + 1, trail=come.trail)
    mark = check(onward, agent, request_text, max_hops)
    trail = [*come.trail, mark][-_MAX_TRAIL:]
    return {
        "root_task_id": come.root_task_id or root_task_id or task_id,
        "task_id": task_id,
        "step_id": step_id,
        "hops": onward.hops,
        "trail": list[JsonValue](trail),
    }


def door(address: str) -> str:
    """Return how a door of ours is named on the trail: not as an agent at that address, which the sender puts there."""
    return f"door {address}"


def link(connection: Connection, caller: Caller, new_id: str, told: Ancestry, asked: str, request_text: str) -> Link:
    """Return how a task is to be submitted that a message asks for, `new_id` being the id it will have.

    Is it the caller's own running task that the message names, the new one is its sub-task: it has the same root, and
    inherits what is left of that call's grant, of the time and of the depth. `asked` is the `door` it came to.
    Raises: ConflictError when that task is being canceled, BudgetExhaustedError when it may have no sub-tasks (now).
    """
    trail = [*told.trail, _mark(asked, request_text)][-_MAX_TRAIL:]
    come: JsonObject = {"root_task_id": told.root_task_id, "hops": told.hops, "trail": list[JsonValue](trail)}
    budget = dict(told.budget)
    parent = None
    if told.task_id is not None:
        if connection.execute(_KNOWN, {"of_task": new_id}).first() is not None:
            return Link(come)  # it was submitted before a restart, and stays as it was then
        parent = connection.execute(_PARENT, {"of_task": told.task_id, "of_tenant": caller.tenant_id}).one_or_none()
    if parent is None or parent.status in events.TERMINAL:
        return Link(come, _one_less_deep(budget))
    if parent.cancel_requested:
        raise ConflictError("The task that this is a part of is being canceled.")
    request: JsonObject = parent.request
    budget = _least(budget, request.get("budget"), ("depth",))
    budget = _least(budget, {"seconds": (parent.deadline_at - now()).total_seconds()}, ("seconds",))
    budget = _least(budget, {"steps": budgets.steps_left(connection, parent.id, request)}, ("steps",))
    call = ledger.read(parent.reserved).calls.get(told.step_id or "")
    if call is not None:
        come["lender"] = [parent.id, told.step_id]
        left = call.for_sub_tasks().model_dump(mode="json", exclude_none=True)
        budget = _least(budget, left, ("cost_usd", "tokens"))
    root_task_id = parent.root_task_id or parent.id
    come["root_task_id"] = _read(parent.ancestry or {}).root_task_id or root_task_id
    return Link(come, _one_less_deep(budget), root_task_id, parent.id)


def require_open(connection: Connection, parent_task_id: str) -> None:
    """Refuse a sub-task of a task that is over or being canceled; the parent's row is locked. Raises: ConflictError."""
    row = connection.execute(_OPEN, {"of_task": parent_task_id}).one_or_none()
    if row is None or row.cancel_requested or row.status in events.TERMINAL:
        raise ConflictError("The task that this is a part of is over, or is being canceled.")


def below(connection: Connection, task_id: str) -> list[str]:
    """Return the ids of the tasks below a task that are not over, though one between them may be."""
    return list(connection.execute(_BELOW, {"of_task": task_id}).scalars())


def hops(ancestry: JsonObject | None) -> int:
    """Return how often the request was handed on before it became a task with this ancestry."""
    return 0 if ancestry is None else _hops(ancestry)


def is_sub_task(connection: Connection, task_id: str) -> bool:
    """Tell whether a call that an agent made for a task of ours led to the task."""
    return connection.execute(_SUB_TASK, {"of_task": task_id}).scalar_one_or_none() is not None


def _read(told: JsonObject) -> Ancestry:
    trail = told.get("trail")
    marks = [mark for mark in trail[-_MAX_TRAIL:] if isinstance(mark, str)] if isinstance(trail, list) else []
    return Ancestry(
        root_task_id=_id(told.get("root_task_id")),
        task_id=_id(told.get("task_id")),
        step_id=_id(told.get("step_id")),
        hops=_hops(told),
        trail=tuple(mark for mark in marks if _MARK.fullmatch(mark)),
        budget=_budget(told.get("budget")),
    )


def _hops(told: JsonObject) -> int:
    return int(min(_positive(told.get("hops")) or 0, _MOST_HOPS))


def _budget(told: JsonValue) -> JsonObject:
    """Return the limits of a peer that are limits: none is negative, steps, tokens and depth are whole."""
    if not isinstance(told, dict):
        return {}
    budget: JsonObject = {}
    for name in ("cost_usd", "seconds", "tokens", "steps", "depth"):
        if (limit := _positive(told.get(name))) is not None:
            budget[name] = limit if name in {"cost_usd", "seconds"} else int(limit)
    return budget


def _one_less_deep(budget: JsonObject) -> JsonObject:
    """Return what a sub-task may have of a budget. Raises: BudgetExhaustedError when it may not be at all."""
    for name, left in budget.items():
        if isinstance(left, int | float) and left <= 0:
            what = "no sub-tasks (depth)" if name == "depth" else f"nothing left of its {name}"
            raise budgets.BudgetExhaustedError(f"The task that this is a part of has a budget with {what}.")
    depth = budget.get("depth")
    return {**budget, "depth": depth - 1} if isinstance(depth, int) else budget


def _least(budget: JsonObject, other: JsonValue, names: Sequence[str]) -> JsonObject:
    """Return a budget with the smaller of both limits, for each name."""
    smaller = dict(budget)
    for name in names:
        limit = other.get(name) if isinstance(other, dict) else None
        mine = budget.get(name)
        if isinstance(limit, int | float):
            smaller[name] = min(mine, limit) if isinstance(mine, int | float) else limit
    return smaller


def _positive(value: JsonValue) -> float | int | None:
    """Return a number that is finite, at least 0 and neither true nor false; a negative one is 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -math.inf < value < math.inf:
        return None
    return min(max(value, 0), MOST_BUDGET)


def _id(value: JsonValue) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_ID_CHARS and value.isprintable() else None


def _mark(asked: str, request_text: str) -> str:
    who = hashlib.blake2s(asked.encode(errors="replace"), digest_size=6).hexdigest()
    return f"{who}:{hashlib.blake2s(_plain(request_text).encode(errors='replace'), digest_size=8).hexdigest()}"


def _plain(text: str) -> str:
    """Return a text as it is compared: without case and white space, and of a long one only its ends and length."""
    if len(text) > _MAX_HASHED_CHARS:
        half = _MAX_HASHED_CHARS // 2
        text = f"{text[:half]}{len(text)}{text[-half:]}"
    return " ".join(text.casefold().split())


# Statements are built once: building one costs more than SQLite takes to run it.
_KNOWN: Final = select(Task.id).where(Task.id == bindparam("of_task"))
_PARENT: Final = select(
    Task.id,
    Task.status,
    Task.cancel_requested,
    Task.request,
    Task.deadline_at,
    Task.reserved,
    Task.root_task_id,
    Task.ancestry,
).where(Task.id == bindparam("of_task"), Task.tenant_id == bindparam("of_tenant"))
_SUB_TASK: Final = select(Task.parent_task_id).where(Task.id == bindparam("of_task"))
_OPEN: Final = (
    select(Task.status, Task.cancel_requested).where(Task.id == bindparam("of_task")).with_for_update(read=True)
)
_child = select(Task.id, Task.status).where(Task.parent_task_id == bindparam("of_task")).cte("below", recursive=True)
_below = _child.union_all(select(Task.id, Task.status).join(_child, Task.parent_task_id == _child.c.id))
_BELOW: Final = select(_below.c.id).where(_below.c.status.not_in(sorted(events.TERMINAL)))
