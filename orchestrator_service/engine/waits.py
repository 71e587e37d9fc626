"""Waits that end at a deadline, or at once when their task is canceled."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Generator
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType

from shared.db import now


class Waits:
    """The waits of the runs in this process."""

    def __init__(self) -> None:
        self._runs = Counter[str]()
        self._waits: dict[str, set[asyncio.Timeout]] = {}
        self._canceled: set[str] = set()

    @contextmanager
    def running(self, task_id: str) -> Generator[None]:
        """Keep while the task runs here: a cancel that comes between two of its waits ends the next one.

        A run that lost its task to the next one may still be ending when that begins.
        """
        self._runs[task_id] += 1
        self._waits.setdefault(task_id, set())
        try:
            yield
        finally:
            self._runs[task_id] -= 1
            if not self._runs[task_id]:
                del self._runs[task_id], self._waits[task_id]
                self._canceled.discard(task_id)

    def cancel(self, task_id: str) -> None:
        """End the task's waits, if it runs here."""
        if task_id in self._waits:
            self._canceled.add(task_id)
            for wait in self._waits[task_id]:
                if not wait.expired():  # it may be ending already, by an earlier cancel
                    wait.reschedule(asyncio.get_running_loop().time())

    def is_canceled(self, task_id: str) -> bool:
        """Tell whether the task's end was asked for."""
        return task_id in self._canceled

    def until(self, task_id: str, deadline_at: datetime) -> "_Wait":
        """Raise TimeoutError inside at the deadline, or at once when the task is canceled. To be entered at once."""
        left_s = 0.0 if task_id in self._canceled else (deadline_at - now()).total_seconds()
        if left_s <= 0:
            raise TimeoutError  # a timeout that is over would let what is inside begin
        return _Wait(self._waits[task_id], left_s)


class _Wait:
    __slots__ = ("_timeout", "_waits")

    def __init__(self, waits: set[asyncio.Timeout], left_s: float) -> None:
        self._waits = waits
        self._timeout = asyncio.timeout(left_s)

    def __aenter__(self) -> Awaitable[asyncio.Timeout]:
        self._waits.add(self._timeout)
        return self._timeout.__aenter__()

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Awaitable[bool | None]:
        self._waits.discard(self._timeout)
        return self._timeout.__aexit__(kind, error, trace)
