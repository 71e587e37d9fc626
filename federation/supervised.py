"""One service as a process of the runner: its start, its output, its end, and when it is started again."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from federation.fork_server import News, Wish
from federation.forking import ForkServer
from federation.launch import Service
from federation.service_log import ServiceLog

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_HEALTHY_AFTER_S = 60.0


class Supervised:
    """A service and its process.

    `restart_at`: when it is to be started again; `failures`: ends in quick succession; `is_hopeless`: it ended, and
    said that another start cannot help; `pid`: the id of the process, while there is one.
    """

    def __init__(self, service: Service, logs: Path, *, say: Callable[[str], None], verbose: bool) -> None:
        self.service = service
        self.log = ServiceLog(logs / f"{service.name}.log", service.name, say, verbose=verbose)
        self.restart_at: float | None = None
        self.failures = 0
        self.is_hopeless = False
        self.pid: int | None = None
        self.output = -1
        self._lifeline = -1
        self._code: int | None = None
        self._started_at = 0.0

    @property
    def is_up(self) -> bool:
        """Whether it was started, and its end was not collected."""
        return self.output >= 0

    def start(self, forks: ForkServer) -> int:
        """Have the process forked and return the descriptor that its output comes from, which does not block."""
        self.restart_at = self._code = None
        self._started_at = time.monotonic()
        self.log.not_shown = ""
        its_lifeline, self._lifeline = os.pipe()
        self.output, its_output = os.pipe()
        os.set_blocking(self.output, False)
        forks.fork(Wish(self.service.name, self.service.module), its_lifeline, its_output)
        os.close(its_lifeline)
        os.close(its_output)
        return self.output

    def hear(self, news: News) -> None:
        """Take note of what the fork server tells."""
        self.pid, self._code = news.pid, news.code

    def lose(self) -> None:
        """Take it for killed: the fork server is gone, and with it whoever could tell how it ends."""
        if self.is_up:
            self._code = -signal.SIGKILL

    def read(self) -> bool:
        """Take over what the process has written, without waiting. False at its end."""
        try:
            chunk = os.read(self.output, 65_536)
        except BlockingIOError:
            return False
        self.log.write(chunk)
        return bool(chunk)

    def collect(self) -> str | None:
        """Return in words how the process ended, once it has, and kill what it left behind. None while it lives.

        Why it ended is with it, unless its log has shown that already.
        """
        code = self._code
        if code is None or not self.is_up:
            return None
        self.kill()
        while self.read():
            pass
        os.close(self.output)
        self.terminate()  # there is nothing left to stop, but the descriptor
        self.pid, self.output = None, -1
        self.failures = 1 if time.monotonic() - self._started_at >= _HEALTHY_AFTER_S else self.failures + 1
        self.is_hopeless = code == os.EX_CONFIG
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}" + (f": {self.log.not_shown}" if code and self.log.not_shown else "")

    def plan_restart(self) -> float:
        """Have it started again after a pause, which is returned: longer each time it does not stay up."""
        pause_s = min(_FIRST_PAUSE_S * 2.0 ** min(self.failures - 1, 10), _LONGEST_PAUSE_S)
        self.restart_at = time.monotonic() + pause_s
        return pause_s

    def terminate(self) -> None:
        """Ask the process to stop, by the end of its lifeline: that is noticed however early it comes."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def kill(self) -> None:
        """Kill the process with everything in its process group."""
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
