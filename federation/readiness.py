"""Watches, in a thread, how the federation gets ready. Standard library only."""

import http.client
import threading
import time
from collections.abc import Callable
from typing import cast

from federation import probe
from federation.launch import Launch

_PAUSE_S = 0.1


class Readiness(threading.Thread):
    """Asks until the federation is ready, then calls `done` once.

    `seconds` is how long it took, or None while it is not ready. `missing` says what is waited for; `degraded` what
    works only in part, one sentence each.
    """

    def __init__(self, launch: Launch, done: Callable[[], None]) -> None:
        super().__init__(daemon=True, name="readiness")
        self.seconds: float | None = None
        self.missing = ""
        self.degraded: list[str] = []
        self._launch = launch
        self._names = [service.name for service in launch.services]
        self._done = done
        self._over = threading.Event()

    def run(self) -> None:
        """Ask, until it is ready or `give_up` is called."""
        started = time.monotonic()
        while not self._over.wait(_PAUSE_S):
            healths = {name: probe.ask(self._launch.address(name) + "/health", timeout_s=2.0) for name in self._names}
            if silent := [name for name, (status, _) in healths.items() if status != http.client.OK]:
                self.missing = ", ".join(silent)
                continue
            status, facts = probe.ask(self._launch.address("orchestrator") + "/ready")
            if status == http.client.OK:
                self.degraded = _list_problems(healths)
                self.seconds = time.monotonic() - started
                self._done()
                return
            self.missing = str(facts.get("detail", "the agents to register"))

    def give_up(self) -> None:
        """Ask no more."""
        self._over.set()


def _list_problems(healths: dict[str, tuple[int, probe.Facts]]) -> list[str]:
    found: list[str] = []
    for name, (_, facts) in healths.items():
        problems = facts.get("problems")
        if isinstance(problems, list):
            found += [f"{name}: {problem}" for problem in cast("list[object]", problems)]
    return found
