"""Runs agents for their A2A tasks: every event is stored before anyone sees it.

Whoever asked may go away; a run goes on. Its two asyncio tasks (the agent, and the writer of its events) belong to a
task group that `Runs.working` opens.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from datetime import timedelta
from time import monotonic
from typing import Final

from a2a.types import (
    ListTasksRequest,
    ListTasksResponse,
    Message,
    Task,
    TaskNotCancelableError,
    TaskState,
    TaskStatusUpdateEvent,
)

from shared import agent_tasks, telemetry
from shared.agent import METADATA_KEY, AgentRequest, InputRequired, OpenAgent
from shared.agent_messages import AT_REST, ENDED, Event, apply, join, to_request
from shared.agent_narration import to_failure, to_status
from shared.agent_run import Run, Stop
from shared.agent_tasks import Scope, Stored
from shared.db import Database, new_id, now
from shared.errors import FederationError, TimedOutError, UnavailableError
from shared.settings import FederationSettings, ServiceName

logger = logging.getLogger(__name__)

_JOIN_S: Final = 0.08
"""Pieces of a text that come within this time are written together, in seconds."""
_CLEAN_UP_S: Final = 5.0
"""How long an agent may take to stop before its task is called canceled all the same, in seconds."""
_POLL_S: Final = 0.5
"""Pause between two looks at a task that another process works on, in seconds."""
_BEAT_S: Final = 5.0
_SILENT: Final = timedelta(seconds=30)
_PRUNE_S: Final = 600.0


class InterruptedRunError(UnavailableError):
    """The service stopped while the agent worked; the same request may succeed now."""

    slug = "interrupted"
    title = "Interrupted by a restart"


class Runs:
    """The runs of one service in this process, and the way to the tasks of all its processes."""

    def __init__(
        self,
        settings: FederationSettings,
        service: ServiceName,
        database: Database,
        agent: OpenAgent,
        *,
        resumable: bool,
    ) -> None:
        self._settings = settings
        self._service: ServiceName = service
        self._database = database
        self._agent = agent
        self._resumable = resumable
        self._runner = new_id()
        self._live: dict[str, Run] = {}
        self._group = asyncio.TaskGroup()

    @asynccontextmanager
    async def working(self) -> AsyncGenerator[None]:
        """Work on tasks for as long as this is open: first on those that a dead process left behind.

        At the end runs are stopped: resumable ones stay as they are for the next process, others fail as interrupted.
        On SQLite no other process can be alive; on PostgreSQL one is dead when it was not seen for half a minute.
        """
        await self._database.write(agent_tasks.beat, self._service, self._runner)
        async with self._group:
            await self._adopt()
            upkeep = self._group.create_task(self._keep_up())
            try:
                yield
            finally:
                upkeep.cancel()
                reason = Stop.HANDED_OVER if self._resumable else Stop.INTERRUPTED
                await asyncio.gather(*(self._stop(run, reason) for run in self._live.values()))
                with contained("the end of A2A tasks"):
                    await self._database.write(agent_tasks.leave, self._runner)

    async def accept(self, scope: Scope, message: Message) -> Stored:
        """Store what `message` asks for and let the agent work on it, unless the same message was accepted before."""
        stored = await self._database.write(agent_tasks.accept, scope, message, self._runner)
        if stored.is_new:
            self._start(scope, stored, resumed=False)
        return stored

    async def find(self, scope: Scope, task_id: str) -> Stored:
        """Return a task as it is now; it is shared, so do not change it. Raises: the SDK's TaskNotFoundError."""
        run = self._live.get(task_id)
        if run is not None and run.scope == scope:
            return Stored(run.task, run.seq)
        return await self._database.read(agent_tasks.find, scope, task_id)

    async def search(self, scope: Scope, request: ListTasksRequest) -> ListTasksResponse:
        """Return a page of tasks, the last changed first. Raises: the SDK's InvalidParamsError."""
        return await self._database.read(agent_tasks.search, scope, request)

    async def follow(self, scope: Scope, task_id: str, seq: int) -> AsyncGenerator[Event]:
        """Yield the events after `seq` in order, each once it is stored, until the task comes to rest."""
        while True:
            run = self._live.get(task_id)
            changed = None if run is None else run.changed
            is_at_rest = run is None and (await self.find(scope, task_id)).task.status.state in AT_REST
            events = None if run is None else run.since(seq)
            if events is None:
                events = await self._database.read(agent_tasks.events_after, task_id, seq)
            for number, event in events:
                yield event
                seq = number
                if isinstance(event, TaskStatusUpdateEvent) and event.status.state in AT_REST:
                    return
            if events:
                continue
            if is_at_rest:
                return
            if changed is None:
                await asyncio.sleep(_POLL_S)
            else:
                await changed.wait()

    async def settle(self, scope: Scope, stored: Stored) -> Task:
        """Wait until the task comes to rest, and return it; it is shared, so do not change it."""
        run = self._live.get(stored.task.id)
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
        run = self._live.get(task_id)
        if run is not None and run.stop is None:
            run.stop = Stop.CANCELED  # before `cancel`: what the agent says about being canceled is not its answer
        if self._agent.cancel is not None:
            with contained(f"the cancel of task {task_id}"):
                await self._agent.cancel(task_id)
        if run is not None:
            await self._stop(run, Stop.CANCELED)
        stored = await self.find(scope, task_id)
        if stored.task.status.state not in ENDED:
            event = to_status(stored.task, TaskState.TASK_STATE_CANCELED)
            stored = await self._database.write(agent_tasks.end, scope, task_id, event, self._runner)
        if stored.task.status.state != TaskState.TASK_STATE_CANCELED:
            _refuse_ended(stored.task)
        return stored.task

    def _start(self, scope: Scope, stored: Stored, *, resumed: bool) -> None:
        run = Run(scope, stored, resumed=resumed)
        self._live[stored.task.id] = run
        run.agent = self._group.create_task(self._ask(run))
        run.agent.add_done_callback(lambda _: run.arrived.set())
        run.writer = self._group.create_task(self._write(run))

    async def _stop(self, run: Run, reason: Stop) -> None:
        """Stop a run and wait until its last event is stored; an agent that does not stop is left behind."""
        run.stop = run.stop or reason
        run.agent.cancel()
        await asyncio.wait({run.agent}, timeout=_CLEAN_UP_S)
        if not run.agent.done():
            logger.warning("an agent does not stop", extra={"a2a_task_id": run.task.id})
        run.is_abandoned = True
        run.arrived.set()
        await asyncio.wait({run.writer})

    async def _ask(self, run: Run) -> None:
        """Ask the agent and hand its updates to the writer."""
        request = to_request(run.task)
        call = request.metadata.get(METADATA_KEY)
        facts = call if isinstance(call, dict) else {}
        task_id, step_id = str(facts.get("task_id") or request.task_id), str(facts.get("step_id") or "")
        with telemetry.bind(task_id=task_id, step_id=step_id, a2a_task_id=request.task_id):
            ending: list[Event] = []
            with contained(f"task {request.task_id}") as failures:
                ending = await self._perform(run, request)
            if run.stop is None:
                await run.tell(run.narrator.fail(failures[0]) if failures else ending)
                logger.info("task done", extra={"failed": bool(failures), "skill": request.skill})

    async def _perform(self, run: Run, request: AgentRequest) -> list[Event]:
        """Hand on what the agent yields, and return the events that end the run."""
        limit_s = self._settings.task_timeout_s
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
                raise TimedOutError(f"The agent was not done after {limit_s:g} s (TASK_TIMEOUT_S).") from error
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
            if self._live.get(run.task.id) is run:  # a follow-up may have begun the next one
                del self._live[run.task.id]
            run.agent.cancel()
            run.wake()

    async def _store_all(self, run: Run) -> None:
        written = 0.0
        while not (run.is_told and not run.waiting):
            await run.arrived.wait()
            run.arrived.clear()
            await run.join_pieces(written + _JOIN_S)
            events, run.waiting = join(run.waiting), []
            if events and not await self._store(run, events):
                return
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
        if not await self._database.write(agent_tasks.add_events, task, run.seq, events, self._runner):
            logger.info("a task was ended by another process", extra={"a2a_task_id": task.id})
            run.stop = run.stop or Stop.HANDED_OVER
            return False
        run.advance(task, events)
        return True

    async def _keep_up(self) -> None:
        """Show that this process is alive, adopt tasks that nobody works on, let go of those taken, delete old ones."""
        pause_s = 6 * _BEAT_S if self._database.is_sqlite else _BEAT_S
        pruned = 0.0
        while True:
            with contained("the upkeep of A2A tasks"):
                if not self._database.is_sqlite:
                    await self._database.write(agent_tasks.beat, self._service, self._runner)
                if monotonic() - pruned > _PRUNE_S or not pruned:
                    kept = timedelta(hours=self._settings.a2a_retention_h)
                    await self._database.write(agent_tasks.prune, self._service, kept)
                    pruned = monotonic()
            await asyncio.sleep(pause_s)
            with contained("the upkeep of A2A tasks"):
                await self._adopt()
                for task_id in await self._database.read(agent_tasks.taken, list(self._live), self._runner):
                    if run := self._live.get(task_id):
                        await self._stop(run, Stop.HANDED_OVER)

    async def _adopt(self) -> None:
        silent_since = None if self._database.is_sqlite else now() - _SILENT
        adopted = await self._database.write(
            agent_tasks.adopt, self._service, self._runner, list(self._live), silent_since
        )
        for scope, stored in adopted:
            logger.info("task found without anyone working on it", extra={"a2a_task_id": stored.task.id})
            if self._resumable:
                self._start(scope, stored, resumed=True)
                continue
            error = InterruptedRunError("The task was interrupted by a restart of its agent. Send the request again.")
            event = to_failure(stored.task, error)
            await self._database.write(agent_tasks.end, scope, stored.task.id, event, self._runner)


@contextmanager
def contained(where: str) -> Generator[list[FederationError]]:
    """Keep a failure inside: the list yielded then holds what may be said about it.

    Unforeseen ones are logged here with their stack, the one place that catches them; their texts go no further.
    """
    failures: list[FederationError] = []
    try:
        yield failures
    except FederationError as error:
        logger.info("failed", extra={"where": where, "error": error.slug, "detail": error.detail})
        failures.append(error)
    except Exception:
        logger.exception("failed unexpectedly", extra={"where": where})
        failures.append(FederationError(f"The agent failed unexpectedly; its log has the details under {where}."))


def _refuse_ended(task: Task) -> None:
    if task.status.state in ENDED:
        raise TaskNotCancelableError(f"Task {task.id} has ended: {TaskState.Name(task.status.state)}.")
