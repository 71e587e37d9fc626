"""Turns what a remote task tells into events of our task, and writes them in few transactions.

What comes within a short time is written together: the remote task's id first of all, then progress and output.
"""

import asyncio
from contextlib import suppress
from typing import Final, Self

from orchestrator_service.engine import task_records
from orchestrator_service.engine.work import StepWork
from orchestrator_service.event_log import EventLog
from orchestrator_service.events import Draft, draft
from shared.agent_client import ArtifactChunk, RemoteEvent, Started, StatusChanged, TextPart

_FLUSH_S: Final = 0.02
_LAST_WORDS_S: Final = 3.0
_MAX_PROGRESS_CHARS: Final = 500


class Listener:
    """Hears one try of a step, inside of `async with`; at the end, whatever ended it, all that was heard is written.

    Where it was broken off, it waits a few seconds for that: a database that is away does not keep a process from
    stopping. What is lost then is what was told on the way.
    """

    def __init__(self, log: EventLog, work: StepWork) -> None:
        self._log = log
        self._work = work
        self._drafts: list[Draft] = []
        self._texts: dict[str, str] = {}
        self._told = ""
        self._remote: tuple[str, str] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._is_over = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        is_broken_off = kind is not None and issubclass(kind, asyncio.CancelledError)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S if is_broken_off else None):
                await self.settle()
                await self.flush()
        if self._flushing is not None:
            self._flushing.cancel()

    def hear(self, event: RemoteEvent) -> None:
        """Take note of what the agent tells; the end is the caller's to handle."""
        step_id = self._work.step.id
        match event:
            case Started(remote_task_id, context_id):
                self._remote = (remote_task_id, context_id)
            case StatusChanged(text=text) if text:
                self._drafts.append(draft("step.progress", step_id=step_id, text=text[:_MAX_PROGRESS_CHARS]))
            case ArtifactChunk():
                self._hear_artifact(event)
            case _:
                return
        self._flush_soon()

    def take(self) -> tuple[tuple[str, str] | None, list[Draft]]:
        """Hand over what is not written yet: the remote task, and events."""
        taken = (self._remote, self._drafts)
        self._remote, self._drafts = None, []
        return taken

    async def settle(self) -> None:
        """Wait until nothing is being written, and write no more by itself. Raises: what a write raised."""
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._flushing is not None:
            await asyncio.wait({self._flushing})
            self._flushing.result()

    async def flush(self) -> None:
        """Write what is not written yet."""
        if self._remote is not None or self._drafts:
            remote, drafts = self.take()
            await self._log.write(task_records.keep_progress, self._work, remote, drafts)

    def _flush_soon(self) -> None:
        """Write what came, a little after it came."""
        if self._timer is None and not self._is_over:
            self._timer = asyncio.get_running_loop().call_later(_FLUSH_S, self._begin_to_flush)

    def _begin_to_flush(self) -> None:
        self._flushing = asyncio.create_task(self._flush_all())

    async def _flush_all(self) -> None:
        await self.flush()
        self._timer = None
        if self._remote is not None or self._drafts:  # came while the others were written
            self._flush_soon()

    def _hear_artifact(self, chunk: ArtifactChunk) -> None:
        text = "".join([part.text for part in chunk.parts if isinstance(part, TextPart)])
        if not text:
            return
        known = self._texts.get(chunk.artifact_id, "")
        self._texts[chunk.artifact_id] = known + text if chunk.append else text
        whole = "\n\n".join(self._texts.values())
        if whole == self._told:
            return
        append = bool(self._told) and whole.startswith(self._told)
        news = whole[len(self._told) :] if append else whole
        self._told = whole
        self._drafts.append(draft("step.output", step_id=self._work.step.id, text=news, append=append))
