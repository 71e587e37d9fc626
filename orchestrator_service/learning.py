"""Plans that succeeded: found again for the same request, and as examples for similar ones; visible, and erasable.

Learned is what a language model planned, when its task completed: the plan as it was at the end. The same request is
one with the same words in the same order, whatever their case, blanks and courtesies; numbers, addresses, quoted words
and code have to be the same to the letter, and so have the inputs and the names of files.
"""

import hashlib
import math
import re
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from operator import mul
from typing import Final

import orjson
from pydantic import JsonValue
from sqlalchemy import Connection, RowMapping, bindparam, delete, func, select, update

from orchestrator_service.models import LearnedPlan, PlanRow, Task, insert_or_skip
from orchestrator_service.planning.plan import Example, Goal, Plan, PlanStep
from orchestrator_service.planning.words import stems
from shared.agent import JsonObject
from shared.auth import Caller
from shared.db import new_id, now
from shared.errors import NotFoundError

MOST_EXAMPLES: Final = 3
_MOST_PLANS: Final = 1_000
_MOST_COMPARED: Final = 300
_LEAST_ALIKE: Final = 0.25
_LEAST_NEAR: Final = 0.75
_MOST_FAILURES: Final = 2
_MOST_GOAL_CHARS: Final = 4_000
_MOST_WORDS: Final = 200

_COURTESIES: Final = frozenset(
    ["a", "an", "the", "please", "kindly", "hi", "hello", "hey", "thanks", "thank", "you", "can", "could", "me"]
)
_TOKEN: Final = re.compile(r"\"[^\"]*\"|'[^'\s][^']*'|`[^`]*`|“[^”]*”|[^\s]+")
_EDGES: Final = ".,;:!?…"


def key(goal: Goal) -> str | None:
    """Return what is the same for the same request; None for one that means something only in its conversation."""
    if goal.history or len(goal.text) > _MOST_GOAL_CHARS:
        return None
    told = [_said(goal.text), sorted(goal.files), dict(goal.inputs or {})]
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


def find_same(connection: Connection, tenant_id: str, same: str) -> list[PlanStep]:
    """Return the steps of the plan that succeeded for the same request; none if there is none."""
    row = connection.execute(_SAME, {"tenant": tenant_id, "of_key": same}).one_or_none()
    return [] if row is None else [PlanStep.model_validate(step) for step in row.steps]


@dataclass(frozen=True, slots=True)
class Embedding:
    """What a text means to an embedding model: a vector of length 1."""

    model: str
    vector: list[float]


def find_similar(
    connection: Connection, tenant_id: str, goal: str, embedding: Embedding | None = None
) -> list[Example]:
    """Return plans that succeeded for requests that share telling words with the goal, or mean about the same.

    The most alike comes first.
    """
    wanted = stems(goal)
    rows = connection.execute(_NEWEST, {"tenant": tenant_id, "at_most": _MOST_COMPARED}).all()
    spread = Counter(word for row in rows for word in set(row.words))
    rarity = {word: math.log(1 + len(rows) / spread.get(word, 1)) for word in {*wanted, *spread}}
    alike = [
        (max(_likeness(wanted, set(row.words), rarity), _nearness(embedding, row.vector, row.vector_model)), row)
        for row in rows
    ]
    best = sorted((each for each in alike if each[0] >= _LEAST_ALIKE), key=lambda each: -each[0])
    return [
        Example(row.goal, tuple(PlanStep.model_validate(step) for step in row.steps)) for _, row in best[:MOST_EXAMPLES]
    ]


def note(
    connection: Connection, tenant_id: str, task_id: str, goal: Goal, plan: Plan, embedding: Embedding | None = None
) -> None:
    """Learn from a task that is over: keep the plan if it completed; forget a learned one that keeps failing."""
    if (same := key(goal)) is None:
        return
    status = connection.execute(_STATUS, {"of_task": task_id}).scalar_one_or_none()
    named = {"tenant": tenant_id, "of_key": same}
    if status == "completed":
        _keep(connection, named, task_id, goal, plan, embedding)
    elif status == "failed" and connection.execute(_FIRST_STRATEGY, {"of_task": task_id}).scalar() == "learned":
        connection.execute(_FAILED, named)
        connection.execute(_FORGET_FAILING, {**named, "most": _MOST_FAILURES})


def show(connection: Connection, caller: Caller, before: str | None, limit: int) -> list[JsonObject]:
    """Return the learned plans, newest first, from below the id `before`."""
    query = _ALL.where(LearnedPlan.tenant_id == caller.tenant_id).order_by(LearnedPlan.id.desc()).limit(limit)
    if before is not None:
        query = query.where(LearnedPlan.id < before)
    return [_to_json(row) for row in connection.execute(query).mappings()]


def find(connection: Connection, caller: Caller, plan_id: str) -> JsonObject:
    """Return a learned plan. Raises: NotFoundError."""
    mine = (LearnedPlan.tenant_id == caller.tenant_id, LearnedPlan.id == plan_id)
    row = connection.execute(_ALL.where(*mine)).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"There is no learned plan {plan_id!r}.")
    return _to_json(row)


def forget(connection: Connection, caller: Caller, plan_id: str | None = None) -> None:
    """Forget a learned plan, or all of the caller's. Raises: NotFoundError."""
    query = delete(LearnedPlan).where(LearnedPlan.tenant_id == caller.tenant_id)
    if plan_id is not None:
        query = query.where(LearnedPlan.id == plan_id)
    if not connection.execute(query).rowcount and plan_id is not None:
        raise NotFoundError(f"There is no learned plan {plan_id!r}.")


def _keep(
    connection: Connection, named: dict[str, str], task_id: str, goal: Goal, plan: Plan, embedding: Embedding | None
) -> None:
    at = now()
    steps: list[JsonValue] = [step.model_dump(mode="json", exclude_defaults=True) for step in plan.steps]
    if connection.execute(_SUCCEEDED, {**named, "these": steps, "by_task": task_id, "at": at}).rowcount:
        return
    connection.execute(
        insert_or_skip(connection, LearnedPlan).values(
            id=new_id(),
            tenant_id=named["tenant"],
            key=named["of_key"],
            goal=goal.text,
            words=sorted(stems(goal.text))[:_MOST_WORDS],
            vector=None if embedding is None else array("f", embedding.vector).tobytes(),
            vector_model=None if embedding is None else embedding.model,
            steps=steps,
            task_id=task_id,
            successes=1,
            failures=0,
            created_at=at,
            used_at=at,
        )
    )
    excess = connection.execute(_COUNT, named).scalar_one() - _MOST_PLANS
    if excess > 0:
        connection.execute(_FORGET_OLDEST, {**named, "at_most": excess})


def _said(text: str) -> list[str]:
    """Return the words of a request that make it what it is, in order; code is taken to the letter."""
    if "```" in text:
        return [text]
    said: list[str] = []
    for token in _TOKEN.findall(text):
        plain: str = token.strip(_EDGES)
        if not plain.replace("-", "").isalpha():
            said += [plain] if plain else []
        elif (word := plain.casefold()) not in _COURTESIES:
            said.append(word)
    return said


def _likeness(wanted: set[str], words: set[str], rarity: Mapping[str, float]) -> float:
    """Return how much two requests share, 0 to 1: a word counts the more the fewer requests have it."""
    either = sum(rarity[word] for word in wanted | words)
    return sum(rarity[word] for word in wanted & words) / either if either else 0.0


def _nearness(embedding: Embedding | None, vector: bytes | None, model: str | None) -> float:
    """Return how near a request is to what is meant, 0 if that is not much, or cannot be told."""
    if embedding is None or vector is None or model != embedding.model:
        return 0.0
    known = array("f", vector)
    near = sum(map(mul, known, embedding.vector)) if len(known) == len(embedding.vector) else 0.0
    return near if near >= _LEAST_NEAR else 0.0


def _to_json(row: RowMapping) -> JsonObject:
    return {
        "id": row["id"],
        "goal": row["goal"],
        "steps": row["steps"],
        "task_id": row["task_id"],
        "successes": row["successes"],
        "failures": row["failures"],
        "created_at": row["created_at"].isoformat(),
        "used_at": row["used_at"].isoformat(),
    }


_of_key = (LearnedPlan.tenant_id == bindparam("tenant"), LearnedPlan.key == bindparam("of_key"))
_of_tenant = LearnedPlan.tenant_id == bindparam("tenant")
_ALL: Final = select(*LearnedPlan.__table__.c)
_SAME: Final = select(LearnedPlan.steps).where(*_of_key)
_NEWEST: Final = (
    select(LearnedPlan.goal, LearnedPlan.words, LearnedPlan.steps, LearnedPlan.vector, LearnedPlan.vector_model)
    .where(_of_tenant)
    .order_by(LearnedPlan.used_at.desc())
    .limit(bindparam("at_most"))
)
_FIRST_STRATEGY: Final = select(PlanRow.strategy).where(PlanRow.task_id == bindparam("of_task"), PlanRow.revision == 1)
_STATUS: Final = select(Task.status).where(Task.id == bindparam("of_task"))
_SUCCEEDED: Final = (
    update(LearnedPlan)
    .where(*_of_key)
    .values(
        steps=bindparam("these"),
        task_id=bindparam("by_task"),
        successes=LearnedPlan.successes + 1,
        failures=0,
        used_at=bindparam("at"),
    )
)
_FAILED: Final = update(LearnedPlan).where(*_of_key).values(failures=LearnedPlan.failures + 1)
_FORGET_FAILING: Final = delete(LearnedPlan).where(*_of_key, LearnedPlan.failures >= bindparam("most"))
_COUNT: Final = select(func.count()).select_from(LearnedPlan).where(_of_tenant)
_oldest = (
    select(LearnedPlan.id).where(_of_tenant).order_by(LearnedPlan.used_at, LearnedPlan.id).limit(bindparam("at_most"))
)
_FORGET_OLDEST: Final = delete(LearnedPlan).where(LearnedPlan.id.in_(_oldest))
