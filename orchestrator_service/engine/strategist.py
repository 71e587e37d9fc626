"""What a task needs a planner or a model for: its plan, another plan when a step failed, and a summary."""

import logging
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from orchestrator_service import budgets, discovery, events, learning, memory
from orchestrator_service.budgets import Amount
from orchestrator_service.engine import task_reads, task_records
from orchestrator_service.engine.work import Run
from orchestrator_service.event_log import EventLog
from orchestrator_service.planning import revision, strategies, synthesis
from orchestrator_service.planning.plan import Goal, Match, Offer, Plan, PlanInvalidError, PlanningFailedError, check
from orchestrator_service.settings import Settings
from orchestrator_service.spawning import Spawner
from shared.agent import Usage
from shared.auth import Caller
from shared.db import Database
from shared.embeddings import EMBEDDING_ERRORS, Embeddings
from shared.errors import AddressRefusedError, FederationError
from shared.llm import ROLES, Model, Models, Role, charge, spent, wanted_models

logger = logging.getLogger(__name__)

_CHARS_PER_TOKEN: Final = 3
_SUMMARY_TOKENS: Final = 2_500
"""Tokens of a summary's answer and of the words around what is summed up, at most."""


class Catalogue:
    """The registry as planners see it, in the name of a task's tenant. `with_away`: with agents not reachable now."""

    def __init__(self, database: Database, tenant_id: str, spawner: Spawner, *, with_away: bool = False) -> None:
        self._database = database
        self._spawner = spawner
        self._caller = Caller(tenant_id)
        self._with_away = with_away

    async def offers(self) -> list[Offer]:
        """Return every skill of every agent that may be chosen, and those for which one can be begun."""
        offers = await self._database.read(discovery.offers, self._caller, with_away=self._with_away)
        return offers + self._spawner.offers({offer.skill_id for offer in offers})

    async def rank(self, need: str, limit: int = 5) -> list[Match]:
        """Return the offers that fit a need in plain words, best first."""
        found = await self._database.read(discovery.rank, self._caller, need, limit, with_away=self._with_away)
        known = {match.offer.skill_id for match in found}
        return discovery.with_others(found, self._spawner.offers(known), need)[:limit]


class Strategist:
    """Plans tasks and sums up what came of them."""

    def __init__(
        self, settings: Settings, log: EventLog, models: Models, spawner: Spawner, embeddings: Embeddings | None
    ) -> None:
        self._settings = settings
        self._log = log
        self._models = models
        self._spawner = spawner
        self._embeddings = embeddings
        self.has_model = any(models.of(role) is not None for role in ROLES)
        """Whether there is a model to ask."""
        self._learns = settings.learn_plans and self.has_model

    def tokens(self, run: Run, role: Role, granted: Amount | None) -> int | None:
        """Return how many tokens the model of a role may use for a grant; None: as many as it likes."""
        model = self._model(run, role)
        return budgets.affordable_tokens(granted, 0.0 if model is None else model.usd_per_mtok)

    async def plan(self, run: Run, tokens: int | None) -> tuple[Plan, Usage]:
        """Return a plan for the task's goal. Raises: PlanningFailedError, ModelUnavailableError."""
        goal = await self._goal(run)
        if self._learns:
            learned = await self._learned(run, goal)
            if learned is not None:
                return learned, Usage()
            embedding = await self._embed(goal.text)
            similar = await self._log.database.read(learning.find_similar, run.tenant_id, goal.text, embedding)
            goal = replace(goal, examples=tuple(similar))
        try:
            plan, notes, usage = await strategies.plan_goal(
                goal, self._catalogue(run), self._model(run, "planner"), tokens
            )
        except (PlanningFailedError, PlanInvalidError) as error:  # an agent that fits may only be starting anew
            plan, notes, usage = await self._plan_with_away(run, goal, spent(error))
        for note in notes:
            logger.warning("planning went another way", extra={"note": note})
        return _without_templates(plan), usage

    async def revise(self, run: Run, plan: Plan, tokens: int | None) -> tuple[Plan | None, str, Usage]:
        """Return another plan for what is not done, or None; why; and what asking cost."""
        past = await self._log.database.read(task_reads.past, run, plan)
        return await revision.revise_goal(
            await self._goal(run),
            plan,
            past.outcomes,
            past.failures,
            self._catalogue(run),
            self._model(run, "planner"),
            outputs=past.outputs,
            ids_so_far=past.step_ids,
            tokens=tokens,
        )

    async def summarize(self, run: Run, plan: Plan, tokens: int | None) -> tuple[str, Usage | None]:
        """Return the model's summary and what it cost; nothing without a model, with few `tokens`, or if it fails."""
        model = self._model(run, "summarize")
        if model is None:
            return "", None
        outputs = await self._log.database.read(task_reads.outputs, run, plan)
        chars = len(run.description) + sum(len(output.instruction) + len(output.text) for output in outputs)
        if tokens is not None and tokens < chars // _CHARS_PER_TOKEN + _SUMMARY_TOKENS:
            return "", None
        text, usage = "", None
        async with aclosing(synthesis.summarize(model, run.description, outputs)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Usage):
                    usage = piece
                    continue
                text += piece
                told = [events.draft("result.delta", text=piece)]
                await self._log.write(task_records.tell, run, told)
        return text, usage

    def _model(self, run: Run, role: Role) -> Model | None:
        """Return the model of a role, as the task wants it. Raises: ModelRefusedError when that cannot be called."""
        given = run.request.get("metadata")
        wanted = wanted_models(given).get(role) if isinstance(given, dict) else None
        return self._models.of(role, wanted=wanted)

    async def learn(self, run: Run) -> None:
        """Learn from the task that is over, if a model planned it. A crash before that does no harm."""
        plan = run.plan
        if not self._learns or plan is None or plan.strategy not in {"llm", "learned"}:
            return
        if plan.revision == 1 or run.request.get("evaluate") is None:  # else its steps speak of their critique
            goal = await self._goal(run)
            embedding = await self._embed(goal.text)
            await self._log.database.write(learning.note, run.tenant_id, run.task_id, goal, plan, embedding)

    async def _embed(self, text: str) -> learning.Embedding | None:
        """Return what a text means, if an embedding model is there and answers."""
        if self._embeddings is None:
            return None
        try:
            [vector] = await self._embeddings.embed([text])
        except (*EMBEDDING_ERRORS, AddressRefusedError) as error:
            logger.info("requests are not compared by meaning", extra={"reason": error.detail})
            return None
        return learning.Embedding(self._embeddings.model, vector)

    async def _learned(self, run: Run, goal: Goal) -> Plan | None:
        """Return the plan that succeeded for the same request, if there is one and it can be followed still."""
        same = learning.key(goal)
        steps = [] if same is None else await self._log.database.read(learning.find_same, run.tenant_id, same)
        if not steps:
            return None
        offers = await self._catalogue(run).offers()
        if {step.agent for step in steps} - {None, *(offer.agent_id for offer in offers)}:
            logger.info(
                "a learned plan cannot be followed any more", extra={"reason": "It names an agent not on offer."}
            )
            return None
        skills = {offer.skill_id for offer in offers}
        try:
            return check(Plan(strategy="learned", steps=steps), skills=skills, inputs=goal.inputs)
        except PlanInvalidError as error:
            logger.info("a learned plan cannot be followed any more", extra={"reason": error.detail})
            return None

    async def _goal(self, run: Run) -> Goal:
        files = run.request.get("files")
        turns = task_reads.given_history(run.request)
        if run.session_id is not None:
            limit = self._settings.history_turns
            turns = await self._log.database.read(memory.recent_turns, run.session_id, run.task_id, limit)
        return Goal(
            text=run.description,
            history=tuple(turns),
            inputs=task_reads.given_inputs(run.request),
            files=tuple(name for name in files if isinstance(name, str)) if isinstance(files, list) else (),
        )

    async def _plan_with_away(self, run: Run, goal: Goal, usage: Usage) -> tuple[Plan, list[str], Usage]:
        catalogue = Catalogue(self._log.database, run.tenant_id, self._spawner, with_away=True)
        try:
            plan, notes, _ = await strategies.plan_goal(goal, catalogue, None)
        except FederationError as error:
            raise charge(error, usage) from error
        return plan, notes, usage

    def _catalogue(self, run: Run) -> Catalogue:
        return Catalogue(self._log.database, run.tenant_id, self._spawner)


def _without_templates(plan: Plan) -> Plan:
    """Return the plan with steps for agents that are not begun yet given to whoever has the skill."""
    steps = [step.model_copy(update={"agent": None}) if Spawner.is_offer(step.agent) else step for step in plan.steps]
    return plan.model_copy(update={"steps": steps})
