"""Turns what a remote task tells into events of our task, and writes them in few transactions.

What comes within a short time is written together: the remote task's id first of all, then progress and output.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final

from orchestrator_service.engine import task_records
from orchestrator_service.engine.work import StepWork
from orchestrator_service.event_log import EventLog
from orchestrator_service.events import Draft, draft
from shared.agent_client import ArtifactChunk, RemoteEvent, Started, StatusChanged, TextPart

_FLUSH_S: Final = 0.02
_MAX_PROGRESS_CHARS: Final = 500


class Listener:
    """Hears one try of a step. Used inside `listening`."""

    def __init__(self, log: EventLog, work: StepWork) -> None:
        self._log = log
        self._work = work
        self._drafts: list[Draft] = []
        self._texts: dict[str, str] = {}
        self._told = ""
        self._remote: tuple[str, str] | None = None
        self._due = asyncio.Event()
        self._writing = asyncio.Lock()

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
        self._due.set()

    def take(self) -> tuple[tuple[str, str] | None, list[Draft]]:
        """Hand over what is not written yet: the remote task, and events."""
        taken = (self._remote, self._drafts)
        self._remote, self._drafts = None, []
        self._due.clear()
        return taken

    async def settle(self) -> None:
        """Wait until nothing is being written."""
        async with self._writing:
            return

    async def flush(self) -> None:
        """Write what is not written yet."""
        async with self._writing:
            if self._remote is None and not self._drafts:
                return
            remote, drafts = self.take()
            work = self._work
            await self._log.write(task_records.keep_progress, work, remote, drafts)

    async def flush_when_due(self) -> None:
        """Write what comes, a little after it came, for ever."""
        while True:
            await self._due.wait()
            await asyncio.sleep(_FLUSH_S)
            await self.flush()

    def _hear_artifact(self, chunk: ArtifactChunk) -> None:
        text = "".join(part.text for part in chunk.parts if isinstance(part, TextPart))
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


@asynccontextmanager
async def listening(log: EventLog, work: StepWork) -> AsyncGenerator[Listener]:
    """Open a listener; at the end, whatever ended it, all that was heard is written."""
    listener = Listener(log, work)
    flusher = asyncio.create_task(listener.flush_when_due())
    try:
        yield listener
    finally:
        await listener.settle()
        flusher.cancel()
        with suppress(asyncio.CancelledError):
            await flusher
        await listener.flush()
