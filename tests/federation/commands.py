"""Runs commands of the command line as processes: to their end, in pieces, or at a terminal."""

import asyncio
import os
import pty
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from federation.services import MODULES
from tests.federation.processes import PATIENCE_S, ROOT
from tests.support import forked

_MAIN = "from federation import main; main()"
_AHEAD = (
    "federation.cli",
    "federation.doctor",
    "federation.up",
    "shared.db_examination",
    "shared.llm_choice",
    *(f"{module.partition('.')[0]}.settings" for module in MODULES.values()),
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended and what it printed."""

    code: int | None
    out: str
    err: str


@asynccontextmanager
async def begun(
    *arguments: str, folder: Path = ROOT, env: dict[str, str] | None = None, first: str = ""
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Begin a command, and kill it at the end. `first`: statements of Python that its process runs before it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        first + _MAIN,
        *arguments,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        stdin=asyncio.subprocess.PIPE if first else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ended(process: asyncio.subprocess.Process) -> Ended:
    """Wait until a command ends."""
    async with asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate()
    return Ended(process.returncode, out.decode(), err.decode())


async def federation(*arguments: str, folder: Path = ROOT, env: dict[str, str] | None = None) -> Ended:
    """Run a command to its end."""
    with TemporaryFile() as out, TemporaryFile() as err:
        process = await forked.start(
            "federation",
            *arguments,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            log=out,
            errors=err,
            folder=folder,
            ahead=_AHEAD,
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        out.seek(0)
        err.seek(0)
        return Ended(process.returncode, out.read().decode(), err.read().decode())


async def at_a_terminal(
    *arguments: str, answer_to: str, answer: str | signal.Signals, columns: int = 120
) -> tuple[int | None, str]:
    """Run the command at a terminal of its own; once `answer_to` is shown, type `answer`, or send it."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    loop = asyncio.get_running_loop()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _MAIN,
        *arguments,
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm", "COLUMNS": str(columns)},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    unanswered = True

    def read() -> None:
        nonlocal shown, unanswered
        try:
            shown += os.read(ours, 65_536)
        except OSError:  # nobody has the other end any more
            loop.remove_reader(ours)
        if unanswered and answer_to.encode() in shown:
            unanswered = False
            if isinstance(answer, str):
                os.write(ours, answer.encode())
            else:
                process.send_signal(answer)

    loop.add_reader(ours, read)
    try:
        async with asyncio.timeout(PATIENCE_S):
            code = await process.wait()
        read()
        return code, shown.decode(errors="replace")
    finally:
        loop.remove_reader(ours)
        os.close(ours)
        if process.returncode is None:
            process.kill()
            await process.wait()
