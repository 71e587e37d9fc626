"""The worker: claims queued tasks and runs them, takes over from dead workers, and hands over when it stops itself.

Any number of processes may work on one PostgreSQL database; on SQLite there is one.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Final

from sqlalchemy import Connection

from orchestrator_service import choosing, idempotency, inputs
from orchestrator_service.budgets import Amount
from orchestrator_service.credentials import Credentials
from orchestrator_service.engine import queue
from orchestrator_service.engine.at_once import Begun, CannotBeginError, store_and_begin
from orchestrator_service.engine.ends import Ends
from orchestrator_service.engine.execute import Runner
from orchestrator_service.engine.gates import Gates
from orchestrator_service.engine.perform import Performer
from orchestrator_service.engine.settle import Settler
from orchestrator_service.engine.step_records import Rules
from orchestrator_service.engine.strategist import Strategist
from orchestrator_service.engine.waits import Waits
from orchestrator_service.engine.work import Move, Run
from orchestrator_service.engine.workers import LOOK_S, Membership, Reaper, joined
from orchestrator_service.event_log import EventLog
from orchestrator_service.keys import Keys
from orchestrator_service.planning.plan import Plan
from orchestrator_service.settings import Settings
from orchestrator_service.signals import Signals
from orchestrator_service.spawning import Spawner
from orchestrator_service.tasks import Submitted
from shared.ahead import Ahead
from shared.background import background
from shared.db import DatabaseUnavailableError, now, patience
from shared.embeddings import Embeddings
from shared.errors import FederationError
from shared.llm import Models

logger = logging.getLogger(__name__)

_SWEEP_S: Final = 1.0
_UPKEEP_S: Final = 2.0
_MOST_EXPIRED: Final = 500
_FORGET_EVERY: Final = 30  # rounds of the upkeep
_MOST_FORGOTTEN: Final = 5_000
_KEPT_LONGER: Final = timedelta(hours=1)
"""Keys that are no longer valid are kept for so long: somebody may just be reading them."""
_ORPHANS_EVERY: Final = 10  # looks for dead workers


class Engine:
    """Runs tasks in this process. `told` is called whenever a task ended or waits: there may be a webhook to send."""

    def __init__(
        self,
        settings: Settings,
        log: EventLog,
        signals: Signals,
        keys: Keys,
        credentials: Credentials,
        models: Models,
        told: Callable[[], None],
        spawner: Spawner,
        embeddings: Embeddings | None,
    ) -> None:
        self._settings = settings
        self._daily = Amount(cost_usd=settings.tenant_daily_cost_usd, tokens=settings.tenant_daily_tokens)
        self._log = log
        self._signals = signals
        self._waits = Waits()
        self._gates = Gates(places=settings.agent_max_concurrency)
        self._spawner = spawner
        self._strategist = Strategist(settings, log, models, spawner, embeddings)
        self._me: Membership | None = None
        self._is_draining = False
        ends = Ends(log, self._make_steps_ready, self._rules)
        settler = Settler(settings, models, embeddings, self._waits, ends)
        performer = Performer(
            settings,
            log,
            keys,
            credentials,
            self._gates,
            self._waits,
            ends,
            settler,
            spawner,
            rules=self._rules,
            confirm=self._confirm,
        )
        self._performer = performer
        self._runner = Runner(settings, log, self._strategist, performer, settler, self._waits, self._rules, told)
        self._runs: dict[str, tuple[Run, asyncio.Task[None]]] = {}
        self._beginning: set[str] = set()
        """Tasks that may be taken up as they are stored, and whose runs are not known here yet."""
        self._to_stop: set[str] = set()
        self._claiming = asyncio.Lock()
        """Held while a task may be claimed by the table, and its run not be known here yet."""
        self._is_left = False
        """Whether a task may be queued that only lacks a place: the end of a run gives one."""
        self._woken = asyncio.Event()

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Join the workers, take up what was left, and run tasks; at the end, hand over what is not done."""
        database = self._log.database
        async with AsyncExitStack() as stack:
            me = self._me = await stack.enter_async_context(joined(database))
            stack.push_async_callback(self._stop_runs)
            stack.enter_context(self._signals.hear("queue", lambda _: self._woken.set(), self._woken.set))
            stack.enter_context(self._signals.hear("cancel", self._stop))
            stack.enter_context(self._signals.hear("input", self._runner.proceed))
            stack.enter_context(self._signals.hear("nudge", self._performer.nudge))
            stack.enter_context(self._signals.hear("suspend", self._performer.suspensions.suspend))
            await stack.enter_async_context(background("claims", self._claim(me)))
            await stack.enter_async_context(background("upkeep of tasks", self._keep_up(me)))
            await stack.enter_async_context(background("leftovers", self._performer.leftovers.tell_later()))
            if not database.is_sqlite:
                await stack.enter_async_context(background("reaper", self._reap(me)))
                await stack.enter_async_context(background("worker", self._stay(me)))
            try:
                yield
            finally:
                await self._drain()

    async def accept(
        self, task_id: str, store: Callable[[Connection], Submitted], plan: Plan | None = None
    ) -> Submitted:
        """Store a task, and see that it is run: it begins in the same commit, if it can here, else it is queued.

        `plan` is the one that it brings in its request, checked. Raises: as `store`.
        """
        me = self._me
        if me is not None and not me.lost.is_set() and self.may_begin_at_once:
            worker_id, share = me.id, self._settings.tenant_max_running_tasks
            self._beginning.add(task_id)
            try:
                ahead = partial(self._make_ready, me, worker_id)
                submitted, begun = await self._log.write_ahead(
                    ahead, store_and_begin, store, worker_id, share, self._rules(), plan
                )
                if begun is not None and not me.lost.is_set() and me.id == worker_id:
                    self._start(begun.run, begun.move)
            except CannotBeginError as error:
                if not isinstance(error.__cause__, FederationError):
                    logger.warning("a task could not begin as it was stored; it is queued", exc_info=error)
                submitted, begun = await self._log.write(store), None
            finally:
                self._beginning.discard(task_id)
        else:
            submitted, begun = await self._log.write(store), None
        if submitted.is_new and begun is None:
            self.wake(task_id)
        return submitted

    def _make_ready(
        self, me: Membership, worker_id: str, stored: tuple[Submitted, Begun | None], commit: Ahead
    ) -> Callable[[], object]:
        """Begin the run of a task that is about to be committed. Returns what lets go of it.

        A run that begins now is stopped, as all are, when this worker is lost: it never becomes another worker's.
        """
        _, begun = stored
        is_mine = not me.lost.is_set() and me.id == worker_id
        if begun is None or not begun.move.only_calls or not is_mine:
            return lambda: None
        with commit.going():
            return self._start(begun.run, begun.move)

    def _make_steps_ready(self, move: Move, commit: Ahead) -> Callable[[], object]:
        return self._runner.make_ready(move, commit)

    def wake(self, task_id: str) -> None:
        """Say that a task wants a worker."""
        self._signals.tell("queue", task_id)

    def cancel(self, task_id: str) -> None:
        """Make the task's run, wherever it is, see that it is to end."""
        self._signals.tell("cancel", task_id)

    def proceed(self, task_id: str) -> None:
        """Make the task's run, wherever it is, go on with what a person answered."""
        self._signals.tell("input", task_id)

    def nudge(self, task_id: str, step_id: str) -> None:
        """Make the step, wherever it is performed, ask its agent how the remote task stands."""
        self._signals.tell("nudge", f"{task_id}/{step_id}")

    def drain(self) -> None:
        """Take no new work from now on: the process is about to stop."""
        self._is_draining = True
        if self._me is not None:
            self._me.drain()

    @property
    def may_begin_at_once(self) -> bool:
        """Whether a task may begin as it is stored.

        On PostgreSQL, where one at a time can, it is not tried while this process is at it already.
        """
        is_busy = not self._log.database.is_sqlite and (self._beginning or self._claiming.locked())
        return not self._is_draining and self._room > 0 and not is_busy

    @property
    def _room(self) -> int:
        """How many more tasks this process may work on."""
        return self._settings.max_running_tasks - len(self._runs.keys() | self._beginning)

    async def _claim(self, me: Membership) -> None:
        """Claim what is queued whenever there is news and room; what is only to be stopped needs no room."""
        write = self._log.database.write
        while True:
            self._woken.clear()
            worker_id = me.id
            to_stop = [task_id for task_id in self._to_stop if task_id not in self._runs]
            self._to_stop &= self._beginning
            room = self._room
            claimed: list[Run] = []
            async with self._claiming:
                if not self._is_draining and not me.lost.is_set():
                    with suppress(DatabaseUnavailableError):
                        if to_stop:
                            claimed += await write(queue.claim_to_stop, worker_id, to_stop)
                        self._is_left = True  # until the claim says otherwise: a run may end while it is made
                        share = self._settings.tenant_max_running_tasks
                        found, self._is_left = await write(queue.claim, worker_id, room, share)
                        claimed += found
                if me.lost.is_set() or me.id != worker_id:
                    claimed = []  # they are others' by now
                for run in claimed:
                    self._start(run)
            if not claimed or len(claimed) >= room or not self._is_left:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_SWEEP_S):
                        await self._woken.wait()

    def _stop(self, task_id: str) -> None:
        """See that a task that was canceled ends, if it runs here, or is queued: its agents are to be told."""
        self._runner.cancel(task_id)
        if task_id not in self._runs:
            self._to_stop.add(task_id)
            self._woken.set()

    def _start(self, run: Run, begun: Move | None = None) -> Callable[[], object]:
        """Run the task, unless that goes on already. Returns what breaks it off."""
        if (other := self._runs.get(run.task_id)) is not None:
            goes_on = other[0] is run and not other[1].cancelling()
            if goes_on or other[0].number > run.number:
                return lambda: None
            other[1].cancel()  # a run that is not the newest, and has not noticed it yet
        task = asyncio.create_task(self._runner.run(run, begun), name=f"run {run.task_id}")
        self._runs[run.task_id] = (run, task)
        task.add_done_callback(lambda task: self._end(run, task))
        if begun is not None and run.task_id in self._to_stop:  # canceled after that, when there was no run to tell
            asyncio.get_running_loop().call_soon(self._stop, run.task_id)
        return task.cancel

    def _end(self, run: Run, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a run broke off; the task is queued again", exc_info=error, extra={"task_id": run.task_id})
        if self._runs.get(run.task_id) == (run, task):
            del self._runs[run.task_id]
        if self._is_left:
            self._woken.set()

    async def _keep_up(self, me: Membership) -> None:
        """Close questions that have expired, mend what fell between two chairs, forget what nobody needs any more."""
        life = timedelta(hours=self._settings.idempotency_hours)
        for rounds in count(1):
            await asyncio.sleep(_UPKEEP_S)
            with suppress(DatabaseUnavailableError):
                if rounds % _FORGET_EVERY == 0:
                    forgotten = now() - life - _KEPT_LONGER
                    await self._log.database.write(idempotency.forget_keys, forgotten, _MOST_FORGOTTEN)
                for task_id in await self._log.database.write(inputs.expire, now(), _MOST_EXPIRED):
                    self.wake(task_id)
                    self.proceed(task_id)
                for task_id in await self._log.database.read(queue.canceled, me.id):
                    self._stop(task_id)
                called = self._performer.suspensions.called()
                for agent_id in await self._log.database.read(choosing.suspended, called) if called else ():
                    self._performer.suspensions.suspend(agent_id)
                for task_id in await self._log.database.read(queue.answered, me.id):
                    self._runner.proceed(task_id)
                async with self._claiming:
                    owned = await self._log.database.read(queue.owned, me.id)
                    idle = [
                        (task_id, number)
                        for task_id, number in owned
                        if task_id not in self._runs.keys() | self._beginning
                    ]
                if idle:
                    await self._log.database.write(queue.release, me.id, idle)
                    self._woken.set()

    async def _reap(self, me: Membership) -> None:
        """Take over from workers that died, and now and then what a worker claimed while it was buried."""
        reaper = Reaper(me)
        for looks in count(1):
            await asyncio.sleep(LOOK_S)
            me.notice()
            try:
                left = await self._log.database.write(reaper.look)
                if looks % _ORPHANS_EVERY == 0:
                    left += await self._log.database.write(queue.recover_orphans)
                for task_id in left:
                    self.wake(task_id)
            except DatabaseUnavailableError:
                reaper.lose_contact()

    async def _stay(self, me: Membership) -> None:
        """When others took this worker for dead, stop its runs, which are theirs now, and join anew."""
        while True:
            await me.lost.wait()
            logger.error("this worker was taken for dead; its tasks are others' now, and it begins anew")
            await self._stop_runs()
            with patience(None):
                await me.rejoin()

    async def _drain(self) -> None:
        """Take no new work, and give the steps under way a little time."""
        self.drain()
        runs = [task for _, task in self._runs.values()]
        if runs:
            await asyncio.wait(runs, timeout=self._settings.drain_timeout_s)

    async def _stop_runs(self) -> None:
        """Let go of the runs under way: they stay as they are, for whoever goes on with them."""
        runs = [task for _, task in self._runs.values()]
        for task in runs:
            task.cancel()
        await asyncio.gather(*runs, return_exceptions=True)
        self._runs.clear()

    def _rules(self) -> Rules:
        return Rules(
            input_timeout_s=self._settings.input_timeout_s,
            max_revisions=self._settings.max_revisions,
            has_model=self._strategist.has_model,
            max_hops=self._settings.max_hops,
            daily=self._daily,
            resting=frozenset(self._gates.open_agents()),
            may_begin=not self._is_draining,
            exploration=self._settings.exploration_share,
            spawnable=self._spawner.skills,
        )

    async def _confirm(self) -> None:
        if self._me is not None:
            await self._me.confirm()
