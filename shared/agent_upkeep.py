"""Keeps a service's A2A tasks in good hands: adopts those that nobody works on, lets go of those that others took."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from math import inf
from time import monotonic
from typing import Final, Protocol

from shared import agent_runners, agent_tasks, agent_waiting
from shared.agent import OpenAgent
from shared.agent_failures import InterruptedRunError, contained
from shared.agent_narration import to_failure
from shared.agent_push import Push
from shared.agent_run import Run, Stop
from shared.agent_runners import Judge, Presence
from shared.agent_tasks import Scope, Stored
from shared.db import Database, patience
from shared.settings import FederationSettings

logger = logging.getLogger(__name__)

_UPKEEP_S: Final = 30.0
_PRUNE_S: Final = 600.0
_ANSWERED_S: Final = 1.0


class Runs(Protocol):
    """The runs of this process, as upkeep needs them (`shared.agent_runs`)."""

    @property
    def live(self) -> Mapping[str, Run]:
        """The runs under way, by their tasks."""
        ...

    @property
    def is_resumable(self) -> bool:
        """Whether the agent may be asked the same again after a restart."""
        ...

    def start(self, scope: Scope, stored: Stored, runner: str, *, resumed: bool) -> None:
        """Let the agent work on a task."""
        ...

    async def stop(self, run: Run, reason: Stop) -> None:
        """Stop a run."""
        ...


class Upkeep:
    """What a process does for the tasks of its service beside working on them. All of it goes on until cancelled."""

    def __init__(
        self,
        settings: FederationSettings,
        database: Database,
        presence: Presence,
        push: Push,
        runs: Runs,
        agent: OpenAgent,
    ) -> None:
        self._settings = settings
        self._database = database
        self._presence = presence
        self._push = push
        self._runs = runs
        self._retain = agent.retain
        self._gone_on = agent.gone_on

    async def tell(self) -> None:
        """Deliver push notifications."""
        while True:
            with contained("the delivery of push notifications"):
                await self._push.work()
            await asyncio.sleep(_UPKEEP_S)

    async def keep_present(self) -> None:
        """Come back as another runner when others took this one for dead; its tasks are theirs."""
        while True:
            await self._presence.lost.wait()
            logger.warning("this runner was taken for dead", extra={"runner": self._presence.id})
            await asyncio.gather(*(self._runs.stop(run, Stop.HANDED_OVER) for run in self._runs.live.values()))
            with contained("the return of a runner"), patience(None):
                await self._presence.rejoin()

    async def keep_up(self) -> None:
        """Adopt tasks that nobody works on, let go of those taken, delete old ones, and let the agent do so."""
        judge = Judge()
        kept_up_at = pruned_at = -inf
        while True:
            with contained("the upkeep of A2A tasks"):
                if not self._database.is_sqlite:
                    await self._look_around(judge)
                if monotonic() - kept_up_at > _UPKEEP_S:
                    kept_up_at = monotonic()
                    await self.adopt([])
                if monotonic() - pruned_at > _PRUNE_S:
                    pruned_at = monotonic()
                    kept = timedelta(hours=self._settings.a2a_retention_h)
                    await self._database.write(agent_tasks.prune, self._presence.service, kept)
                    if self._retain is not None:
                        await self._retain(await self._database.read(agent_tasks.unfinished, self._presence.service))
            await asyncio.sleep(_UPKEEP_S if self._database.is_sqlite else agent_runners.LOOK_S)

    async def go_on(self) -> None:
        """Work on again at tasks that wait for input here, and were answered or ended elsewhere."""
        if self._gone_on is None:
            return
        service = self._presence.service
        while True:
            await asyncio.sleep(_ANSWERED_S)
            with contained("tasks that were answered elsewhere"):
                waiting = await self._database.read(agent_waiting.waiting, service)
                if waiting and (gone_on := await self._gone_on(waiting)):
                    runner = self._presence.id
                    for scope, stored in await self._database.write(agent_waiting.take_up, service, gone_on, runner):
                        self._runs.start(scope, stored, runner, resumed=True)
                    self._push.wake()

    async def adopt(self, dead: Sequence[str]) -> None:
        """Take over the tasks of runners that are dead or gone. On SQLite everyone but this one is."""
        service, runner = self._presence.service, self._presence.id
        buried = None if self._database.is_sqlite else dead
        await self._database.write(agent_runners.bury, service, runner, buried)
        adopted = await self._database.write(agent_tasks.adopt, service, runner, list(self._runs.live))
        for scope, stored in adopted:
            logger.info("task found without anyone working on it", extra={"a2a_task_id": stored.task.id})
            if self._runs.is_resumable:
                self._runs.start(scope, stored, runner, resumed=True)
                continue
            error = InterruptedRunError("The task was interrupted by a restart of its agent. Send the request again.")
            event = to_failure(stored.task, error)
            await self._database.write(agent_tasks.end, scope, stored.task.id, event, runner)
            self._push.wake()

    async def _look_around(self, judge: Judge) -> None:
        """Look after the other runners, and after own tasks that another process has ended or adopted."""
        server_since, seen = await self._database.read(agent_runners.look, self._presence.service, self._presence.id)
        judge.meet(server_since, monotonic())
        dead, has_left = judge.judge(seen, monotonic())
        if dead or has_left:
            await self.adopt(dead)
        runners = {task_id: run.runner for task_id, run in self._runs.live.items()}
        for task_id in await self._database.read(agent_tasks.taken, runners) if runners else ():
            run = self._runs.live.get(task_id)
            if run is not None and run.runner == runners[task_id]:
                await self._runs.stop(run, Stop.HANDED_OVER)
