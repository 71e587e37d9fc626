"""A federation to measure: an orchestrator and its agents, each a process of its own, and a client to drive them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from pydantic import JsonValue

from benchmarks.harness.echo import SKILL
from benchmarks.harness.processes import BenchmarkError, Running, free_port, serving
from shared.agent import JsonObject

_WAIT_S: Final = 60


@dataclass(frozen=True, slots=True)
class Scene:
    """The running processes. `database` is the orchestrator's SQLite file."""

    orchestrator: Running
    agents: tuple[Running, ...]
    client: httpx.AsyncClient
    database: Path

    async def run(self, steps: Sequence[JsonObject]) -> JsonObject:
        """Submit a task with this plan and return it when it is over. Raises: BenchmarkError if it did not complete."""
        body: JsonObject = {"description": "benchmark", "plan": {"steps": list[JsonValue](steps)}}
        response = await self.client.post("/api/tasks", json=body, headers={"Prefer": f"wait={_WAIT_S}"})
        task: JsonObject = response.json()
        if task.get("status") != "completed":
            raise BenchmarkError(f"The task did not complete: {response.text[:1000]}")
        return task

    async def events(self, task: JsonObject) -> list[JsonObject]:
        """Return the task's log."""
        response = await self.client.get(f"/api/tasks/{task['id']}/events", headers={"Accept": "application/json"})
        return response.json()["items"]


@asynccontextmanager
async def open_scene(
    data: Path,
    *,
    agents: int = 1,
    bundled: bool = False,
    orchestrator: str = "orchestrator_service.main",
    settings: Mapping[str, object] | None = None,
) -> AsyncGenerator[Scene]:
    """Start an orchestrator and agents named "agent 1", "agent 2", …, all with the skill "echo", and register them.

    `bundled`: agents as this project builds them, not the least ones. `orchestrator` is the module to run; `settings`
    are environment variables for it (`DATABASE_URL`, for example).
    """
    async with AsyncExitStack() as stack:
        served: list[Running] = []
        for number in range(1, agents + 1):
            name, port = f"agent {number}", free_port()
            module = f"benchmarks.harness.{'bundled' if bundled else 'least'}_agent"
            own = {"API_AGENT_PORT": port, "DATA_DIR": data / name, "FEDERATION_REGISTER": "false"}
            served.append(await stack.enter_async_context(serving(module, [name], own, port, data / name)))
        port = free_port()
        folder = data / "orchestrator"
        variables = {
            "DATA_DIR": folder,
            "ORCHESTRATOR_PORT": port,
            "BUNDLED_AGENTS": ",",
            "LOG_FORMAT": "json",
            **(settings or {}),
        }
        running = await stack.enter_async_context(serving(orchestrator, [], variables, port, folder))
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=running.url, timeout=_WAIT_S + 10, trust_env=False)
        )
        for agent in served:
            response = await client.post("/api/agents", json={"endpoint": agent.url})
            if response.is_error:
                raise BenchmarkError(f"The agent at {agent.url} could not be registered: {response.text[:1000]}")
        yield Scene(running, tuple(served), client, folder / "orchestrator.db")


def step(number: int, instruction: str = "hello", *, after: Sequence[int] = (), agent: int | None = None) -> JsonObject:
    """Return step `number` of a plan, by skill, or for the agent of that number; it waits for those in `after`."""
    return {
        "id": f"s{number}",
        "skill": SKILL,
        "instruction": instruction,
        "depends_on": [f"s{earlier}" for earlier in after],
        **({} if agent is None else {"agent": f"agent {agent}"}),
    }


def chain(length: int) -> list[JsonObject]:
    """Return a plan whose steps each pass on what the one before answered."""
    later = range(2, length + 1)
    return [step(1), *(step(n, f"{{{{ steps.s{n - 1}.output }}}}", after=[n - 1]) for n in later)]


def fan(width: int, instruction: str) -> list[JsonObject]:
    """Return a plan whose steps need nothing of each other."""
    return [step(number, instruction) for number in range(1, width + 1)]
