"""Several orchestrator processes on one PostgreSQL database, and the agent that their tasks go to."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, LiteralString

import httpx
import psycopg
from pydantic import JsonValue

from shared.agent import AgentRequest, Answer, JsonObject, Progress, Update
from tests.support import forked
from tests.support.federation import TestAgent, free_port, until
from tests.support.forked import Forked

_API: Final = "orchestrator_service.main"
_WORKER: Final = "orchestrator_service.worker"
_OWNERS: Final = "SELECT id, worker FROM tasks WHERE run_state = 'running'"
_UNFINISHED: Final = "SELECT id, status FROM tasks WHERE completed_at IS NULL"


class Holding:
    """An agent that counts. It answers "held KEY" when that is let go, and everything else at once."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.message_ids: list[str] = []
        self.broken_off: list[str] = []
        self.inside: set[str] = set()
        self.most_inside = 0
        self._gates: dict[str, asyncio.Event] = {}

    def let_go(self, *texts: str) -> None:
        """Let it answer these, now or when they come."""
        for text in texts:
            self._gate(text).set()

    async def answer(self, request: AgentRequest) -> AsyncGenerator[Update]:
        """Count it, and answer."""
        text = request.text
        self.begun.append(text)
        self.message_ids.append(request.message_id)
        self.inside.add(text)
        self.most_inside = max(self.most_inside, len(self.inside))
        is_done = False
        try:
            yield Progress("begun")
            if text.startswith("held"):
                await self._gate(text).wait()
            is_done = True
        finally:
            self.inside.discard(text)
            if not is_done:
                self.broken_off.append(text)
        yield Answer("answer", f"<{text}>")

    def served(self) -> TestAgent:
        """Return it as the federation serves it."""
        return TestAgent("Holding", self.answer, ("work",))

    async def has(self, *texts: str) -> None:
        """Wait until it is at work on these; bounded."""
        await until(self._look, lambda _: self.inside >= set(texts))

    async def lost(self, *texts: str) -> None:
        """Wait until its work on these was broken off; bounded."""
        await until(self._look, lambda _: set(self.broken_off) >= set(texts))

    async def _look(self) -> JsonObject:
        return {"inside": [*self.inside], "broken off": [*self.broken_off]}

    def _gate(self, text: str) -> asyncio.Event:
        return self._gates.setdefault(text, asyncio.Event())


class Member:
    """One process: an orchestrator with its API, or a worker alone. `worker_id` is its name in the database."""

    def __init__(self, fleet: "Fleet", module: str, settings: dict[str, str]) -> None:
        self.worker_id = ""
        self.client = httpx.AsyncClient(timeout=30)
        self._fleet = fleet
        self._module = module
        self._settings = settings
        self._process: Forked | None = None

    async def start(self, failpoint: str = "") -> None:
        """Start it, and wait until it works."""
        await self.begin(failpoint)
        self.worker_id = str((await until(self._look, lambda found: bool(found["worker_id"]), 60))["worker_id"])

    async def begin(self, failpoint: str = "") -> None:
        """Start its process."""
        port = free_port()
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30)
        environment = {
            **os.environ,
            "DATA_DIR": str(self._fleet.folder / "data"),
            "DATABASE_URL": self._fleet.database_url,
            "ORCHESTRATOR_PORT": str(port),
            "BUNDLED_AGENTS": ",",
            "AGENT_HOST_PORT": "1",
            "LOG_FORMAT": "json",
            "FEDERATION_FAILPOINT": failpoint,
            **self._settings,
        }
        with (self._fleet.folder / "fleet.log").open("ab") as log:
            self._process = await forked.start(self._module, env=environment, log=log)

    async def register(self, endpoint: str) -> None:
        """Register an agent."""
        (await self.client.post("/api/agents", json={"endpoint": endpoint})).raise_for_status()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait until it has ended, and return its exit code; bounded."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), 40)

    async def stop(self) -> None:
        """Tell it to stop, whatever state it is in, and wait for that."""
        await self.client.aclose()
        if self._process is not None and self._process.returncode is None:
            for number in (signal.SIGCONT, signal.SIGTERM):
                with suppress(ProcessLookupError):
                    self._process.send_signal(number)
            await self.ended()

    async def new_worker_id(self) -> str:
        """Wait until it has joined anew, and return the name that it has since then; bounded."""
        before = self.worker_id
        found = await until(self._look, lambda found: found["worker_id"] not in {"", before})
        self.worker_id = str(found["worker_id"])
        return self.worker_id

    async def _look(self) -> JsonObject:
        process = self._process
        assert process is not None
        assert process.returncode is None, (self._fleet.folder / "fleet.log").read_text()[-2000:]
        if self._module == _API:
            try:
                if (await self.client.get("/ready")).status_code != 200:
                    return {"worker_id": ""}
            except httpx.TransportError:
                return {"worker_id": ""}
        found = await self._fleet.rows(
            "SELECT id FROM workers WHERE pid = %s AND state = 'working' AND beat > 0 ORDER BY id DESC", process.pid
        )
        return {"worker_id": found[0][0] if found else ""}


class Fleet:
    """The processes; all of them work on the database at `database_url`."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        self.database_url = database_url
        self.members: list[Member] = []

    def api(self, **settings: str) -> Member:
        """Add an orchestrator that serves the API and works; it is not started yet."""
        return self._add(_API, settings)

    def worker(self, **settings: str) -> Member:
        """Add a worker without an API; it is not started yet."""
        return self._add(_WORKER, settings)

    async def rows(self, query: LiteralString, *values: str | int) -> list[tuple[JsonValue, ...]]:
        """Ask the database; a change is committed."""

        def ask() -> list[tuple[JsonValue, ...]]:
            with psycopg.connect(self.database_url) as connection:
                cursor = connection.execute(query, values)
                return cursor.fetchall() if cursor.description else []

        return await asyncio.to_thread(ask)

    async def owners(self) -> JsonObject:
        """Return which worker has which running task."""
        return {str(task_id): worker for task_id, worker in await self.rows(_OWNERS)}

    async def said(self, words: str) -> None:
        """Wait until one of the processes has logged these words; bounded."""

        async def read() -> JsonObject:
            return {"log": (self.folder / "fleet.log").read_text()}

        await until(read, lambda found: words in str(found["log"]))

    async def unfinished(self) -> JsonObject:
        """Return the tasks that are not over, each with its status."""
        return {str(task_id): status for task_id, status in await self.rows(_UNFINISHED)}

    def _add(self, module: str, settings: dict[str, str]) -> Member:
        member = Member(self, module, settings)
        self.members.append(member)
        return member


@asynccontextmanager
async def open_fleet(folder: Path, database_url: str) -> AsyncGenerator[Fleet]:
    """Yield a fleet without members; at the end all are told to stop."""
    fleet = Fleet(folder, database_url)
    try:
        yield fleet
    finally:
        await asyncio.gather(*(member.stop() for member in fleet.members))
