"""What the API answers is what its OpenAPI document says: the UI's types are made of that."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import jsonschema_rs
from pydantic import BaseModel

from orchestrator_service.api import agent_shapes, event_shapes, shapes, task_shapes
from orchestrator_service.api.usage import UsagePage
from shared.agent import AgentRequest, Answer, File, InputRequired, JsonObject, Produced, Progress, Update
from tests.support.federation import Federation, TestAgent, federation, step


async def _work(request: AgentRequest) -> AsyncGenerator[Update]:
    yield Progress("working")
    if "ask" in request.text and not request.history:
        yield InputRequired("Which?", {"type": "object"})
        return
    if "fail" in request.text:
        message = "It broke"
        raise RuntimeError(message)
    yield Produced(File("a.txt", "text/plain", b"a"))
    yield Answer("answer", "done", {"number": 1})


async def test_answers_are_as_the_openapi_document_says(tmp_path: Path) -> None:
    async with federation(tmp_path, TestAgent("Worker", _work, ("work",))) as running:
        session = await running.post("/api/sessions", {}, 201)
        done = await running.submit("do it", agent="Worker", session_id=session["id"])
        asks = await running.run(step("a", "ask", skill="work"))
        failed = await running.run(step("a", "fail", skill="work"), step("b", "on", skill="work", depends_on=["a"]))
        waits = await running.run(step("a", "later", skill="work"), approve_plan=True)
        retried = await running.post(f"/api/tasks/{failed['id']}/retry", None, 202)
        for task in (done, asks, failed, waits, retried):
            task_shapes.Task.model_validate(await running.get(f"/api/tasks/{task['id']}"), strict=True)
            event_shapes.EventPage.model_validate({"items": await running.events(task), "next_cursor": None})
        agent = str((await _items(running, "/api/agents"))[0]["id"])
        checks: list[tuple[type[BaseModel], str]] = [
            (shapes.Page[task_shapes.Task], "/api/tasks"),
            (shapes.Page[task_shapes.OpenQuestion], "/api/inputs"),
            (shapes.Page[agent_shapes.Agent], "/api/agents"),
            (agent_shapes.Agent, f"/api/agents/{agent}"),
            (shapes.Page[agent_shapes.Match], "/api/agents/discover?q=work"),
            (shapes.Page[shapes.Session], "/api/sessions"),
            (shapes.Page[shapes.Message], f"/api/sessions/{session['id']}/messages"),
            (UsagePage, "/api/usage"),
        ]
        for model, path in checks:
            model.model_validate(await running.get(path))
        assert len(await _items(running, "/api/inputs")) == 2
        preview = await running.post("/api/agents/preview", {"endpoint": running.endpoints["Worker"]})
        agent_shapes.Preview.model_validate(preview)
        agent_shapes.Health.model_validate(await running.post(f"/api/agents/{agent}/health"))


async def test_a_task_that_is_done_again_is_as_the_openapi_document_says(tmp_path: Path) -> None:
    async with federation(tmp_path, TestAgent("Worker", _work, ("work",))) as running:
        fits = await _validator(running, "Task")
        failed = await running.run(step("a", "fail", skill="work"), step("b", "on", skill="work", depends_on=["a"]))
        fits.validate(failed)
        fits.validate(await running.post(f"/api/tasks/{failed['id']}/retry", None, 202))
        fits.validate(await running.post(f"/api/tasks/{failed['id']}/fork", {"from_step": "a"}, 202))


async def test_what_is_missing_is_told_as_the_openapi_document_says(tmp_path: Path) -> None:
    async with federation(tmp_path, bundled_agents=("api",), api_agent_port=1) as running:
        ready = (await _paths(running))["/ready"]["get"]
        assert "Readiness" in str(ready["responses"]["503"])
        (await _validator(running, "Readiness")).validate(await running.get("/ready", 503))


async def test_every_header_of_the_openapi_document_is_one_that_generated_clients_can_send(tmp_path: Path) -> None:
    async with federation(tmp_path) as running:
        paths = await _paths(running)
        headers = [
            each["schema"]
            for item in paths.values()
            for operation in item.values()
            for each in operation.get("parameters", ())
            if each["in"] == "header"
        ]
        assert headers
        assert "array" not in json.dumps(headers)


async def _paths(running: Federation) -> dict[str, dict[str, dict[str, Any]]]:
    return (await running.client.get("/openapi.json")).json()["paths"]


async def _validator(running: Federation, name: str) -> jsonschema_rs.Validator:
    components = (await running.get("/openapi.json"))["components"]
    return jsonschema_rs.validator_for({"$ref": f"#/components/schemas/{name}", "components": components})


async def _items(running: Federation, path: str) -> list[JsonObject]:
    items = (await running.get(path))["items"]
    assert isinstance(items, list)
    return [item for item in items if isinstance(item, dict)]
