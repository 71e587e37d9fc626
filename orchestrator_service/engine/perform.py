"""One step, from its first try to its outcome. What was begun by an earlier life is gone on with, not begun anew.

Before anything is sent, the try and its message id are stored; the remote task's id is stored as soon as it is known.
A try with a remote id follows that task; one without sends the same message again, which the agent knows.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection

from orchestrator_service import ancestry, choosing
from orchestrator_service.choosing import NoAgentError
from orchestrator_service.credentials import Credentials
from orchestrator_service.engine import deadlines, questions, retrying, step_records, task_records
from orchestrator_service.engine.conversations import Conversations
from orchestrator_service.engine.ends import Ends
from orchestrator_service.engine.gates import Gates
from orchestrator_service.engine.leftovers import Leftovers
from orchestrator_service.engine.listen import Listener
from orchestrator_service.engine.retrying import Next, RemoteFailureError
from orchestrator_service.engine.settle import Settler
from orchestrator_service.engine.step_records import Rules
from orchestrator_service.engine.suspensions import Suspensions
from orchestrator_service.engine.trying import Answered, Ending, Failed, Trying
from orchestrator_service.engine.waits import Waits
from orchestrator_service.engine.work import Move, OpenAttempt, StaleRunError, StepEnd, StepWork
from orchestrator_service.event_log import EventLog
from orchestrator_service.events import draft
from orchestrator_service.keys import Keys
from orchestrator_service.settings import Settings
from orchestrator_service.spawning import Spawner
from shared import failpoints
from shared.agent import Usage
from shared.agent_client import AgentConnection, Deadlines, Ended, Started
from shared.ahead import before_calls, committed
from shared.db import DatabaseUnavailableError
from shared.errors import (
    AgentFailedError,
    AgentProtocolError,
    AgentUnavailableError,
    FederationError,
    TimedOutError,
    TooLargeError,
)

logger = logging.getLogger(__name__)


class Performer:
    """Performs steps.

    `rules` gives the rules of now; `confirm` returns once it is sure that this process is not taken for dead.
    """

    def __init__(
        self,
        settings: Settings,
        log: EventLog,
        keys: Keys,
        credentials: Credentials,
        gates: Gates,
        waits: Waits,
        ends: Ends,
        settler: Settler,
        spawner: Spawner,
        *,
        rules: Callable[[], Rules],
        confirm: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._log = log
        self._conversations = Conversations(settings, log.database, keys, credentials)
        self.leftovers = Leftovers(log.database, self._conversations, confirm)
        self._gates = gates
        self._waits = waits
        self._ends = ends
        self._settler = settler
        self._spawner = spawner
        self._rules = rules
        self._confirm = confirm
        self._places = defaultdict[int, asyncio.Semaphore](lambda: asyncio.Semaphore(settings.max_steps_at_once))
        """By how far from the first request a task is: a step may wait for one of a sub-task, never the other way."""
        self.suspensions = Suspensions()
        self._following: dict[str, tuple[AgentConnection, str | None]] = {}

    async def perform(self, work: StepWork) -> Move:
        """Perform the step and record how it went. Foreseen failures are recorded, not raised.

        Raises: StaleRunError, DatabaseUnavailableError; another worker goes on with the step then.
        """
        if work.settling is not None:
            return await self._settler.settle(work, work.settling)
        run = work.run
        calls = deadlines.of_calls(self._settings, run)
        limit = deadlines.of_step(self._settings, run, work.step)
        trying = Trying(work)
        try:
            async with self._waits.until(run.task_id, limit.at):
                if work.canceling:
                    raise TimeoutError
                ending = await self._try_until_done(trying, calls)
        except TimeoutError:
            if work.canceling or self._waits.is_canceled(run.task_id):
                is_told = await self._tell_to_end(trying, calls)
                move = await self._ends.record(
                    StepEnd(trying.work, canceled=True, is_left=not is_told, remote=trying.remote)
                )
                self._ask_later(trying, calls, is_told=is_told)
                return move
            if trying.is_calling and trying.work.attempt is not None:
                self._gates.gate(trying.work.attempt.agent_id).failed()
            ending = Failed(trying.work, TimedOutError(limit.says))
        if isinstance(ending, Answered) and ending.ended.state in {"input_required", "auth_required"}:
            ending = await self._check_question(ending)
        return await self._record(ending, trying, calls)

    def nudge(self, step: str) -> None:
        """Ask how a remote task stands, for its agent says that there is news. `step` is TASK/STEP."""
        connection, remote_task_id = self._following.get(step, (None, None))
        if connection is not None and remote_task_id is not None:
            connection.nudge(remote_task_id)

    async def fail(self, work: StepWork, error: FederationError) -> Move:
        """Record that the step failed for a reason outside of it."""
        return await self._ends.record(StepEnd(work, error=error.to_metadata()))

    async def _check_question(self, asked: Answered) -> Ending:
        """Refuse a question that goes round in a circle."""
        work = asked.work
        earlier = await self._log.database.read(questions.prompts_of, work.run.task_id, work.step.id)
        try:
            ancestry.check_prompts(earlier, asked.ended.text)
        except ancestry.LoopDetectedError as error:
            return Failed(work, error)
        return asked

    async def _record(self, ending: Ending, trying: Trying, calls: Deadlines) -> Move:
        work = ending.work
        match ending:
            case Answered(ended=ended, remote=remote, drafts=drafts):
                failpoints.reach("step-done")
                if ended.state in {"input_required", "auth_required"}:
                    move = await self._log.write(
                        task_records.ask,
                        work,
                        self._rules(),
                        ended.text,
                        ended.schema,
                        is_auth=ended.state == "auth_required",
                        remote=remote,
                        drafts=drafts,
                    )
                else:
                    move = await self._ends.record(StepEnd(work, retrying.output(ended), remote=remote, drafts=drafts))
            case Failed(error=error):
                logger.info("step failed", extra={"error": error.slug, "detail": error.detail})
                has_ended = isinstance(error, RemoteFailureError)
                is_told = has_ended or await self._tell_to_end(trying, calls)
                brought = error.output if isinstance(error, RemoteFailureError) else None
                move = await self._ends.record(
                    StepEnd(work, brought, trying.told(error), is_left=not is_told, remote=trying.remote)
                )
                self._ask_later(trying, calls, is_told=is_told)
        failpoints.reach("step-recorded")
        return move

    async def _try_until_done(self, trying: Trying, calls: Deadlines) -> Ending:
        """Try, and try again where that can help."""
        while True:
            work = trying.work
            try:
                if work.refusal is not None or work.attempt is None:
                    raise work.refusal or AgentProtocolError("The step has no agent.")
                return await self._try_once(trying, work.attempt, calls)
            except (StaleRunError, DatabaseUnavailableError):
                raise
            except FederationError as error:
                if not trying.has_spawned and step_records.is_spawnable(error, self._rules()):
                    await self._spawn(trying, str(trying.work.step.skill))
                    continue
                failures = trying.fail(error)
                following = retrying.following(
                    trying.work,
                    error,
                    failures=failures,
                    of_this_try=trying.failures_of_try,
                    has_begun=trying.remote_id is not None,
                    tries=self._settings.step_attempts,
                )
                if following == "give up":
                    return Failed(trying.work, error)
                await self._pause_before(trying.work, error, failures, following)
                if following == "another try":
                    await self._begin_another(trying, error, calls)
                else:
                    self._go_on(trying)

    async def _pause_before(self, work: StepWork, error: FederationError, failures: int, following: Next) -> None:
        """Tell what went wrong, and leave the agent alone for a while, unless another one can do it at once."""
        has_other = following == "another try" and await self._log.database.read(_has_other, work, self._rules())
        pause_s = 0.0 if has_other else retrying.pause_s(error, failures, is_affordable=self._pays(work, error))
        name = "" if work.attempt is None else f"{work.attempt.agent_name}: "
        then = "Trying another agent." if has_other else f"Trying again in {pause_s:.1f} s."
        told = [draft("step.progress", step_id=work.step.id, text=f"{name}{error.detail} {then}")]
        await self._log.write(task_records.tell, work.run, told)
        await asyncio.sleep(pause_s)

    def _pays(self, work: StepWork, error: FederationError) -> bool:
        """Take one more call from the agent's budget of retries; one that was not made costs nothing."""
        if work.attempt is None or error.facts.get("resting") is True:
            return True
        return self._gates.gate(work.attempt.agent_id).may_retry()

    async def _begin_another(self, trying: Trying, error: FederationError, calls: Deadlines) -> None:
        """Begin another try; what the last one may have left at work is to end."""
        work = trying.work
        is_told = isinstance(error, RemoteFailureError) or await self._tell_to_end(trying, calls)
        ended = None if work.attempt is None else trying.told(error)
        spent = error.output.usage if isinstance(error, RemoteFailureError) else Usage()
        following = await self._log.write(
            task_records.try_again,
            work,
            self._rules(),
            ended,
            spent,
            trying.remote,
            is_left=not is_told,
        )
        self._ask_later(trying, calls, is_told=is_told)
        trying.work = following
        trying.failures_of_try = 0
        trying.remote = None

    async def _spawn(self, trying: Trying, skill: str) -> None:
        """Begin an agent that has the skill, and give the step to it; where that cannot be, the refusal says why."""
        trying.has_spawned = True
        work = trying.work
        try:
            await self._spawner.spawn(work.run.tenant_id, skill)
        except DatabaseUnavailableError:
            raise
        except FederationError as error:
            detail = f"No registered agent has the skill {skill!r}, and none can be begun: {error.detail}"
            trying.work = replace(work, refusal=NoAgentError(detail))
        else:
            again = task_records.try_again
            trying.work = await self._log.write(again, work, self._rules(), None, Usage(), None, is_left=False)

    def _go_on(self, trying: Trying) -> None:
        """Go on with the same try: by the remote task if it is known, else by the same message."""
        work = trying.work
        if work.attempt is not None:
            remote_id, context_id = trying.remote or (work.attempt.remote_task_id, work.attempt.remote_context_id)
            attempt = replace(work.attempt, remote_task_id=remote_id, remote_context_id=context_id, may_have_begun=True)
            trying.work = replace(work, attempt=attempt)

    async def _try_once(self, trying: Trying, attempt: OpenAttempt, calls: Deadlines) -> Ending:
        work = trying.work
        gate = self._gates.gate(attempt.agent_id)
        if gate.state != "closed":
            await committed()  # the one call that may be tried is one that is made
        if (rest_s := gate.may_try()) > 0:
            raise AgentUnavailableError(
                f"{attempt.agent_name} failed too often lately and is left alone for {rest_s:.0f} s.",
                reached=False,
                retry_after_s=rest_s,
                resting=True,
            )
        connection = await self._conversations.connect(attempt)
        ended: Ended | None = None
        place = f"{work.run.task_id}/{work.step.id}"
        async with (
            self.suspensions.calling(attempt.agent_id, attempt.agent_name),
            gate.place(attempt.max_concurrency),
            self._places[ancestry.hops(work.run.ancestry)],
        ):
            await before_calls(partial(self._begin_calls, trying))
            try:
                async with Listener(self._log, work) as listener:
                    self._following[place] = (connection, attempt.remote_task_id)
                    async with aclosing(self._conversations.begin(connection, work, attempt, calls)) as events:
                        async for event in events:
                            match event:
                                case Ended():
                                    ended = event
                                case Started(remote_task_id, context_id):
                                    failpoints.reach("step-sent")
                                    gate.succeeded()
                                    trying.hear((remote_task_id, context_id))
                                    self._following[place] = (connection, remote_task_id)
                                    listener.hear(event)
                                case _:
                                    listener.hear(event)
                                    failpoints.reach("step-streaming")
                    if ended is None:
                        raise AgentProtocolError("The agent's task neither ended nor asked for anything.")
                    await listener.settle()
                    remote, drafts = listener.take()
            except (AgentUnavailableError, AgentProtocolError, TimedOutError, TooLargeError):
                gate.failed()
                raise
            except AgentFailedError:
                gate.succeeded()  # it answered, and refused
                raise
            finally:
                self._following.pop(place, None)
            gate.succeeded()
        if ended.state in {"failed", "rejected", "canceled"}:
            raise RemoteFailureError(ended)
        return Answered(work, ended, remote, drafts)

    async def _begin_calls(self, trying: Trying) -> None:
        await self._confirm()
        trying.is_calling = True
        failpoints.reach("step-begun")

    async def _tell_to_end(self, trying: Trying, calls: Deadlines) -> bool:
        """Tell the remote task that it is to end; False if its agent does not answer, and is to be told later."""
        await committed()
        attempt = trying.work.attempt
        if attempt is None or not (trying.may_have_begun or trying.remote_id):
            return True
        known = trying.remote
        if known is None and attempt.remote_task_id is not None:
            known = attempt.remote_task_id, attempt.remote_context_id or ""
        await self._confirm()
        trying.remote, is_told = await self.leftovers.tell(trying.work, attempt, known, calls)
        return is_told

    def _ask_later(self, trying: Trying, calls: Deadlines, *, is_told: bool) -> None:
        """See that a remote task is told whose id is not known; only now, for the end of its try is recorded."""
        if not is_told and trying.remote is None and trying.work.attempt is not None:
            self.leftovers.ask_later(trying.work, trying.work.attempt, calls)


def _has_other(connection: Connection, work: StepWork, rules: Rules) -> bool:
    """Tell whether an agent that has not tried the step yet can be called now."""
    run, step = work.run, work.step
    tried = {row["agent_id"] for row in step_records.tries_of(connection, run.task_id, step.id)}
    try:
        choice = choosing.choose(
            connection, run.tenant_id, step.skill, step.agent, step.instruction, tried, rules.resting
        )
    except FederationError:
        return False
    return choice.agent_id not in tried
