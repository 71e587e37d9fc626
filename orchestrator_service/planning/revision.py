"""Changes the rest of a plan after steps failed for good: what is done stays done, what failed is done otherwise.

With a model the rest is planned anew; without one, or where it fails, each failed step goes to another agent: one that
offers the same skill, else one that the catalogue ranks well for it. Nothing is done twice: a step whose agent may have
acted is done again only if that does no harm.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from orchestrator_service.planning import routing
from orchestrator_service.planning.llm_planner import Done, Failed, LlmPlanner
from orchestrator_service.planning.parts import MENTION
from orchestrator_service.planning.plan import (
    MAX_STEPS,
    Catalogue,
    Goal,
    Offer,
    Plan,
    PlanInvalidError,
    PlanStep,
    check,
)
from orchestrator_service.planning.words import stems
from shared.agent import JsonObject, Usage
from shared.errors import FederationError
from shared.llm import MODEL_ERRORS, Model, spent

MAX_REVISIONS: Final = 2
"""How often a plan is revised, unless MAX_REVISIONS says otherwise."""

_HOPELESS: Final = frozenset(
    {
        "budget-exhausted",
        "loop-detected",
        "step-rejected",
        "input-expired",
        "no-consensus",
        "criteria-not-met",
        "needs-model",
    }
)
_RANKS_WELL: Final = 1 / 3
_MIN_SHARED_WORDS: Final = 2
_REFERENCE: Final = re.compile(r"\{\{[^{}]*\}\}")
_STEP_REFERENCE: Final = re.compile(r"(?<!\\)(\{\{\s*steps\.)([A-Za-z0-9_-]+)(?=\.[^{}\s]+?\s*\}\})")


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that failed for good.

    `error` is as `FederationError.to_metadata` tells it. `tried` are the ids of the agents that had it, or a step that
    it replaced.
    `may_have_acted`: an agent got it, and never said how it ended.
    """

    step_id: str
    error: JsonObject
    tried: tuple[str, ...] = ()
    may_have_acted: bool = False


def allows(plan: Plan, wish: bool | None, max_revisions: int = MAX_REVISIONS) -> bool:
    """Tell whether the plan may be revised (again): one that was planned here may, another only if that is wished."""
    wished = plan.strategy in {"rules", "llm", "learned"} if wish is None else wish
    return wished and plan.revision <= max_revisions


async def revise_goal(
    goal: Goal,
    plan: Plan,
    outcomes: Mapping[str, str],
    failures: Sequence[Failure],
    catalogue: Catalogue,
    model: Model | None,
    *,
    outputs: Mapping[str, str] | None = None,
    ids_so_far: Collection[str] = (),
    tokens: int | None = None,
) -> tuple[Plan | None, str, Usage]:
    """Return the revised plan, or None; the reason why it is so, or why there is none; and what asking cost.

    `outcomes` says of each step that is over how it ended, `outputs` what those that completed answered.
    `ids_so_far` are the ids of all steps of all revisions, `tokens` how many a model may use.
    The plan has the completed steps first, as they were, numbers included; it is checked, and not to be numbered anew.
    """
    why = _what_failed(plan, failures)
    done = [step for step in plan.steps if outcomes.get(step.id) == "completed"]
    taken = {*ids_so_far, *(step.id for step in plan.steps)}
    if obstacle := _obstacle(plan, failures):
        return None, f"{why} {obstacle}", Usage()
    usage = Usage()
    note = ""
    if model is not None:
        known = outputs or {}
        try:
            new, usage = await LlmPlanner(model, tokens).revise(
                goal,
                [Done(step, known.get(step.id, "")) for step in done],
                [Failed(plan.step(failure.step_id), failure.error, _harmful(plan, failure)) for failure in failures],
                [step for step in plan.steps if step.id not in outcomes],
                catalogue,
            )
            return _extended(plan, done, new, taken, goal), f"{why} The rest was planned anew.", usage
        except MODEL_ERRORS as error:
            usage = spent(error)
            note = f" The model could not plan the rest: {error.detail}"
        except PlanInvalidError as error:
            note = f" The model's plan of the rest cannot run: {error.detail}"
    try:
        others, names = await _others(goal, plan, failures, catalogue)
        revised = revise(plan, done, others, taken, goal)
    except FederationError as error:
        return None, f"{why}{note} {error.detail}", usage
    return revised, f"{why}{note} It goes to {' and '.join(names)} instead.", usage


def is_replacement(step_id: str, earlier: str) -> bool:
    """Tell by the ids of two steps whether the one took the place of the earlier one when that failed."""
    return re.match(rf"{re.escape(earlier)}-r\d", step_id) is not None


def revise(
    plan: Plan,
    done: Sequence[PlanStep],
    others: Mapping[str, PlanStep],
    taken: Collection[str] = (),
    goal: Goal | None = None,
) -> Plan:
    """Return the plan's next revision: each failed step replaced by another, which has a new id.

    `others` holds the step that replaces each failed one, under the failed one's id; its own id is given here. Steps
    that needed a failed one need the other. `taken` are ids of earlier steps. Raises: PlanInvalidError.
    """
    ids = {*taken, *(step.id for step in plan.steps)}
    new_ids = _fresh_ids(others, plan.revision + 1, ids)
    finished = {step.id for step in done}
    rest = [
        _renamed(others.get(step.id, step), new_ids.get(step.id, step.id), new_ids)
        for step in plan.steps
        if step.id not in finished
    ]
    return _checked(plan, done, rest, len(ids) + len(others), goal)


def _extended(
    plan: Plan, done: Sequence[PlanStep], new: Sequence[PlanStep], taken: Collection[str], goal: Goal
) -> Plan:
    """Return the plan's next revision: what is done, and new steps, none with the id of one there was."""
    ids = {*taken, *(step.id for step in new)}
    new_ids = _fresh_ids([step.id for step in new if step.id in taken], plan.revision + 1, ids)
    rest = [_renamed(step, new_ids.get(step.id, step.id), new_ids) for step in new]
    return _checked(plan.model_copy(update={"strategy": "llm"}), done, rest, len(taken) + len(rest), goal)


def _checked(plan: Plan, done: Sequence[PlanStep], rest: Sequence[PlanStep], total: int, goal: Goal | None) -> Plan:
    """Return the next revision, checked; the rest is numbered on from the last number there was."""
    if total > MAX_STEPS:
        raise PlanInvalidError(f"With this the task would have had {total} steps; at most {MAX_STEPS} are allowed.")
    whole = plan.model_copy(update={"id": "", "revision": plan.revision + 1, "steps": [*done, *rest]})
    finished = {step.id for step in done}
    after = [
        step for step in check(whole, inputs=None if goal is None else goal.inputs).steps if step.id not in finished
    ]
    first = 1 + max(step.step_number for step in plan.steps)
    numbered = [step.model_copy(update={"step_number": number}) for number, step in enumerate(after, start=first)]
    return whole.model_copy(update={"steps": [*done, *numbered]})


def _renamed(step: PlanStep, step_id: str, new_ids: Mapping[str, str]) -> PlanStep:
    """Return the step under an id, needing the new ones of the steps it needed."""
    changes: dict[str, object] = {
        "id": step_id,
        "depends_on": [new_ids.get(needed, needed) for needed in step.depends_on],
        "instruction": _referring(step.instruction, new_ids),
        "inputs": {name: _referring(value, new_ids) for name, value in step.inputs.items()},
    }
    return step.model_copy(update=changes)


def _referring(value: JsonValue, new_ids: Mapping[str, str]) -> JsonValue:
    """Return a value whose references name the new ids; a text that only looks like one stays as it is."""
    match value:
        case str():
            return _STEP_REFERENCE.sub(lambda found: found[1] + new_ids.get(found[2], found[2]), value)
        case list():
            return [_referring(item, new_ids) for item in value]
        case dict():
            return {key: _referring(item, new_ids) for key, item in value.items()}
        case _:
            return value


async def _others(
    goal: Goal, plan: Plan, failures: Sequence[Failure], catalogue: Catalogue
) -> tuple[dict[str, PlanStep], list[str]]:
    """Return what replaces each failed step, and who does it. Raises: PlanInvalidError when nobody can."""
    offers = await catalogue.offers()
    named = set[str]().union(*(routing.named_agents(found["name"], offers) for found in MENTION.finditer(goal.text)))
    others: dict[str, PlanStep] = {}
    names: list[str] = []
    for failure in failures:
        step = plan.step(failure.step_id)
        if _harmful(plan, failure):
            raise PlanInvalidError("Its agent may have acted, so it is not given to another.")
        if named & {*failure.tried, step.agent}:
            raise PlanInvalidError("The request names the agent, so it is not given to another.")
        offer = await _other_offer(step, failure, offers, catalogue)
        if offer is None:
            raise PlanInvalidError("No other agent on offer fits.")
        several = len(step.agents) if isinstance(step.agents, list) else step.agents
        others[step.id] = step.model_copy(update={"skill": offer.skill_id, "agent": offer.agent_id, "agents": several})
        names.append(f"{offer.agent_name} ({offer.skill_id})")
    return others, names


async def _other_offer(step: PlanStep, failure: Failure, offers: Sequence[Offer], catalogue: Catalogue) -> Offer | None:
    """Return the best offer of another agent: of the same skill, else one that ranks well for the instruction."""
    bad = {*failure.tried, step.agent}
    need = _REFERENCE.sub(" ", step.instruction)
    seems = routing.read_need(need)
    ranked = await catalogue.rank(need, 50)
    place = {(match.offer.agent_id, match.offer.skill_id): at for at, match in enumerate(ranked)}
    same = [offer for offer in offers if offer.skill_id == step.skill and not {offer.agent_id, offer.agent_name} & bad]
    if same:
        return min(same, key=lambda offer: place.get((offer.agent_id, offer.skill_id), len(ranked)))
    for match in ranked:
        if match.score < _RANKS_WELL * ranked[0].score:
            return None
        if {match.offer.agent_id, match.offer.agent_name} & bad or match.offer.skill_id == step.skill:
            continue
        offer = match.offer
        if seems.firm and step.skill in seems.skills and not routing.suits(offer, seems):
            continue
        described = " ".join((offer.skill_id.replace("-", " "), offer.skill_name, offer.description, *offer.tags))
        if len(stems(need) & stems(described)) >= _MIN_SHARED_WORDS:
            return offer
    return None


def _obstacle(plan: Plan, failures: Sequence[Failure]) -> str:
    """Say why no other plan can help, if so."""
    if not failures:
        return "Nothing failed."
    if hopeless := [failure for failure in failures if failure.error.get("type") in _HOPELESS]:
        return f"Another plan does not help against {hopeless[0].error.get('type')}."
    unknown = [failure.step_id for failure in failures if not plan.has(failure.step_id)]
    return f"The plan has no step {unknown[0]!r}." if unknown else ""


def _harmful(plan: Plan, failure: Failure) -> bool:
    return failure.may_have_acted and not plan.step(failure.step_id).idempotent


def _what_failed(plan: Plan, failures: Sequence[Failure]) -> str:
    said = [
        f"Step {plan.step(failure.step_id).step_number} failed: {failure.error.get('detail', 'no reason was given')}"
        for failure in failures
        if plan.has(failure.step_id)
    ]
    return " ".join(said)


def _fresh_ids(step_ids: Iterable[str], revision: int, taken: Collection[str]) -> dict[str, str]:
    """Return a new id for each of the steps, all of them different."""
    new_ids: dict[str, str] = {}
    for step_id in step_ids:
        new_ids[step_id] = _fresh(step_id, revision, {*taken, *new_ids.values()})
    return new_ids


def _fresh(step_id: str, revision: int, taken: Collection[str]) -> str:
    """Return a new id that tells where it comes from: `read` becomes `read-r2`."""
    ending = f"-r{revision}"
    fresh = f"{step_id[: 64 - len(ending)]}{ending}"
    while fresh in taken:
        ending = f"{ending}x"
        fresh = f"{step_id[: 64 - len(ending)]}{ending}"
    return fresh
