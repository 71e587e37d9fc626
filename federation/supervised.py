"""One service as a process of the runner: its start, its output, its end, and when it is started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from federation.launch import Service
from federation.service_log import ServiceLog

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_HEALTHY_AFTER_S = 60.0


class Supervised:
    """A service and its process. `restart_at`: when it is to be started again; `failures`: ends in quick succession."""

    def __init__(
        self, service: Service, logs: Path, *, grace_s: float, say: Callable[[str], None], verbose: bool
    ) -> None:
        self.service = service
        self.log = ServiceLog(logs / f"{service.name}.log", service.name, say, verbose=verbose)
        self.restart_at: float | None = None
        self.failures = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.output = -1
        self._grace_s = grace_s
        self._started_at = 0.0

    @property
    def pid(self) -> int | None:
        """The id of the process, while there is one."""
        return self._process.pid if self._process else None

    def start(self) -> int:
        """Start the process and return the descriptor that its output comes from, which does not block."""
        self.restart_at = None
        self._started_at = time.monotonic()
        self.log.last_line = ""
        self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            [sys.executable, "-P", "-m", "federation.service_process", self.service.module, str(self._grace_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        self.output = self._process.stdout.fileno()
        os.set_blocking(self.output, False)
        return self.output

    def read(self) -> bool:
        """Take over what the process has written, without waiting. False at its end."""
        try:
            chunk = os.read(self.output, 65_536)
        except BlockingIOError:
            return False
        self.log.write(chunk)
        return bool(chunk)

    def collect(self) -> str | None:
        """Return in words how the process ended, once it has, and kill what it left behind. None while it lives."""
        process = self._process
        if process is None or process.poll() is None:
            return None
        self.kill()
        while self.read():
            pass
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        self._process = None
        self.failures = 1 if time.monotonic() - self._started_at >= _HEALTHY_AFTER_S else self.failures + 1
        code = process.returncode
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}" + (f": {self.log.last_line}" if code and self.log.last_line else "")

    def plan_restart(self) -> float:
        """Have it started again after a pause, which is returned: longer each time it does not stay up."""
        pause_s = min(_FIRST_PAUSE_S * 2.0 ** min(self.failures - 1, 10), _LONGEST_PAUSE_S)
        self.restart_at = time.monotonic() + pause_s
        return pause_s

    def terminate(self) -> None:
        """Ask the process to stop."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """Kill the process with everything in its process group."""
        if self._process is not None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                return  # nobody is left in the group; macOS says so by PermissionError
