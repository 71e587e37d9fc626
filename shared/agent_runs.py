"""Runs agents for their A2A tasks: every event is stored before anyone sees it.

Whoever asked may go away; a run goes on. Its two asyncio tasks (the agent, and the writer of its events) belong to a
task group that `Runs.working` opens.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from math import inf
from time import monotonic
from typing import Final

from a2a.types import (
    ListTasksRequest,
    ListTasksResponse,
    Message,
    Task,
    TaskNotCancelableError,
    TaskPushNotificationConfig,
    TaskState,
    TaskStatusUpdateEvent,
)

from shared import agent_tasks, agent_waiting, failpoints, telemetry
from shared.agent import METADATA_KEY, AgentRequest, InputRequired, JsonObject, OpenAgent
from shared.agent_failures import InterruptedRunError, contained
from shared.agent_messages import AT_REST, ENDED, Event, apply, join, to_request
from shared.agent_narration import to_status
from shared.agent_push import Push
from shared.agent_run import Run, Stop
from shared.agent_runners import Presence
from shared.agent_tasks import Added, Scope, Stored
from shared.agent_upkeep import Upkeep
from shared.db import STARTING_S, Database, DatabaseUnavailableError, patience
from shared.errors import ConflictError, FederationError, TimedOutError, WorkCanceledError
from shared.settings import FederationSettings, ServiceName

logger = logging.getLogger(__name__)

_JOIN_S: Final = 0.08
"""Pieces of a text that come within this time are written together, in seconds."""
_CLEAN_UP_S: Final = 5.0
"""How long an agent may take to stop before its task is called canceled all the same, in seconds."""
_POLL_S: Final = 0.5
"""Pause between two looks at a task that another process works on, in seconds."""
_IDLE_S: Final = 15.0
"""How long a follower waits before it says that there is nothing new, in seconds."""
_CONFIRM_S: Final = 2.0


class Runs:
    """The runs of one service in this process, and the way to the tasks of all its processes.

    `push` tells those who asked for it what becomes of tasks; `live` are the runs of this process, by their tasks.
    """

    def __init__(
        self,
        settings: FederationSettings,
        service: ServiceName,
        database: Database,
        agent: OpenAgent,
        *,
        resumable: bool,
    ) -> None:
        self.push = Push(settings, service, database)
        self._settings = settings
        self._service: ServiceName = service
        self._database = database
        self._agent = agent
        self.is_resumable = resumable
        self._presence = Presence(database, service)
        self.live: dict[str, Run] = {}
        self._group = asyncio.TaskGroup()
        self._is_ending = False

    @asynccontextmanager
    async def working(self) -> AsyncGenerator[None]:
        """Work on tasks for as long as this is open: first on those that a dead process left behind.

        At the end runs are stopped: resumable ones stay as they are for the next process, others fail as interrupted.
        """
        upkeep = Upkeep(self._settings, self._database, self._presence, self.push, self, self._agent)
        with patience(STARTING_S):
            await self._presence.join()
        async with self._group:
            with patience(STARTING_S):
                await upkeep.adopt([])
            keeping = [
                self._group.create_task(work())
                for work in (upkeep.keep_up, upkeep.keep_present, upkeep.tell, upkeep.go_on)
            ]
            try:
                yield
            finally:
                for task in keeping:
                    task.cancel()
                reason = Stop.HANDED_OVER if self.is_resumable else Stop.INTERRUPTED
                await asyncio.gather(*(self.stop(run, reason) for run in self.live.values()))
                with contained("the end of A2A tasks"):
                    await self._presence.leave()

    def end_streams(self) -> None:
        """Let whoever follows a task go: the service is told to stop."""
        self._is_ending = True
        for run in self.live.values():
            run.wake()

    async def accept(self, scope: Scope, message: Message, config: TaskPushNotificationConfig | None) -> Stored:
        """Store what `message` asks for and let the agent work on it, unless the same message was accepted before.

        `config`: who is to be told of the task.
        """
        failpoints.reach("agent-message-read")
        sealed = None if config is None else await self.push.seal(config)
        try:
            async with asyncio.timeout(_CONFIRM_S):
                await self._presence.confirm()
        except TimeoutError as error:
            raise DatabaseUnavailableError("The database does not answer. Nothing was stored; try again.") from error
        runner = self._presence.id
        stored = await self._database.write(agent_tasks.accept, scope, message, sealed, runner)
        failpoints.reach("agent-message-stored")
        if stored.is_new:
            self.start(scope, stored, runner, resumed=False)
        return stored

    async def find(self, scope: Scope, task_id: str) -> Stored:
        """Return a task as it is now; it is shared, so do not change it. Raises: the SDK's TaskNotFoundError."""
        run = self.live.get(task_id)
        if run is not None and run.scope == scope and run.stop is None:
            return Stored(run.task, run.seq)
        return await self._database.read(agent_tasks.find, scope, task_id)

    async def search(self, scope: Scope, request: ListTasksRequest) -> ListTasksResponse:
        """Return a page of tasks, the last changed first. Raises: the SDK's InvalidParamsError."""
        return await self._database.read(agent_tasks.search, scope, request)

    def follow(
        self, scope: Scope, task_id: str, seq: int, until: Collection[TaskState] = AT_REST
    ) -> AsyncGenerator[list[tuple[int, Event]]]:
        """Yield the events after `seq` with their numbers, each once it is stored, until the task is in a state.

        They come as many as there are; none at all, now and then, when nothing happens.
        """
        return self._follow(self.live.get(task_id), scope, task_id, seq, until)

    async def settle(self, scope: Scope, stored: Stored) -> Task:
        """Wait until the task comes to rest, and return it; it is shared, so do not change it."""
        run = self.live.get(stored.task.id)
        async with aclosing(self.follow(scope, stored.task.id, stored.seq)) as events:
            async for _ in events:
                pass
        if run is not None and run.task.status.state in AT_REST:
            return run.task
        return (await self.find(scope, stored.task.id)).task

    async def cancel(self, scope: Scope, task_id: str) -> Task:
        """Cancel a task and return it, once its agent has cleaned up. Raises: the SDK's TaskNotCancelableError."""
        stored = await self.find(scope, task_id)
        _refuse_ended(stored.task)
        run = self.live.get(task_id)
        if run is not None and run.stop is None:
            run.stop = Stop.CANCELED  # before `cancel`: what the agent says about being canceled is not its answer
        is_unknown = False
        if self._agent.cancel is not None:
            with contained(f"the cancel of task {task_id}") as failures:
                await self._agent.cancel(task_id)
            if any(isinstance(failure, ConflictError) for failure in failures):
                return await self._tell_end(scope, task_id, run)
            is_unknown = bool(failures)
        if (run := run or self.live.get(task_id)) is not None:
            await self.stop(run, Stop.CANCELED)
            if is_unknown and self._agent.cancel is not None:  # it may have begun something as it was stopped
                with contained(f"the cancel of task {task_id}"):
                    await self._agent.cancel(task_id)
        stored = await self.find(scope, task_id)
        if stored.task.status.state not in ENDED:
            event = to_status(stored.task, TaskState.TASK_STATE_CANCELED)
            stored = await self._database.write(agent_tasks.end, scope, task_id, event, self._presence.id)
            if (late := self.live.get(task_id)) is not None:
                await self.stop(late, Stop.HANDED_OVER)
            self.push.wake()
        if stored.task.status.state != TaskState.TASK_STATE_CANCELED:
            _refuse_ended(stored.task)
        return stored.task

    async def _tell_end(self, scope: Scope, task_id: str, run: Run | None) -> Task:
        """Let the agent tell how work ended that is over, and return the task. Raises: as `cancel`."""
        if run is not None and not run.agent.done():
            run.stop = None
        runner = self._presence.id
        for _, stored in await self._database.write(agent_waiting.take_up, self._service, [task_id], runner):
            self.start(scope, stored, runner, resumed=True)
        task = await self.settle(scope, await self.find(scope, task_id))
        if task.status.state != TaskState.TASK_STATE_CANCELED:
            _refuse_ended(task)
        return task

    async def _follow(
        self, run: Run | None, scope: Scope, task_id: str, seq: int, until: Collection[TaskState]
    ) -> AsyncGenerator[list[tuple[int, Event]]]:
        while True:
            if run is None or (run.is_over and run.seq <= seq):
                run = self.live.get(task_id)
            changed = None if run is None else run.changed
            is_over = run is None and (await self.find(scope, task_id)).task.status.state in until
            events = None if run is None else run.since(seq)
            if events is None:
                events = await self._database.read(agent_tasks.events_after, task_id, seq)
            if events:
                seq = events[-1][0]
                yield events
                if any(_state_of(event) in until for _, event in events):
                    return
                continue
            if is_over or self._is_ending:
                return
            if changed is None:
                await asyncio.sleep(_POLL_S)
            else:
                try:
                    async with asyncio.timeout(_IDLE_S):
                        await changed.wait()
                    continue
                except TimeoutError:
                    pass
            yield []

    def start(self, scope: Scope, stored: Stored, runner: str, *, resumed: bool) -> None:
        """Let the agent work on a task that is this runner's."""
        run = Run(scope, stored, runner, resumed=resumed)
        self.live[stored.task.id] = run
        with patience(None):  # what was accepted waits for its database
            run.agent = self._group.create_task(self._ask(run))
            run.writer = self._group.create_task(self._write(run))
        run.agent.add_done_callback(lambda _: run.arrived.set())

    async def stop(self, run: Run, reason: Stop) -> None:
        """Stop a run and wait until its last event is stored; an agent that does not stop is left behind."""
        run.stop = run.stop or reason
        run.agent.cancel()
        await asyncio.wait({run.agent}, timeout=_CLEAN_UP_S)
        if not run.agent.done():
            logger.warning("an agent does not stop", extra={"a2a_task_id": run.task.id})
        run.is_abandoned = True
        run.arrived.set()
        await asyncio.wait({run.writer}, timeout=_CLEAN_UP_S)
        run.writer.cancel()  # the database is away: whoever finds the task next ends it

    async def _ask(self, run: Run) -> None:
        """Ask the agent and hand its updates to the writer."""
        with contained(f"the request of task {run.task.id}") as failures:
            request = replace(to_request(run.task, run.scope.owner), resumed=run.resumed)
        if failures:  # it cannot be read: that ends this run alone
            await run.tell(run.narrator.fail(failures[0]))
            return
        call = request.metadata.get(METADATA_KEY)
        facts = call if isinstance(call, dict) else {}
        task_id, step_id = str(facts.get("task_id") or request.task_id), str(facts.get("step_id") or "")
        with telemetry.bind(task_id=task_id, step_id=step_id, a2a_task_id=request.task_id):
            ending: list[Event] = []
            with contained(f"task {request.task_id}") as failures:
                failpoints.reach("agent-run-begun")
                ending = await self._perform(run, request, _limit_s(facts))
            if run.stop is None:
                failpoints.reach("agent-run-ended")
                await run.tell(_ending(run, failures[0]) if failures else ending)
                logger.debug("task done", extra={"failed": bool(failures), "skill": request.skill})

    async def _perform(self, run: Run, request: AgentRequest, given_s: float) -> list[Event]:
        """Hand on what the agent yields, and return the events that end the run. `given_s`: what the caller allows."""
        limit_s = min(given_s, self._settings.task_timeout_s)
        deadline = asyncio.timeout(limit_s)
        try:
            async with deadline, aclosing(self._agent.answer(request)) as updates:
                async for update in updates:
                    events = run.narrator.tell(update)
                    if isinstance(update, InputRequired):
                        return events
                    await run.tell(events)
        except TimeoutError as error:
            if deadline.expired():
                whose = "the time its caller gave it" if limit_s == given_s else "TASK_TIMEOUT_S"
                raise TimedOutError(f"The agent was not done after {limit_s:g} s ({whose}).") from error
            raise
        except asyncio.CancelledError as error:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            raise RuntimeError("The agent was cancelled by something inside it.") from error
        return run.narrator.complete()

    async def _write(self, run: Run) -> None:
        """Store a run's events until it is over."""
        try:
            with contained(f"task {run.task.id}"):
                await self._store_all(run)
        finally:
            if self.live.get(run.task.id) is run:  # a follow-up may have begun the next one
                del self.live[run.task.id]
            run.end()

    async def _store_all(self, run: Run) -> None:
        written = 0.0
        while not (run.is_told and not run.waiting):
            await run.arrived.wait()
            run.arrived.clear()
            await run.join_pieces(written + _JOIN_S)
            events, run.waiting = join(run.waiting), []
            if events:
                if not await self._store(run, events):
                    return
                if run.task.status.state not in AT_REST:
                    failpoints.reach("agent-run-told")
            written = monotonic()
        if run.task.status.state in AT_REST:
            return
        match run.stop:
            case Stop.CANCELED:
                await self._store(run, run.narrator.cancel())
            case Stop.INTERRUPTED:
                error = InterruptedRunError("The agent's service stopped before it was done. Send the request again.")
                await self._store(run, run.narrator.fail(error))
            case Stop.HANDED_OVER | None:
                pass

    async def _store(self, run: Run, events: Sequence[Event]) -> bool:
        """Store events and tell the followers; False when the task is no longer this run's to change."""
        task = Task()
        task.CopyFrom(run.task)
        for event in events:
            apply(task, event)
        added = await self._database.write(agent_tasks.add_events, task, run.seq, events, run.runner)
        if added is Added.NOTHING:
            logger.info("a task was ended by another process", extra={"a2a_task_id": task.id})
            run.stop = run.stop or Stop.HANDED_OVER
            return False
        if added is Added.PUSHED:
            self.push.wake()
        run.advance(task, events)
        return True


def _ending(run: Run, failure: FederationError) -> list[Event]:
    return run.narrator.cancel() if isinstance(failure, WorkCanceledError) else run.narrator.fail(failure)


def _limit_s(facts: JsonObject) -> float:
    """Return how long the caller lets the agent work: what is left of its own time, in seconds."""
    budget = facts.get("budget")
    given = (facts.get("deadline_s"), budget.get("seconds") if isinstance(budget, dict) else None)
    numbers = (float(each) for each in given if isinstance(each, int | float) and not isinstance(each, bool))
    return max(0.0, min(numbers, default=inf))


def _state_of(event: Event) -> TaskState | None:
    return event.status.state if isinstance(event, TaskStatusUpdateEvent) else None


def _refuse_ended(task: Task) -> None:
    if task.status.state in ENDED:
        raise TaskNotCancelableError(f"Task {task.id} has ended: {TaskState.Name(task.status.state)}.")
