"""One sandbox while it runs: its processes, what they write, and how they are ended from outside."""

import asyncio
import fcntl
import json
import os
import signal
from asyncio.subprocess import Process, create_subprocess_exec
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import TypedDict, cast

from code_agent_service.runs import Reason
from code_agent_service.walls import Entry

_FLOOD_FACTOR = 64  # a program that writes this many times what is kept is stopped
_INFO_BYTES = 4096
_START_TIMEOUT_S = 10.0
_END_TIMEOUT_S = 5.0


class _Info(TypedDict("_Child", {"child-pid": int})):
    """What bubblewrap tells, as far as it is used."""


class Capture(asyncio.Protocol):
    """The first bytes of a pipe. The rest is read and forgotten, so that endless output costs no memory."""

    def __init__(self, most_bytes: int, on_flood: Callable[[], None] | None = None) -> None:
        self.kept = bytearray()
        self.total_bytes = 0
        self.changed = asyncio.Event()
        self.ended = asyncio.Event()
        self._most_bytes = most_bytes
        self._on_flood = on_flood

    def data_received(self, data: bytes) -> None:
        """Keep what still has room."""
        self.total_bytes += len(data)
        self.kept += data[: max(0, self._most_bytes - len(self.kept))]
        self.changed.set()
        if self._on_flood is not None and self.total_bytes > self._most_bytes * _FLOOD_FACTOR:
            self._on_flood()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Note that nothing more will come."""
        self.ended.set()
        self.changed.set()

    def text(self) -> str:
        """Return what was kept as text, with a note where something is missing."""
        text = self.kept.decode(errors="replace")
        left_out = self.total_bytes - len(self.kept)
        return f"{text}\n[{left_out:,} more bytes are not shown]\n" if left_out else text


class Box:
    """A running sandbox. `init` is its first process, seen from here; `stopped_by` the limit that ended it, if any."""

    def __init__(self, entry: Entry, output_bytes: int, report_bytes: int) -> None:
        self._entry = entry
        self.init: int | None = None
        self.stopped_by: Reason | None = None
        self.stdout = Capture(output_bytes, lambda: self.stop("output"))
        self.stderr = Capture(output_bytes, lambda: self.stop("output"))
        self.report = Capture(report_bytes)
        self._info = Capture(_INFO_BYTES)
        self._process: Process | None = None
        self._init_fd: int | None = None

    def stop(self, reason: Reason) -> None:
        """Kill all its processes at once, because it met this limit."""
        self.stopped_by = self.stopped_by or reason
        self._kill()

    async def wait(self) -> int:
        """Wait until it has ended and all it wrote is read; return its exit code."""
        for capture in (self.stdout, self.stderr, self.report):
            await capture.ended.wait()
        return 0 if self._process is None else await self._process.wait()

    async def start(self, job: bytes) -> None:
        """Start it, and wait until its first process exists, or bubblewrap has given up."""
        with ExitStack() as ours:  # these ends belong to the sandbox alone, once it has them
            stdin, call_filter = _open_memory_file(job, ours), self._entry.call_filter
            seccomp_fd = None if call_filter is None else _open_memory_file(call_filter, ours)
            stdout, stderr, report, info = [
                await _open_pipe(capture, ours) for capture in (self.stdout, self.stderr, self.report, self._info)
            ]
            spawning = asyncio.ensure_future(
                create_subprocess_exec(
                    *self._entry.build(report, info, seccomp_fd),
                    stdin=stdin,
                    stdout=stdout,
                    stderr=stderr,
                    pass_fds=[fd for fd in (report, info, seccomp_fd) if fd is not None],
                    env={},
                    cwd="/",
                    start_new_session=True,
                )
            )
            try:
                self._process = await asyncio.shield(spawning)
            except asyncio.CancelledError:
                self._process = await spawning  # so that `end` can end it
                raise
        await self._find_init()

    async def _find_init(self) -> None:
        """Wait until bubblewrap tells the sandbox's first process, or ends."""
        while self.init is None and not self._info.ended.is_set():
            with suppress(ValueError):
                self.init = cast("_Info", json.loads(self._info.kept))["child-pid"]
                with suppress(ProcessLookupError):
                    self._init_fd = os.pidfd_open(self.init)
                return
            self._info.changed.clear()
            await self._info.changed.wait()

    async def end(self) -> None:
        """Kill what is left of it, and wait until that is gone."""
        if self._process is None:
            return
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_END_TIMEOUT_S):
                    await self._find_init()  # before there is one, bubblewrap's own processes could outlive each other
                    self._kill()
                    await self._process.wait()
        finally:
            self._kill(everything=True)
            if self._init_fd is not None:
                os.close(self._init_fd)
                self._init_fd = None

    def _kill(self, *, everything: bool = False) -> None:
        """Kill the sandbox's first process, and so all in it; or also bubblewrap, wherever it stands."""
        with suppress(ProcessLookupError):
            if self._init_fd is not None:
                signal.pidfd_send_signal(self._init_fd, self._entry.end_signal)
        with suppress(ProcessLookupError):
            if everything and self._process is not None and self._process.returncode is None:
                os.killpg(self._process.pid, signal.SIGKILL)


@asynccontextmanager
async def open_box(entry: Entry, job: bytes, *, output_bytes: int, report_bytes: int) -> AsyncGenerator[Box]:
    """Start a sandbox whose launcher reads `job`, and yield it; at the end no process of it is left.

    Raises: TimeoutError when nothing started.
    """
    box = Box(entry, output_bytes, report_bytes)
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            await box.start(job)
        yield box
    finally:
        await box.end()


def _open_memory_file(content: bytes, stack: ExitStack) -> int:
    """Return a descriptor to read `content` from, which cannot be written."""
    fd = os.memfd_create("sandbox", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    stack.callback(os.close, fd)
    with os.fdopen(fd, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(fd, 0, os.SEEK_SET)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
    return fd


async def _open_pipe(capture: Capture, stack: ExitStack) -> int:
    """Return the descriptor of a new pipe's end for writing; what comes out goes to `capture`."""
    ours, theirs = os.pipe()
    stack.callback(os.close, theirs)
    await asyncio.get_running_loop().connect_read_pipe(lambda: capture, os.fdopen(ours, "rb", buffering=0))
    return theirs
