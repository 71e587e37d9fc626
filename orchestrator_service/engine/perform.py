"""One step, from choosing an agent to its outcome. Re-entrant: run again after a crash, it attaches to what it began.

Before anything is sent, the try and its message id are stored; the remote task's id is stored as soon as it is known.
Run again, a try with a remote id follows that task; one without sends the same message, which the agent knows.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Final, Literal, cast
from uuid import UUID, uuid5

import httpx

from orchestrator_service.choosing import AgentsAwayError
from orchestrator_service.engine import step_records
from orchestrator_service.engine.decide import Outcome
from orchestrator_service.engine.listen import listening
from orchestrator_service.events import EventLog
from orchestrator_service.keys import Keys
from orchestrator_service.planning.plan import PlanStep, fill
from orchestrator_service.settings import Settings
from shared import agent_client
from shared.agent import JsonObject
from shared.agent_client import AgentConnection, Deadlines, Ended, OutgoingMessage, RemoteEvent
from shared.db import DatabaseUnavailableError, now
from shared.errors import AgentProtocolError, FederationError, TimedOutError

logger = logging.getLogger(__name__)

_REPLIES: Final = UUID("b7c1f7b0-3d50-4f0e-8b0e-9f0a3c5d7e21")
_CANCEL_S: Final = 1.0
_MAX_RECONNECTS: Final = 8
_MAX_PAUSE_S: Final = 30.0
_MAX_CONNECTIONS: Final = 1_000

Next = Literal["give up", "same try", "another try"]


class RemoteFailureError(FederationError):
    """An agent ended its task as failed, and says whether to try again. `output` is what it brought all the same."""

    slug = "agent-failed"
    title = "The agent reported a failure"
    status = 502

    def __init__(self, ended: Ended) -> None:
        failure = ended.error
        detail = failure.detail if failure is not None else "The agent canceled the task itself."
        super().__init__(detail)
        self.output = _output(ended)
        self.is_retryable = failure is not None and failure.retryable
        self._type = failure.type if failure is not None else self.slug
        self._title = failure.title if failure is not None else self.title

    def to_metadata(self) -> JsonObject:
        """Return what the agent said of its failure."""
        return {"type": self._type, "title": self._title, "detail": self.detail, "retryable": self.is_retryable}


class Performer:
    """Performs steps. `cancel` makes those of a task end at once."""

    def __init__(self, settings: Settings, log: EventLog, keys: Keys, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._log = log
        self._keys = keys
        self._client = client
        self._places = asyncio.Semaphore(settings.max_steps_at_once)
        self._waits: dict[str, set[asyncio.Timeout]] = {}
        self._connections: dict[str, tuple[tuple[str, bytes | None], AgentConnection]] = {}

    def cancel(self, task_id: str) -> None:
        """Wake the task's steps, so that they see that the task is to end."""
        for wait in self._waits.get(task_id, ()):
            wait.reschedule(asyncio.get_running_loop().time())

    async def perform(self, task_id: str, run: int, step: PlanStep) -> Outcome:
        """Perform the step and record how it went. Foreseen failures are outcomes, not exceptions."""
        work, refusal = await self._begin(task_id, step)
        if work.ended is not None:
            return work.ended
        if work.run != run:
            return Outcome("input_required")  # an answer has started a later run: the step is that one's
        timeout_s = step.timeout_s or self._settings.step_timeout_s
        deadline_at = min(work.deadline_at, now() + timedelta(seconds=timeout_s))
        try:
            async with self._until(task_id, deadline_at):
                if work.cancel_requested:
                    raise TimeoutError
                return await self._try_until_done(work, refusal, deadline_at)
        except TimeoutError:
            return await self._stop(task_id, step, deadline_at)

    async def fail(self, task_id: str, step: PlanStep, error: FederationError) -> Outcome:
        """Record that the step failed for a reason outside of it."""
        work = await self._log.database.read(step_records.step_work, task_id, step)
        number = None if work.attempt is None else work.attempt.number
        return await self._log.write(task_id, step_records.end_step, work, number, "failed", error=error.to_metadata())

    async def _try_until_done(
        self, work: step_records.StepWork, refusal: FederationError | None, deadline_at: datetime
    ) -> Outcome:
        """Try, and try again where that can help. `refusal` is why no try has begun, if none has."""
        failures = 0
        while True:
            try:
                if work.attempt is None:
                    raise refusal or AgentProtocolError("The step's agent was removed while it worked.")
                async with self._places:
                    return await self._try(work, work.attempt)
            except FederationError as error:
                failures += 1
                following = self._next(work, error, failures)
                pause_s = _pause_s(error, failures, f"{work.task_id}/{work.step.id}")
                if following == "give up" or now() + timedelta(seconds=pause_s) >= deadline_at:
                    return await self._end_failed(work, error)
                if following == "another try" and work.attempt is not None:
                    note = f"{work.attempt.agent_name}: {error.detail} Trying again in {pause_s:.1f} s."
                    await self._log.write(
                        work.task_id,
                        step_records.end_attempt,
                        work,
                        work.attempt.number,
                        error.to_metadata(),
                        note,
                    )
            await asyncio.sleep(pause_s)
            work, refusal = await self._begin(work.task_id, work.step)

    async def _begin(self, task_id: str, step: PlanStep) -> tuple[step_records.StepWork, FederationError | None]:
        """Return the step with a try under way, or without one and with the reason."""
        try:
            return await self._log.write(task_id, step_records.begin_step, task_id, step), None
        except DatabaseUnavailableError:
            raise
        except FederationError as error:
            return await self._log.database.read(step_records.step_work, task_id, step), error

    async def _try(self, work: step_records.StepWork, attempt: step_records.OpenAttempt) -> Outcome:
        connection = self._connect(attempt)
        ended: Ended | None = None
        async with listening(self._log, work, attempt.number) as listener:
            async with aclosing(_converse(connection, work, attempt)) as events:
                async for event in events:
                    if isinstance(event, Ended):
                        ended = event
                    else:
                        listener.hear(event)
            if ended is None:
                raise AgentProtocolError("The agent's task neither ended nor asked for anything.")
            if ended.state in {"failed", "rejected", "canceled"}:
                raise RemoteFailureError(ended)
            await listener.settle()
            remote, drafts = listener.take()
            if ended.state in {"input_required", "auth_required"}:
                schema = cast("JsonObject | None", ended.facts.get("schema"))
                await self._log.write(
                    work.task_id, step_records.ask, work, attempt.number, ended.text, schema, remote, drafts
                )
                return Outcome("input_required")
            return await self._log.write(
                work.task_id,
                step_records.end_step,
                work,
                attempt.number,
                "completed",
                output=_output(ended),
                remote=remote,
                drafts=drafts,
            )

    def _next(self, work: step_records.StepWork, error: FederationError, failures: int) -> Next:
        """Decide what follows a failure. A message that an agent may have got is never sent anew blindly.

        An agent that cannot be reached may just be starting anew: that is waited out a little longer than what an
        agent itself reports.
        """
        facts = error.facts
        is_away = facts.get("reached") is False or isinstance(error, AgentsAwayError)
        has_begun = "remote_task_id" in facts and not facts.get("task_lost")
        most = (
            _MAX_RECONNECTS
            if (is_away or has_begun) and self._settings.step_attempts > 1
            else self._settings.step_attempts
        )
        if not (error.is_retryable if isinstance(error, RemoteFailureError) else error.retryable) or failures >= most:
            return "give up"
        if has_begun:
            return "same try"
        if isinstance(error, RemoteFailureError) or is_away:
            return "another try"
        if "remote_task_id" in facts:
            return "another try" if work.step.idempotent else "give up"
        return "same try"

    async def _end_failed(self, work: step_records.StepWork, error: FederationError) -> Outcome:
        logger.info("step failed", extra={"error": error.slug, "detail": error.detail})
        return await self._log.write(
            work.task_id,
            step_records.end_step,
            work,
            None if work.attempt is None else work.attempt.number,
            "failed",
            output=error.output if isinstance(error, RemoteFailureError) else None,
            error=error.to_metadata(),
        )

    async def _stop(self, task_id: str, step: PlanStep, deadline_at: datetime) -> Outcome:
        """End the step because the task is canceled or its time is up; the remote task is told so."""
        work = await self._log.database.read(step_records.step_work, task_id, step)
        if work.ended is not None:
            return work.ended
        if work.attempt is not None and work.attempt.remote_task_id is not None:
            with suppress(FederationError, TimeoutError):
                async with asyncio.timeout(_CANCEL_S):
                    await self._connect(work.attempt).cancel(work.attempt.remote_task_id)
        number = None if work.attempt is None else work.attempt.number
        if work.cancel_requested:
            return await self._log.write(task_id, step_records.end_step, work, number, "canceled")
        of_task = deadline_at >= work.deadline_at
        setting = "the task's deadline (TASK_TIMEOUT_S)" if of_task else "its time limit (timeout_s, STEP_TIMEOUT_S)"
        error = TimedOutError(f"The step did not end before {setting} passed.")
        return await self._log.write(task_id, step_records.end_step, work, number, "failed", error=error.to_metadata())

    def _connect(self, attempt: step_records.OpenAttempt) -> AgentConnection:
        """Return the connection to the agent, kept as long as its card and credentials stay the same."""
        known = self._connections.get(attempt.agent_id)
        if known is not None and known[0] == (attempt.card_hash, attempt.credentials):
            return known[1]
        settings = self._settings
        connection = agent_client.connect(
            self._client,
            agent_client.parse_card(attempt.card),
            headers={} if attempt.credentials is None else self._keys.unseal(attempt.credentials),
            deadlines=Deadlines(gap_s=settings.stream_gap_timeout_s, total_s=settings.task_timeout_s),
        )
        if len(self._connections) >= _MAX_CONNECTIONS:
            self._connections.clear()
        self._connections[attempt.agent_id] = ((attempt.card_hash, attempt.credentials), connection)
        return connection

    @asynccontextmanager
    async def _until(self, task_id: str, deadline_at: datetime) -> AsyncGenerator[None]:
        """Raise TimeoutError inside at the deadline, or at once when the task is canceled."""
        waits = self._waits.setdefault(task_id, set())
        try:
            async with asyncio.timeout((deadline_at - now()).total_seconds()) as wait:
                waits.add(wait)
                try:
                    yield
                finally:
                    waits.discard(wait)
        finally:
            if not self._waits.get(task_id):
                self._waits.pop(task_id, None)


def _converse(
    connection: AgentConnection, work: step_records.StepWork, attempt: step_records.OpenAttempt
) -> AsyncGenerator[RemoteEvent]:
    """Answer the remote task, follow it, or send the message that begins it."""
    if work.reply is not None and attempt.remote_task_id is not None:
        reply = work.reply
        return connection.send(
            OutgoingMessage(
                message_id=str(uuid5(_REPLIES, reply.input_id)),
                text=reply.text,
                data=() if reply.data is None else (reply.data,),
                task_id=attempt.remote_task_id,
                context_id=attempt.remote_context_id,
            )
        )
    if attempt.remote_task_id is not None:
        return connection.follow(attempt.remote_task_id)
    step = work.step
    inputs = {name: fill(value, work.values) for name, value in step.inputs.items() if name != "files"}
    return connection.send(
        OutgoingMessage(
            message_id=attempt.message_id,
            text=cast("str", fill(step.instruction, work.values)),
            data=(inputs,) if inputs else (),
            files=work.files,
            skill=step.skill,
            metadata={"task_id": work.task_id, "step_id": step.id},
        )
    )


def _output(ended: Ended) -> step_records.Output:
    return step_records.Output(ended.text, ended.data, ended.files, ended.usage)


def _pause_s(error: FederationError, failures: int, seed: str) -> float:
    """Return the pause before the next try, in seconds: what the agent asks for, else full jitter, seeded by the step.

    Source: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
    """
    asked_s = error.facts.get("retry_after_s")
    if isinstance(asked_s, int | float):
        return min(float(asked_s), 2 * _MAX_PAUSE_S)
    return random.Random(f"{seed}/{failures}").uniform(0.05, min(_MAX_PAUSE_S, 0.25 * 2**failures))
