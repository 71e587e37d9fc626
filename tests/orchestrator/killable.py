"""An orchestrator as a process of its own that a test can kill and start again on the same port and data."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from shared.agent import JsonObject
from tests.support import forked
from tests.support.federation import free_port, until
from tests.support.forked import Forked


class Killable:
    """The process and a client of it. Data are in `folder`, or at `database_url`; `settings` are its environment."""

    def __init__(self, folder: Path, database_url: str | None = None, **settings: str) -> None:
        self.port = free_port()
        self.client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}",
            timeout=30,
            limits=httpx.Limits(max_keepalive_connections=0),  # a lost connection then means that the process died
        )
        self._log = folder / "orchestrator.log"
        self._process: Forked | None = None
        self._environment = {
            **os.environ,
            "DATA_DIR": str(folder / "orchestrator"),
            "ORCHESTRATOR_PORT": str(self.port),
            "BUNDLED_AGENTS": ",",
            "AGENT_HOST_PORT": "1",
            "LOG_FORMAT": "json",
            **({} if database_url is None else {"DATABASE_URL": database_url}),
            **settings,
        }

    async def start(self, failpoint: str = "") -> bool:
        """Start it; True as soon as it is ready, False if it died before at `failpoint` (its FEDERATION_FAILPOINT)."""
        with self._log.open("ab") as log:
            environment = {**self._environment, "FEDERATION_FAILPOINT": failpoint}
            self._process = await forked.start("orchestrator_service.main", env=environment, log=log)
        found = await until(self._look, lambda found: found["ready"] is True or found["code"] is not None, 40)
        assert found["ready"] or (failpoint and found["code"] == -signal.SIGKILL), self._log.read_text()[-2000:]
        return found["ready"] is True

    async def kill(self) -> None:
        """End it without a word."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()

    async def died(self) -> None:
        """Wait until it has ended by itself; bounded."""
        assert self._process is not None
        await asyncio.wait_for(self._process.wait(), 30)

    async def stop(self) -> None:
        """Tell it to stop, wait for that, and close the client."""
        await self.client.aclose()
        await self.terminate()

    async def terminate(self) -> None:
        """Tell it to stop, and wait for that."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await asyncio.wait_for(self._process.wait(), 30)

    async def register(self, endpoint: str) -> None:
        """Register the agent that is served there."""
        (await self.client.post("/api/agents", json={"endpoint": endpoint})).raise_for_status()

    async def tasks(self) -> JsonObject:
        """Return the first page of its tasks."""
        return (await self.client.get("/api/tasks")).json()

    async def _look(self) -> JsonObject:
        assert self._process is not None
        try:
            ready = (await self.client.get("/ready")).status_code == 200
        except httpx.TransportError:
            ready = False
        return {"ready": ready, "code": self._process.returncode}


@asynccontextmanager
async def killable(folder: Path, database_url: str | None = None, **settings: str) -> AsyncGenerator[Killable]:
    """Open one that is not started yet; at the end it is told to stop."""
    process = Killable(folder, database_url, **settings)
    try:
        yield process
    finally:
        await process.stop()
