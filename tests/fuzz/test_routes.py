"""No route of any service fails, whatever it is asked, and answers are as the OpenAPI document says.

`make fuzz` asks much more often (FUZZ_EXAMPLES).
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from fastapi import FastAPI

import a2a_agent_service.main
import a2a_agent_service.settings
import api_agent_service.main
import api_agent_service.settings
import browser_service.main
import browser_service.settings
import code_agent_service.main
import code_agent_service.settings
from shared.agent import JsonObject
from tests.fuzz.routes import fuzz
from tests.orchestrator.test_registry import ECHO
from tests.support.federation import federation, free_port, step
from tests.support.serving import serve

_EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES", "8"))

Service: TypeAlias = Callable[[JsonObject], FastAPI]
_AGENTS: Final[dict[str, Service]] = {
    "research": lambda given: a2a_agent_service.main.create(a2a_agent_service.settings.Settings.model_validate(given)),
    "api": lambda given: api_agent_service.main.create(api_agent_service.settings.Settings.model_validate(given)),
    "browser": lambda given: browser_service.main.create(browser_service.settings.Settings.model_validate(given)),
    "code": lambda given: code_agent_service.main.create(code_agent_service.settings.Settings.model_validate(given)),
}


async def test_no_route_of_the_orchestrator_fails_whatever_it_is_asked(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO, card_timeout_s=1, connect_timeout_s=1, step_timeout_s=5) as running:
        done = await running.run(step("a", "hello"))
        session = await running.post("/api/sessions", {}, 201)
        agents = (await running.get("/api/agents"))["items"]
        assert isinstance(agents, list)
        known = {
            "task_id": [str(done["id"])],
            "session_id": [str(session["id"])],
            "agent_id": [str(agent["id"]) for agent in agents if isinstance(agent, dict)],
            "step_id": ["a"],
        }
        routes = await asyncio.to_thread(fuzz, running.url, known, examples=_EXAMPLES)
        assert routes > 30


@pytest.mark.parametrize("name", _AGENTS)
async def test_no_route_of_an_agent_fails_whatever_it_is_asked(tmp_path: Path, name: str) -> None:
    port = free_port()
    given: JsonObject = {
        "data_dir": str(tmp_path),
        "federation_register": False,
        "browser_idle_timeout_s": 2,  # nobody closes the sessions that are opened, and the next ones wait for a page
        "browser_task_timeout_s": 10,
        "research_agent_port": port,
        "api_agent_port": port,
        "browser_port": port,
        "code_agent_port": port,
    }
    async with serve(_AGENTS[name](given), port=port) as url:
        assert await asyncio.to_thread(fuzz, url, {}, examples=max(2, _EXAMPLES // 4)) > 20
