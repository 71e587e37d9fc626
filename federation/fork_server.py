"""The process that the services are forked from: it has imported their code, which they so share, and start sooner.

    python -m federation.fork_server GRACE_S MODULE… < SOCKET

What the runner wants comes by the socket on standard input (`Wish`), each wish with two descriptors: one that becomes
the service's standard input, one that becomes both its outputs. Back goes its process id, later how it ended (`News`).

The runner holds the other end of that input, the lifeline, and never writes. However the runner ends, SIGKILL included,
it closes: the service is asked to stop, and after GRACE_S killed with all it started. Standard library only.
"""

import gc
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

MESSAGE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Wish:
    """A service that is to be forked: its name, and the module whose `main` is its program."""

    name: str
    module: str


@dataclass(frozen=True, slots=True)
class News:
    """A service was forked, or has ended: with an exit code, or with minus the signal that killed it.

    One that could not be forked has no `pid`; what it would print says why.
    """

    name: str
    pid: int | None
    code: int | None = None


def main() -> None:
    """Fork what is wished for until the runner is gone; in what is forked, be that service."""
    grace_s, modules = float(sys.argv[1]), sys.argv[2:]
    gc.disable()  # it would touch every object, and what is touched is shared no longer
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the runner says when it is over
    for module in modules:
        with suppress(Exception, SystemExit):  # the service itself will say why it does not load
            import_module(module)
    with socket.socket(fileno=os.dup(0)) as runner:
        forked = _fork_for(runner)
    if forked is not None:
        _be(*forked, grace_s)


def _fork_for(runner: socket.socket) -> tuple[Wish, list[int]] | None:
    """Return in a forked process what it is to be and its descriptors, here None when the runner is gone."""
    names: dict[int, str] = {}
    with selectors.DefaultSelector() as selector, _noticing_ends() as ends:
        selector.register(runner, selectors.EVENT_READ)
        selector.register(ends, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == ends:
                    os.read(ends, MESSAGE_BYTES)
                    while names and (ended := os.waitpid(-1, os.WNOHANG))[0]:
                        pid, status = ended
                        _tell(runner, News(names.pop(pid), pid, os.waitstatus_to_exitcode(status)))
                    continue
                said, descriptors, _, _ = socket.recv_fds(runner, MESSAGE_BYTES, 2)
                if not said:
                    return None
                wish = Wish(**json.loads(said))
                try:
                    pid = os.fork()
                except OSError as error:  # too many processes, or too little memory: the others go on
                    os.write(descriptors[-1], f"it cannot be forked: {error.strerror}\n".encode())
                    news = News(wish.name, None, os.EX_OSERR)
                else:
                    if pid == 0:
                        return wish, descriptors
                    names[pid] = wish.name
                    news = News(wish.name, pid)
                for descriptor in descriptors:
                    os.close(descriptor)
                _tell(runner, news)


@contextmanager
def _noticing_ends() -> Generator[int]:
    """Yield what can be read when a process that was forked has ended."""
    ends, wake = os.pipe()
    for descriptor in (ends, wake):
        os.set_blocking(descriptor, False)
    signal.signal(signal.SIGCHLD, _ignore)  # without a handler nothing is woken
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    try:
        yield ends
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(ends)
        os.close(wake)


def _ignore(*_: object) -> None:
    """Do nothing."""


def _tell(runner: socket.socket, news: News) -> None:
    with suppress(OSError):  # it is gone, which shows when it is asked for its next wish
        runner.send(json.dumps(asdict(news)).encode())


def _be(wish: Wish, descriptors: list[int], grace_s: float) -> None:
    """Run the service in this process, as if it had been started by itself."""
    os.setsid()
    lifeline, output = descriptors
    for descriptor, place in ((lifeline, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, place)
    for descriptor in descriptors:
        os.close(descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    gc.freeze()
    gc.enable()
    with suppress(OSError):
        Path("/proc/self/comm").write_text(wish.name, encoding="utf-8")  # what `ps` and `top` show
    threading.Thread(target=_end_with_runner, args=(grace_s,), daemon=True).start()
    sys.argv = [wish.module]
    import_module(wish.module).main()


def _end_with_runner(grace_s: float) -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_s)  # nothing to wait for: the process ends, and this thread with it, or it is stuck
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
