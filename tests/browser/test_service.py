"""The browser service as its users call it: over A2A, with a model where one is configured."""

import hashlib
import json
from pathlib import Path

import httpx
from a2a.client import ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from a2a.types import Message, Part, Role, SendMessageRequest, Task, TaskState

from browser_service import main
from browser_service.agent import open_agent
from shared.agent import JsonObject
from tests.browser.conftest import ask, make_settings, open_site
from tests.browser.workshop import open_workshop
from tests.support.model_server import ModelServer, model_server
from tests.support.serving import serve


async def test_the_service_answers_a_direct_call_from_the_sdks_client(tmp_path: Path, unused_tcp_port: int) -> None:
    settings = make_settings(data_dir=tmp_path, browser_port=unused_tcp_port, federation_register=False)
    service = serve(main.create(settings), port=unused_tcp_port)
    async with open_site() as site, service as url, httpx.AsyncClient(timeout=30) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        assert [skill.id for skill in card.skills] == ["browse", "extract-page", "screenshot", "verify-page"]
        task = await _send(http, url, f"open {site.url}/ and get the main heading")
        assert task.status.state == TaskState.TASK_STATE_COMPLETED
        assert task.artifacts[0].parts[0].text == "Welcome to Harbour Town"
        shot = await _send(http, url, f"take a screenshot of {site.url}/")
        [png] = [part for artifact in shot.artifacts for part in artifact.parts if part.media_type == "image/png"]
        assert png.raw.startswith(b"\x89PNG")
        failed = await _send(http, url, f"open {site.url}/missing")
        assert failed.status.state == TaskState.TASK_STATE_FAILED
        assert "HTTP status 404" in failed.status.message.parts[0].text
        assert (await http.get(f"{url}/health")).json()["status"] == "ok"


async def test_a_service_without_a_chromium_is_up_and_says_what_is_missing(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    settings = make_settings(
        data_dir=tmp_path,
        browser_port=unused_tcp_port,
        federation_register=False,
        browser_executable=tmp_path / "nothing",
    )
    async with serve(main.create(settings), port=unused_tcp_port) as url, httpx.AsyncClient(timeout=30) as http:
        assert "BROWSER_EXECUTABLE" in (await http.get(f"{url}/health")).text
        failed = await _send(http, url, "open http://127.0.0.1:9900/")
        assert "playwright install" in failed.status.message.parts[0].text


async def test_a_model_reads_what_the_rules_do_not(tmp_path: Path) -> None:
    plan: JsonObject = {"actions": [{"do": "extract", "what": "prices"}], "is_done": True}
    async with open_site() as site, model_server(plan) as model, open_agent(_with_model(model, tmp_path)) as agent:
        answered = await ask(agent, f"how dear is a crossing according to {site.url}/ ?")
    assert answered.text == "- $12.50\n- $9.00"
    assert answered.data["cache"] == [{"step": "how dear is a crossing according", "cache": "miss"}]
    assert answered.usage[0].llm_calls == 1


async def test_a_model_is_not_asked_when_the_rules_read_everything(tmp_path: Path) -> None:
    async with open_site() as site, model_server() as model, open_agent(_with_model(model, tmp_path)) as agent:
        assert (await ask(agent, f"get the main heading of {site.url}/")).text == "Welcome to Harbour Town"
    assert model.requests == []


async def test_a_models_plan_that_is_not_allowed_is_not_followed(tmp_path: Path) -> None:
    refused: list[JsonObject] = [
        {"actions": [{"do": "navigate", "url": "http://elsewhere.example/"}, {"do": "extract", "what": "text"}]},
        {"actions": []},
        {"actions": [{"do": "run", "script": "alert(1)"}]},
    ]
    replies = [answer for answer in refused for _ in range(2)]  # each is asked for again once
    async with (
        open_site() as site,
        model_server(*replies) as model,
        open_agent(_with_model(model, tmp_path)) as agent,
    ):
        for number in range(len(refused)):
            answered = await ask(agent, f"get the main heading of {site.url}/ and juggle")
            assert answered.text.startswith("Welcome to Harbour Town\n\nNote: This part of the request was not")
            assert len(model.requests) == 2 * (number + 1)


async def test_what_a_model_found_out_for_one_tenant_is_not_replayed_for_another(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    save: JsonObject = {"actions": [{"do": "click", "target": {"test_id": "save-all"}}], "is_done": True}
    async with open_workshop() as shop, model_server(otherwise=save) as model:
        settings = _with_model(model, tmp_path, browser_port=unused_tcp_port, federation_register=False)
        async with serve(main.create(settings), port=unused_tcp_port) as url, httpx.AsyncClient(timeout=30) as http:
            asked: list[int] = []
            for number, tenant in enumerate(("acme", "acme", "zenith", "", "zenith/", "acme", "zenith", "")):
                words = f"open {shop}/list, safeguard all of this. Get the text"
                assert "Saved" in (await _send(http, url, words, f"m{number}", tenant)).artifacts[0].parts[0].text
                asked.append(len(model.requests))
    assert asked == [1, 1, 2, 3, 4, 4, 4, 4]


async def test_what_was_remembered_for_nobody_in_particular_is_replayed_for_nobody(tmp_path: Path) -> None:
    kept = tmp_path / "browser" / "actions.json"
    save: JsonObject = {"actions": [{"do": "click", "target": {"test_id": "save-all"}}], "is_done": True}
    words = "safeguard all of this. Get the text"
    async with open_workshop() as shop, model_server(otherwise=save) as model:
        async with open_agent(_with_model(model, tmp_path)) as agent:
            await ask(agent, f"open {shop}/list, {words}")
        [actions] = json.loads(kept.read_text())["by_caller"].values()
        digest = hashlib.blake2s(b"safeguard all of this", digest_size=16).hexdigest()
        kept.write_text(json.dumps({"entries": {f"{shop} {digest}": actions}}))  # as it was kept before
        async with open_agent(_with_model(model, tmp_path)) as agent:
            await ask(agent, f"open {shop}/list, {words}")
    assert len(model.requests) == 2


def _with_model(model: ModelServer, folder: Path, **changes: object) -> main.Settings:
    return make_settings(
        data_dir=folder, llm_base_url=model.base_url, llm_model="scripted", llm_max_attempts=1, **changes
    )


async def _send(http: httpx.AsyncClient, url: str, text: str, message_id: str = "", tenant: str = "") -> Task:
    card = await A2ACardResolver(http, url).get_agent_card()
    client = ClientFactory(ClientConfig(httpx_client=http, streaming=False)).create(card)
    message = Message(role=Role.ROLE_USER, message_id=message_id or text, parts=[Part(text=text)])
    [event] = [event async for event in client.send_message(SendMessageRequest(message=message, tenant=tenant))]
    return event.task
