"""The service as others see it: its card, its health, and answers over A2A."""

import asyncio
import base64
import json
import uuid
from pathlib import Path
from typing import cast

import httpx

from code_agent_service.main import create
from shared.agent import JsonObject
from tests.code_agent.asking import make_settings, wait_for_processes
from tests.support.serving import serve

SKILLS = ["run-code", "write-code", "test-code", "review-code", "document-code"]


def _call(method: str, params: JsonObject) -> JsonObject:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def _message(*parts: JsonObject) -> JsonObject:
    return {"message": {"messageId": str(uuid.uuid4()), "role": "ROLE_USER", "parts": [*parts]}}


async def _post(client: httpx.AsyncClient, method: str, params: JsonObject) -> JsonObject:
    response = await client.post("/", headers={"A2A-Version": "1.0"}, json=_call(method, params))
    return cast("JsonObject", response.json()["result"])


async def test_a_direct_call_over_a2a_runs_code_with_files_in_and_out(tmp_path: Path) -> None:
    code = "open('copy.txt', 'w').write(open('in.txt').read().upper()); print('done')"
    file: JsonObject = {"raw": base64.b64encode(b"text").decode(), "filename": "in.txt", "mediaType": "text/plain"}
    async with (
        serve(create(make_settings(data_dir=tmp_path))) as url,
        httpx.AsyncClient(base_url=url, timeout=30) as client,
    ):
        card = (await client.get("/.well-known/agent-card.json")).json()
        health = (await client.get("/health")).json()
        done = await _post(client, "SendMessage", _message({"text": f"run: {code}"}, file))
        failed = await _post(client, "SendMessage", _message({"text": "run: 1 / 0"}))

    assert [skill["id"] for skill in card["skills"]] == SKILLS
    assert health["status"] == "ok"
    assert "TASK_STATE_COMPLETED" in str(done)
    assert "done" in str(done)
    assert base64.b64encode(b"TEXT").decode() in str(done)
    assert "TASK_STATE_FAILED" in str(failed)
    assert "ZeroDivisionError: division by zero" in str(failed)


async def test_canceling_the_task_kills_the_program(tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    data: JsonObject = {"data": {"code": "import time; time.sleep(60)", "arguments": [mark]}}
    async with (
        serve(create(make_settings(data_dir=tmp_path))) as url,
        httpx.AsyncClient(base_url=url, timeout=30) as client,
        asyncio.timeout(30),
    ):
        call = _call("SendStreamingMessage", _message(data))
        async with client.stream("POST", "/", headers={"A2A-Version": "1.0"}, json=call) as response:
            task_id = ""
            async for line in response.aiter_lines():
                if line.startswith("data:") and not task_id:
                    task_id = json.loads(line[5:])["result"]["task"]["id"]
                    await wait_for_processes(mark, some=True)
                    await _post(client, "CancelTask", {"id": task_id})
            task = await _post(client, "GetTask", {"id": task_id})

        assert "TASK_STATE_CANCELED" in str(task["status"])
        assert await wait_for_processes(mark, some=False) == []


async def test_a_service_without_a_sandbox_serves_and_says_what_is_missing(tmp_path: Path) -> None:
    settings = make_settings(data_dir=tmp_path, sandbox_bwrap=str(tmp_path / "bwrap"))
    async with serve(create(settings)) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
        health = (await client.get("/health")).json()
        task = await _post(client, "SendMessage", _message({"text": "run: print(1)"}))

    assert health["status"] == "degraded"
    assert "apt install bubblewrap" in str(health["problems"])
    assert "TASK_STATE_FAILED" in str(task)


async def test_the_card_says_when_the_sandbox_may_be_weaker(tmp_path: Path) -> None:
    settings = make_settings(data_dir=tmp_path, sandbox_allow_weak=True)
    async with serve(create(settings)) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
        card = (await client.get("/.well-known/agent-card.json")).json()
        health = (await client.get("/health")).json()

    assert "SANDBOX_ALLOW_WEAK" in card["description"]
    assert health["status"] == "ok"  # bubblewrap works here, so the weaker one is not used
