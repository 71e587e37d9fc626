"""The client that drives an orchestrator hard: aiohttp on kept connections, so that little of the CPU is its own."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
import orjson

from benchmarks.harness.processes import BenchmarkError
from shared.agent import JsonObject

_WAIT_S: Final = 120
_JSON: Final = {"Content-Type": "application/json"}
_WAITS: Final = {**_JSON, "Prefer": f"wait={_WAIT_S}"}


@dataclass(frozen=True, slots=True)
class Client:
    """Submits tasks to one orchestrator and sees them end."""

    session: aiohttp.ClientSession
    url: str

    async def submit(self, body: JsonObject) -> JsonObject:
        """Submit a task and return it as accepted."""
        return await self._post(body, _JSON)

    async def try_to_submit(self, body: JsonObject) -> tuple[int, Mapping[str, str]]:
        """Submit a task and return the answer's status and headers."""
        content = orjson.dumps(body)
        async with self.session.post(f"{self.url}/api/tasks", data=content, headers=_JSON) as response:
            await response.read()
            return response.status, response.headers

    async def run(self, body: JsonObject) -> None:
        """Submit a task with `Prefer: wait`. Raises: BenchmarkError if it did not complete."""
        task = await self._post(body, _WAITS)
        _check(task)

    async def run_until_input(self, body: JsonObject) -> JsonObject:
        """Submit a task and return it when it waits for a person. Raises: BenchmarkError if it does not."""
        task = await self._post(body, _WAITS)
        _check(task, "input_required")
        return task

    async def follow(self, body: JsonObject) -> None:
        """Submit a task and follow its events to the last. Raises: BenchmarkError if it did not complete."""
        task = await self.submit(body)
        _check(await self.last_event(str(task["id"])))

    async def last_event(self, task_id: str) -> JsonObject:
        """Follow a task's events and return the last one."""
        last = b"{}"
        async with self.session.get(f"{self.url}/api/tasks/{task_id}/events") as response:
            async for line in response.content:
                if line.startswith(b"data:"):
                    last = line[5:]
        return orjson.loads(last)

    async def events(self, task_id: str) -> list[JsonObject]:
        """Return a task's log as it is now."""
        headers = {"Accept": "application/json"}
        async with self.session.get(f"{self.url}/api/tasks/{task_id}/events", headers=headers) as response:
            return orjson.loads(await response.read())["items"]

    async def answer(self, task_id: str, body: JsonObject) -> None:
        """Answer what a task waits for. Raises: BenchmarkError if the answer is refused."""
        content = orjson.dumps(body)
        async with self.session.post(f"{self.url}/api/tasks/{task_id}/input", data=content, headers=_JSON) as response:
            if response.status != 200:
                raise BenchmarkError(f"The answer was refused ({response.status}): {(await response.text())[:1000]}")

    async def _post(self, body: JsonObject, headers: dict[str, str]) -> JsonObject:
        content = orjson.dumps(body)
        async with self.session.post(f"{self.url}/api/tasks", data=content, headers=headers) as response:
            answer = await response.read()
            if response.status != 202:
                raise BenchmarkError(f"The task was not accepted ({response.status}): {answer[:1000].decode()}")
            return orjson.loads(answer)


@asynccontextmanager
async def open_client(url: str) -> AsyncGenerator[Client]:
    """Open a client for the orchestrator at `url`, with as many connections as it needs."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=30)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=4)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        yield Client(session, url)


def _check(found: JsonObject, status: str = "completed") -> None:
    if found.get("status") != status:
        raise BenchmarkError(
            f"The task {found.get('id')} is not {status} but {found.get('status')}: {found.get('error')}"
        )
