"""The one log that all doors follow (server-sent events, A2A streams, the WebSocket, the command line).

Followers read the table of events; in the process that wrote, events are handed over to them, in others a signal makes
them read.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Concatenate, Final, Generic, ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from orchestrator_service import events
from orchestrator_service.events import Recorded
from orchestrator_service.signals import Signals
from shared.agent import JsonObject
from shared.ahead import GoAhead
from shared.db import Database, patience

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_KEPT: Final = 64
_POLL_S: Final = 5.0
_POLL_ALONE_S: Final = 1.0


@dataclass(slots=True, eq=False)
class Attended:
    """A task whose end is waited for. `seen` is what `look` saw of it in the transaction that ended it, once it has."""

    look: Callable[[Connection], JsonObject]
    seen: JsonObject | None = None


@dataclass(slots=True)
class _Done(Generic[T]):
    """What a transaction brought: its result, the events that it added, and what was seen of tasks that it ended."""

    result: T
    told: list[Recorded]
    seen: list[tuple[Attended, JsonObject]]


class _Feed:
    """The newest events of a task that is followed in this process, shared by all who follow it."""

    def __init__(self) -> None:
        self.followers = 0
        self.attended: list[Attended] = []
        self.changed = asyncio.Event()
        self.is_stale = False
        """Whether there may be more in the table."""
        self.newest = 0
        self.polled = 0
        self.reading = asyncio.Lock()
        self._recent: deque[Recorded] = deque(maxlen=_KEPT)

    def publish(self, recorded: Sequence[Recorded]) -> None:
        """Add events, which may have come already or leave a gap, and wake the followers.

        Whoever wrote them goes on first: the next message to an agent does not wait for watchers.
        """
        newest = self.newest
        for event in recorded:
            if event.seq > self.newest:
                if event.seq > self.newest + 1:
                    self._recent.clear()
                self._recent.append(event)
                self.newest = event.seq
        if self.newest > newest:
            asyncio.get_running_loop().call_soon(self._wake)

    def go_stale(self) -> None:
        """Make the followers read the table."""
        self.is_stale = True
        self._wake()

    def after(self, seq: int) -> list[Recorded] | None:
        """Return what follows `seq`, as far as it is here; None if there is more, but only in the table."""
        if not self._recent or self._recent[-1].seq <= seq:
            return None if self.is_stale else []
        skip = seq + 1 - self._recent[0].seq
        return None if skip < 0 else list(islice(self._recent, skip, None))

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class EventLog:
    """Writes changes of tasks and tells those who follow them, here and, by signals, in other processes.

    Followers of a task share what is read and handed over; one who is slow keeps nothing and reads the table later.
    """

    def __init__(self, database: Database, signals: Signals | None = None) -> None:
        self.database = database
        self._signals = signals
        self._feeds: dict[str, _Feed] = {}
        self._watchers: set[asyncio.Event] = set()
        self._poll_s = _POLL_ALONE_S if signals is None and not database.is_sqlite else _POLL_S
        self._polling: asyncio.Task[None] | None = None
        self._hearing = ExitStack()
        self._waits: set[asyncio.Timeout] = set()
        self.ends_waits = False
        """Whether the process is about to stop, and nobody may wait for an event any more."""

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(connection, ...)` in a transaction, as `Database.write`, then tell the followers of the tasks.

        A commit whose answer was lost is known by its events: it is not done again.
        """
        return await self.write_ahead(None, work, *args, **kwargs)

    async def write_ahead(
        self,
        ahead: GoAhead[T] | None,
        work: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Do as `write`; `ahead` may be called with the result before that is committed: see `Database.write_ahead`."""
        before: _Done[T] | None = None

        def done_once(connection: Connection) -> _Done[T]:
            nonlocal before
            if before is not None and events.is_stored(connection, before.told[-1]):
                return before
            with events.overheard() as told:
                result = work(connection, *args, **kwargs)
            done = _Done(result, told, self._look(connection, told))
            before = done if told else None
            return done

        if ahead is None:
            done = await self.database.write(done_once)
        else:
            done = await self.database.write_ahead(done_once, lambda done, commit: ahead(done.result, commit))
        told = done.told
        for attended, seen in done.seen:
            attended.seen = seen
        if self._watchers and any(event.type in events.LISTED for event in told):
            self._wake_watchers()
        for about in dict.fromkeys(event.task_id for event in told):
            if (feed := self._feeds.get(about)) is not None:
                feed.publish([event for event in told if event.task_id == about])
            if self._signals is not None:
                self._signals.tell("events", about)
        return done.result

    async def last_seq(self, task_id: str) -> int:
        """Return the number of the task's newest event."""
        return await self.database.read(events.last_seq, task_id)

    @contextmanager
    def attending(self, task_id: str, look: Callable[[Connection], JsonObject]) -> Generator[Attended]:
        """Keep at hand what is added to the task's log from now on, for those who are going to follow it in here.

        They `look` at it where its end is written, if that is here: it is not to be read again then.
        """
        feed = self._join(task_id)
        attended = Attended(look)
        feed.attended.append(attended)
        try:
            yield attended
        finally:
            feed.attended.remove(attended)
            self._leave(task_id, feed)

    async def follow(self, task_id: str, after: int = 0) -> AsyncGenerator[Recorded]:
        """Yield every event above `after`, then each new one as it comes; end after the terminal one.

        While the database is in trouble it waits.
        """
        feed = self._join(task_id)
        try:
            batch, is_over = await self._begin(feed, task_id, after)
            while not is_over:
                for event in batch:
                    yield event
                    if event.is_last:
                        return
                    after = event.seq
                changed = feed.changed
                known = feed.after(after)
                batch = await self._read(feed, task_id, after) if known is None else known
                if not batch:
                    await changed.wait()
        finally:
            self._leave(task_id, feed)

    async def wait_for(self, task_id: str, holds: Callable[[Recorded], bool], limit_s: float, after: int = 0) -> None:
        """Return when one of the task's events above `after` is such that it `holds`.

        Or after `limit_s`, or when waits are ended.
        """
        waiting = asyncio.timeout(0 if self.ends_waits else limit_s)
        self._waits.add(waiting)
        try:
            async with waiting, aclosing(self.follow(task_id, after)) as log:
                async for event in log:
                    if holds(event):
                        return
        except TimeoutError:
            return
        finally:
            self._waits.discard(waiting)

    def end_waits(self) -> None:
        """Let all go that wait for an event, now and from now on: the process is about to stop."""
        self.ends_waits = True
        for waiting in self._waits:
            if not waiting.expired():
                waiting.reschedule(asyncio.get_running_loop().time())

    @contextmanager
    def watching(self) -> Generator[asyncio.Event]:
        """Yield what is set whenever any task may look different in a list. A hint: it says neither which nor how."""
        changed = asyncio.Event()
        self._watchers.add(changed)
        try:
            with ExitStack() as hearing:
                if self._signals is not None:
                    hearing.enter_context(
                        self._signals.hear("events", lambda _: changed.set(), changed.set, elsewhere=True)
                    )
                yield changed
        finally:
            self._watchers.discard(changed)

    def _look(self, connection: Connection, told: Sequence[Recorded]) -> list[tuple[Attended, JsonObject]]:
        """Look at the tasks that end in this transaction for those who wait for that."""
        ended = [feed for event in told if event.is_last and (feed := self._feeds.get(event.task_id)) is not None]
        seen: list[tuple[Attended, JsonObject]] = []
        for attended in [attended for feed in ended for attended in feed.attended]:
            try:
                seen.append((attended, attended.look(connection)))
            except SQLAlchemyError:
                raise
            except Exception:
                logger.exception("a task that ended could not be looked at; it is read again")
        return seen

    def _wake_watchers(self) -> None:
        for changed in self._watchers:
            changed.set()

    async def _begin(self, feed: _Feed, task_id: str, after: int) -> tuple[list[Recorded], bool]:
        """Return the first events, and whether there are none and never will be."""
        if known := feed.after(after):
            return known, False
        with patience(None):
            batch, is_over = await self.database.read(events.read_or_over, task_id, after)
            feed.publish(batch)
            feed.is_stale = feed.is_stale or len(batch) == events.BATCH
            return batch, is_over

    async def _read(self, feed: _Feed, task_id: str, after: int) -> list[Recorded]:
        async with feed.reading:
            if (known := feed.after(after)) is not None:  # another follower has just read it
                return known
            feed.is_stale = False
            try:
                with patience(None):
                    batch = await self.database.read(events.read, task_id, after)
            except BaseException:
                feed.go_stale()  # another follower reads in its place
                raise
            feed.publish(batch)
            if len(batch) == events.BATCH:
                feed.go_stale()
            return batch

    def _join(self, task_id: str) -> _Feed:
        if self._polling is None:
            if self._signals is not None:
                self._hearing.enter_context(
                    self._signals.hear("events", self._heard, self._heard_nothing, elsewhere=True)
                )
            self._polling = asyncio.create_task(self._poll(), name="poll for events")
        feed = self._feeds.setdefault(task_id, _Feed())
        feed.followers += 1
        return feed

    def _leave(self, task_id: str, feed: _Feed) -> None:
        feed.followers -= 1
        if not feed.followers:
            del self._feeds[task_id]
        if not self._feeds and self._polling is not None:
            self._hearing.close()
            self._polling.cancel()
            self._polling = None

    def _heard(self, task_id: str) -> None:
        if (feed := self._feeds.get(task_id)) is not None:
            feed.go_stale()

    def _heard_nothing(self) -> None:
        for feed in self._feeds.values():
            feed.go_stale()

    async def _poll(self) -> None:
        """Look now and then whether the followed tasks have events that nobody told of."""
        while True:
            await asyncio.sleep(self._poll_s)
            try:
                with patience(None):
                    rows = await self.database.read(events.newest, list(self._feeds))
            except Exception:
                logger.exception("the look for new events failed; it goes on")
                continue
            for task_id, last_seq in rows:
                feed = self._feeds.get(task_id)
                if feed is not None and last_seq > max(feed.newest, feed.polled):
                    feed.polled = last_seq
                    feed.go_stale()
