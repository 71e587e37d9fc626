"""Runs a task from where its rows say it stands to its end, or until everything waits for a person.

Every transition is one transaction that says what comes next (`Move`); nothing of a run is kept but in those rows. A
run that dies is claimed by another worker, which goes on from them; writes of the old one are refused from then on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from orchestrator_service import budgets
from orchestrator_service.engine import criteria, critique, deadlines, review, task_records
from orchestrator_service.engine.perform import Performer
from orchestrator_service.engine.settle import Settler
from orchestrator_service.engine.step_records import Rules
from orchestrator_service.engine.strategist import Strategist
from orchestrator_service.engine.waits import Waits
from orchestrator_service.engine.work import Move, Run, StaleRunError, StepWork
from orchestrator_service.event_log import EventLog
from orchestrator_service.planning.plan import Plan
from orchestrator_service.planning.team import Evaluation
from orchestrator_service.settings import Settings
from shared import failpoints, telemetry
from shared.agent import JsonObject, Usage
from shared.ahead import Ahead
from shared.db import patience
from shared.errors import FederationError, TimedOutError
from shared.llm import Role, charge, spent

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Active:
    """A run under way: its group of steps, and the run with the plan it follows now.

    Until it `is_taken_up`, its rows are not read yet; `has_news`: a person has answered meanwhile; `thinks`: a plan, a
    summary or a judgement is being made. `ready` are steps that were made ready, by their `id()`, of which nobody has
    heard yet that they are begun.
    """

    group: asyncio.TaskGroup
    run: Run
    is_taken_up: bool = False
    has_news: bool = False
    thinks: bool = False
    ready: dict[int, StepWork] = field(default_factory=dict[int, StepWork])

    def begin(self, body: Coroutine[None, None, None]) -> None:
        """Do something beside the steps; nothing, if the run has ended just now."""
        try:
            self.group.create_task(body)
        except RuntimeError:
            body.close()


class Runner:
    """Runs tasks in this process."""

    def __init__(
        self,
        settings: Settings,
        log: EventLog,
        strategist: Strategist,
        performer: Performer,
        settler: Settler,
        waits: Waits,
        rules: Callable[[], Rules],
        told: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._log = log
        self._strategist = strategist
        self._performer = performer
        self._settler = settler
        self._waits = waits
        self._rules = rules
        self._told = told
        self._active: dict[str, _Active] = {}

    async def run(self, run: Run, begun: Move | None = None) -> None:
        """Run the task that was claimed; `begun` is what comes next, if it is taken up already."""
        failpoints.reach("run-taken")
        task_id = run.task_id
        active: _Active | None = None
        try:
            with (
                telemetry.in_trace(run.trace_id, run.trace_flags),
                telemetry.bind(task_id=task_id),
                self._waits.running(task_id),
                patience(None),
            ):
                async with asyncio.TaskGroup() as group:
                    active = self._active[task_id] = _Active(group, run)
                    move = begun or await self._begin(run)
                    active.is_taken_up, active.run = True, move.run
                    if active.has_news:
                        self.proceed(task_id)
                    if self._waits.is_canceled(task_id):
                        self.cancel(task_id)
                    await self._follow(active, move)
        except* StaleRunError:
            logger.info("a run is another worker's by now, or its task is over", extra={"task_id": task_id})
        finally:
            if self._active.get(task_id) is active:
                self._active.pop(task_id, None)

    def proceed(self, task_id: str) -> None:
        """Let the task, if it runs here, go on with what a person answered."""
        active = self._active.get(task_id)
        if active is None:
            return
        if not active.is_taken_up:
            active.has_news = True
        elif active.run.plan is not None:  # without one nobody has been asked
            active.begin(self._proceed(active))

    def cancel(self, task_id: str) -> None:
        """Let the task, if it runs here, end: its waits at once, and what waits for a person beside them."""
        self._waits.cancel(task_id)
        active = self._active.get(task_id)
        if active is not None and active.is_taken_up and active.run.plan is not None:
            active.begin(self._stop_waiting(active))

    def make_ready(self, move: Move, commit: Ahead) -> Callable[[], object]:
        """Make the steps ready that a transition begins, before that is committed. Returns what lets go of them."""
        active = self._active.get(move.run.task_id)
        if active is None or active.run.number != move.run.number or not move.only_calls:
            return lambda: None
        with commit.going():
            tasks = [active.group.create_task(self._perform(active, work)) for work in move.begun]
        active.ready |= {id(work): work for work in move.begun}

        def let_go() -> None:
            for work, task in zip(move.begun, tasks, strict=True):
                active.ready.pop(id(work), None)
                task.cancel()

        return let_go

    async def _begin(self, run: Run) -> Move:
        return await self._guard(
            lambda: self._log.write(task_records.go_on, run, self._rules()),
            partial(self._fail, run),
        )

    async def _proceed(self, active: _Active) -> None:
        run = active.run
        await self._follow(active, await self._log.write(task_records.proceed, run, self._rules()))

    async def _stop_waiting(self, active: _Active) -> None:
        try:
            move = await self._log.write(task_records.stop_waiting, active.run, self._rules())
        except StaleRunError:
            return  # it has ended meanwhile
        if move.begun:
            await self._follow(active, move)

    async def _follow(self, active: _Active, move: Move) -> None:
        """Do what a transition leads to, and what that leads to, until only steps are left that follow on their own."""
        while True:
            active.run = run = move.run
            for work in move.begun:
                if active.ready.pop(id(work), None) is None:
                    active.group.create_task(self._perform(active, work))
            match move.then:
                case "plan":
                    think = partial(self._plan, run)
                case "revise" if run.plan is not None:
                    think = partial(self._revise, run, run.plan)
                case "summarize" if run.plan is not None:
                    think = partial(self._summarize, run, run.plan)
                case "evaluate" if run.plan is not None and (asked := review.wish(run)) is not None:
                    think = partial(self._evaluate, run, run.plan, asked)
                case "ended":
                    failpoints.reach("task-ended")
                    self._tell(run)
                    await self._strategist.learn(run)
                    return
                case "park":
                    self._tell(run)
                    return
                case _:
                    if not move.begun:  # a step asks while others still run
                        self._tell(run)
                    return
            if active.thinks:
                return  # an answer that was heard of late, or twice, leads to the same
            move = await self._think(active, think)

    async def _think(self, active: _Active, think: Callable[[], Awaitable[Move]]) -> Move:
        active.thinks = True
        try:
            return await self._guard(think, partial(self._fail, active.run))
        finally:
            active.thinks = False

    def _tell(self, run: Run) -> None:
        if run.request.get("callback_url") is not None:
            self._told()

    async def _perform(self, active: _Active, work: StepWork) -> None:
        with telemetry.bind(step_id=work.step.id):
            move = await self._guard(
                lambda: self._performer.perform(work), lambda error: self._performer.fail(work, error)
            )
        await self._follow(active, move)

    async def _plan(self, run: Run) -> Move:
        try:
            async with self._waits.until(run.task_id, run.deadline_at):
                tokens = await self._reserve(run, budgets.PLANNING, "planner")
                plan, usage = await self._strategist.plan(run, tokens)
        except TimeoutError:
            return await self._stop(run)
        failpoints.reach("plan-made")
        keep = task_records.keep_plan
        with _charged(usage):
            return await self._log.write_ahead(self.make_ready, keep, run, plan, usage, self._rules())

    async def _revise(self, run: Run, failed: Plan) -> Move:
        try:
            async with self._waits.until(run.task_id, run.deadline_at):
                tokens = await self._reserve(run, budgets.PLANNING, "planner")
                plan, reason, usage = await self._strategist.revise(run, failed, tokens)
        except TimeoutError:
            return await self._stop(run)
        except budgets.BudgetExhaustedError as error:
            plan, reason, usage = None, error.detail, Usage()
        with _charged(usage):
            return await self._log.write(task_records.keep_revision, run, plan, reason, usage, self._rules())

    async def _summarize(self, run: Run, plan: Plan) -> Move:
        try:
            async with self._waits.until(run.task_id, run.deadline_at):
                tokens = await self._reserve(run, budgets.SUMMARY, "summarize")
                summary, usage = await self._strategist.summarize(run, plan, tokens)
        except TimeoutError:
            return await self._stop(run)
        except budgets.BudgetExhaustedError:
            summary, usage = "", None  # the outputs are put together instead
        return await self._log.write(task_records.conclude, run, summary, usage)

    async def _evaluate(self, run: Run, plan: Plan, asked: Evaluation) -> Move:
        try:
            async with self._waits.until(run.task_id, run.deadline_at):
                tokens = (
                    await self._reserve(run, budgets.EVALUATION, "judge")
                    if criteria.for_a_model(asked.criteria)
                    else None
                )
                evaluation, usage = await self._judge(run, plan, asked, tokens)
        except TimeoutError:
            return await self._stop(run)
        failpoints.reach("result-judged")
        keep = task_records.keep_evaluation
        with _charged(usage):
            return await self._log.write(keep, run, plan, asked, evaluation, usage, self._rules())

    async def _judge(self, run: Run, plan: Plan, asked: Evaluation, tokens: int | None) -> tuple[JsonObject, Usage]:
        """Return how the task's result is judged, and what that cost; `tokens` is how many a model may use.

        Raises: NeedsModelError, one of MODEL_ERRORS.
        """
        steps = [step.id for step in review.last_steps(plan)]
        judged: JsonObject = {"steps": [*steps]}
        text = await self._log.database.read(review.answer, run.task_id, steps)
        so_far = await self._log.database.read(review.evaluations, run.task_id)
        scores, usage = await self._settler.evaluate(run, asked, run.description, text, (), tokens, may_ask=True)
        return critique.report(asked, scores, len(so_far) + 1) | judged, usage

    async def _reserve(self, run: Run, call: str, role: Role) -> int | None:
        """Reserve what a call of the model may use; returns how many tokens, None: no limit."""
        if not self._strategist.has_model:
            return None
        rules = self._rules()
        payer = budgets.payer(run.task_id, run.tenant_id, run.request, run.ancestry)
        if payer.limit.is_unlimited and rules.daily.is_unlimited:
            return None
        granted = await self._log.write(task_records.reserve, run, call, rules)
        return self._strategist.tokens(run, role, granted)

    async def _stop(self, run: Run) -> Move:
        """End a task that was canceled, or whose time is up, while no step was under way."""
        if self._waits.is_canceled(run.task_id):
            return await self._log.write(task_records.cancel, run, self._rules())
        return await self._fail(run, TimedOutError(deadlines.of_task(self._settings, run)))

    async def _fail(self, run: Run, error: FederationError) -> Move:
        return await self._log.write(task_records.fail, run, error.to_metadata(), spent(error))

    @staticmethod
    async def _guard(body: Callable[[], Awaitable[Move]], fail: Callable[[FederationError], Awaitable[Move]]) -> Move:
        """Do something; what goes wrong with it becomes what `fail` makes of it. Raises: StaleRunError."""
        try:
            return await body()
        except StaleRunError:
            raise
        except FederationError as error:
            failure = error
        except Exception:
            logger.exception("a task failed unexpectedly")
            failure = FederationError(
                "The orchestrator failed unexpectedly; its log has the details under this task's id."
            )
        return await fail(failure)


@contextmanager
def _charged(usage: Usage) -> Generator[None]:
    """Add what was spent to an error that keeps it from being stored."""
    try:
        yield
    except FederationError as error:
        raise charge(error, usage) from error
