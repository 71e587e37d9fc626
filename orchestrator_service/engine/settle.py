"""Decides on the answers of a round: which it is to be, or all of them put together, and whether it is good enough."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue

from orchestrator_service import budgets
from orchestrator_service.engine import consensus, criteria, critique, deadlines, judging
from orchestrator_service.engine.consensus import Given
from orchestrator_service.engine.criteria import Score
from orchestrator_service.engine.ends import Ends
from orchestrator_service.engine.waits import Waits
from orchestrator_service.engine.work import Move, Output, Run, Settling, StepEnd, StepWork
from orchestrator_service.events import draft
from orchestrator_service.planning.team import Evaluation
from orchestrator_service.settings import Settings
from shared import failpoints
from shared.agent import JsonObject, Usage
from shared.embeddings import EMBEDDING_ERRORS, Embeddings
from shared.errors import AddressRefusedError, FederationError, TimedOutError
from shared.llm import MODEL_ERRORS, Model, Models, charge, spent, wanted_models

logger = logging.getLogger(__name__)

_SHOWN: Final = 2_000
_ALIKE: Final = 0.9


class NoConsensusError(FederationError):
    """The answers differ, and nothing can decide between them."""

    slug = "no-consensus"
    title = "The agents do not agree"
    status = 409


@dataclass(slots=True)
class _Choice:
    """What was taken: the text, the answers that it stands for, why, and what to tell of it."""

    text: str
    chosen: list[Given]
    why: str
    told: JsonObject | None = None
    usage: Usage = field(default_factory=Usage)


class Settler:
    """Decides."""

    def __init__(
        self,
        settings: Settings,
        models: Models,
        embeddings: Embeddings | None,
        waits: Waits,
        ends: Ends,
    ) -> None:
        self._settings = settings
        self._models = models
        self._embeddings = embeddings
        self._waits = waits
        self._ends = ends

    async def settle(self, work: StepWork, asked: Settling) -> Move:
        """Decide on the round, and record that. Foreseen failures are recorded, not raised.

        Raises: StaleRunError, DatabaseUnavailableError.
        """
        run = work.run
        limit = deadlines.of_step(self._settings, run, asked.step)
        output: Output | None = None
        error: FederationError | None = None
        told = ""
        try:
            async with self._waits.until(run.task_id, limit.at):
                output, told = await self._decide(run, asked)
        except TimeoutError:
            if self._waits.is_canceled(run.task_id):
                return await self._ends.record(StepEnd(work, canceled=True))
            error = TimedOutError(limit.says)
        except FederationError as failure:
            error = failure
            output, told = Output("", usage=spent(failure)), failure.detail
        failpoints.reach("team-decided")
        return await self._ends.record(
            StepEnd(
                work,
                output,
                None if error is None else error.to_metadata(),
                drafts=[draft("step.progress", step_id=asked.step.id, text=f"Round {asked.round}: {told[:500]}")],
            )
        )

    async def evaluate(
        self,
        run: Run,
        wish: Evaluation,
        task: str,
        text: str,
        data: Sequence[JsonValue],
        tokens: int | None,
        *,
        may_ask: bool,
    ) -> tuple[list[Score], Usage]:
        """Return the scores of an answer, in the order of the criteria, and what judging cost.

        Raises: NeedsModelError, one of MODEL_ERRORS.
        """
        scores = criteria.apply(wish.criteria, text, data)
        usage = Usage()
        if wanted := criteria.for_a_model(wish.criteria):
            model = judge_of(self._models, run)
            critique.check_judge(wish, has_model=model is not None)
            if model is None or not may_ask:
                raise budgets.BudgetExhaustedError("The budget leaves nothing for a model to judge the criteria with.")
            judged, usage = await judging.score(model, task, text, wanted, tokens)
            scores = sorted([*scores, *judged], key=lambda score: wish.criteria.index(score.criterion))
        return scores, usage

    async def _decide(self, run: Run, asked: Settling) -> tuple[Output, str]:
        model = judge_of(self._models, run)
        tokens = None if model is None else budgets.affordable_tokens(asked.granted, model.usd_per_mtok)
        choice = await self._choose(asked, model, tokens)
        evaluation: JsonObject | None = None
        told = [choice.why] if choice.told is not None else []
        if asked.step.evaluate is not None:
            wish = asked.step.evaluate
            spent_on_choice = choice.usage.input_tokens + choice.usage.output_tokens
            left = None if tokens is None else max(tokens - spent_on_choice, 0)
            data = [part for answer in choice.chosen for part in answer.data]
            try:
                scores, usage = await self.evaluate(
                    run, wish, asked.task, choice.text, data, left, may_ask=asked.may_ask
                )
            except FederationError as error:
                raise charge(error, choice.usage) from error
            choice.usage = choice.usage + usage
            evaluation = critique.report(wish, scores, asked.round)
            told.append(critique.says(evaluation))
        decided: JsonObject = {
            "round": asked.round,
            "chosen": [answer.id for answer in choice.chosen],
            "consensus": choice.told,
            "evaluation": evaluation,
            "why": choice.why,
        }
        return Output(choice.text, (decided,), usage=choice.usage), " ".join(told)

    async def _choose(self, asked: Settling, model: Model | None, tokens: int | None) -> _Choice:
        """Make one answer of those that came. Raises: NoConsensusError, one of MODEL_ERRORS."""
        wanted = len(asked.answers) + len(asked.silent)
        if wanted == 1:
            [answer] = asked.answers
            return _Choice(answer.text, [answer], f"{answer.agent_name} answered")
        groups = await self._agreeing(asked.answers)
        way = asked.step.consensus or "vote"
        is_clear = 2 * len(groups[0]) > wanted and (way == "vote" or len(groups) == 1)  # nothing to judge or merge
        choice = _majority(groups, wanted) if is_clear else None
        if choice is None and way == "merge":
            choice = await self._merge(asked, model, tokens)
        if choice is None and model is not None and asked.may_ask:
            try:
                best, reasons, usage = await judging.choose(model, asked.task, asked.answers, tokens)
            except MODEL_ERRORS as error:
                if 2 * len(groups[0]) <= wanted:
                    raise
                choice = _majority(groups, wanted)
                choice.usage = spent(error)
                choice.why += f"; the model could not judge: {error.detail}"
            else:
                choice = _Choice(best.text, [best], f"a model chose {best.agent_name}: {reasons}", {}, usage)
                choice.told = {"decided_by": "model", "reasons": reasons}
        why_not = "there is no model to judge"
        if model is not None:
            why_not = "the budget leaves nothing for a model to judge with"
        if choice is None and 2 * len(groups[0]) > wanted:
            choice = _majority(groups, wanted)
            choice.why += f"; {why_not}"
        if choice is None:
            raise NoConsensusError(_difference(groups, asked, why_not))
        choice.told = {"method": way, **(choice.told or {}), **_counted(groups, asked)}
        return choice

    async def _agreeing(self, answers: Sequence[Given]) -> list[list[Given]]:
        """Return the answers in groups that say the same: by equality, and by meaning where that can be told."""
        groups = consensus.agreeing(answers, consensus.is_equal)
        if self._embeddings is None or len(groups) == 1:
            return groups
        try:
            vectors = await self._embeddings.embed([group[0].text for group in groups])
        except (*EMBEDDING_ERRORS, AddressRefusedError) as error:
            logger.info("answers are not compared by meaning", extra={"reason": error.detail})
            return groups
        vector_of = {answer.id: vector for group, vector in zip(groups, vectors, strict=True) for answer in group}

        def is_same(one: Given, other: Given) -> bool:
            if consensus.is_equal(one, other):
                return True
            alike = sum(a * b for a, b in zip(vector_of[one.id], vector_of[other.id], strict=True))
            return alike >= _ALIKE and consensus.may_mean_the_same(one, other)

        return consensus.agreeing(answers, is_same)

    async def _merge(self, asked: Settling, model: Model | None, tokens: int | None) -> _Choice:
        """Put the answers together; where no model can, they follow each other, each with who said it."""
        answers = list(asked.answers)
        told: JsonObject = {"decided_by": "union"}
        names = ", ".join(dict.fromkeys(answer.agent_name for answer in answers))
        if model is None or not asked.may_ask:
            return _Choice(consensus.union(answers), answers, f"all that {names} answered", told)
        try:
            text, usage = await judging.merge(model, asked.task, answers, tokens)
        except MODEL_ERRORS as error:
            logger.info("answers are put together without the model", extra={"reason": error.detail})
            return _Choice(consensus.union(answers), answers, f"all that {names} answered", told, spent(error))
        return _Choice(text, answers, f"a model put together what {names} answered", {"decided_by": "model"}, usage)


def judge_of(models: Models, run: Run) -> Model | None:
    """Return the model that judges, as the task wants it; None if there is none."""
    given = run.request.get("metadata")
    wanted = wanted_models(given).get("judge") if isinstance(given, dict) else None
    return models.of("judge", wanted=wanted)


def _majority(groups: Sequence[Sequence[Given]], wanted: int) -> _Choice:
    most = groups[0]
    names = ", ".join(answer.agent_name for answer in most)
    return _Choice(
        most[0].text, [most[0]], f"{len(most)} of {wanted} answers agree ({names})", {"decided_by": "majority"}
    )


def _counted(groups: Sequence[Sequence[Given]], asked: Settling) -> JsonObject:
    """Return who said what, and how many agree."""
    answers: list[JsonValue] = [
        {"agent": answer.agent_name, "group": number, "text": answer.text[:_SHOWN]}
        for number, group in enumerate(groups, start=1)
        for answer in group
    ]
    return {
        "asked": len(asked.answers) + len(asked.silent),
        "agreed": len(groups[0]),
        "disagreement": len(groups) > 1,
        "answers": answers,
        "silent": list[JsonValue](asked.silent),
    }


def _difference(groups: Sequence[Sequence[Given]], asked: Settling, why_not: str) -> str:
    told = [f"{', '.join(answer.agent_name for answer in group)}: {group[0].text.strip()[:200]!r}" for group in groups]
    wanted = len(asked.answers) + len(asked.silent)
    return (
        f"No answer has a majority of the {wanted} that were asked for, and {why_not}. "
        f"{'; '.join([*told, *asked.silent])}"[:4_000]
    )
