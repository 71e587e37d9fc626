"""Records how steps ended; those of one run that end while the end of another is being written share a transition."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from orchestrator_service.engine import task_records
from orchestrator_service.engine.step_records import Rules
from orchestrator_service.engine.work import Move, StaleRunError, StepEnd
from orchestrator_service.event_log import EventLog
from shared.ahead import GoAhead, committed
from shared.db import DatabaseUnavailableError


@dataclass(slots=True, eq=False)
class _Waiting:
    """An end that is to be written, and what came of it."""

    end: StepEnd
    outcome: Move | Exception | None = None


@dataclass(slots=True)
class _Queue:
    """The ends of one run that wait, and whose turn it is to write them."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: list[_Waiting] = field(default_factory=list[_Waiting])


class Ends:
    """Closes steps. `rules` gives the rules of now; `ahead` makes ready what follows, as `EventLog.write_ahead`.

    In the database the transitions of a run wait for each other, so that each end of its own would wait for the disk
    after the ones before.
    """

    def __init__(self, log: EventLog, ahead: GoAhead[Move], rules: Callable[[], Rules]) -> None:
        self._log = log
        self._ahead = ahead
        self._rules = rules
        self._queues: dict[tuple[str, int], _Queue] = {}

    async def record(self, end: StepEnd) -> Move:
        """Close a step and its try, and begin what follows. Of ends that share a transition one leads to what follows.

        Raises: StaleRunError, DatabaseUnavailableError.
        """
        await committed()  # what never began has no end that others might share
        run = end.work.run
        key = run.task_id, run.number
        queue = self._queues.setdefault(key, _Queue())
        mine = _Waiting(end)
        queue.waiting.append(mine)
        try:
            async with queue.turn:
                if mine in queue.waiting:
                    together, queue.waiting = queue.waiting, []
                    await self._write(together)
        finally:
            if mine in queue.waiting:
                queue.waiting.remove(mine)
            if not queue.waiting and not queue.turn.locked() and self._queues.get(key) is queue:
                del self._queues[key]
        if isinstance(mine.outcome, Move):
            return mine.outcome
        raise mine.outcome or AssertionError("Who wrote this end was canceled.")

    async def _write(self, together: Sequence[_Waiting]) -> None:
        """Write them in one transition; if it cannot be made, each in its own: one that fails undoes no other."""
        try:
            ends = [each.end for each in together]
            move = await self._log.write_ahead(self._ahead, task_records.end_steps, ends, self._rules())
        except Exception as error:  # noqa: BLE001 - whoever waits for the end gets it
            if len(together) > 1 and not isinstance(error, StaleRunError | DatabaseUnavailableError):
                for each in together:
                    await self._write([each])
                return
            for each in together:
                each.outcome = error
        else:
            for each in together:
                each.outcome = Move(move.run)
            together[0].outcome = move
