"""How the orchestrator's processes hear of each other at once, instead of asking the database again and again.

A signal is a hint: a topic and a task's id, or an agent's. What it tells of stands in the database, so one that is
lost costs time only. Within a process a signal is a call. On PostgreSQL it goes to the other processes too, by NOTIFY:
not in the transaction that it tells of, for there NOTIFY takes a lock that all of the server's databases share, but
gathered over 20 ms and sent on a connection of its own, which also listens.
Source: https://www.postgresql.org/docs/current/sql-notify.html
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from shared.background import background
from shared.db import Database

if TYPE_CHECKING:
    from psycopg import AsyncConnection

logger = logging.getLogger(__name__)

Topic = Literal["events", "queue", "cancel", "input", "nudge", "suspend"]

_CHANNEL: Final = "federation"
_GATHER_S: Final = 0.02
_MIN_PAUSE_S: Final = 0.1
_MAX_PAUSE_S: Final = 1.0
_FIRST_CONTACT_S: Final = 5.0
_MAX_WAITING: Final = 10_000
_MAX_PAYLOAD_BYTES: Final = 7_900
_EVERYTHING: Final = "*"
_TOPICS: Final = frozenset[str](get_args(Topic))


@dataclass(frozen=True, slots=True, eq=False)
class _Hearer:
    callback: Callable[[str], None]
    missed: Callable[[], None] | None
    elsewhere: bool


class Signals:
    """Tells of tasks and hears of them. Everything happens on the event loop."""

    def __init__(self, database: Database) -> None:
        self.cross_processes = not database.is_sqlite
        """Whether other processes can be heard, too."""
        self._database = database
        self._hearers: dict[str, list[_Hearer]] = {topic: [] for topic in _TOPICS}
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._has_data = self._must_send = False
        self._waiting: dict[str, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._sent_at = 0.0
        self._is_heard = asyncio.Event()

    def tell(self, topic: Topic, task_id: str) -> None:
        """Say that something happened to the task; returns at once."""
        for hearer in tuple(self._hearers[topic]):
            if not hearer.elsewhere:
                hearer.callback(task_id)
        if not self.cross_processes:
            return
        if len(self._waiting) >= _MAX_WAITING:
            self._waiting.clear()
            self._waiting[_EVERYTHING] = None
        self._waiting[f"{topic} {task_id}"] = None
        if self._timer is None:
            self._timer = self._loop.call_at(self._sent_at + _GATHER_S, self._send_soon)

    @contextmanager
    def hear(
        self,
        topic: Topic,
        callback: Callable[[str], None],
        missed: Callable[[], None] | None = None,
        *,
        elsewhere: bool = False,
    ) -> Generator[None]:
        """Call `callback(task_id)` for each signal while open, and `missed()` when some may have been lost.

        `elsewhere`: only for signals of other processes. The same signal told twice in a moment may be heard once.
        """
        hearer = _Hearer(callback, missed, elsewhere)
        self._hearers[topic].append(hearer)
        try:
            yield
        finally:
            self._hearers[topic].remove(hearer)

    async def until_heard(self) -> None:
        """Return when other processes are heard."""
        await self._is_heard.wait()

    async def keep_in_touch(self) -> None:
        """Listen and send until canceled; connect anew when the server was away."""
        import psycopg  # noqa: PLC0415 - only for those who use PostgreSQL

        pause_s, is_said = _MIN_PAUSE_S, False
        while True:
            try:
                async with await self._connect() as connection:
                    pause_s, is_said = _MIN_PAUSE_S, False
                    await self._converse(connection)
            except psycopg.Error as error:
                if not is_said:
                    logger.warning("other processes cannot be heard now", extra={"reason": str(error)})
                is_said = True
                self._is_heard.clear()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _MAX_PAUSE_S)

    async def _connect(self) -> "AsyncConnection":
        from psycopg import AsyncConnection  # noqa: PLC0415
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415

        engine = self._database.engine
        _, given = engine.dialect.create_connect_args(engine.url)
        given.pop("context", None)  # of SQLAlchemy
        patience = {"connect_timeout": 5, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
        connection = await AsyncConnection.connect(make_conninfo("", **{**patience, **given}), autocommit=True)
        await connection.execute("SET synchronous_commit TO off")  # a hint is not worth a wait for the disk
        await connection.execute(f"LISTEN {_CHANNEL}")
        return connection

    async def _converse(self, connection: "AsyncConnection") -> None:
        """Hear and send until the connection is lost."""
        self._has_data, self._must_send = False, bool(self._waiting)
        self._is_heard.set()
        self._say_missed()
        while True:
            if self._has_data:
                await self._receive(connection)
            if self._must_send:
                await self._send(connection)
                await self._receive(connection, wait_s=0.0)  # what came while it was sent
            # psycopg itself would look ten times a second whether something has come
            self._loop.add_reader(connection.fileno(), self._data_came)
            try:
                await self._wake.wait()
            finally:
                self._loop.remove_reader(connection.fileno())
            self._wake.clear()

    def _data_came(self) -> None:
        self._has_data = True
        self._wake.set()

    def _send_soon(self) -> None:
        self._must_send = True
        self._wake.set()

    async def _receive(self, connection: "AsyncConnection", wait_s: float = 0.05) -> None:
        self._has_data = False
        own_pid = connection.info.backend_pid
        async for notice in connection.notifies(timeout=wait_s, stop_after=1):
            if notice.pid != own_pid:
                self._hear(notice.payload)

    async def _send(self, connection: "AsyncConnection") -> None:
        """Send what waits; it waits on if the connection breaks meanwhile: heard twice is better than never."""
        self._must_send = False
        lines, self._waiting = self._waiting, {}  # what is told while they are sent is news again
        try:
            await connection.execute(_SEND, [_CHANNEL, list(_payloads(lines))])
        except BaseException:
            self._waiting = lines | self._waiting
            raise
        self._sent_at = self._loop.time()
        self._timer = self._loop.call_at(self._sent_at + _GATHER_S, self._send_soon) if self._waiting else None

    def _hear(self, payload: str) -> None:
        for line in payload.split("\n"):
            topic, _, task_id = line.partition(" ")
            if line == _EVERYTHING:
                self._say_missed()
            for hearer in tuple(self._hearers.get(topic, ())):  # a newer version may tell of more
                hearer.callback(task_id)

    def _say_missed(self) -> None:
        for hearer in [hearer for hearers in self._hearers.values() for hearer in hearers]:
            if hearer.missed is not None:
                hearer.missed()


@asynccontextmanager
async def open_signals(database: Database) -> AsyncGenerator[Signals]:
    """Open the signals of this process; on PostgreSQL it hears the others as soon as the server answers."""
    signals = Signals(database)
    if not signals.cross_processes:
        yield signals
        return
    async with background("signals", signals.keep_in_touch()):
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_CONTACT_S):
                await signals.until_heard()
        yield signals


def _payloads(lines: Iterable[str]) -> Generator[str]:
    """Return the lines in as few texts as fit into NOTIFY."""
    payload, size = list[str](), 0
    for line in lines:
        if payload and size + len(line.encode()) + 1 > _MAX_PAYLOAD_BYTES:
            yield "\n".join(payload)
            payload, size = [], 0
        payload.append(line)
        size += len(line.encode()) + 1
    if payload:
        yield "\n".join(payload)


_SEND: Final = "SELECT pg_notify(%s, payload) FROM unnest(%s::text[]) AS payload"
