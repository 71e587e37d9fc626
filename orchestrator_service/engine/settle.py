"""The beginning and the end of a run: a plan for the goal, and what becomes of the task when the plan is through."""

import logging
from contextlib import aclosing
from dataclasses import dataclass

from orchestrator_service import discovery, events
from orchestrator_service.engine import task_records
from orchestrator_service.engine.decide import Finish, Outcome, Park, decide
from orchestrator_service.events import EventLog
from orchestrator_service.planning import strategies, synthesis
from orchestrator_service.planning.plan import Goal, Match, Offer, Plan
from orchestrator_service.settings import Settings
from shared.agent import Usage
from shared.auth import Caller
from shared.db import Database
from shared.errors import FederationError
from shared.llm import Model

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class State:
    """Where a run stands: what is to be done, and what is done already."""

    plan: Plan
    outcomes: dict[str, Outcome]


class Catalogue:
    """The registry as planners see it, in the name of a task's tenant."""

    def __init__(self, database: Database, tenant_id: str) -> None:
        self._database = database
        self._caller = Caller(tenant_id)

    async def offers(self) -> list[Offer]:
        """Return every skill of every agent that may be chosen now."""
        return await self._database.read(discovery.offers, self._caller)

    async def rank(self, need: str, limit: int = 5) -> list[Match]:
        """Return the offers that fit a need in plain words, best first."""
        return await self._database.read(discovery.rank, self._caller, need, limit)


class Settler:
    """Plans tasks and ends them."""

    def __init__(self, settings: Settings, log: EventLog, model: Model | None) -> None:
        self._settings = settings
        self._log = log
        self._model = model

    async def load(self, task_id: str, number: int) -> State | None:
        """Take the task up and return where it stands; None if there is nothing to run now."""
        run = await self._log.write(task_id, task_records.begin_run, task_id, number)
        if run is not None and run.plan is None:
            plan, usage = await self._plan(run)
            run = await self._log.write(task_id, task_records.keep_plan, run, plan, usage)
        return None if run is None or run.plan is None else State(run.plan, run.outcomes)

    async def settle(self, task_id: str, number: int, plan: Plan, outcomes: dict[str, Outcome]) -> State | None:
        """End the task, or park it until a person answers; return the new state if there is more to do at once."""
        match decide(plan, outcomes):
            case Finish(status, error):
                summary, usage = await self._summarize(task_id, plan) if status == "completed" else ("", None)
                await self._log.write(
                    task_id,
                    task_records.end_task,
                    task_id,
                    number,
                    plan,
                    status,
                    error=error,
                    summary=summary,
                    usage=usage,
                )
            case Park():
                if not await self._log.write(task_id, task_records.park, task_id, number):
                    done = {key: outcome for key, outcome in outcomes.items() if outcome.state != "input_required"}
                    return State(plan, done)
            case undone:
                raise AssertionError(f"The run stopped before it was done: {undone}")
        return None

    async def fail(self, task_id: str, number: int, error: FederationError) -> None:
        """End the task with an error that has nothing to do with one of its steps."""
        await self._log.write(task_id, task_records.fail, task_id, number, error.to_metadata())

    async def _plan(self, run: task_records.Run) -> tuple[Plan, Usage]:
        database = self._log.database
        files = run.request.get("files")
        turns = await database.read(task_records.history, run, self._settings.history_turns)
        goal = Goal(
            text=run.description,
            history=tuple(turns),
            inputs=task_records.given_inputs(run.request),
            files=tuple(name for name in files if isinstance(name, str)) if isinstance(files, list) else (),
        )
        plan, notes, usage = await strategies.plan_goal(goal, Catalogue(database, run.tenant_id), self._model)
        for note in notes:
            logger.warning("planning went another way", extra={"note": note})
        return plan, usage

    async def _summarize(self, task_id: str, plan: Plan) -> tuple[str, Usage | None]:
        """Return the model's summary and what it cost; nothing without a model, or when it fails."""
        if self._model is None:
            return "", None
        goal, outputs = await self._log.database.read(task_records.outputs, task_id, plan)
        text, usage = "", None
        async with aclosing(synthesis.summarize(self._model, goal, outputs)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Usage):
                    usage = piece
                    continue
                text += piece
                await self._log.write(task_id, events.append, task_id, [events.draft("result.delta", text=piece)])
        return text, usage
