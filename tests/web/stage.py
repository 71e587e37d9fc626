"""A federation that runs in a thread of its own, so that a test can drive a browser against it, step by step."""

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import cast

import httpx
from playwright.sync_api import Route, WebSocketRoute
from pydantic import JsonValue

from shared.agent import JsonObject
from tests.support.federation import TestAgent, federation, free_port, serve_agent
from tests.web.cast_of_agents import Gates
from tests.web.cast_of_agents import cast as agents_of

_PATIENCE_S = 30.0


class Stage:
    """A running federation, as a browser and a client see it."""

    def __init__(self, folder: Path) -> None:
        self.gates = Gates()
        self.url = ""
        self._folder = folder
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_up = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._live, name="federation")
        self._client: httpx.Client | None = None

    @property
    def client(self) -> httpx.Client:
        """A client of the API."""
        assert self._client is not None
        return self._client

    def open(self) -> None:
        """Return when everything is up."""
        self._thread.start()
        assert self._is_up.wait(60), "The federation did not start."
        if self._failed is not None:
            raise self._failed
        self._client = httpx.Client(base_url=self.url, timeout=30)

    def close(self) -> None:
        """Stop everything."""
        self.client.close()
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)

    def submit(self, description: str, *steps: JsonObject, **body: object) -> JsonObject:
        """Submit a task, with these steps as its plan if there are any."""
        plan = {"plan": {"steps": list(steps)}} if steps else {}
        answer = self.client.post("/api/tasks", json={"description": description, **plan, **body})
        assert answer.status_code == 202, answer.text
        return answer.json()

    def get(self, path: str) -> JsonObject:
        """GET and return JSON."""
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def endpoint(self, name: str) -> str:
        """Return the address of a registered agent."""
        agents = objects(self.get("/api/agents")["items"])
        return next(str(agent["endpoint"]) for agent in agents if agent["name"] == name)

    def task_when(self, task_id: str, condition: Callable[[JsonObject], bool]) -> JsonObject:
        """Return the task as soon as the condition holds; bounded."""
        deadline = monotonic() + _PATIENCE_S
        while not condition(found := self.get(f"/api/tasks/{task_id}")):
            assert monotonic() < deadline, found
            sleep(0.02)
        return found

    def until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds; bounded."""
        deadline = monotonic() + _PATIENCE_S
        while not condition():
            assert monotonic() < deadline
            sleep(0.02)

    def ended(self, task: JsonObject) -> JsonObject:
        """Return the task when it is over."""
        return self.task_when(str(task["id"]), lambda found: found["status"] in {"completed", "failed", "canceled"})

    def serve(self, agent: TestAgent) -> str:
        """Serve one agent more, which is not registered, and return its address."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(self._serve(agent), self._loop).result(_PATIENCE_S)

    async def _serve(self, agent: TestAgent) -> str:
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def run() -> None:
            async with serve_agent(self._folder, agent) as url:
                ready.set_result(url)
                await cast("asyncio.Event", self._stop).wait()

        self._more.append(asyncio.create_task(run()))
        return await ready

    def _live(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:
            self._failed = error
            self._is_up.set()
            raise

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._more: list[asyncio.Task[None]] = []
        async with federation(
            self._folder, *agents_of(self.gates), agent_check_interval_s=3600, browser_port=free_port()
        ) as running:
            self.url = running.url
            self._is_up.set()
            await self._stop.wait()
            await asyncio.gather(*self._more)


@contextmanager
def open_stage(folder: Path) -> Generator[Stage]:
    """Run a federation with the cast of agents for as long as it is needed."""
    stage = Stage(folder)
    stage.open()
    try:
        yield stage
    finally:
        stage.close()


def objects(items: JsonValue) -> list[JsonObject]:
    """Return the objects of a list."""
    assert isinstance(items, list)
    return [item for item in items if isinstance(item, dict)]


def ignore(socket: WebSocketRoute) -> None:
    """Leave a WebSocket open, and say nothing."""


def lose_the_answer(route: Route) -> None:
    """Let a request that changes something arrive, and lose what is answered."""
    if route.request.method == "POST":
        route.fetch()
        route.abort()
    else:
        route.continue_()
