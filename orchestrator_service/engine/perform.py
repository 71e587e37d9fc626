"""One step, from its first try to its outcome. What was begun by an earlier life is gone on with, not begun anew.

Before anything is sent, the try and its message id are stored; the remote task's id is stored as soon as it is known.
A try with a remote id follows that task; one without sends the same message again, which the agent knows.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, TypeAlias, cast
from uuid import UUID, uuid5

from orchestrator_service import ancestry, choosing
from orchestrator_service.engine import retrying, step_records, task_records
from orchestrator_service.engine.gates import Gates
from orchestrator_service.engine.listen import listening
from orchestrator_service.engine.retrying import Next, RemoteFailureError
from orchestrator_service.engine.step_records import Remote, Rules
from orchestrator_service.engine.waits import Waits
from orchestrator_service.engine.work import Move, OpenAttempt, Output, StaleRunError, StepWork
from orchestrator_service.events import Draft, EventLog, draft
from orchestrator_service.keys import Keys
from orchestrator_service.planning.plan import fill
from orchestrator_service.settings import Settings
from shared import agent_client, failpoints, http
from shared.agent import JsonObject, Usage
from shared.agent_client import AgentConnection, Deadlines, Ended, OutgoingMessage, PushConfig, RemoteEvent, Started
from shared.db import DatabaseUnavailableError, now
from shared.errors import (
    AgentFailedError,
    AgentProtocolError,
    AgentUnavailableError,
    FederationError,
    TimedOutError,
    TooLargeError,
)

logger = logging.getLogger(__name__)

_REPLIES: Final = UUID("b7c1f7b0-3d50-4f0e-8b0e-9f0a3c5d7e21")
_CANCEL_S: Final = 1.0
_MAX_CONNECTIONS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Answered:
    """The agent's task came to an end or asks for something; with what is not written yet of it."""

    work: StepWork
    ended: Ended
    remote: Remote | None
    drafts: list[Draft]


@dataclass(frozen=True, slots=True)
class Failed:
    """The step cannot be done."""

    work: StepWork
    error: FederationError


Ending: TypeAlias = Answered | Failed


@dataclass(slots=True)
class _Trying:
    """How far the tries of a step are; kept outside of the wait that may end it at any point."""

    work: StepWork
    failures: int = 0
    failures_of_try: int = 0
    remote: Remote | None = None

    @property
    def remote_id(self) -> str | None:
        """The id of the agent's task, as far as it is known."""
        if self.remote is not None:
            return self.remote[0]
        return None if self.work.attempt is None else self.work.attempt.remote_task_id


class Performer:
    """Performs steps.

    `rules` gives the rules of now; `confirm` returns once it is sure that this process is not taken for dead.
    """

    def __init__(
        self,
        settings: Settings,
        log: EventLog,
        keys: Keys,
        client: http.Client,
        gates: Gates,
        waits: Waits,
        *,
        rules: Callable[[], Rules],
        confirm: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._log = log
        self._keys = keys
        self._client = client
        self._gates = gates
        self._waits = waits
        self._rules = rules
        self._confirm = confirm
        self._places = asyncio.Semaphore(settings.max_steps_at_once)
        self._following: dict[str, tuple[AgentConnection, str | None]] = {}
        self._connections: dict[str, tuple[tuple[str, bytes | None], AgentConnection]] = {}

    async def perform(self, work: StepWork) -> Move:
        """Perform the step and record how it went. Foreseen failures are recorded, not raised.

        Raises: StaleRunError, DatabaseUnavailableError; another worker goes on with the step then.
        """
        run = work.run
        deadlines = self._deadlines(work)
        step_s = work.step.timeout_s or _seconds(run.request, "step_s") or self._settings.step_timeout_s
        deadline_at = min(run.deadline_at, now() + timedelta(seconds=step_s))
        trying = _Trying(work)
        try:
            async with self._waits.until(run.task_id, deadline_at):
                if work.canceling:
                    raise TimeoutError
                ending = await self._try_until_done(trying, deadlines)
        except TimeoutError:
            await self._cancel_remote(trying, deadlines)
            if work.canceling or self._waits.is_canceled(run.task_id):
                return await self._log.write(
                    run.task_id, task_records.end_step, trying.work, self._rules(), canceled=True, remote=trying.remote
                )
            if trying.work.attempt is not None:
                self._gates.gate(trying.work.attempt.agent_id).failed()
            of_task = deadline_at >= run.deadline_at
            limit = "the task's deadline (TASK_TIMEOUT_S)" if of_task else "its time limit (timeout_s, STEP_TIMEOUT_S)"
            ending = Failed(trying.work, TimedOutError(f"The step did not end before {limit} passed."))
        if isinstance(ending, Answered) and ending.ended.state in {"input_required", "auth_required"}:
            ending = await self._check_question(ending)
        return await self._record(ending, trying, deadlines)

    def nudge(self, step: str) -> None:
        """Ask how a remote task stands, for its agent says that there is news. `step` is TASK/STEP."""
        connection, remote_task_id = self._following.get(step, (None, None))
        if connection is not None and remote_task_id is not None:
            connection.nudge(remote_task_id)

    async def fail(self, work: StepWork, error: FederationError) -> Move:
        """Record that the step failed for a reason outside of it."""
        return await self._log.write(
            work.run.task_id, task_records.end_step, work, self._rules(), error=error.to_metadata()
        )

    async def _check_question(self, asked: Answered) -> Ending:
        """Refuse a question that goes round in a circle."""
        work = asked.work
        earlier = await self._log.database.read(step_records.prompts_of, work.run.task_id, work.step.id)
        try:
            ancestry.check_prompts(earlier, asked.ended.text)
        except ancestry.LoopDetectedError as error:
            return Failed(work, error)
        return asked

    async def _record(self, ending: Ending, trying: _Trying, deadlines: Deadlines) -> Move:
        work, rules = ending.work, self._rules()
        task_id = work.run.task_id
        match ending:
            case Answered(ended=ended, remote=remote, drafts=drafts):
                failpoints.reach("step-done")
                if ended.state in {"input_required", "auth_required"}:
                    schema = cast("JsonObject | None", ended.facts.get("schema"))
                    move = await self._log.write(
                        task_id,
                        task_records.ask,
                        work,
                        rules,
                        ended.text,
                        schema,
                        is_auth=ended.state == "auth_required",
                        remote=remote,
                        drafts=drafts,
                    )
                else:
                    move = await self._log.write(
                        task_id,
                        task_records.end_step,
                        work,
                        rules,
                        output=_output(ended),
                        remote=remote,
                        drafts=drafts,
                    )
            case Failed(error=error):
                logger.info("step failed", extra={"error": error.slug, "detail": error.detail})
                if not isinstance(error, RemoteFailureError):
                    await self._cancel_remote(trying, deadlines)
                move = await self._log.write(
                    task_id,
                    task_records.end_step,
                    work,
                    rules,
                    output=error.output if isinstance(error, RemoteFailureError) else None,
                    error=_told(error),
                )
        failpoints.reach("step-recorded")
        return move

    async def _try_until_done(self, trying: _Trying, deadlines: Deadlines) -> Ending:
        """Try, and try again where that can help."""
        while True:
            work = trying.work
            try:
                if work.refusal is not None or work.attempt is None:
                    raise work.refusal or AgentProtocolError("The step has no agent.")
                return await self._try_once(trying, work.attempt, deadlines)
            except (StaleRunError, DatabaseUnavailableError):
                raise
            except FederationError as error:
                trying.failures += 1
                trying.failures_of_try += 1
                following = retrying.following(
                    work,
                    error,
                    failures=trying.failures,
                    of_this_try=trying.failures_of_try,
                    has_begun=trying.remote_id is not None,
                    tries=self._settings.step_attempts,
                )
                if following == "give up":
                    return Failed(work, error)
                gate = None if work.attempt is None else self._gates.gate(work.attempt.agent_id)
                is_affordable = gate is None or gate.may_retry()
                pause_s = retrying.pause_s(error, trying.failures, is_affordable=is_affordable)
                await self._pause_before(trying, error, following, pause_s)

    async def _pause_before(self, trying: _Trying, error: FederationError, following: Next, pause_s: float) -> None:
        work = trying.work
        name = "" if work.attempt is None else f"{work.attempt.agent_name}: "
        note = f"{name}{error.detail} Trying again in {pause_s:.1f} s."
        told = [draft("step.progress", step_id=work.step.id, text=note)]
        await self._log.write(work.run.task_id, task_records.tell, work.run, told)
        await asyncio.sleep(pause_s)
        if following == "another try":
            ended = None if work.attempt is None else _told(error)
            spent = error.output.usage if isinstance(error, RemoteFailureError) else Usage()
            trying.work = await self._log.write(
                work.run.task_id, task_records.try_again, work, self._rules(), ended, spent
            )
            trying.failures_of_try = 0
            trying.remote = None
        elif work.attempt is not None:
            remote_id, context_id = trying.remote or (work.attempt.remote_task_id, work.attempt.remote_context_id)
            attempt = replace(work.attempt, remote_task_id=remote_id, remote_context_id=context_id, may_have_begun=True)
            trying.work = replace(work, attempt=attempt)

    async def _try_once(self, trying: _Trying, attempt: OpenAttempt, deadlines: Deadlines) -> Ending:
        work = trying.work
        gate = self._gates.gate(attempt.agent_id)
        if (rest_s := gate.may_try()) > 0:
            raise AgentUnavailableError(
                f"{attempt.agent_name} failed too often lately and is left alone for {rest_s:.0f} s.",
                reached=False,
                retry_after_s=rest_s,
                resting=True,
            )
        connection = await self._connect(attempt)
        ended: Ended | None = None
        place = f"{work.run.task_id}/{work.step.id}"
        async with gate.place(attempt.max_concurrency), self._places:
            await self._confirm()
            failpoints.reach("step-begun")
            try:
                async with listening(self._log, work) as listener:
                    self._following[place] = (connection, attempt.remote_task_id)
                    async with aclosing(self._converse(connection, work, attempt, deadlines)) as events:
                        async for event in events:
                            match event:
                                case Ended():
                                    ended = event
                                case Started(remote_task_id, context_id):
                                    failpoints.reach("step-sent")
                                    gate.succeeded()
                                    trying.remote = (remote_task_id, context_id)
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

    async def _cancel_remote(self, trying: _Trying, deadlines: Deadlines) -> None:
        """Tell the remote task that it is to end; one whose id is not known is asked for by the same message."""
        work = trying.work
        if work.attempt is None:
            return
        with suppress(FederationError, TimeoutError):
            async with asyncio.timeout(_CANCEL_S):
                connection = await self._connect(work.attempt)
                if trying.remote_id is None and work.attempt.may_have_begun:
                    async with aclosing(self._converse(connection, work, work.attempt, deadlines)) as events:
                        async for event in events:
                            if isinstance(event, Started):
                                trying.remote = (event.remote_task_id, event.context_id)
                            break
                if trying.remote_id is not None:
                    await connection.cancel(trying.remote_id)

    def _deadlines(self, work: StepWork) -> Deadlines:
        """Return the deadlines of the step's calls: the task's own, else those of the settings."""
        settings, request = self._settings, work.run.request
        return Deadlines(
            connect_s=_seconds(request, "connect_s") or settings.connect_timeout_s,
            first_byte_s=_seconds(request, "first_byte_s") or settings.first_byte_timeout_s,
            gap_s=_seconds(request, "gap_s") or settings.stream_gap_timeout_s,
            total_s=max((work.run.deadline_at - now()).total_seconds(), 1.0),
        )

    async def _connect(self, attempt: OpenAttempt) -> AgentConnection:
        """Return the connection to the agent, kept as long as its card and credentials stay the same."""
        known = self._connections.get(attempt.agent_id)
        if known is not None and known[0] == (attempt.card_hash, attempt.credentials):
            return known[1]
        connection = agent_client.connect(
            self._client,
            agent_client.parse_card(await self._log.database.read(choosing.card, attempt.agent_id)),
            headers={} if attempt.credentials is None else self._keys.unseal(attempt.credentials),
        )
        if len(self._connections) >= _MAX_CONNECTIONS:
            self._connections.clear()
        self._connections[attempt.agent_id] = ((attempt.card_hash, attempt.credentials), connection)
        return connection

    def _converse(
        self, connection: AgentConnection, work: StepWork, attempt: OpenAttempt, deadlines: Deadlines
    ) -> AsyncGenerator[RemoteEvent]:
        """Answer the remote task, follow it, or send the message that begins it."""
        if work.reply is not None and attempt.remote_task_id is not None:
            reply = work.reply
            message = OutgoingMessage(
                message_id=str(uuid5(_REPLIES, reply.input_id)),
                text=reply.text,
                data=() if reply.data is None else (reply.data,),
                task_id=attempt.remote_task_id,
                context_id=attempt.remote_context_id,
            )
            return connection.send(message, deadlines=deadlines)
        if attempt.remote_task_id is not None:
            return connection.follow(attempt.remote_task_id, deadlines=deadlines, pushed=True)
        step = work.step
        inputs = {name: fill(value, work.values) for name, value in step.inputs.items() if name != "files"}
        message = OutgoingMessage(
            message_id=attempt.message_id,
            text=cast("str", fill(step.instruction, work.values)),
            data=(inputs,) if inputs else (),
            files=work.files,
            skill=step.skill,
            metadata=work.metadata,
            push=self._push(work, attempt),
        )
        return connection.send(message, deadlines=deadlines)

    def _push(self, work: StepWork, attempt: OpenAttempt) -> PushConfig:
        """Return where the agent may say that there is news of this try."""
        task_id, step_id, number = work.run.task_id, work.step.id, attempt.number
        url = f"{self._settings.url_of('orchestrator')}/api/push/{task_id}/{step_id}/{number}"
        return PushConfig(url, self._keys.push_token(task_id, step_id, number))


def _told(error: FederationError) -> JsonObject:
    """Return the error as the step keeps it; it matters later whether the agent can have got the message."""
    return error.to_metadata() | ({"reached": False} if error.facts.get("reached") is False else {})


def _output(ended: Ended) -> Output:
    return Output(ended.text, ended.data, ended.files, ended.usage)


def _seconds(request: JsonObject, name: str) -> float | None:
    given = request.get("deadlines")
    value = given.get(name) if isinstance(given, dict) else None
    return float(value) if isinstance(value, int | float) else None
