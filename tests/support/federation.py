"""A federation in one process for tests: the real orchestrator and agents, over real HTTP on free ports."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from time import monotonic

import httpx
from pydantic import JsonValue

from orchestrator_service import main
from orchestrator_service.settings import Settings
from shared import agent_server, cards
from shared.agent import Agent, JsonObject, OpenAgent
from shared.settings import FederationSettings
from tests.support import ready_made
from tests.support.serving import serve

_NO_TLS = SSLContext(PROTOCOL_TLS_CLIENT)  # trusts nobody; to load whom the system trusts takes longer than many a test


@dataclass(frozen=True, slots=True)
class TestAgent:
    """An agent to serve beside the orchestrator: a name, skill ids, and what it does."""

    __test__ = False

    name: str
    answer: Agent
    skills: tuple[str, ...]
    tags: tuple[str, ...] = ()


class Federation:
    """A running orchestrator with its agents, as a client sees it."""

    def __init__(self, client: httpx.AsyncClient, url: str, settings: Settings) -> None:
        self.client = client
        self.url = url
        self.settings = settings
        self.endpoints: dict[str, str] = {}

    async def submit(self, goal: str, *, wait_s: int | None = 20, **body: JsonValue) -> JsonObject:
        """Submit a task and return it; by default when it is over or needs input."""
        headers = {} if wait_s is None else {"Prefer": f"wait={wait_s}"}
        response = await self.client.post("/api/tasks", json={"description": goal, **body}, headers=headers)
        assert response.status_code == 202, response.text
        return response.json()

    async def run(self, *steps: JsonObject, wait_s: int | None = 20, **body: JsonValue) -> JsonObject:
        """Submit a task with this plan."""
        plan: JsonObject = {"steps": list(steps)}
        return await self.submit("test", wait_s=wait_s, plan=plan, **body)

    async def get(self, path: str, status: int = 200, params: dict[str, str] | None = None) -> JsonObject:
        """GET and return JSON."""
        response = await self.client.get(path, params=params)
        assert response.status_code == status, response.text
        return response.json()

    async def post(self, path: str, body: JsonValue = None, status: int = 200) -> JsonObject:
        """POST and return JSON."""
        response = await self.client.post(path, json=body)
        assert response.status_code == status, response.text
        return response.json()

    async def events(self, task: JsonObject) -> list[JsonObject]:
        """Return the task's log so far."""
        response = await self.client.get(f"/api/tasks/{task['id']}/events", headers={"Accept": "application/json"})
        return response.json()["items"]

    async def task_when(self, task: JsonObject, condition: Callable[[JsonObject], bool]) -> JsonObject:
        """Return the task as soon as the condition holds; bounded."""
        return await until(lambda: self.get(f"/api/tasks/{task['id']}"), condition)


@asynccontextmanager
async def federation(
    folder: Path, *agents: TestAgent, database_url: str | None = None, register: bool = True, **settings: object
) -> AsyncGenerator[Federation]:
    """Run an orchestrator whose data is in `folder`, with these agents registered."""
    port = free_port()
    own = Settings.model_validate(
        {
            "data_dir": folder / "orchestrator",
            "database_url": database_url,
            "orchestrator_port": port,
            "agent_host_port": 1,  # nobody is there
            "bundled_agents": (),
            **settings,
        }
    )
    if database_url is None:
        ready_made.put_orchestrators(own.data_dir)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(main.create(own), port=own.orchestrator_port))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=40, verify=_NO_TLS))
        running = Federation(client, url, own)
        for agent in agents:
            running.endpoints[agent.name] = await stack.enter_async_context(serve_agent(folder, agent))
            if register:
                await running.post("/api/agents", {"endpoint": running.endpoints[agent.name]}, 201)
        yield running


@asynccontextmanager
async def serve_agent(folder: Path, agent: TestAgent, *, port: int = 0) -> AsyncGenerator[str]:
    """Serve one agent by itself and yield its base URL; a `port` lets it come back where it was."""
    port = port or free_port()
    settings = FederationSettings.model_validate(
        {"data_dir": folder / agent.name, "api_agent_port": port, "federation_register": False}
    )
    ready_made.put_agents(settings.data_dir, "api")
    card = cards.build(
        settings,
        "api",
        name=agent.name,
        description=f"The agent {agent.name}.",
        skills=[cards.Skill(skill, skill, f"It can {skill}.", agent.tags or (skill,)) for skill in agent.skills],
    )

    @asynccontextmanager
    async def open_agent() -> AsyncGenerator[OpenAgent]:
        yield OpenAgent(agent.answer)

    async with serve(agent_server.create(settings, "api", card, open_agent), port=port) as url:
        yield url


async def until(
    read: Callable[[], Awaitable[JsonObject]], condition: Callable[[JsonObject], bool], timeout_s: float = 20
) -> JsonObject:
    """Read again and again until the condition holds, and return what was read; fails after `timeout_s`."""
    deadline = monotonic() + timeout_s
    while True:
        found = await read()
        if condition(found):
            return found
        assert monotonic() < deadline, f"It did not become true within {timeout_s} s: {found}"
        await asyncio.sleep(0.02)


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def step(step_id: str, instruction: str = "go", *, skill: str = "echo", **fields: JsonValue) -> JsonObject:
    """Return a step of a plan."""
    return {"id": step_id, "skill": skill, "instruction": instruction, **fields}


def names(items: JsonValue, key: str) -> list[JsonValue]:
    """Return one field of each object in a list."""
    assert isinstance(items, list)
    return [item[key] for item in items if isinstance(item, dict)]
