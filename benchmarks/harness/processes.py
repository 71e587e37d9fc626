"""Starts the processes that are measured, and ends exactly those: by their ids, whatever happens."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import IO, Final

import httpx

PROJECT: Final = Path(__file__).resolve().parents[2]

_KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "BROWSER_EXECUTABLE", "PLAYWRIGHT_BROWSERS_PATH")
_LOG: Final = "output.log"
_START_S: Final = 60.0
_STOP_S: Final = 15.0


class BenchmarkError(Exception):
    """The benchmark cannot be run here; the text says why."""


@dataclass(frozen=True, slots=True)
class Running:
    """A process under measurement and the base URL that it serves."""

    pid: int
    url: str


@contextmanager
def folder() -> Generator[Path]:
    """Make a folder for the data of one benchmark, and remove it at the end."""
    with TemporaryDirectory(prefix="federation-benchmark-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def environment(settings: Mapping[str, object]) -> dict[str, str]:
    """Return the environment of a measured process: no settings but these, so that no key and no `.env` plays in."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "PYTHONPATH": str(PROJECT), **{name: str(value) for name, value in settings.items()}}


@asynccontextmanager
async def serving(
    module: str, arguments: Sequence[str], settings: Mapping[str, object], port: int, data: Path
) -> AsyncGenerator[Running]:
    """Run `python -m module` in `data` until it answers at `/health`; end it afterwards. Its output goes to a file."""
    url = f"http://127.0.0.1:{port}"
    with open_log(data) as output:
        process = start([sys.executable, "-m", module, *arguments], settings, data, output)
        try:
            await until_ok(process, f"{url}/health", data)
            yield Running(process.pid, url)
        finally:
            await asyncio.to_thread(stop, process)


def start(
    command: Sequence[str], settings: Mapping[str, object], cwd: Path, output: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a process with only these settings."""
    return subprocess.Popen(
        command, cwd=cwd, env=environment(settings), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and kill it if it does not."""
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


async def until_ok(process: subprocess.Popen[bytes], url: str, data: Path, *, timeout_s: float = _START_S) -> None:
    """Wait until `url` answers well. Raises: BenchmarkError with the end of the log in `data`."""
    deadline = monotonic() + timeout_s
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        while process.poll() is None and monotonic() < deadline:
            try:
                if (await client.get(url)).is_success:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.01)
    why = "did not answer in time" if process.poll() is None else f"ended with code {process.returncode}"
    raise BenchmarkError(f"What should serve {url} {why}. The end of its output:\n{end_of_log(data)}")


def open_log(data: Path) -> IO[bytes]:
    """Open the file for a process's output, to be added to, in its folder `data`, which is made if need be."""
    data.mkdir(parents=True, exist_ok=True)
    return (data / _LOG).open("ab")


def end_of_log(data: Path) -> str:
    """Return the last lines of a process's output."""
    return (data / _LOG).read_text(encoding="utf-8", errors="replace")[-6000:]


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
