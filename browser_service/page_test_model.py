"""What a language model does for page tests: plans them, and looks for evidence of claims that the grammar cannot read.

It decides nothing by its word alone: its plan's checks are judged by code, and a claim holds only with a quotation that
is on the page.
"""

from typing import Annotated

from pydantic import BaseModel, Field

from browser_service import naming, page_test_goals
from browser_service.actions import Action, Navigate
from browser_service.checks import Check, CheckResult
from browser_service.masking import mask
from browser_service.page_content import Content
from browser_service.page_test_goals import GoalStep, Move, Unread
from shared.agent import Usage
from shared.errors import InvalidRequestError
from shared.llm import Model, fence
from shared.page_tests import MAX_STEPS, PageTestRequest

_PLANNER = (
    "You plan tests of web pages. Turn the goal into steps: what is done in a browser, and what must be so then. The "
    "first step opens the page. Name buttons, links and fields as the goal names them. Everything that the goal wants "
    "to be so becomes a check; what no check can say becomes a claim in plain words. Add nothing that the goal does "
    "not ask for."
)
_JUDGE = (
    "You compare a claim with what a web page shows. Quote the words of the page that prove or disprove the claim, "
    "exactly as they stand there. If nothing there proves it, it does not hold."
)
_MAX_PAGE_CHARS = 20_000


class _PlannedStep(BaseModel):
    """A step: its actions, then its checks and claims."""

    description: Annotated[str, Field(min_length=1, max_length=300)]
    success_criteria: Annotated[str, Field(min_length=1, max_length=500)]
    actions: Annotated[list[Action], Field(max_length=10)] = []
    checks: Annotated[list[Check], Field(max_length=10)] = []
    claims: Annotated[list[str], Field(max_length=5)] = []


class _Plan(BaseModel):
    """The model's plan."""

    steps: Annotated[list[_PlannedStep], Field(min_length=2, max_length=MAX_STEPS)]


class _Finding(BaseModel):
    """The model's finding about one claim. `evidence` is quoted from the page."""

    holds: bool
    evidence: Annotated[str, Field(max_length=1_000)] = ""
    found: Annotated[str, Field(max_length=1_000)] = ""


async def plan(model: Model, request: PageTestRequest) -> tuple[list[GoalStep], Usage]:
    """Return the steps for the goal. Raises: one of shared.llm's MODEL_ERRORS; InvalidRequestError (bad address)."""
    url = page_test_goals.page_address(request.url)
    known = {url, *mask(request.goal).urls}
    prompt = f"The page: {url}\n\n{fence('goal', request.goal)}"
    answer, usage = await model.structured(
        prompt, _Plan, system=_PLANNER, verify=lambda planned: _check(planned, url, known)
    )
    return [_to_step(step) for step in answer.steps], usage


async def judge(model: Model, claim: str, content: Content) -> tuple[CheckResult, Usage]:
    """Say whether the page proves the claim, in words that are on it. Raises: one of shared.llm's MODEL_ERRORS."""
    things = "\n".join(
        f"{thing.kind}: {thing.name} {' '.join(thing.states)}".strip() for thing in content.things if thing.name
    )
    shown = f"{content.title}\n{content.url}\n{content.text}\n{things}"[:_MAX_PAGE_CHARS]
    finding, usage = await model.structured(
        f"{fence('claim', claim)}\n\n{fence(f'page {content.url}', shown)}", _Finding, system=_JUDGE
    )
    quoted = finding.evidence.strip()
    is_there = bool(quoted) and naming.is_in(quoted, shown)
    if finding.holds and not is_there:
        details = (
            f"The page does not prove it: {quoted[:200]!r} is not on it."
            if quoted
            else "Nothing on the page proves it."
        )
    else:
        details = (
            f"The page says {quoted[:200]!r}." if quoted else finding.found[:300] or "Nothing on the page proves it."
        )
    return CheckResult(claim, finding.holds and is_there, details), usage


def _check(planned: _Plan, url: str, known: set[str]) -> None:
    """Refuse a plan that begins elsewhere, opens what is not named, or checks nothing. Raises: InvalidRequestError."""
    first = planned.steps[0].actions[:1]
    if not first or not isinstance(first[0], Navigate) or first[0].url.rstrip("/") != url.rstrip("/"):
        raise InvalidRequestError(f"The first step must open {url}.")
    opened = [action.url for step in planned.steps for action in step.actions if isinstance(action, Navigate)]
    if strange := [each for each in opened if each not in known and each.rstrip("/") != url.rstrip("/")]:
        raise InvalidRequestError(f"{strange[0][:200]!r} is not an address that the goal names: {sorted(known)}.")
    if not any(step.checks or step.claims for step in planned.steps):
        raise InvalidRequestError("The plan checks nothing.")


def _to_step(step: _PlannedStep) -> GoalStep:
    moves: list[Move] = []
    for action in step.actions:
        moves.append(action)
        if isinstance(action, Navigate):
            moves.append(Check(subject="loads"))
    return GoalStep(
        " ".join(step.description.split()).rstrip("."),
        " ".join(step.success_criteria.split()),
        (*moves, *step.checks, *(Unread(claim) for claim in step.claims)),
    )
