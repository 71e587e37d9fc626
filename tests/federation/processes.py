"""Real processes in tests: start one, read what it prints as it comes, see whether others live."""

import os
import queue
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.settings import PORT_SETTINGS

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
PORTS = tuple(PORT_SETTINGS.values())


class Printing:
    """A process whose output is read line by line. `lines` holds what was read so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def expect(self, part: str, *, timeout_s: float = PATIENCE_S) -> str:
        """Return the first line that holds `part`, once it is there."""
        deadline = time.monotonic() + timeout_s
        for line in self.lines:
            if part in line:
                return line
        while True:
            try:
                line = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"{part!r} was not printed; this was:\n{self.text}")
            self.lines.append(line)
            if part in line:
                return line

    def end(self, *, timeout_s: float = PATIENCE_S) -> int:
        """Wait for the end, read the rest, and return the exit code."""
        code = self.process.wait(timeout_s)
        while (line := self._queue.get(timeout=timeout_s)) is not None:
            self.lines.append(line)
        return code

    @property
    def text(self) -> str:
        """All that was read."""
        return "\n".join(self.lines)

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)


@contextmanager
def started(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path = ROOT, stdin: int = subprocess.DEVNULL
) -> Generator[Printing]:
    """Start a process in a session of its own, with both outputs as one; kill it at the end if it still lives."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {}), "PYTHONUNBUFFERED": "1"},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield Printing(process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def python(*arguments: str) -> list[str]:
    """Return the command that runs this Python."""
    return [sys.executable, *arguments]


def free_ports(count: int) -> list[int]:
    """Return ports that are free now, and that the system gives to nobody until they are used.

    (Those that it chooses itself are of the range that it also gives to every outgoing connection.)
    """
    found: set[int] = set()
    while len(found) < count:
        port = random.SystemRandom().randrange(20_000, 32_000)  # of a seeded one each test would draw the same
        with suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            found.add(port)
    return list(found)


def lives(pid: int) -> bool:
    """Tell whether the process lives; one that has ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}


def poll(condition: Callable[[], object], *, timeout_s: float = PATIENCE_S) -> None:
    """Wait until the condition is true. Raises: AssertionError when it does not come true in time."""
    deadline = time.monotonic() + timeout_s
    tick = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"still not true after {timeout_s:g} s"
        tick.wait(0.02)
