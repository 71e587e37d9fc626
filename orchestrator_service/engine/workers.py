"""Which processes run tasks, and whether they still live: so that the tasks of a dead one are taken over, once.

On PostgreSQL a worker holds an advisory lock and counts a beat up, on a connection and a thread of its own. It is dead
when its lock is free in two looks, or when its beat has stood still for `SILENT_S` by the clock of whoever looks: no
two clocks are compared, so that one that jumps does no harm. On SQLite one process has the file, by a lock beside it.
"""

import asyncio
import fcntl
import logging
import os
import socket
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from importlib.metadata import version
from math import inf
from time import monotonic
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from orchestrator_service.engine import queue
from orchestrator_service.models import Worker
from orchestrator_service.settings import Settings
from shared.db import STARTING_S, Database, DatabaseUnavailableError, new_id, now, open_engine, patience
from shared.errors import FederationError

logger = logging.getLogger(__name__)

BEAT_S: Final = 2.0
SILENT_S: Final = 10.0
"""A worker whose beat stands still for so long is dead."""
LOOK_S: Final = 0.5
"""Pause between two looks for dead workers."""

_LEASE_S: Final = 7.0
_GOOD_CONTACT_S: Final = 5.0
_STUCK_S: Final = 6.0
_REAPER: Final = 4_270_004
_REMEMBERED: Final = timedelta(days=1)


class AlreadyRunningError(FederationError):
    """Another orchestrator works on this database."""

    slug = "already-running"
    title = "Another orchestrator is running"
    status = 503
    retryable = True


class Membership:
    """This process as a worker. `lost` is set when others took it for dead: its runs are theirs now."""

    def __init__(self, database: Database) -> None:
        self.id = new_id()
        self.lost = asyncio.Event()
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._beaten = asyncio.Event()
        self._beaten_at = -inf
        self._loop_seen_at = monotonic()
        self._is_cut_off = False
        self._state = "working"
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    async def join(self) -> None:
        """Enter the table and begin to beat; on SQLite whoever was there before is dead."""
        await self._database.write(_register, self.id, is_alone=self._database.is_sqlite)
        self.lost.clear()
        if self._database.is_sqlite:
            return
        self._closing.clear()
        self._thread = threading.Thread(target=self._beat_until_closed, name="worker-beat", daemon=True)
        self._thread.start()
        await self.confirm()

    async def leave(self) -> None:
        """Hand over what is left, and go."""
        self._closing.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        try:
            await self._database.write(_leave, self.id)
        except DatabaseUnavailableError as error:  # this worker is found dead instead
            logger.warning("the worker left without a word", extra={"reason": error.detail})

    async def rejoin(self) -> None:
        """Join anew, as another worker, after this one was lost and its runs are stopped."""
        await self.leave()
        self.id, self._beaten_at = new_id(), -inf
        await self.join()

    async def confirm(self) -> None:
        """Return once it is certain that this worker is not taken for dead: at once, unless it was frozen or cut off.

        To be called before what cannot be undone. Never returns when the worker is lost: its runs are stopped.
        """
        while self.lost.is_set() or (not self._database.is_sqlite and monotonic() - self._beaten_at > _LEASE_S):
            self._beaten.clear()
            self.notice()  # whoever waits here runs: at the start, nobody else says so
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self._beaten.wait()

    def drain(self) -> None:
        """Say that this worker takes no new tasks."""
        self._state = "draining"

    def notice(self) -> None:
        """Say that the event loop runs; the beat stops when it does not for some seconds."""
        self._loop_seen_at = monotonic()

    def _beat_until_closed(self) -> None:
        """Hold the lock and beat. Runs in a thread of its own; connects anew when the server goes away."""
        engine = open_engine(self._database.url, pool_size=1)
        try:
            while not self._closing.is_set():
                try:
                    with engine.connect() as connection:
                        self._hold(connection)
                except Exception as error:  # whatever it is: who does not beat is taken for dead
                    self._beaten_at = -inf  # the lock is free
                    if not self._is_cut_off:
                        is_foreseen = isinstance(error, SQLAlchemyError)
                        reason = "the database is away" if is_foreseen else "its beat failed unexpectedly"
                        logger.warning(
                            f"the worker cannot beat: {reason}",
                            extra={"error": str(error)[:200]},
                            exc_info=None if is_foreseen else error,
                        )
                    self._is_cut_off = True
                    self._closing.wait(0.25)
        finally:
            engine.dispose()

    def _hold(self, connection: Connection) -> None:
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(_LOCK, {"key": lock_key(self.id)})
        while True:
            if monotonic() - self._loop_seen_at < _STUCK_S:
                alive = connection.execute(_BEAT, {"me": self.id, "at": now(), "to_state": self._state}).first()
                if self._is_cut_off:
                    logger.info("the worker beats again: the database is back")
                self._is_cut_off = False
                if alive is None:
                    self._closing.set()
                    self._loop.call_soon_threadsafe(self.lost.set)
                    return
                self._beaten_at = monotonic()
                self._loop.call_soon_threadsafe(self._beaten.set)
            if self._closing.wait(BEAT_S):
                return


class Reaper:
    """Finds dead workers and puts their tasks back into the queue. Every worker has one; they take turns."""

    def __init__(self, me: Membership) -> None:
        self._me = me
        self._beats: dict[str, tuple[int, float]] = {}
        self._free: set[str] = set()
        self._server_since: datetime | None = None
        self._contact_at = monotonic()
        self._good_since = monotonic()

    def lose_contact(self) -> None:
        """Say that the database was away: nobody is judged until contact has been good for a while."""
        self._good_since = monotonic()
        self._beats.clear()
        self._free.clear()

    def look(self, connection: Connection) -> list[str]:
        """Bury who is dead; returns the tasks that are queued again. In one transaction of its own."""
        at = monotonic()
        if at - self._contact_at > _GOOD_CONTACT_S:  # this process itself was frozen
            self.lose_contact()
        self._contact_at = at
        server_since, is_my_turn = connection.execute(_MY_TURN).one()
        if server_since != self._server_since:  # when the server dies, so do all its locks
            if self._server_since is not None:
                self.lose_contact()
            self._server_since = server_since
        others = connection.execute(_OTHERS, {"me": self._me.id}).all()
        self._beats = {
            row.id: known if (known := self._beats.get(row.id)) is not None and known[0] == row.beat else (row.beat, at)
            for row in others
        }
        if at - self._good_since < _GOOD_CONTACT_S or not is_my_turn:
            return []
        free = {row.id for row in others if connection.execute(_IS_FREE, {"key": lock_key(row.id)}).scalar_one()}
        dead = [row.id for row in others if row.id in free & self._free or at - self._beats[row.id][1] > SILENT_S]
        self._free = free
        return [task_id for worker_id in dead for task_id in bury(connection, worker_id)]


def bury(connection: Connection, worker_id: str) -> list[str]:
    """Mark a worker as gone and put its tasks back into the queue; returns them."""
    logger.warning("a worker is dead; its tasks are taken over", extra={"worker": worker_id})
    connection.execute(_BURY, {"of_worker": worker_id})
    return queue.recover(connection, worker_id)


@asynccontextmanager
async def sole_owner(settings: Settings, database: Database) -> AsyncGenerator[None]:
    """On SQLite, hold the lock of the database's folder: one process has it. Raises: AlreadyRunningError."""
    if not database.is_sqlite:
        yield
        return
    path = settings.data_dir.resolve() / "orchestrator.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunningError(
                f"Another orchestrator works in {path.parent}. Stop it, set another DATA_DIR, or use PostgreSQL "
                "(DATABASE_URL), which many can share."
            ) from error
        yield
    finally:
        os.close(handle)


@asynccontextmanager
async def joined(database: Database) -> AsyncGenerator[Membership]:
    """Be a worker, until the end."""
    me = Membership(database)
    with patience(STARTING_S):
        await me.join()
    try:
        yield me
    finally:
        await me.leave()


def lock_key(worker_id: str) -> int:
    """Return the number of a worker's advisory lock."""
    return (UUID(worker_id).int & 0x7FFF_FFFF_FFFF_FFFF) | (1 << 62)


def _register(connection: Connection, worker_id: str, *, is_alone: bool) -> None:
    if is_alone:
        for other in connection.execute(_OTHERS, {"me": worker_id}).all():
            bury(connection, other.id)
    at = now()
    connection.execute(delete(Worker).where(Worker.state == "gone", Worker.seen_at < at - _REMEMBERED))
    connection.execute(
        insert(Worker).values(
            id=worker_id,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=version("agent-federation"),
            state="working",
            beat=0,
            started_at=at,
            seen_at=at,
        )
    )
    queue.recover_orphans(connection)


def _leave(connection: Connection, worker_id: str) -> None:
    queue.hand_over(connection, worker_id)
    connection.execute(delete(Worker).where(Worker.id == worker_id))


_OTHERS: Final = select(Worker.id, Worker.beat).where(Worker.state != "gone", Worker.id != bindparam("me"))
_LOCK: Final = text("SELECT pg_advisory_lock(:key)")
_MY_TURN: Final = text(f"SELECT pg_postmaster_start_time(), pg_try_advisory_xact_lock({_REAPER})")
_IS_FREE: Final = text("SELECT pg_try_advisory_xact_lock(:key)")
_BURY: Final = update(Worker).where(Worker.id == bindparam("of_worker")).values(state="gone")
_BEAT: Final = (
    update(Worker)
    .where(Worker.id == bindparam("me"), Worker.state != "gone")
    .values(beat=Worker.beat + 1, seen_at=bindparam("at"), state=bindparam("to_state"))
    .returning(Worker.id)
)
