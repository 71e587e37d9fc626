"""A federation to measure: orchestrators and agents, each a process of its own, and a client to drive them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from pydantic import JsonValue

from benchmarks.harness.databases import Database
from benchmarks.harness.echo import SKILL
from benchmarks.harness.processes import BenchmarkError, Running, free_port, serving
from shared.agent import JsonObject

ORCHESTRATOR: Final = "orchestrator_service.main"

_WAIT_S: Final = 60


@dataclass(frozen=True, slots=True)
class Scene:
    """The running processes. `database` is the orchestrator's file, if it is on SQLite."""

    orchestrator: Running
    agents: tuple[Running, ...]
    client: httpx.AsyncClient
    database: Path

    async def run(self, steps: Sequence[JsonObject]) -> JsonObject:
        """Submit a task with this plan and return it when it is over. Raises: BenchmarkError if it did not complete."""
        response = await self.client.post("/api/tasks", json=given(steps), headers={"Prefer": f"wait={_WAIT_S}"})
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
    own_skills: bool = False,
    orchestrator: str = ORCHESTRATOR,
    database: Database | None = None,
    settings: Mapping[str, object] | None = None,
) -> AsyncGenerator[Scene]:
    """Start an orchestrator and agents, and register them: see `serve_agents` and `serve_orchestrator`."""
    async with (
        serve_agents(data, agents, bundled=bundled, own_skills=own_skills) as served,
        serve_orchestrator(data / "orchestrator", module=orchestrator, database=database, settings=settings) as running,
        httpx.AsyncClient(base_url=running.url, timeout=_WAIT_S + 10, trust_env=False) as client,
    ):
        await register(client, served)
        yield Scene(running, tuple(served), client, data / "orchestrator" / "orchestrator.db")


@asynccontextmanager
async def serve_agents(
    data: Path, count: int, *, bundled: bool = False, own_skills: bool = False
) -> AsyncGenerator[list[Running]]:
    """Serve agents named "agent 1", "agent 2", …, all with the skill "echo", or with "echo-1", "echo-2", ….

    `bundled`: agents as this project builds them, not the least ones.
    """
    module = f"benchmarks.harness.{'bundled' if bundled else 'least'}_agent"
    async with AsyncExitStack() as stack:
        served: list[Running] = []
        for number in range(1, count + 1):
            name, port = f"agent {number}", free_port()
            skill = f"{SKILL}-{number}" if own_skills else SKILL
            own = {"API_AGENT_PORT": port, "DATA_DIR": data / name, "FEDERATION_REGISTER": "false"}
            served.append(await stack.enter_async_context(serving(module, [name, skill], own, port, data / name)))
        yield served


@asynccontextmanager
async def serve_orchestrator(
    folder: Path,
    *,
    module: str = ORCHESTRATOR,
    database: Database | None = None,
    settings: Mapping[str, object] | None = None,
) -> AsyncGenerator[Running]:
    """Serve an orchestrator whose data is in `folder`, with nothing registered.

    `module` is what to run; `settings` are environment variables for it.
    """
    port = free_port()
    variables = {
        "DATA_DIR": folder,
        "ORCHESTRATOR_PORT": port,
        "BUNDLED_AGENTS": ",",
        "LOG_FORMAT": "json",
        **(database.settings if database else {}),
        **(settings or {}),
    }
    async with serving(module, [], variables, port, folder) as running:
        yield running


async def register(client: httpx.AsyncClient, agents: Sequence[Running]) -> None:
    """Register agents at the orchestrator that the client is for. Raises: BenchmarkError if one is refused."""
    for agent in agents:
        response = await client.post("/api/agents", json={"endpoint": agent.url})
        if response.is_error:
            raise BenchmarkError(f"The agent at {agent.url} could not be registered: {response.text[:1000]}")


def given(steps: Sequence[JsonObject]) -> JsonObject:
    """Return the body that submits a task with this plan."""
    return {"description": "benchmark", "plan": {"steps": list[JsonValue](steps)}}


def step(number: int, instruction: str = "hello", *, after: Sequence[int] = (), agent: int | None = None) -> JsonObject:
    """Return step `number` of a plan, for any agent, or for the one whose own skill has that number.

    It waits for the steps in `after`.
    """
    return {
        "id": f"s{number}",
        "skill": SKILL if agent is None else f"{SKILL}-{agent}",
        "instruction": instruction,
        "depends_on": [f"s{earlier}" for earlier in after],
    }


def output(number: int) -> str:
    """Return what an instruction says to get the output of step `number`."""
    return f"{{{{ steps.s{number}.output }}}}"


def chain(length: int) -> list[JsonObject]:
    """Return a plan whose steps each pass on what the one before answered."""
    later = range(2, length + 1)
    return [step(1), *(step(n, f"{n}: {output(n - 1)}", after=[n - 1]) for n in later)]


def fan(width: int, instruction: str) -> list[JsonObject]:
    """Return a plan whose steps need nothing of each other."""
    return [step(number, f"{instruction} step {number}") for number in range(1, width + 1)]
