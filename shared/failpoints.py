"""Places at which a process can be made to die, so that tests reach every phase in which a crash may come.

`FEDERATION_FAILPOINT` holds `NAME:ACTION` or `NAME:ACTION:N` (the N-th time, from 1), several with commas between.
Actions: `kill` (SIGKILL to this process), `stop` (SIGSTOP: it freezes). Without the variable nothing happens.
"""

import os
import signal
from functools import cache
from typing import Final

_ACTIONS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_reached: dict[str, int] = {}


def reach(name: str) -> None:
    """Say that the process is at this place; if it is to end or freeze here, it does."""
    planned = _planned()
    if name not in planned:
        return
    action, at = planned[name]
    _reached[name] = _reached.get(name, 0) + 1
    if _reached[name] == at:
        os.kill(os.getpid(), action)


@cache
def _planned() -> dict[str, tuple[signal.Signals, int]]:
    planned: dict[str, tuple[signal.Signals, int]] = {}
    for entry in os.environ.get("FEDERATION_FAILPOINT", "").split(","):
        name, _, rest = entry.strip().partition(":")
        action, _, count = rest.partition(":")
        if name and action in _ACTIONS:
            planned[name] = (_ACTIONS[action], int(count or 1))
    return planned
