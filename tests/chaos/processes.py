"""Processes that are started again whenever they die, as systemd would do it, and the ways to disturb them."""

import asyncio
import os
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import IO, Final, Protocol

import psutil

from tests.chaos.history import History
from tests.support.forked import Forked

_PAUSE_S: Final = 0.1
_PAUSE_OF_FAILING_S: Final = 0.5
_FAILING_S: Final = 1.0
_STOP_S: Final = 30.0


class Begin(Protocol):
    """Begins a process, with its outputs in a log."""

    def __call__(self, *, env: Mapping[str, str], log: IO[bytes]) -> Awaitable[Process | Forked]: ...


class Supervised:
    """One process in all its lives. `failpoints[n]` is where life n ends (or freezes); later lives have none.

    `alone_in`: it works in this folder, and so do its children, which may outlive it: then it begins after them.
    """

    def __init__(
        self,
        name: str,
        begin: Begin,
        environment: Mapping[str, str],
        history: History,
        log: Path,
        *,
        port: int,
        failpoints: Sequence[str] = (),
        stop_signal: signal.Signals = signal.SIGTERM,
        alone_in: Path | None = None,
    ) -> None:
        self.name = name
        self.failpoints = tuple(failpoints)
        self.lives = 0
        self._port = port
        self._begin = begin
        self._environment = environment
        self._history = history
        self._log = log
        self._stop_signal = stop_signal
        self._alone_in = alone_in
        self._process: Process | Forked | None = None
        self._stopping = False
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Supervised"]:
        """Start it and keep it alive; at the end it is told to stop."""
        keeping = asyncio.create_task(self._keep())  # not in a group: a failure of a run stays as it is
        try:
            yield self
        finally:
            await self.stop()
            await keeping

    def kill(self) -> None:
        """End it now, without a word."""
        self._signal(signal.SIGKILL, "killed")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._signal(number, f"sent {number.name}")

    async def freeze(self, seconds: float) -> None:
        """Stop its clock for a while; it does not know."""
        process = self._process
        self._signal(signal.SIGSTOP, "frozen")
        try:
            await asyncio.sleep(seconds)
        finally:
            if process is not None and process.returncode is None:
                self._history.note("fault", process=self.name, life=self.lives, action="thawed")
                with suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)

    async def until_life(self, number: int) -> None:
        """Wait until its life with this number (from 1) has begun."""
        while self.lives < number:
            await self._changed.wait()

    async def until_up(self) -> None:
        """Wait until it takes connections."""
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.close()
                return
            await asyncio.sleep(0.05)

    async def until_frozen(self) -> None:
        """Wait until it was stopped."""
        while not self.is_frozen():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)

    def is_frozen(self) -> bool:
        """Tell whether it was stopped, by us or by a failpoint."""
        process = self._process
        if process is None or process.returncode is not None:
            return False
        with suppress(OSError):
            return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        return False

    async def stop(self) -> None:
        """Tell it to stop and wait; one that does not is killed, and the history says so."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        for number in (signal.SIGCONT, self._stop_signal):
            with suppress(ProcessLookupError):
                process.send_signal(number)
        try:
            await asyncio.wait_for(process.wait(), _STOP_S)
        except TimeoutError:
            self._history.note("fault", process=self.name, life=self.lives, action="did not stop")
            process.kill()

    def _signal(self, number: signal.Signals, action: str) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._history.note("fault", process=self.name, life=self.lives, action=action)
        with suppress(ProcessLookupError):
            process.send_signal(number)

    async def _keep(self) -> None:
        while not self._stopping:
            began = monotonic()
            process = await self._start()
            code = await process.wait()
            self._history.note("ended", process=self.name, life=self.lives, code=code, told=self._stopping)
            if not self._stopping:
                is_failing = code != -signal.SIGKILL and monotonic() - began < _FAILING_S
                await asyncio.sleep(_PAUSE_OF_FAILING_S if is_failing else _PAUSE_S)
                while self._alone_in is not None and await asyncio.to_thread(_works_in, self._alone_in):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(_PAUSE_S)

    async def _start(self) -> Process | Forked:
        failpoint = self.failpoints[self.lives] if self.lives < len(self.failpoints) else ""
        with self._log.open("ab") as log:
            environment = {**os.environ, **self._environment, "FEDERATION_FAILPOINT": failpoint}
            self._process = await self._begin(env=environment, log=log)
        self.lives += 1
        self._history.note("started", process=self.name, life=self.lives, failpoint=failpoint)
        if self._stopping:
            self._process.send_signal(self._stop_signal)
        self._changed.set()
        self._changed = asyncio.Event()
        return self._process


def _works_in(folder: Path) -> bool:
    """Tell whether a process works in the folder."""
    return any(process.info["cwd"] == str(folder) for process in psutil.process_iter(["cwd"]))
