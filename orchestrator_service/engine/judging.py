"""What a model decides about answers: which is best and why, all of them put together, how well one meets criteria.

Answers are peer text: the model sees them fenced and capped, numbered, and without the names of those who gave them.
"""

from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from orchestrator_service.engine.consensus import Given
from orchestrator_service.engine.criteria import Score
from shared.agent import Usage
from shared.errors import ModelAnswerError, ModelRefusedError
from shared.llm import Model, fence

_MAX_TASK_CHARS: Final = 8_000
_MAX_ANSWER_CHARS: Final = 16_000
_CHARS_PER_TOKEN: Final = 3
_FORM_TOKENS: Final = 800
_SCORING_TOKENS: Final = 1_500
_FEWEST_SCORING_TOKENS: Final = 256
_MERGING_TOKENS: Final = 4_096

_JUDGE: Final = """\
Several agents were asked the same. You decide which answer is best: right first of all, then complete, then clear.
Check facts and sums yourself as far as you can; how many say the same is a hint, not a proof. Give short reasons."""

_MERGE: Final = """\
Several agents were asked the same. You put their answers together to the one that is handed on: all that is right and
useful in them, nothing twice, nothing that none of them says. Where they contradict each other, say so, and what each
says. Answer with that text only."""

_SCORE: Final = """\
You judge an answer by criteria, strictly. For each criterion you give a score from 0 (not met at all) to 1 (met in
full), and a short reason that tells whoever wrote the answer what to change. Judge only what is there."""


class _Choice(BaseModel):
    model_config = ConfigDict(extra="ignore", title="Choice")

    best: int = Field(ge=1, description="Number of the best answer.")
    reasons: str = Field(min_length=1, max_length=4_000)


class _Judged(BaseModel):
    model_config = ConfigDict(extra="ignore")

    number: int = Field(ge=1, description="Number of the criterion.")
    score: float = Field(ge=0, le=1)
    reason: str = Field(min_length=1, max_length=2_000)


class _Judgement(BaseModel):
    model_config = ConfigDict(extra="ignore", title="Judgement")

    scores: list[_Judged]


async def choose(model: Model, task: str, answers: Sequence[Given], tokens: int | None) -> tuple[Given, str, Usage]:
    """Return the best of the answers, the reasons, and what asking cost. Raises: one of MODEL_ERRORS.

    `tokens` is how many the model may use; None: as many as it likes.
    """

    def check(choice: _Choice) -> None:
        if choice.best > len(answers):
            raise ModelAnswerError(f"There are {len(answers)} answers; `best` is {choice.best}.")

    prompt = _prompt(task, answers)
    room = _room(tokens, prompt)
    choice, usage = await model.structured(prompt, _Choice, system=_JUDGE, max_tokens=room, verify=check)
    return answers[choice.best - 1], choice.reasons, usage


async def merge(model: Model, task: str, answers: Sequence[Given], tokens: int | None) -> tuple[str, Usage]:
    """Return the answers as one text, and what asking cost. Raises: one of MODEL_ERRORS."""
    prompt = _prompt(task, answers)
    _afford(tokens, len(prompt) // _CHARS_PER_TOKEN + _FORM_TOKENS + _MERGING_TOKENS)
    completion = await model.complete(prompt, system=_MERGE, max_tokens=_MERGING_TOKENS)
    return completion.marked.strip(), completion.usage


async def score(
    model: Model, task: str, text: str, criteria: Sequence[str], tokens: int | None
) -> tuple[list[Score], Usage]:
    """Return how well the answer meets each of the criteria, in order, and what asking cost.

    Raises: one of MODEL_ERRORS.
    """
    wanted = set(range(1, len(criteria) + 1))

    def check(judgement: _Judgement) -> None:
        if {judged.number for judged in judgement.scores} != wanted or len(judgement.scores) != len(wanted):
            raise ModelAnswerError(f"Give each of the {len(criteria)} criteria one score, by its number.")

    listed = "\n".join(f"{number}. {criterion}" for number, criterion in enumerate(criteria, start=1))
    answer = fence("answer", text[:_MAX_ANSWER_CHARS])
    prompt = f"{fence('what was asked for', task[:_MAX_TASK_CHARS])}\n\n{answer}\n\nCriteria:\n{listed}"
    room = _room(tokens, prompt)
    judgement, usage = await model.structured(prompt, _Judgement, system=_SCORE, max_tokens=room, verify=check)
    by_number = {judged.number: judged for judged in judgement.scores}
    scores = [
        Score(criterion, round(by_number[number].score, 3), by_number[number].reason, "model")
        for number, criterion in enumerate(criteria, start=1)
    ]
    return scores, usage


def _prompt(task: str, answers: Sequence[Given]) -> str:
    shown = [
        fence(f"answer {number}", answer.text[:_MAX_ANSWER_CHARS]) for number, answer in enumerate(answers, start=1)
    ]
    return "\n\n".join([fence("what was asked for", task[:_MAX_TASK_CHARS]), *shown])


def _room(tokens: int | None, prompt: str) -> int:
    """Return how many tokens a verdict may have, so that two of them, the first sent back, stay within the budget.

    Raises: ModelRefusedError.
    """
    if tokens is None:
        return _SCORING_TOKENS
    asked_twice = 2 * (len(prompt) // _CHARS_PER_TOKEN + _FORM_TOKENS)
    _afford(tokens, asked_twice + 3 * _FEWEST_SCORING_TOKENS)  # what is sent back is read once more
    return min((tokens - asked_twice) // 3, _SCORING_TOKENS)


def _afford(tokens: int | None, needed: int) -> None:
    """Refuse a call that the budget does not allow. Raises: ModelRefusedError."""
    if tokens is not None and tokens < needed:
        raise ModelRefusedError(f"The {tokens:,} tokens left of the budget are too few for a model to judge.")
