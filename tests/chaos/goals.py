"""What the clients of a run ask for: tasks of every kind, each with steps whose effects can be counted. Seeded."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from shared.agent import JsonObject
from tests.chaos.sink import SKILL

Impatience = Literal["never", "when held", "when asked", "at random"]


@dataclass(frozen=True, slots=True)
class _Step:
    """A step to be: what the sink does, which steps it needs, and the agent, if it must be a certain one."""

    variant: str = "instant"
    needs: str = ""
    agent: str | None = None


KINDS: Final[dict[str, dict[str, _Step]]] = {
    "planned": {},
    "approve": {"a": _Step(), "b": _Step(needs="a")},
    "chain": {"a": _Step(), "b": _Step(needs="a"), "c": _Step(needs="b")},
    "slow": {"a": _Step("slow"), "b": _Step(needs="a")},
    "fan": {
        "a": _Step(),
        "b": _Step("slow", "a"),
        "c": _Step("slow", "a"),
        "d": _Step("slow", "a"),
        "e": _Step(needs="bcd"),
    },
    "ask": {"a": _Step(), "b": _Step("ask", "a"), "c": _Step(needs="b")},
    "hold": {"a": _Step(), "b": _Step("hold", "a"), "c": _Step(needs="b")},
    "abandon": {"a": _Step(), "b": _Step("ask", "a"), "c": _Step(needs="b")},
    "flaky": {"a": _Step("flaky", agent="sink-1"), "b": _Step(needs="a")},  # each sink would fail it once
    "impatient": {"a": _Step("slow"), "b": _Step("slow", "a"), "c": _Step(needs="b")},
}
"""The steps of each kind of task. "planned" has none: its plan is the orchestrator's."""

_IMPATIENCE: Final[dict[str, Impatience]] = {"hold": "when held", "abandon": "when asked", "impatient": "at random"}


@dataclass(frozen=True, slots=True)
class Goal:
    """A task to submit: its Idempotency-Key, its body, and when the client will cancel it."""

    key: str
    body: JsonObject
    cancel: Impatience = "never"


def goals(seed: str, callback_url: str) -> Iterator[Goal]:
    """Yield goals without end: every kind comes once before any comes again. `callback_url` is told of each end."""
    rng = random.Random(seed)
    number = 0
    while True:
        for kind in rng.sample(sorted(KINDS), len(KINDS)):
            number += 1
            key = f"t{number}"
            body: JsonObject = {"description": f"chaos {key}", "callback_url": callback_url}
            if kind == "planned":
                body["description"] = f"instant {key}.step-1 in the {SKILL}"
            else:
                steps = KINDS[kind]
                body["plan"] = {"steps": [_to_json(key, step_id, step) for step_id, step in steps.items()]}
            if kind == "approve":
                body["approve_plan"] = True
            if kind == "fan":
                body["budget"] = {"cost_usd": 1000.0, "tokens": 1_000_000}
            yield Goal(key, body, _IMPATIENCE.get(kind, "never"))


def _to_json(key: str, step_id: str, step: _Step) -> JsonObject:
    """Return a step of a plan; what it is told includes what the steps before it said."""
    said = "".join(f" {{{{ steps.{needed}.output }}}}" for needed in step.needs)
    named: JsonObject = {} if step.agent is None else {"agent": step.agent}
    return {"id": step_id, "skill": SKILL, "instruction": f"{step.variant} {key}.{step_id}{said}", **named}
