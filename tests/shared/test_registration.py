"""How a bundled agent stays registered at an orchestrator that comes and goes."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Response

from shared.agent import JsonObject
from tests.shared.scripted_agent import ScriptedAgent, Settings, build_settings, serving
from tests.support.serving import serve


@dataclass
class Orchestrator:
    """What an orchestrator was asked, and which process it pretends to be."""

    instance: str = "first"
    status: int = 201
    registered: list[JsonObject] = field(default_factory=list[JsonObject])

    def build(self) -> FastAPI:
        """Return its app."""
        app = FastAPI()

        @app.get("/health")
        async def health() -> JsonObject:  # pyright: ignore[reportUnusedFunction] - the decorator keeps it
            return {"status": "ok", "instance": self.instance}

        @app.post("/api/agents")
        async def register(body: JsonObject) -> Response:  # pyright: ignore[reportUnusedFunction]
            self.registered.append(body)
            return Response("{}", self.status, media_type="application/json")

        return app


@pytest.fixture
async def orchestrator() -> Orchestrator:
    return Orchestrator()


@pytest.fixture
async def known_settings(orchestrator: Orchestrator, tmp_path: Path) -> AsyncGenerator[Settings]:
    async with serve(orchestrator.build()) as url:
        yield build_settings(tmp_path, federation_register=True, orchestrator_url=url, register_interval_s=0.05)


async def test_an_agent_registers_itself_at_start(orchestrator: Orchestrator, known_settings: Settings) -> None:
    async with serving(ScriptedAgent(), known_settings):
        await _until(lambda: len(orchestrator.registered) == 1)
    assert orchestrator.registered == [{"endpoint": known_settings.url_of("api"), "agent_type": "api"}]


async def test_an_agent_registers_again_at_a_restarted_orchestrator(
    orchestrator: Orchestrator, known_settings: Settings
) -> None:
    async with serving(ScriptedAgent(), known_settings):
        await _until(lambda: len(orchestrator.registered) == 1)
        orchestrator.instance = "second"
        await _until(lambda: len(orchestrator.registered) == 2)


async def test_a_refused_registration_is_tried_again_and_said_once(
    orchestrator: Orchestrator, known_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "shared.registration")
    orchestrator.status = 503
    async with serving(ScriptedAgent(), known_settings):
        await _until(lambda: len(orchestrator.registered) >= 3)
        orchestrator.status = 200
        await _until(lambda: "registered at the orchestrator" in caplog.messages)
    assert sum("503" in message for message in caplog.messages) == 1


async def test_an_agent_serves_without_an_orchestrator_and_finds_it_later(
    orchestrator: Orchestrator, tmp_path: Path
) -> None:
    free = build_settings(tmp_path).api_agent_port
    settings = build_settings(
        tmp_path, federation_register=True, orchestrator_url=f"http://127.0.0.1:{free}", register_interval_s=0.05
    )
    async with serving(ScriptedAgent(), settings) as caller:
        await caller.send("hello")
        async with serve(orchestrator.build(), port=free):
            await _until(lambda: len(orchestrator.registered) == 1)


async def test_an_agent_can_be_told_not_to_register(orchestrator: Orchestrator, known_settings: Settings) -> None:
    silent = known_settings.model_copy(update={"federation_register": False})
    async with serving(ScriptedAgent(), silent) as caller:
        await caller.send("hello")
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.get(f"{silent.url_of('orchestrator')}/health")
    assert orchestrator.registered == []


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for is a log line too
            await asyncio.sleep(0.02)
