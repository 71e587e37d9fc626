"""What belongs to another tenant: over HTTP it is as if it were not there. (Over HTTP there is one tenant.)"""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from pydantic import JsonValue
from sqlalchemy import Connection, update

from orchestrator_service.models import Base
from shared.agent import AgentRequest, Answer, File, InputRequired, JsonObject, Produced, Update
from shared.db import database_url as url_of
from shared.db import open_database
from tests.support.federation import Federation, TestAgent, federation, names, step, until
from tests.support.model_server import model_server

PLAN: Final[JsonObject] = {"steps": [{"id": "a", "skill": "echo", "instruction": "draw"}]}
BODIES: Final[dict[str, JsonValue]] = {
    "post /api/sessions/{session_id}/messages": {"role": "user", "content": "hello"},
    "patch /api/tests/{test_id}": {"name": "mine"},
    "patch /api/agents/{agent_id}": {"description": "mine"},
    "post /api/agents/{agent_id}/messages": {"text": "hello"},
    "post /api/agents/{agent_id}/try": {"text": "hello"},
    "post /api/tasks/{task_id}/fork": {"from_step": "a"},
}
LISTS: Final = ("tasks", "agents", "agents/discover?q=echo", "sessions", "tests", "learned-plans", "usage?group_by=day")
ELSEWHERE: Final = ("/api/browser/", "/api/push/")
"""Browser sessions are the browser's own; a push shows a token, whoever brings it."""


async def answer(request: AgentRequest) -> AsyncGenerator[Update]:
    if request.text == "ask":
        yield InputRequired("What?")
        return
    yield Produced(File("drawing.txt", "text/plain", b"a line"))
    yield Answer("drawing", "here it is")


async def test_what_is_another_tenants_is_as_if_it_were_not_there(tmp_path: Path, database_url: str | None) -> None:
    agent = TestAgent("Agent", answer, ("echo",))
    async with (
        model_server(otherwise=PLAN) as model,
        federation(
            tmp_path, agent, database_url=database_url, llm_base_url=model.base_url, llm_model="scripted"
        ) as running,
    ):
        known = await make_one_of_each(running)
        calls = await calls_about(running, known)
        await give_to(running, "other")
        for method, path, body in calls:
            answered = await running.client.request(method, path, json=body)
            assert answered.status_code == 404, f"{method} {path}: {answered.text}"
        for name in LISTS:
            assert (await running.get(f"/api/{name}"))["items"] == [], name
        assert (await running.client.get("/v1/models/agent/Agent")).status_code == 404
        assert [model["id"] for model in (await running.client.get("/v1/models")).json()["data"]] == ["federation"]
        await running.client.delete("/api/learned-plans")
        for field, name in (("session_id", "session_id"), ("agent", "agent_id")):
            refused = await running.client.post("/api/tasks", json={"description": "draw", field: known[name]})
            assert refused.status_code == 404, field
        assert (await running.run(step("a", "draw")))["status"] == "failed"  # nobody has the skill
        await give_to(running, "default")
        for method, path, _ in calls:
            if method == "get":
                assert (await running.client.get(path, headers={"Accept": "application/json"})).status_code == 200, path
        assert (await running.client.get("/v1/models/agent/Agent")).status_code == 200
        assert (await running.get(f"/api/tasks/{known['waiting']}"))["status"] == "input_required"


async def make_one_of_each(running: Federation) -> dict[str, str]:
    """Return the ids of what belongs to a tenant, by the names of the routes' parameters."""
    session = await running.post("/api/sessions", {}, 201)
    task = await running.submit("Please draw a line.", session_id=session["id"])
    test = await running.post("/api/tests", {"name": "Home", "url": "http://localhost/", "goal": "It loads"}, 201)
    run = await running.client.post(f"/api/tests/{test['id']}/run", headers={"Prefer": "respond-async"})
    waiting = await running.run(step("a", "ask"))
    plans = await until(lambda: running.get("/api/learned-plans"), lambda found: found["items"] != [])
    agents, result = await running.get("/api/agents"), task["result"]
    assert isinstance(result, dict)
    return {
        "session_id": str(session["id"]),
        "task_id": str(task["id"]),
        "artifact_id": str(names(result["artifacts"], "id")[0]),
        "step_id": "a",
        "test_id": str(test["id"]),
        "run": str(run.json()["task_id"]),
        "plan_id": str(names(plans["items"], "id")[0]),
        "agent_id": str(names(agents["items"], "id")[0]),
        "waiting": str(waiting["id"]),
        "input_id": str(names(waiting["pending_inputs"], "input_id")[0]),
    }


async def calls_about(running: Federation, known: dict[str, str]) -> list[tuple[str, str, JsonValue]]:
    """Return a call of every route that names something: method, path and body. What is read comes first."""
    paths = (await running.get("/openapi.json"))["paths"]
    assert isinstance(paths, dict)
    found: list[tuple[str, str, JsonValue]] = []
    for path, operations in paths.items():
        if "{" not in path or not path.startswith("/api/") or path.startswith(ELSEWHERE):
            continue
        assert isinstance(operations, dict)
        ids = known | {"task_id": known["run"]} if path.startswith("/api/tests/") else known
        ids = ids | {"task_id": known["waiting"]} if path.endswith("/cancel") else ids
        body: JsonValue = {"input_id": known["input_id"], "text": "a line"} if path.endswith("/input") else None
        ids = ids | {"task_id": known["waiting"]} if body else ids
        found += [
            (method, path.format(**ids), body or BODIES.get(f"{method} {path}", {} if method == "post" else None))
            for method in operations
        ]
    return sorted(found, key=lambda call: call[0] != "get")


async def give_to(running: Federation, tenant_id: str) -> None:
    """Make all there is this tenant's."""

    def change(connection: Connection) -> None:
        for table in Base.metadata.sorted_tables:
            if "tenant_id" in table.c:
                connection.execute(update(table).values(tenant_id=tenant_id))

    async with open_database(url_of(running.settings, "orchestrator")) as database:
        await database.write(change)
