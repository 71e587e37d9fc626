"""Where every door hands in what people want: tasks, retries, cancellations, answers. Written first, then acted on."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from math import inf
from time import monotonic
from typing import Final

from orchestrator_service import ancestry, deliveries, idempotency, inputs, lineage, memory, registry, tasks
from orchestrator_service.engine.engine import Engine
from orchestrator_service.event_log import EventLog
from orchestrator_service.keys import Keys
from orchestrator_service.planning import plan as plans
from orchestrator_service.settings import Settings
from shared import failpoints, telemetry
from shared.auth import Caller
from shared.db import new_id
from shared.errors import ConflictError, FederationError, TooLargeError

_CANCEL_WAIT_S: Final = 10.0
_COUNT_S: Final = 0.5


class Intake:
    """Accepts what callers want, and lets the engine know. `told`: a task may have ended, with a webhook to send."""

    def __init__(self, settings: Settings, log: EventLog, engine: Engine, keys: Keys, told: Callable[[], None]) -> None:
        self._settings = settings
        self._log = log
        self._engine = engine
        self._keys = keys
        self._told = told
        self._queued = 0
        self._counted_at = -inf

    async def submit(self, caller: Caller, new: tasks.NewTask, key: str | None = None) -> tasks.Submitted:
        """Store the task and start it; the same key, or the same id, answers the same task again.

        `new.user_id` is as the caller gave it; it is hashed here. What can be checked of a plan now is checked now.
        Raises: NotFoundError (session, agent), PlanInvalidError, InvalidRequestError (callback_url),
        IdempotencyConflictError, QueueFullError, TooLargeError.
        """
        failpoints.reach("request-read")
        for file in new.files:
            if len(file.content or b"") > self._settings.max_artifact_bytes:
                limit = self._settings.max_artifact_bytes
                raise TooLargeError(f"The file {file.name!r} is larger than {limit:,} bytes (MAX_ARTIFACT_BYTES).")
        plan = None if new.plan is None else plans.check(new.plan, inputs=new.inputs)
        try:
            await self._check_addresses(caller, new)
        except FederationError:
            made = self._remembered(key)
            if made is None or not await self._log.database.read(idempotency.was_made, caller, made):
                raise  # what was accepted before is answered again, though it would not be accepted now
        ready = replace(
            new,
            user_id=None if new.user_id is None else self._keys.hash_user(caller.tenant_id, new.user_id),
            timeout_s=self._settings.task_timeout_s,
            trace_id=telemetry.trace_id() or "",
            trace_flags=telemetry.trace_flags(),
        )
        remembered, is_full = self._remembered(key), await self._is_full()
        submitted = await self._engine.accept(
            ready.id, lambda connection: tasks.submit(connection, caller, ready, remembered, is_full=is_full), plan
        )
        failpoints.reach("task-stored")
        return submitted

    async def copy(self, caller: Caller, wish: lineage.Wish, key: str | None = None) -> tasks.Submitted:
        """Store the retry or fork of a task and start it; the same key answers the same task again.

        Raises: as `lineage.copy`.
        """
        failpoints.reach("request-read")
        settings = self._settings
        trace = telemetry.trace_id() or "", telemetry.trace_flags()
        defaults = lineage.Defaults(settings.task_timeout_s, settings.input_timeout_s, *trace)
        task_id, remembered, is_full = new_id(), self._remembered(key), await self._is_full()
        submitted = await self._engine.accept(
            task_id,
            lambda connection: lineage.copy(connection, caller, task_id, wish, defaults, remembered, is_full=is_full),
        )
        failpoints.reach("task-stored")
        return submitted

    async def cancel(self, caller: Caller, task_id: str) -> None:
        """Cancel the task, its remote tasks and its sub-tasks; returns when it is over, or does not wait longer.

        Raises: NotFoundError, ConflictError.
        """
        is_under_way = await self._log.write(tasks.request_cancel, caller, task_id)
        below = await self._log.database.read(ancestry.below, task_id)
        known = set(below)
        while below:
            child = below.pop()
            with suppress(ConflictError):
                await self._log.write(tasks.request_cancel, caller, child)
            self._engine.wake(child)
            self._engine.cancel(child)
            later = set(await self._log.database.read(ancestry.below, child)) - known  # begun before it was canceled
            known |= later
            below += later
        self._told()
        if not is_under_way:
            return
        failpoints.reach("cancel-stored")
        self._engine.wake(task_id)
        self._engine.cancel(task_id)
        await self._log.wait_for(task_id, lambda event: event.is_last, _CANCEL_WAIT_S)

    async def answer(self, caller: Caller, task_id: str, given: inputs.Answer) -> None:
        """Answer a pending input; the task goes on. Raises: NotFoundError, ConflictError, InvalidRequestError."""
        is_queued = await self._log.write(inputs.answer, caller, task_id, given)
        failpoints.reach("input-answered")
        if is_queued:
            self._engine.wake(task_id)
        else:
            self._engine.proceed(task_id)
            self._told()

    async def open_session(self, caller: Caller, session_id: str) -> None:
        """Make sure that a session with this id is there, for doors whose clients choose it."""
        await self._log.database.write(memory.ensure_session, caller, session_id)

    async def _check_addresses(self, caller: Caller, new: tasks.NewTask) -> None:
        if new.agent is not None:
            await self._log.database.read(registry.identify, caller, new.agent)
        if new.callback_url is not None:
            await deliveries.check_callback(self._settings, new.callback_url)

    async def _is_full(self) -> bool:
        """Tell whether the queue is full: by a count of half a second ago at most, and what was queued here since."""
        if monotonic() - self._counted_at > _COUNT_S:
            self._counted_at = monotonic()
            self._queued = await self._log.database.read(tasks.count_queued)
        is_full = self._queued >= self._settings.max_queued_tasks
        if not is_full and not self._engine.may_begin_at_once:
            self._queued += 1
        return is_full

    def _remembered(self, key: str | None) -> idempotency.Key | None:
        life = timedelta(hours=self._settings.idempotency_hours)
        return None if key is None else idempotency.Key(key, life)
