"""The durable function: what runs a task from its plan to its end, and goes on after a crash where it stopped.

Inside it there are only `decide`, reserved steps and loops over their results, so that a replay draws the same ids in
the same order. A step returns its failure, it never raises it; its body may run again after a crash.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, cast

from dbos import DBOS, StepReservation
from pydantic import JsonValue

from orchestrator_service.engine.decide import Outcome, OutcomeState, StartSteps, Wait, decide
from orchestrator_service.engine.perform import Performer
from orchestrator_service.engine.settle import Settler, State
from orchestrator_service.planning.plan import Plan, PlanStep
from shared import telemetry
from shared.agent import JsonObject
from shared.db import DatabaseUnavailableError
from shared.errors import FederationError

logger = logging.getLogger(__name__)

T = TypeVar("T")

_AWAY_PAUSE_S: Final = 1.0


class Runner:
    """Runs tasks. `running` holds the runs under way in this process, by the id of their durable function."""

    def __init__(self, settler: Settler, performer: Performer) -> None:
        self._settler = settler
        self._performer = performer
        self.running: dict[str, asyncio.Task[None]] = {}

    async def run(self, task_id: str, run: int) -> None:
        """Run the task until it ends or waits for a person. This is the durable function's body."""
        me = cast("asyncio.Task[None]", asyncio.current_task())
        run_id = run_id_of(task_id, run)
        self.running[run_id] = me
        try:
            with telemetry.bind(task_id=task_id):
                state = await DBOS.run_step_async({"name": "load"}, self._load, task_id, run)
                while state is not None:
                    plan = Plan.model_validate(state["plan"])
                    done = _read_outcomes(state["outcomes"])
                    outcomes = await self._perform_ready(task_id, run, plan, done)
                    ended = _write_outcomes(outcomes)
                    state = await DBOS.run_step_async(
                        {"name": "settle"}, self._settle, task_id, run, state["plan"], ended
                    )
        finally:
            self.running.pop(run_id, None)

    async def _perform_ready(self, task_id: str, run: int, plan: Plan, done: dict[str, Outcome]) -> dict[str, Outcome]:
        """Perform every step that can be, each as soon as what it needs is there. Data flow only, no I/O."""
        reserved = {step.id: DBOS.reserve_step() for step in plan.in_order() if step.id not in done}
        outcomes = dict(done)
        running: dict[asyncio.Task[Outcome], str] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                match decide(plan, outcomes, set(running.values())):
                    case StartSteps(steps):
                        running |= {
                            group.create_task(self._node(task_id, run, step, reserved[step.id])): step.id
                            for step in steps
                        }
                    case Wait():
                        ended, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                        outcomes |= {running.pop(task): task.result() for task in ended}
                    case _:
                        return outcomes

    async def _node(self, task_id: str, run: int, step: PlanStep, reservation: StepReservation) -> Outcome:
        with telemetry.bind(step_id=step.id):
            json_step = step.model_dump(mode="json")
            return _read_outcome(
                await reservation.run_async({"name": f"node:{step.id}"}, self._perform, task_id, run, json_step)
            )

    async def _load(self, task_id: str, run: int) -> JsonObject | None:
        state = await _patiently(
            lambda: self._settler.load(task_id, run), lambda error: self._settler.fail(task_id, run, error)
        )
        return _write_state(state)

    async def _perform(self, task_id: str, run: int, step: JsonObject) -> JsonObject:
        plan_step = PlanStep.model_validate(step)
        outcome = await _patiently(
            lambda: self._performer.perform(task_id, run, plan_step),
            lambda error: self._performer.fail(task_id, plan_step, error),
        )
        return _write_outcome(outcome)

    async def _settle(self, task_id: str, run: int, plan: JsonValue, outcomes: JsonObject) -> JsonObject | None:
        state = await _patiently(
            lambda: self._settler.settle(task_id, run, Plan.model_validate(plan), _read_outcomes(outcomes)),
            lambda error: self._settler.fail(task_id, run, error),
        )
        return _write_state(state)


def run_id_of(task_id: str, run: int) -> str:
    """Return the id of a task's durable function."""
    return f"{task_id}#{run}"


async def _patiently(body: Callable[[], Awaitable[T]], fail: Callable[[FederationError], Awaitable[T]]) -> T:
    """Run a step's body; a database that is away is waited for, any other failure is what `fail` makes of it."""
    failure: FederationError | None = None
    while True:
        try:
            return await (body() if failure is None else fail(failure))
        except DatabaseUnavailableError:
            logger.warning("the database is away; waiting for it")
            await asyncio.sleep(_AWAY_PAUSE_S)
        except FederationError as error:
            failure = error
        except Exception:
            logger.exception("a step of a task failed unexpectedly")
            failure = FederationError(
                "The orchestrator failed unexpectedly; its log has the details under this task's id."
            )


def _write_state(state: State | None) -> JsonObject | None:
    if state is None:
        return None
    return {"plan": state.plan.model_dump(mode="json"), "outcomes": _write_outcomes(state.outcomes)}


def _write_outcomes(outcomes: dict[str, Outcome]) -> JsonObject:
    return {step_id: _write_outcome(outcome) for step_id, outcome in outcomes.items()}


def _write_outcome(outcome: Outcome) -> JsonObject:
    return {"state": outcome.state, "error": outcome.error}


def _read_outcomes(written: JsonValue) -> dict[str, Outcome]:
    return {step_id: _read_outcome(outcome) for step_id, outcome in cast("dict[str, JsonObject]", written).items()}


def _read_outcome(written: JsonObject) -> Outcome:
    return Outcome(cast("OutcomeState", written["state"]), cast("JsonObject | None", written["error"]))
