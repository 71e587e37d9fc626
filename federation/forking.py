"""The fork server as the runner sees it. Standard library only."""

import json
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict

from federation.fork_server import MESSAGE_BYTES, News, Wish


class ForkServer:
    """Forks services. Its process is started with the first wish, and anew with the next one after `end`.

    Wishes are not waited for: that one was forked, or has ended, is told by `read`.
    """

    def __init__(self, modules: Sequence[str], *, grace_s: float) -> None:
        self._command = (sys.executable, "-P", "-m", "federation.fork_server", str(grace_s), *dict.fromkeys(modules))
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    @property
    def descriptor(self) -> int | None:
        """What can be read when there is news, while the process lives."""
        return None if self._socket is None else self._socket.fileno()

    def fork(self, wish: Wish, lifeline: int, output: int) -> None:
        """Have a service forked, with these descriptors as its input and its outputs. They may be closed then."""
        if self._socket is None:
            self._socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with its:
                self._process = subprocess.Popen(self._command, stdin=its.fileno(), start_new_session=True)  # noqa: S603
        with suppress(ConnectionError):  # it has just ended, which `read` will tell
            socket.send_fds(self._socket, [json.dumps(asdict(wish)).encode()], [lifeline, output])

    def read(self) -> News | None:
        """Return the next news; None when the process has ended: nothing more is told of its services."""
        said = b""
        if self._socket is not None:
            with suppress(ConnectionError):
                said = self._socket.recv(MESSAGE_BYTES)
        return News(**json.loads(said)) if said else None

    def end(self) -> None:
        """End the process, if it lives. Its services go on, but for those that were not forked yet."""
        if self._socket is not None and self._process is not None:
            self._socket.close()
            self._process.kill()
            self._process.wait()
        self._socket = self._process = None
