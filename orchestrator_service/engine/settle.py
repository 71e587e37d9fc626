"""The beginning and the end of a run: a plan for the goal, and what becomes of the task when the plan is through."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from pydantic import JsonValue

from orchestrator_service import discovery, events, registry, tasks
from orchestrator_service.engine import task_records
from orchestrator_service.engine.decide import Finish, Outcome, Park, decide
from orchestrator_service.events import EventLog
from orchestrator_service.planning import plan as plans
from orchestrator_service.planning import strategies, synthesis
from orchestrator_service.planning.plan import Goal, Match, Offer, Plan, PlanStep
from orchestrator_service.settings import Settings
from shared.agent import JsonObject, Usage
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

    async def load(self, task_id: str) -> State | None:
        """Take the task up and return where it stands; None if there is nothing to run now."""
        run = await self._log.write(task_id, task_records.begin_run, task_id)
        if run is None:
            return None
        if run.cancel_requested:
            await self._log.write(task_id, tasks.finish, task_id, "canceled")
            return None
        if run.plan is not None:
            return State(run.plan, run.outcomes)
        plan, usage = await self._plan(run)
        _check_budget(run, plan)
        ask = run.request.get("approve_plan") is True
        stored = await self._log.write(task_id, task_records.keep_plan, task_id, plan, usage, ask=ask)
        return None if ask else State(stored, {})

    async def settle(self, task_id: str, plan: Plan, outcomes: dict[str, Outcome]) -> State | None:
        """End the task, or park it until a person answers; return the new state if there is more to do at once."""
        match decide(plan, outcomes):
            case Finish(status, error):
                await self._finish(task_id, plan, status, error)
            case Park():
                if not await self._log.write(task_id, task_records.park, task_id):
                    done = {key: outcome for key, outcome in outcomes.items() if outcome.state != "input_required"}
                    return State(plan, done)
            case undone:
                raise AssertionError(f"The run stopped before it was done: {undone}")
        return None

    async def fail(self, task_id: str, error: FederationError) -> None:
        """End the task with an error that has nothing to do with one of its steps."""
        await self._log.write(task_id, tasks.finish, task_id, "failed", error=error.to_metadata())

    async def _plan(self, run: task_records.Run) -> tuple[Plan, Usage]:
        request = run.request
        caller = Caller(run.tenant_id)
        database = self._log.database
        given = request.get("inputs")
        inputs = given if isinstance(given, dict) else {}
        if isinstance(written := request.get("plan"), dict):
            plan = Plan.model_validate({**written, "strategy": "given"})
            return plans.check(plan, inputs=inputs), Usage()
        if isinstance(agent := request.get("agent"), str):
            agent_id = await database.read(registry.identify, caller, agent)
            step = PlanStep(
                id="s1", skill=None, agent=agent_id, instruction=plans.literal(run.description, inputs), inputs=inputs
            )
            return plans.check(Plan(strategy="direct", steps=[step]), inputs=inputs), Usage()
        files = request.get("files")
        turns = await database.read(task_records.history, run, self._settings.history_turns)
        goal = Goal(
            text=run.description,
            history=tuple(turns),
            inputs=inputs,
            files=tuple(name for name in files if isinstance(name, str)) if isinstance(files, list) else (),
        )
        plan, notes, usage = await strategies.plan_goal(goal, Catalogue(database, run.tenant_id), self._model)
        for note in notes:
            logger.warning("planning went another way", extra={"note": note})
        return plans.check(plan, inputs=inputs), usage

    async def _finish(self, task_id: str, plan: Plan, status: events.TerminalStatus, error: JsonObject | None) -> None:
        said = await self._log.database.read(task_records.outputs, task_id)
        outputs = [
            synthesis.StepOutput(
                step_number=step.step_number,
                step_id=step.id,
                instruction=step.instruction,
                agent_name=said[step.id].agent_name,
                text=said[step.id].text,
            )
            for step in plan.in_order()
            if step.id in said
        ]
        goal = await self._log.database.read(task_records.description, task_id)
        summary, usage = await self._summarize(task_id, goal, outputs) if status == "completed" else ("", Usage())
        listed: list[JsonValue] = [{"step": output.instruction, "output": output.text} for output in outputs]
        summary = summary or synthesis.compose(goal, outputs)
        await self._log.write(task_id, task_records.end_task, task_id, status, listed, summary, error, usage)

    async def _summarize(self, task_id: str, goal: str, outputs: list[synthesis.StepOutput]) -> tuple[str, Usage]:
        """Return the model's summary and what it cost; nothing without a model, or when it fails."""
        if self._model is None:
            return "", Usage()
        text, usage = "", Usage()
        async with aclosing(_stream(self._model, goal, outputs)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Usage):
                    usage = piece
                    continue
                text += piece
                await self._log.write(task_id, events.append, task_id, [events.draft("result.delta", text=piece)])
        return text, usage


def _check_budget(run: task_records.Run, plan: Plan) -> None:
    budget = run.request.get("budget")
    most = budget.get("steps") if isinstance(budget, dict) else None
    if isinstance(most, int) and len(plan.steps) > most:
        raise tasks.BudgetExhaustedError(
            f"The plan has {len(plan.steps)} steps, more than the {most} that the task's budget allows."
        )


def _stream(model: Model, goal: str, outputs: list[synthesis.StepOutput]) -> AsyncGenerator[str | Usage]:
    return synthesis.summarize(model, goal, outputs)
