"""Processes of our own code that are forked from one that has imported it, which saves each a second of CPU.

`federation up` starts services so, too (`federation/fork_server.py`); here each process has an environment of its own.
What runs is a module's `main`. The server, one for each process of tests, is `python -m tests.support.forked < SOCKET`.
"""

import asyncio
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Final

_ROOT: Final = Path(__file__).resolve().parents[2]
_MESSAGE_BYTES: Final = 200_000
_TOLD_BYTES: Final = 32


class ServerGoneError(Exception):
    """The process that the others are forked from has ended: nobody can tell how they do."""


class Forked:
    """A process that was forked, with what `asyncio.subprocess.Process` offers of the same names."""

    def __init__(self, pid: int, told: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._told = told
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(told, self._hear)

    async def wait(self) -> int:
        """Wait until it has ended, and return its exit code, or minus the signal that ended it.

        Raises: ServerGoneError.
        """
        await self._ended.wait()
        if self.returncode is None:
            raise ServerGoneError
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal. Raises: ProcessLookupError, when it has ended."""
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, number)

    def terminate(self) -> None:
        """Tell it to stop."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a word."""
        self.send_signal(signal.SIGKILL)

    def _hear(self) -> None:
        asyncio.get_running_loop().remove_reader(self._told)
        with self._told:
            said = self._told.recv(_TOLD_BYTES)
        self.returncode = int(said) if said else None
        self._ended.set()


async def start(
    module: str,
    *arguments: str,
    env: Mapping[str, str],
    log: IO[bytes] | None = None,
    errors: IO[bytes] | None = None,
    folder: Path | None = None,
    ahead: Sequence[str] = (),
) -> Forked:
    """Start a process that runs the `main` of a module with these arguments, in a folder.

    What it prints goes into the log, or nowhere; with `errors`, its standard error goes there. `ahead` are modules that
    it imports only as it goes on, to be imported before it is forked.

    Raises: ServerGoneError.
    """
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        output = nothing if log is None else log.fileno()
        streams = [nothing, output, output if errors is None else errors.fileno()]
        wish = _Wish(module, arguments, str(folder or Path.cwd()), dict(env), ahead)
        socket.send_fds(_server(), [json.dumps(asdict(wish)).encode()], [*streams, its.fileno()])
    except ConnectionError as error:
        ours.close()
        raise ServerGoneError from error
    finally:
        os.close(nothing)
        its.close()
    ours.setblocking(False)
    try:
        said = await asyncio.get_running_loop().sock_recv(ours, _TOLD_BYTES)
        if not said:
            raise ServerGoneError
    except BaseException:
        ours.close()
        raise
    return Forked(int(said), ours)


@dataclass(frozen=True, slots=True)
class _Wish:
    module: str
    arguments: Sequence[str]
    folder: str
    environment: dict[str, str]
    ahead: Sequence[str]


@cache
def _server() -> socket.socket:
    """Start the server, which lives as long as this process, and return the way to it."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        command = [sys.executable, "-m", __name__]
        subprocess.Popen(command, cwd=_ROOT, stdin=its.fileno(), start_new_session=True)
    return ours


def main() -> None:
    """Fork what is wished for until nobody wishes any more; in what is forked, be that."""
    gc.disable()  # what is touched is shared no longer
    with socket.socket(fileno=os.dup(0)) as wishes:
        forked = _fork_for(wishes)
    if forked is not None:
        _be(*forked)


def _fork_for(wishes: socket.socket) -> tuple[_Wish, list[int]] | None:
    """Return in a forked process what it is to be and its descriptors, here None when nobody wishes any more."""
    with selectors.DefaultSelector() as selector:
        selector.register(wishes, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not wishes:
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    pid, its = key.data
                    _tell(its, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                    os.close(its)
                    continue
                said, descriptors, _, _ = socket.recv_fds(wishes, _MESSAGE_BYTES, 4)
                if not said:
                    _end_all(selector)
                    return None
                *streams, its = descriptors
                wish = _Wish(**json.loads(said))
                with suppress(Exception):  # the process itself will say why it does not load
                    for module in (wish.module, *wish.ahead):
                        import_module(module)
                pid = os.fork()
                if pid == 0:
                    for other in list(selector.get_map().values()):
                        if other.data is not None:
                            os.close(other.fd)
                            os.close(other.data[1])
                    os.close(its)
                    return wish, streams
                for descriptor in streams:
                    os.close(descriptor)
                _tell(its, pid)
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, its))


def _end_all(selector: selectors.BaseSelector) -> None:
    for key in selector.get_map().values():
        if key.data is not None:
            signal.pidfd_send_signal(key.fd, signal.SIGKILL)


def _tell(its: int, number: int) -> None:
    with suppress(OSError):  # nobody waits for it any more
        os.write(its, str(number).encode())


def _be(wish: _Wish, streams: list[int]) -> None:
    """Run the module in this process, as if it had been started by itself."""
    for place, descriptor in enumerate(streams):
        os.dup2(descriptor, place)
        os.close(descriptor)
    os.chdir(wish.folder)
    os.environ.clear()
    os.environ.update(wish.environment)
    gc.freeze()
    gc.enable()
    sys.argv = [wish.module, *wish.arguments]
    import_module(wish.module).main()


if __name__ == "__main__":
    main()
