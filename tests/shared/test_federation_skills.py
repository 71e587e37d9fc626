"""Skills of other agents, found in a real orchestrator's registry and asked in the name of a request."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from shared import http
from shared.agent import METADATA_KEY, AgentRequest, Answer, Progress, Update
from shared.errors import FederationError, UnavailableError
from shared.federation_skills import FederationSkills
from tests.support.federation import TestAgent, federation

_CALL = AgentRequest("x", "mine", "c", "m", metadata={METADATA_KEY: {"task_id": "t1", "root_task_id": "t1", "hops": 2}})


async def test_an_agent_with_the_skill_answers_in_the_name_of_the_request(tmp_path: Path) -> None:
    asked: list[AgentRequest] = []

    async def answer(request: AgentRequest) -> AsyncGenerator[Update, None]:
        asked.append(request)
        yield Answer("answer", "Seven.")

    async with (
        federation(tmp_path, TestAgent("Reader", answer, ("read",))) as running,
        http.open_client(running.settings) as client,
    ):
        ended = await FederationSkills(running.settings, client).ask("read", "A number?", _CALL)
    assert ended.text == "Seven."
    [request] = asked
    told = request.metadata[METADATA_KEY]
    assert isinstance(told, dict)
    assert (request.text, told["root_task_id"], told["hops"]) == ("A number?", "t1", 3)


async def test_an_agent_that_takes_too_long_is_told_to_end(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def hang(_request: AgentRequest) -> AsyncGenerator[Update, None]:
        try:
            yield Progress("thinking")
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with (
        federation(tmp_path, TestAgent("Reader", hang, ("read",))) as running,
        http.open_client(running.settings) as client,
    ):
        with pytest.raises(FederationError):
            await FederationSkills(running.settings, client).ask("read", "A number?", _CALL, timeout_s=1.0)
        async with asyncio.timeout(20):
            await ended.wait()


async def test_a_skill_that_nobody_has_is_said(tmp_path: Path) -> None:
    async with federation(tmp_path) as running, http.open_client(running.settings) as client:
        with pytest.raises(UnavailableError, match="No agent with the skill read"):
            await FederationSkills(running.settings, client).ask("read", "A number?", _CALL)
