"""Which processes of a service work on its tasks, and whether they still live: so that a dead one's tasks are adopted.

On PostgreSQL a runner holds an advisory lock and counts a beat up, on a connection and a thread of its own. It is dead
when its lock is free in two looks, or when its beat has stood still for `SILENT_S` by the clock of whoever looks: no
two clocks are compared. On SQLite one process has the file: whoever was there before is dead.
"""

import asyncio
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from time import monotonic
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from shared.agent_tables import RUNNERS
from shared.db import Database, new_id, now, open_engine
from shared.settings import ServiceName

logger = logging.getLogger(__name__)

BEAT_S: Final = 2.0
SILENT_S: Final = 10.0
"""A runner whose beat stands still for so long is dead."""
LOOK_S: Final = 0.75
"""Pause between two looks at the other runners."""

_LEASE_S: Final = 7.0
_GOOD_CONTACT_S: Final = 5.0
_RECONNECT_S: Final = 0.25


class Presence:
    """This process as a runner. `lost` is set when others took it for dead: its tasks are theirs now."""

    def __init__(self, database: Database, service: ServiceName) -> None:
        self.id = new_id()
        self.lost = asyncio.Event()
        self._database = database
        self.service: ServiceName = service
        self._loop = asyncio.get_running_loop()
        self._beaten = asyncio.Event()
        self._beaten_at = -inf
        self._is_cut_off = False
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    async def join(self) -> None:
        """Enter the table, and begin to beat."""
        if self._database.is_sqlite:
            await self._database.write(_enter, self.service, self.id)
            return
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._beat_until_closed, args=(self.id, self._closing), daemon=True)
        self._thread.start()
        await self.confirm()

    async def leave(self) -> None:
        """Stop beating, and leave the table: others may take this runner's unfinished tasks at once."""
        self._closing.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        await self._database.write(_leave, self.id)

    async def rejoin(self) -> None:
        """Join anew, as another runner, after this one was lost and its runs are stopped."""
        self._closing.set()
        self.id, self._beaten_at = new_id(), -inf
        self.lost.clear()
        await self.join()

    async def confirm(self) -> None:
        """Return once nobody can take this runner for dead: at once, unless it was frozen or cut off."""
        while self.lost.is_set() or (not self._database.is_sqlite and monotonic() - self._beaten_at > _LEASE_S):
            self._beaten.clear()
            await self._beaten.wait()

    def _beat_until_closed(self, runner: str, closing: threading.Event) -> None:
        """Hold the lock and beat. Runs in a thread of its own; connects anew when the server goes away."""
        engine = open_engine(self._database.url, pool_size=1)
        entered = False
        try:
            while not closing.is_set():
                try:
                    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                        connection.execute(_LOCK, {"key": _lock_key(runner)})
                        if not entered:
                            _enter(connection, self.service, runner)
                            entered = True
                        self._beat_while_connected(connection, runner, closing)
                except SQLAlchemyError as error:
                    if not self._is_cut_off:
                        logger.warning(
                            "the runner cannot beat: the database is away", extra={"error": str(error)[:200]}
                        )
                    self._is_cut_off = True
                    closing.wait(_RECONNECT_S)
        finally:
            engine.dispose()

    def _beat_while_connected(self, connection: Connection, runner: str, closing: threading.Event) -> None:
        while not closing.is_set():
            is_lost = connection.execute(_BEAT, {"me": runner, "at": now()}).rowcount == 0
            if self._is_cut_off:
                logger.info("the runner beats again: the database is back")
            self._is_cut_off = False
            if is_lost:
                closing.set()
                self._loop.call_soon_threadsafe(self.lost.set)
                return
            self._beaten_at = monotonic()
            self._loop.call_soon_threadsafe(self._beaten.set)
            closing.wait(BEAT_S)


@dataclass(frozen=True, slots=True)
class Seen:
    """Another runner of the service, as one look found it."""

    id: str
    beat: int
    is_free: bool


class Judge:
    """Says which other runners are dead, from what look after look finds, by this process's own clock."""

    def __init__(self) -> None:
        self._beats: dict[str, tuple[int, float]] = {}
        self._free: set[str] = set()
        self._server_since: datetime | None = None
        self._contact_at = inf
        self._good_since = -inf

    def meet(self, server_since: datetime, at: float) -> None:
        """Note since when the server runs: when it dies, so do all its locks, and nobody is judged for a while."""
        if self._server_since is not None and server_since != self._server_since:
            self._lose_contact(at)
        self._server_since = server_since

    def judge(self, seen: Sequence[Seen], at: float) -> tuple[list[str], bool]:
        """Return the dead, and whether a runner that was seen before has left. `at`: now, by a clock of our own."""
        if at - self._contact_at > _GOOD_CONTACT_S:  # this process was frozen, or the database away
            self._lose_contact(at)
        self._contact_at = at
        has_left = bool(self._beats.keys() - {other.id for other in seen})
        self._beats = {
            other.id: known if (known := self._beats.get(other.id)) and known[0] == other.beat else (other.beat, at)
            for other in seen
        }
        if at - self._good_since < _GOOD_CONTACT_S:
            return [], has_left
        free = {other.id for other in seen if other.is_free}
        dead = [other.id for other in seen if other.id in free & self._free or at - self._beats[other.id][1] > SILENT_S]
        self._free = free
        return dead, has_left

    def _lose_contact(self, at: float) -> None:
        self._good_since = at
        self._beats.clear()
        self._free.clear()


def look(connection: Connection, service: ServiceName, runner: str) -> tuple[datetime, list[Seen]]:
    """Return since when the server runs, and the other runners of the service as they are now. On PostgreSQL."""
    server_since = connection.execute(_SERVER).scalar_one()
    others = connection.execute(_OTHERS, {"of_service": service, "me": runner}).all()
    return server_since, [
        Seen(row.id, row.beat, connection.execute(_IS_FREE, {"key": _lock_key(row.id)}).scalar_one()) for row in others
    ]


def bury(connection: Connection, service: ServiceName, runner: str, dead: Sequence[str] | None) -> None:
    """Take dead runners out of the table: they find that they are lost. None: all but `runner`."""
    gone = delete(RUNNERS).where(RUNNERS.c.service == service, RUNNERS.c.id != runner)
    connection.execute(gone if dead is None else gone.where(RUNNERS.c.id.in_(dead)))


def _enter(connection: Connection, service: ServiceName, runner: str) -> None:
    connection.execute(insert(RUNNERS).values(id=runner, service=service, seen_at=now(), beat=0))


def _leave(connection: Connection, runner: str) -> None:
    connection.execute(delete(RUNNERS).where(RUNNERS.c.id == runner))


def _lock_key(runner: str) -> int:
    """Return the number of a runner's advisory lock."""
    return UUID(runner).int & 0x3FFF_FFFF_FFFF_FFFF


_LOCK: Final = text("SELECT pg_advisory_lock(:key)")
_SERVER: Final = text("SELECT pg_postmaster_start_time()")
_IS_FREE: Final = text("SELECT pg_try_advisory_xact_lock(:key)")
_OTHERS: Final = select(RUNNERS.c.id, RUNNERS.c.beat).where(
    RUNNERS.c.service == bindparam("of_service"), RUNNERS.c.id != bindparam("me")
)
_BEAT: Final = (
    update(RUNNERS).where(RUNNERS.c.id == bindparam("me")).values(beat=RUNNERS.c.beat + 1, seen_at=bindparam("at"))
)
