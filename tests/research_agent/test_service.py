"""The service as others see it: its card, its health, and answers over A2A."""

import subprocess
import sys
from pathlib import Path
from typing import cast

import httpx
import pytest

from a2a_agent_service.main import create
from shared.agent import JsonObject
from tests.research_agent.asking import make_settings, write_documents
from tests.support.serving import serve


def _message(text: str) -> JsonObject:
    message: JsonObject = {"messageId": f"message {text}", "role": "ROLE_USER", "parts": [{"text": text}]}
    return {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}


async def _send(client: httpx.AsyncClient, text: str) -> dict[str, object]:
    response = await client.post("/", headers={"A2A-Version": "1.0"}, json=_message(text))
    return cast("dict[str, object]", response.json()["result"]["task"])


async def test_a_direct_call_over_a2a_is_answered(tmp_path: Path) -> None:
    write_documents(tmp_path, retries="# Retries\n\nA failed call is retried up to 4 times.")
    async with serve(create(make_settings(tmp_path))) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
        card = (await client.get("/.well-known/agent-card.json")).json()
        task = await _send(client, "What do the docs say about retries?")
        failed = await _send(client, "What do the docs say about penguins?")

    assert [skill["id"] for skill in card["skills"]] == ["research", "analysis"]
    assert "A failed call is retried up to 4 times. [1]" in str(task["artifacts"])
    assert "TASK_STATE_COMPLETED" in str(task["status"])
    assert "TASK_STATE_FAILED" in str(failed["status"])
    assert "Nothing about 'What do the docs say about penguins?' was found in 1 document in" in str(failed["status"])


@pytest.mark.parametrize("exists", [True, False])
async def test_health_says_when_the_folder_is_missing(tmp_path: Path, *, exists: bool) -> None:
    if exists:
        write_documents(tmp_path, one="text")
    async with serve(create(make_settings(tmp_path))) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
        health = (await client.get("/health")).json()

    assert health["status"] == ("ok" if exists else "degraded")
    assert exists or "set RESEARCH_DOCUMENTS" in health["problems"][0]


def test_an_idle_service_does_not_carry_what_only_requests_need() -> None:
    heavy = "{'langgraph', 'langchain_core', 'pypdf', 'trafilatura', 'lxml', 'ddgs', 'openai'}"
    code = f"import sys, a2a_agent_service.main; print({heavy} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout == "set()\n"
