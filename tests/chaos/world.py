"""The processes of a run: orchestrators on SQLite or on a PostgreSQL of their own, and sinks; each kept alive."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final

import httpx
from sqlalchemy import make_url

from tests.chaos import postgres
from tests.chaos.checker import orphans
from tests.chaos.evidence import RemoteTaskFound, SinkPlace, remote_tasks
from tests.chaos.history import History
from tests.chaos.lost_commits import Line, line
from tests.chaos.processes import Begin, Supervised
from tests.support import forked
from tests.support.federation import free_port

_START_S: Final = 60.0
_ENDING_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Layout:
    """What a run is made of. `failpoints` says by a process's name where each of its first lives ends.

    On PostgreSQL a sink that is alone keeps its A2A tasks there, too; several have each their own SQLite.
    `has_line`: the orchestrators reach PostgreSQL on a line that can break.
    """

    orchestrators: int = 1
    on_postgres: bool = False
    sinks: int = 2
    has_line: bool = False
    failpoints: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    def __str__(self) -> str:
        """Return it as words."""
        return f"{self.orchestrators} on {'PostgreSQL' if self.on_postgres else 'SQLite'}"


@dataclass(frozen=True, slots=True)
class World:
    """The processes, by name, and where they are reached."""

    processes: Mapping[str, Supervised]
    urls: Sequence[str]
    database_url: str
    sinks: Mapping[str, SinkPlace]
    line: Line | None = None

    def named(self, kind: str) -> list[Supervised]:
        """Return the processes whose names begin so."""
        return [process for name, process in self.processes.items() if name.startswith(kind)]

    async def until_nothing_is_left(self) -> None:
        """Wait until no agent has unfinished tasks; bounded: what is left then is for the checker to find."""
        deadline = monotonic() + _ENDING_S
        while orphans(await asyncio.to_thread(self._remote_tasks)):
            if monotonic() > deadline:
                return
            await asyncio.sleep(0.2)

    def _remote_tasks(self) -> list[RemoteTaskFound]:
        return [found for name, place in self.sinks.items() for found in remote_tasks(name, place)]


@asynccontextmanager
async def running(folder: Path, layout: Layout, history: History) -> AsyncGenerator[tuple[World, AsyncExitStack]]:
    """Yield a world that works, with its agents registered, and the stack whose end stops all but the database."""
    async with AsyncExitStack() as below, AsyncExitStack() as stack:
        processes: dict[str, Supervised] = {}
        direct, given, database_url = "", "", f"sqlite:///{folder / 'orchestrator' / 'orchestrator.db'}"
        way: Line | None = None
        if layout.on_postgres:
            processes["postgres"], direct = await below.enter_async_context(
                postgres.serving(history, folder / "postgres.log")
            )
            server = make_url(direct)
            database_url = server.set(drivername="postgresql+psycopg").render_as_string()
            if layout.has_line:
                way = await below.enter_async_context(line(server.port or 0, history))
            given = direct if way is None else server.set(port=way.port).render_as_string()
        sinks: dict[str, SinkPlace] = {}
        endpoints: list[str] = []
        for number in range(1, layout.sinks + 1):
            name, port = f"sink-{number}", free_port()
            place = folder / name
            place.mkdir()
            is_shared = layout.on_postgres and layout.sinks == 1
            sinks[name] = SinkPlace(place, database_url if is_shared else f"sqlite:///{place / 'a2a-api.db'}")
            endpoints.append(f"http://127.0.0.1:{port}")
            begin = partial(forked.start, "tests.chaos.sink", str(place), name)
            environment = {"API_AGENT_PORT": str(port), "DATABASE_URL": direct if is_shared else ""}
            processes[name] = _supervise(name, port, begin, environment, history, folder, layout)
        urls: list[str] = []
        for number in range(1, layout.orchestrators + 1):
            name, port = f"orchestrator-{number}", free_port()
            urls.append(f"http://127.0.0.1:{port}")
            environment = {
                "DATA_DIR": str(folder / "orchestrator"),
                "DATABASE_URL": given,
                "ORCHESTRATOR_PORT": str(port),
                "BUNDLED_AGENTS": ",",
                "AGENT_CHECK_INTERVAL_S": "2",
                "STREAM_GAP_TIMEOUT_S": "5",
                "STEP_ATTEMPTS": "10",  # the only agent may die at each of three tries, and the step fails rightly
                "TENANT_DAILY_TOKENS": "1000000000" if layout.on_postgres else "",  # so high only to be counted
            }
            begin = partial(forked.start, "orchestrator_service.main")
            processes[name] = _supervise(name, port, begin, environment, history, folder, layout)
        for name, process in processes.items():
            if name != "postgres":
                await stack.enter_async_context(process.running())
        world = World(processes, urls, database_url, sinks, way)
        try:
            await _register(world, endpoints)
        except TimeoutError:
            raise AssertionError(f"The processes did not start; their logs are in {folder}.") from None
        yield world, stack


def _supervise(
    name: str,
    port: int,
    begin: Begin,
    environment: Mapping[str, str],
    history: History,
    folder: Path,
    layout: Layout,
) -> Supervised:
    quiet = {"LOG_FORMAT": "json", "SHUTDOWN_TIMEOUT_S": "3"}
    return Supervised(
        name,
        begin,
        {**quiet, **environment},
        history,
        folder / f"{name}.log",
        port=port,
        failpoints=layout.failpoints.get(name, ()),
    )


async def _register(world: World, endpoints: Sequence[str]) -> None:
    """Register the sinks, whoever of the orchestrators answers; then wait until all are ready."""
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        async with asyncio.timeout(_START_S):
            for endpoint in endpoints:
                await _until_ok(client, "POST", f"{world.urls[0]}/api/agents", {"endpoint": endpoint})
            for url in world.urls:
                await _until_ok(client, "GET", f"{url}/ready", None)


async def _until_ok(client: httpx.AsyncClient, method: str, url: str, body: dict[str, str] | None) -> None:
    while True:
        try:
            if (await client.request(method, url, json=body)).is_success:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
