"""What was decided on answers, as it is stored and told: scores, whether they suffice, and what is to change. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from orchestrator_service.engine import criteria
from orchestrator_service.engine.criteria import Score
from orchestrator_service.planning.plan import MAX_INSTRUCTION_CHARS, literal
from orchestrator_service.planning.team import Evaluation
from shared.agent import JsonObject
from shared.errors import FederationError
from shared.llm import fence

_MOST_SHOWN: Final = 16_000
_MOST_DETAIL: Final = 4_000
_AGAIN: Final = (
    "\n\nAn earlier answer to this was not good enough. Answer again, in full and better. What has to change:\n"
)


class CriteriaNotMetError(FederationError):
    """No answer was good enough, however often it was asked for."""

    slug = "criteria-not-met"
    title = "No answer met the criteria"
    status = 422


class NeedsModelError(FederationError):
    """What was asked for needs a language model, and none is configured."""

    slug = "needs-model"
    title = "This needs a language model"
    status = 422


def check_judge(wish: Evaluation | None, *, has_model: bool) -> None:
    """Refuse criteria that nothing here can judge, before anyone is asked anything. Raises: NeedsModelError."""
    judged = [] if wish is None or has_model else criteria.for_a_model(wish.criteria)
    if judged:
        told = "; ".join(repr(criterion[:100]) for criterion in judged)
        raise NeedsModelError(
            f"Only a language model can judge {told}, and none is configured. Configure one (LLM_PROVIDER, "
            'LLM_BASE_URL), or write checks: contains "…", matches /…/, at most 100 words, is valid JSON, fits the '
            "schema {…}."
        )


def report(wish: Evaluation, scores: Sequence[Score], round_: int) -> JsonObject:
    """Return an evaluation as it is stored and shown."""
    return {
        "round": round_,
        "score": criteria.mean(scores),
        "passed": criteria.passes(wish, scores),
        "threshold": wish.threshold,
        "criteria": [score.to_json() for score in scores],
    }


def has_passed(evaluation: JsonObject | None) -> bool:
    """Tell whether it says that the answer is good enough; it is where nothing was to be evaluated."""
    return evaluation is None or evaluation.get("passed") is True


def score_of(evaluation: JsonObject | None) -> float:
    """Return the mean score, 0 if there is none."""
    score = (evaluation or {}).get("score")
    return float(score) if isinstance(score, int | float) else 0.0


def reasons(evaluation: JsonObject | None) -> list[str]:
    """Return the criteria that were not met in full, each with the reason."""
    scores = (evaluation or {}).get("criteria")
    return [
        f"{score.get('criterion')}: {score.get('reason')}"
        for score in (scores if isinstance(scores, list) else [])
        if isinstance(score, dict) and score.get("score") != 1
    ]


def says(evaluation: JsonObject) -> str:
    """Return an evaluation as a sentence."""
    score = f"Score {score_of(evaluation):g}"
    return f"{score}: good enough." if has_passed(evaluation) else f"{score}: {'; '.join(reasons(evaluation))}"


def best(evaluations: Mapping[int, JsonObject]) -> int:
    """Return the round with the highest score; of equal ones the latest."""
    return max(evaluations, key=lambda number: (score_of(evaluations[number]), number))


def not_met(evaluations: Mapping[int, JsonObject]) -> JsonObject:
    """Return the error for rounds none of which was good enough."""
    highest = score_of(evaluations[best(evaluations)])
    last = "; ".join(reasons(evaluations[max(evaluations)]))
    text = f"None of {len(evaluations)} answers met the criteria; the best scored {highest:g}. The last: {last}"
    return CriteriaNotMetError(text[:_MOST_DETAIL]).to_metadata()


def again(instruction: str, evaluation: JsonObject | None, earlier: str) -> str:
    """Return the instruction for a better answer: what was said, what has to change, and the earlier answer.

    What an earlier call added goes. Both are peer text: they are fenced, and nothing in them is a reference. Where an
    instruction would become too long for a plan, the earlier answer is left out, then the critique.
    """
    said = instruction.partition(_AGAIN)[0]
    critique = said + _AGAIN + literal(fence("critique", "\n".join(f"- {reason}" for reason in reasons(evaluation))))
    full = f"{critique}\n\nThe earlier answer:\n{literal(fence('earlier answer', earlier[:_MOST_SHOWN]))}"
    return next((text for text in (full, critique) if len(text) <= MAX_INSTRUCTION_CHARS), said)
