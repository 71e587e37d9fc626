"""One run of an agent: what it has told, what of that is stored, and who waits for more."""

import asyncio
from collections import deque
from collections.abc import Sequence
from enum import Enum, auto
from itertools import islice
from time import monotonic
from typing import Final

from a2a.types import Task

from shared.agent_messages import Event, is_piece
from shared.agent_narration import Narrator
from shared.agent_tasks import Scope, Stored

_RECENT_EVENTS: Final = 512
_WAITING_EVENTS: Final = 256


class Stop(Enum):
    """Why a run was told to stop."""

    CANCELED = auto()
    INTERRUPTED = auto()
    HANDED_OVER = auto()


class Run:
    """A run under way, by the runner that has its task.

    `task` and `seq` are what is stored, `waiting` are the events that are not stored yet. `is_over`: nothing more will
    be stored.
    """

    agent: asyncio.Task[None]
    writer: asyncio.Task[None]

    def __init__(self, scope: Scope, stored: Stored, runner: str, *, resumed: bool) -> None:
        self.scope = scope
        self.runner = runner
        self.task = stored.task
        self.seq = stored.seq
        self.narrator = Narrator(stored.task, resumed=resumed)
        self.resumed = resumed
        self.stop: Stop | None = None
        self.is_abandoned = False
        self.is_over = False
        self.waiting: list[Event] = []
        self.arrived = asyncio.Event()
        self.changed = asyncio.Event()
        self._recent: deque[tuple[int, Event]] = deque(maxlen=_RECENT_EVENTS)

    @property
    def is_told(self) -> bool:
        """Whether nothing more will come from the agent, or may."""
        return self.agent.done() or self.is_abandoned

    async def tell(self, events: Sequence[Event]) -> None:
        """Hand events to the writer; wait while it is far behind."""
        self.waiting.extend(events)
        self.arrived.set()
        while len(self.waiting) > _WAITING_EVENTS:
            await self.changed.wait()

    def advance(self, task: Task, events: Sequence[Event]) -> None:
        """Note that `events` are stored, and tell whoever follows."""
        self._recent.extend(enumerate(events, self.seq + 1))
        self.task, self.seq = task, self.seq + len(events)
        self.wake()

    def wake(self) -> None:
        """Wake whoever waits for a change."""
        self.changed.set()
        self.changed = asyncio.Event()

    def end(self) -> None:
        """Note that nothing more will be stored."""
        self.is_over = True
        self.agent.cancel()
        self.wake()

    def since(self, seq: int) -> list[tuple[int, Event]] | None:
        """Return the stored events after `seq`, or None when those are no longer all in memory."""
        missing = self.seq - seq
        return None if missing > len(self._recent) else list(islice(self._recent, len(self._recent) - missing, None))

    async def join_pieces(self, until: float) -> None:
        """Wait for more pieces of a text until a moment (`monotonic`), or until something else has come."""
        try:
            async with asyncio.timeout(max(0.0, until - monotonic())):
                while not self.is_told and all(is_piece(event) for event in self.waiting):
                    await self.arrived.wait()
                    self.arrived.clear()
        except TimeoutError:
            pass
