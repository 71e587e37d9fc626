"""Files that come as an address only: with a message over A2A, and as an agent's answer."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast

import pytest

from shared.agent import AgentRequest, Answer, File, JsonObject, Produced, Update
from tests.support.echo import ECHO
from tests.support.federation import TestAgent, federation

_ADDRESS = "https://files.example/report.pdf?signed=1"


@pytest.mark.parametrize("text", ["@Echo read this file", f"@Echo read {_ADDRESS}"])
async def test_the_agent_is_told_the_address_of_a_file_once(tmp_path: Path, text: str) -> None:
    file: JsonObject = {"url": _ADDRESS, "filename": "report.pdf", "mediaType": "application/pdf"}
    message: JsonObject = {"messageId": "m-1", "role": "ROLE_USER", "parts": [{"text": text}, file]}
    async with federation(tmp_path, ECHO) as running:
        answer = await running.post("/message:send", {"message": message})
        task = await running.get(f"/api/tasks/{cast('JsonObject', answer['task'])['id']}")
        assert task["status"] == "completed"
        assert _summary(task).count(_ADDRESS) == 1


@pytest.mark.parametrize("said", ["", f"It is at {_ADDRESS}"])
async def test_the_result_has_the_address_of_a_file_that_an_agent_made_once(tmp_path: Path, said: str) -> None:
    async def draw(_request: AgentRequest) -> AsyncGenerator[Update]:
        if said:
            yield Answer("answer", said)
        yield Produced(File("report.pdf", "application/pdf", url=_ADDRESS))

    async with federation(tmp_path, TestAgent("Draws", draw, ("draw",))) as running:
        task = await running.submit("@Draws a report")
        assert task["status"] == "completed"
        assert _summary(task).count(_ADDRESS) == 1


def _summary(task: JsonObject) -> str:
    return str(cast("JsonObject", task["result"])["summary"])
