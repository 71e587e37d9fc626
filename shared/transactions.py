"""The threads in which transactions run, each with a connection of its own that it keeps open.

SQLAlchemy runs the statements; BEGIN, SAVEPOINT and COMMIT go straight to the driver, which takes a tenth of the time.
What waits is taken together: one transaction, so that the disk is waited for once.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import partial
from math import ceil
from time import monotonic
from typing import Any, Final, Literal, Protocol, TypeVar, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from shared.ahead import Ahead, GoAhead
from shared.db_trouble import NoAnswerError, explain
from shared.prepared import PreparedConnection

T = TypeVar("T")

_IDLE_S: Final = 60.0
_CLOSE_S: Final = 5.0
_LOOK_EVERY_S: Final = 0.5
_LOCK_WAIT_MS: Final = 500
_NO_CONNECTION_PAUSE_S: Final = 1.0

_Result = tuple[object, BaseException | None]


@dataclass(slots=True, eq=False)
class _Job:
    """Work that waits for a thread, and the future of its result; work that nobody waits for any more is skipped.

    `looks_left`: how often the watch may still find that the database does nothing, of `looks` at first. `ahead` is
    told the result while it is committed, in the context of whoever asked for it, unless that `is_over` by then.
    """

    work: Callable[[Connection], object]
    ended: asyncio.Future[object]
    looks: int
    looks_left: int
    ahead: tuple[GoAhead[Any], Context] | None = None
    has_begun: bool = False
    is_over: bool = False
    commit: Ahead | None = None

    def do(self, connection: Connection) -> object:
        """Do the work. Raises: _GivenUpError if the caller has been told that it failed: nothing of it is stored."""
        self.has_begun = True
        self._check()
        result = self.work(connection)
        self._check()
        return result

    def tell_ahead(self, result: object) -> None:
        """Tell the result in the event loop, if someone wants to know it before the commit."""
        if self.ahead is None:
            return
        go_ahead, context = self.ahead

        def tell_in_time() -> None:
            if not self.is_over and not self.ended.done():
                self.commit = Ahead()
                self.ended.add_done_callback(partial(_undo, go_ahead(result, self.commit)))

        with suppress(RuntimeError):  # the loop was closed meanwhile
            self.ended.get_loop().call_soon_threadsafe(tell_in_time, context=context)

    def _check(self) -> None:
        if self.ended.done() and not self.ended.cancelled():
            raise _GivenUpError


class _GivenUpError(Exception):
    """Nobody waits for the result any more."""


class Lane:
    """Threads for transactions of one kind, for one event loop. They start as they are needed and end when idle.

    On SQLite changes need one thread. When the server gives no more connections, the threads that have one do it all.
    """

    def __init__(self, engine: Engine, kind: Literal["read", "write"], *, threads: int, together: int) -> None:
        self._engine = engine
        self._changes = kind == "write"
        self._name = f"db-{kind}"
        self._max_threads = threads
        self._together = together
        self._lock = threading.Lock()
        self._jobs: deque[_Job] = deque()
        self._threads: set[threading.Thread] = set()
        self._idle: list[threading.Lock] = []  # of threads that sleep; the last one was busy most recently
        self._connected = 0
        self._to_give_back = False
        self._no_thread_before = 0.0
        self._is_closed = False
        self.other: Lane | None = None
        """The lane that shares the server's connections with this one."""
        self._trouble: BaseException | None = None
        self._progress = 0
        self._seen_progress = 0
        self._watched: list[_Job] = []

    def run(
        self, work: Callable[[Connection], T], patience_s: float | None, ahead: GoAhead[T] | None = None
    ) -> asyncio.Future[T]:
        """Queue `work` for a transaction. Work that is done together with it stands or falls alone.

        `ahead` is called with the result when it is about to be committed, if the transaction is for this work alone.
        Raises (the future): NoAnswerError when the database has done nothing at all for `patience_s`; as long as it
        does something, work waits for its turn.
        """
        ended: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        looks = 0 if patience_s is None else ceil(patience_s / _LOOK_EVERY_S)
        job = _Job(work, ended, looks, looks, None if ahead is None else (ahead, copy_context()))
        with self._lock:
            if self._is_closed:
                raise RuntimeError("The database is closed.")
            self._jobs.append(job)
            self._find_thread()
        if patience_s is not None:
            if not self._watched:
                ended.get_loop().call_later(_LOOK_EVERY_S, self._look)
            self._watched.append(job)
        return cast("asyncio.Future[T]", ended)

    def give_one_back(self) -> None:
        """Close one connection soon: the other lane has none, and cannot get one."""
        with self._lock:
            if self._connected:
                self._to_give_back = True
                if self._idle:
                    self._idle.pop().release()

    def close(self) -> None:
        """Do what is queued, then close every connection. Blocks; a database that is stuck is not waited for."""
        with self._lock:
            self._is_closed = True
            for sleeper in self._idle:
                sleeper.release()
            self._idle.clear()
            threads = list(self._threads)
        deadline = monotonic() + _CLOSE_S
        for thread in threads:
            thread.join(max(deadline - monotonic(), 0.0))

    def _look(self) -> None:
        """Give up for those whose patience is over. Counted in looks: a process that was frozen has not waited."""
        moved = self._progress != self._seen_progress
        self._seen_progress = self._progress
        self._watched = [job for job in self._watched if not job.ended.done()]
        for job in self._watched:
            job.looks_left = job.looks if moved else job.looks_left - 1
            if job.looks_left <= 0:
                job.ended.set_exception(NoAnswerError(None if job.has_begun else self._trouble))
        if self._watched:
            self._watched[0].ended.get_loop().call_later(_LOOK_EVERY_S, self._look)

    def _find_thread(self) -> None:
        if self._idle:
            self._idle.pop().release()
        elif not self._threads or (len(self._threads) < self._max_threads and monotonic() >= self._no_thread_before):
            thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._threads.add(thread)
            thread.start()

    def _serve(self) -> None:
        sleeper = threading.Lock()
        sleeper.acquire()
        kept: _Kept | None = None
        try:
            while batch := self._next_batch(sleeper):
                if kept is None:
                    try:
                        kept = self._open()
                    except BaseException as error:  # noqa: BLE001 - whoever waits for the work gets it
                        if self._leave_to_others(batch):
                            return
                        self._trouble = error
                        _settle(batch, [(None, error)] * len(batch))
                        continue
                results = kept.perform(batch)
                self._trouble = next((error for _, error in results if error is not None and explain(error)), None)
                if self._trouble is None:
                    self._progress += 1
                if not kept.is_usable:
                    self._drop(kept)
                    kept = None
                _settle(batch, results)
        finally:
            if kept is not None:
                self._drop(kept)
            with self._lock:
                self._threads.discard(threading.current_thread())
                if self._jobs:
                    self._find_thread()

    def _next_batch(self, sleeper: threading.Lock) -> list[_Job]:
        """Return what waits; sleep until there is something. Nothing: the thread may end."""
        while True:
            with self._lock:
                if self._to_give_back:
                    self._to_give_back = False
                    self._no_thread_before = monotonic() + _NO_CONNECTION_PAUSE_S
                    return []
                batch: list[_Job] = []
                while self._jobs and len(batch) < self._together:
                    job = self._jobs.popleft()
                    if not job.ended.done():
                        batch.append(job)
                if batch or self._is_closed:
                    return batch
                self._idle.append(sleeper)
            if not sleeper.acquire(timeout=_IDLE_S):
                with self._lock:
                    if sleeper in self._idle:
                        self._idle.remove(sleeper)
                        self._threads.discard(threading.current_thread())
                        return []
                sleeper.acquire()  # woken just as it gave up waiting

    def _leave_to_others(self, batch: Sequence[_Job]) -> bool:
        with self._lock:
            is_alone = not self._connected
        if is_alone:
            if self.other is not None:
                self.other.give_one_back()
            return False
        with self._lock:
            self._jobs.extendleft(reversed(batch))
            self._no_thread_before = monotonic() + _NO_CONNECTION_PAUSE_S
            self._threads.discard(threading.current_thread())
            if self._idle:
                self._idle.pop().release()
            return True

    def _open(self) -> "_Kept":
        kept = _Kept(self._engine, changes=self._changes)
        with self._lock:
            self._connected += 1
        return kept

    def _drop(self, kept: "_Kept") -> None:
        with self._lock:
            self._connected -= 1
        kept.close()


class _Kept:
    """An open connection for transactions of one kind."""

    def __init__(self, engine: Engine, *, changes: bool) -> None:
        self.is_usable = True
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._changes = changes
        self._errors = (SQLAlchemyError, engine.dialect.loaded_dbapi.Error)
        self._connection = PreparedConnection(engine).execution_options(kept=True)
        try:
            self._connection.detach()  # the pool is for those who take a connection themselves
            self._driver = cast("_Driver", self._connection.connection.dbapi_connection)
            if self._is_sqlite:
                self._driver.execute(f"PRAGMA busy_timeout={_LOCK_WAIT_MS}")
                self._commit = self._driver.commit
            else:
                self._commit = _tune_postgresql(self._driver, changes=changes)
            self._connection.begin()  # SQLAlchemy's own, which never ends; for `kept` nothing is sent
        except BaseException:
            self._connection.close()
            raise

    def perform(self, batch: Sequence[_Job]) -> list[_Result]:
        """Run each in one transaction and commit it; what fails is undone alone, unless the whole cannot be kept."""
        results: list[_Result]
        try:
            if self._is_sqlite:
                self._driver.execute("BEGIN IMMEDIATE" if self._changes else "BEGIN")
            if len(batch) == 1:
                results = [(batch[0].do(self._connection), None)]
                batch[0].tell_ahead(results[0][0])
            else:
                results = [self._do(job) for job in batch]
            self._commit()
        except BaseException as error:  # noqa: BLE001 - whoever waits for the work gets it
            results = [(None, error)] * len(batch)
            self._undo_all()
        for job in batch:
            job.is_over = True
        return results

    def close(self) -> None:
        """Close it; one that is broken is let go."""
        with suppress(*self._errors):
            self._connection.close()
        with suppress(*self._errors):
            self._driver.close()

    def _do(self, job: _Job) -> _Result:
        """Run one of several; its failure is its own as long as the transaction stands."""
        on_savepoint = self._is_sqlite and self._changes
        if on_savepoint:
            self._driver.execute("SAVEPOINT one")
        try:
            result = job.do(self._connection)
        except Exception as error:
            if not on_savepoint:
                self._driver.rollback()  # of what only reads; PostgreSQL reads no more in this transaction
                if self._is_sqlite:
                    self._driver.execute("BEGIN")
                return None, error
            if not getattr(self._driver, "in_transaction", True):
                raise  # SQLite itself has undone everything: a full disk
            self._driver.execute("ROLLBACK TO one")
            self._driver.execute("RELEASE one")
            return None, error
        if on_savepoint:
            self._driver.execute("RELEASE one")
        return result, None

    def _undo_all(self) -> None:
        try:
            self._driver.rollback()
        except self._errors:
            self.is_usable = False
        if self._connection.invalidated or getattr(self._driver, "closed", False):
            self.is_usable = False


class _Driver(Protocol):
    """What both drivers' connections have."""

    def execute(self, statement: str, /) -> object: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def close(self) -> None: ...


def _tune_postgresql(driver: _Driver, *, changes: bool) -> Callable[[], None]:
    """Let the statements of a transaction that only reads see one state, and change none; as SQLite does anyway.

    What is prepared is prepared by us: psycopg would throw all of it away after each rollback. Returns what commits.
    """
    from psycopg import Connection as PostgresConnection  # noqa: PLC0415 - only for those who use PostgreSQL
    from psycopg import IsolationLevel  # noqa: PLC0415

    from shared.prepared_postgres import commit  # noqa: PLC0415

    assert isinstance(driver, PostgresConnection)  # noqa: S101 - narrows the driver's type
    driver.prepare_threshold = None
    if not changes:
        driver.isolation_level = IsolationLevel.REPEATABLE_READ
        driver.read_only = True
    return partial(commit, cast("PostgresConnection[Any]", driver))


def _undo(undo: Callable[[], object], ended: asyncio.Future[object]) -> None:
    """Undo what was begun ahead, if nothing came of it."""
    if ended.cancelled() or ended.exception() is not None:
        undo()


def _settle(batch: Sequence[_Job], results: Sequence[_Result]) -> None:
    """Give each its result, in its event loop; a loop that was closed meanwhile waits for nothing."""
    with suppress(RuntimeError):
        batch[0].ended.get_loop().call_soon_threadsafe(_tell, batch, results)


def _tell(batch: Sequence[_Job], results: Sequence[_Result]) -> None:
    for job, (result, error) in zip(batch, results, strict=True):
        if job.ended.done():
            continue
        if error is None:
            if job.commit is not None:
                job.commit.commit()
            job.ended.set_result(result)
        else:
            job.ended.set_exception(error)
