"""Files that come as an address only, over A2A and as an agent's answer; and files in reply to a question."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast
from uuid import uuid4

import pytest

from shared.agent import AgentRequest, Answer, File, InputRequired, JsonObject, Produced, Update
from tests.support.echo import ECHO
from tests.support.federation import Federation, TestAgent, federation

_ADDRESS = "https://files.example/report.pdf?signed=1"


@pytest.mark.parametrize("text", ["@Echo read this file", f"@Echo read {_ADDRESS}"])
async def test_the_agent_is_told_the_address_of_a_file_once(tmp_path: Path, text: str) -> None:
    file: JsonObject = {"url": _ADDRESS, "filename": "report.pdf", "mediaType": "application/pdf"}
    async with federation(tmp_path, ECHO) as running:
        sent = await _send(running, [{"text": text}, file])
        task = await running.get(f"/api/tasks/{sent['id']}")
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


async def test_a_file_in_reply_to_a_question_is_not_dropped_in_silence(tmp_path: Path) -> None:
    async def ask(request: AgentRequest) -> AsyncGenerator[Update]:
        yield Answer("answer", f"<{request.text}>") if request.history else InputRequired("Which table?")

    async with federation(tmp_path, TestAgent("Asks", ask, ("ask",))) as running:
        first = await _send(running, [{"text": "@Asks for a table"}])
        assert _state(first) == "TASK_STATE_INPUT_REQUIRED"
        again = await _send(running, [{"text": "This one."}, {"raw": "AA==", "filename": "a.csv"}], first)
        assert _state(again) == "TASK_STATE_INPUT_REQUIRED"
        assert "An answer cannot bring files" in str(again["status"])
        assert "Which table?" in str(again["status"])
        last = await _send(running, [{"text": "This one."}, {"url": _ADDRESS}], first)
        assert _summary(await running.get(f"/api/tasks/{last['id']}")).count(_ADDRESS) == 1


async def _send(running: Federation, parts: list[JsonObject], to: JsonObject | None = None) -> JsonObject:
    message: JsonObject = {"messageId": uuid4().hex, "role": "ROLE_USER", "parts": [*parts]}
    if to is not None:
        message["taskId"] = to["id"]
    return cast("JsonObject", (await running.post("/message:send", {"message": message}))["task"])


def _state(task: JsonObject) -> str:
    return str(cast("JsonObject", task["status"])["state"])


def _summary(task: JsonObject) -> str:
    return str(cast("JsonObject", task["result"])["summary"])
