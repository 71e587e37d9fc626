"""The three kinds of tasks that are measured, each with its floor: the calls it consists of, made by plain httpx."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

import httpx
import orjson

from benchmarks.harness.calls import call_agent
from benchmarks.harness.echo import waiting
from benchmarks.harness.processes import Running, free_port, serving
from benchmarks.harness.scene import given, output, serve_agents, step
from benchmarks.harness.scripted_model import NAME, request_for
from shared.agent import JsonObject

_AGENTS: Final = 4
_MIDDLE: Final = range(2, 6)
_numbers = cycle(range(1, _AGENTS + 1))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an orchestrator works with: four agents with a skill of their own each, and a model; and raw httpx."""

    agents: Sequence[Running]
    model: Running
    raw: httpx.AsyncClient

    @property
    def settings(self) -> dict[str, object]:
        """The environment variables that make an orchestrator plan each task with this model, alike or not."""
        return {"LLM_BASE_URL": f"{self.model.url}/v1", "LLM_MODEL": NAME, "LEARN_PLANS": "false"}

    async def call(self, agent: int, text: str) -> str:
        """Call the agent of that number, from 1, and return what it says."""
        return await call_agent(self.raw, self.agents[agent - 1].url, text)

    async def model_calls(self) -> int:
        """Return how often the model was called."""
        return (await self.raw.get(f"{self.model.url}/benchmark")).json()["calls"]

    async def planning_call(self) -> bytes:
        """Return the newest call of the model that wanted a plan."""
        return (await self.raw.get(f"{self.model.url}/benchmark")).json()["newest"].encode()

    async def call_model(self, body: bytes) -> None:
        """Call the model with these bytes."""
        headers = {"Content-Type": "application/json"}
        response = await self.raw.post(f"{self.model.url}/v1/chat/completions", content=body, headers=headers)
        orjson.loads(response.raise_for_status().content)


@asynccontextmanager
async def open_surroundings(data: Path, *, bundled: bool = False) -> AsyncGenerator[Surroundings]:
    """Serve the agents (the least ones, or with `bundled` as this project builds them) and the model."""
    port = free_port()
    async with (
        serving("benchmarks.harness.scripted_model", [], {"MODEL_PORT": port}, port, data / "model") as model,
        serve_agents(data, _AGENTS, bundled=bundled, own_skills=True) as agents,
        httpx.AsyncClient(timeout=60, trust_env=False) as raw,
    ):
        yield Surroundings(agents, model, raw)


@dataclass(frozen=True, slots=True)
class Workload:
    """A kind of task whose agents take `pause_s`. `floor` is made once a task of it has run.

    The targets are for SQLite: times the floor, tasks a second with 16 at once, CPU of the orchestrator.
    """

    name: str
    body: Callable[[float], JsonObject]
    floor: Callable[[Surroundings, float], Awaitable[Callable[[], Awaitable[object]]]]
    needs_model: bool
    most_times: float
    least_rate: float
    most_cpu_ms: float


def _chained(pause_s: float) -> JsonObject:
    texts = ["step 1", *(f"step {number} after {output(number - 1)}" for number in (2, 3))]
    return given(
        [
            step(number, waiting(pause_s, text), after=[number - 1] if number > 1 else (), agent=number)
            for number, text in enumerate(texts, 1)
        ]
    )


async def _call_chained(around: Surroundings, pause_s: float) -> Callable[[], Awaitable[object]]:
    async def calls() -> None:
        said = await around.call(1, waiting(pause_s, "step 1"))
        for number in (2, 3):
            said = await around.call(number, waiting(pause_s, f"step {number} after {said}"))

    return calls


def _joined(pause_s: float) -> JsonObject:
    middle = [
        step(number, waiting(pause_s, f"step {number} after {output(1)}"), after=[1], agent=number - 1)
        for number in _MIDDLE
    ]
    last = waiting(pause_s, f"step 6 after {', '.join(map(output, _MIDDLE))}")
    return given([step(1, waiting(pause_s, "step 1"), agent=1), *middle, step(6, last, after=_MIDDLE, agent=1)])


async def _call_joined(around: Surroundings, pause_s: float) -> Callable[[], Awaitable[object]]:
    async def calls() -> None:
        first = await around.call(1, waiting(pause_s, "step 1"))
        middle = [around.call(number - 1, waiting(pause_s, f"step {number} after {first}")) for number in _MIDDLE]
        await around.call(1, waiting(pause_s, f"step 6 after {', '.join(await asyncio.gather(*middle))}"))

    return calls


def _routed(pause_s: float) -> JsonObject:
    return {"description": request_for(next(_numbers), waiting(pause_s, "hello"))}


async def _call_routed(around: Surroundings, pause_s: float) -> Callable[[], Awaitable[object]]:
    asked = await around.planning_call()

    async def calls() -> None:
        await around.call_model(asked)
        await around.call(next(_numbers), waiting(pause_s, "hello"))

    return calls


WORKLOADS: Final = {
    workload.name: workload
    for workload in (
        Workload("W1", _chained, _call_chained, False, 1.6, 75, 10),
        Workload("W2", _joined, _call_joined, False, 1.5, 45, 14),
        Workload("W3", _routed, _call_routed, True, 2.0, 95, 9),
    )
}
