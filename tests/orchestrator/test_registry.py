"""The registry through the HTTP API: it stores what answers, tells the truth about it, and finds it by words."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from pydantic import JsonValue
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.agent import AgentRequest, Answer, JsonObject, Update
from shared.errors import UnavailableError
from tests.orchestrator.fickle import Fickle
from tests.support.echo import echo
from tests.support.federation import (
    Federation,
    TestAgent,
    federation,
    free_port,
    names,
    serve_agent,
    step,
    until,
)
from tests.support.serving import serve

ECHO = TestAgent("Echo", echo, ("echo",), ("repeat", "parrot"))


@pytest.mark.parametrize("suffix", ["", "/", "/.well-known/agent-card.json"])
async def test_an_agent_is_registered_by_its_base_url_or_its_cards(
    tmp_path: Path, suffix: str, database_url: str | None
) -> None:
    async with federation(tmp_path, ECHO, register=False, database_url=database_url) as running:
        endpoint = running.endpoints["Echo"]
        agent = await running.post("/api/agents", {"endpoint": endpoint + suffix}, 201)
        assert agent["name"] == "Echo"
        assert agent["endpoint"] == endpoint
        assert agent["status"] == "active"
        assert agent["capabilities"] == ["echo", "repeat", "parrot"]
        assert isinstance(health := agent["health"], dict)
        assert health["state"] == "healthy"
        assert health["checked_at"] is not None
        again = await running.post("/api/agents", {"endpoint": endpoint, "name": "Polly"})
        assert (again["id"], again["name"]) == (agent["id"], "Polly")
        assert len(names((await running.get("/api/agents"))["items"], "id")) == 1


async def test_an_agent_is_one_however_its_address_is_written(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO, register=False) as running:
        endpoint = running.endpoints["Echo"].replace("127.0.0.1", "localhost")
        agent = await running.post("/api/agents", {"endpoint": endpoint}, 201)
        shouted = endpoint.replace("localhost", "LocalHost").replace("http", "HTTP")
        for written in (shouted, f" {endpoint}/ "):
            again = await running.post("/api/agents", {"endpoint": written})
            assert (again["id"], again["endpoint"]) == (agent["id"], endpoint)


async def test_the_federation_is_ready_however_the_address_of_an_agent_is_written(tmp_path: Path) -> None:
    port = free_port()
    address = f"http://LOCALHOST:{port}"
    async with (
        serve_agent(tmp_path, ECHO, port=port),
        federation(tmp_path, bundled_agents=("api",), api_agent_url=address) as running,
    ):
        await running.post("/api/agents", {"endpoint": address}, 201)
        assert await running.get("/ready") == {"ready": True, "missing": []}


async def test_an_agent_is_registered_by_its_card_as_json(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO, register=False) as running:
        card = (await running.client.get(f"{running.endpoints['Echo']}/.well-known/agent-card.json")).json()
        agent = await running.post("/api/agents", {"card": card}, 201)
        assert agent["name"] == "Echo"
        task = await running.run(step("a", "hello"))
        assert task["status"] == "completed"
        wrong: list[JsonObject] = [{**card, "supportedInterfaces": []}, {**card, "skills": "many"}, {"name": "x"}]
        for broken in wrong:
            refused = await running.post("/api/agents", {"card": broken}, 422)
            assert str(refused["type"]).endswith("agent-card-invalid")
        assert len(names((await running.get("/api/agents"))["items"], "id")) == 1


@pytest.mark.parametrize(
    "endpoint", ["nonsense", " /", "ftp://example.org", "http://xn--a", "http://me:secret@127.0.0.1:9"]
)
async def test_a_card_is_not_registered_at_what_is_no_address(tmp_path: Path, endpoint: str) -> None:
    async with Fickle().serving() as fickle, federation(tmp_path) as running:
        await running.post("/api/agents", {"endpoint": endpoint, "card": fickle.card}, 422)
        assert (await running.get("/api/agents"))["items"] == []


async def test_what_is_no_agent_is_refused_and_nothing_is_stored(tmp_path: Path) -> None:
    async def answer(request: Request) -> Response:
        if request.url.path.startswith("/html"):
            return Response("<html>", media_type="text/html")
        if request.url.path.startswith("/broken"):
            return Response("{", media_type="application/json")
        return JSONResponse({"hello": "world"})

    app = Starlette(routes=[Route("/{path:path}", answer)])
    async with serve(app) as url, federation(tmp_path) as running:
        cases: list[tuple[str, int, str]] = [
            (f"{url}/html", 422, "agent-card-invalid"),
            (f"{url}/broken", 422, "agent-card-invalid"),
            (f"{url}/other", 422, "agent-card-invalid"),
            (f"http://127.0.0.1:{free_port()}", 502, "agent-unreachable"),
            ("http://169.254.169.254/latest", 422, "address-refused"),
            ("ftp://example.org", 422, "address-refused"),
            ("no url", 422, "address-refused"),
            ("http://xn--/", 422, "invalid-request"),
        ]
        for endpoint, status, slug in cases:
            refused = await running.client.post("/api/agents", json={"endpoint": endpoint})
            assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (status, slug), refused.text
        await running.post("/api/agents", {}, 422)
        assert (await running.get("/api/agents"))["items"] == []


async def test_an_agent_that_goes_away_is_shown_so_and_not_chosen_until_it_is_back(
    tmp_path: Path, database_url: str | None
) -> None:
    port = free_port()
    async with federation(tmp_path, database_url=database_url, agent_check_interval_s=0.1, step_attempts=1) as running:
        async with serve_agent(tmp_path, ECHO, port=port) as endpoint:
            agent = await running.post("/api/agents", {"endpoint": endpoint}, 201)
        path = f"/api/agents/{agent['id']}"
        gone = await until(lambda: running.get(path), lambda found: found["status"] == "error")
        assert isinstance(health := gone["health"], dict)
        assert health["state"] == "unreachable"
        assert health["error"]
        task = await running.run(step("a", "hello"))
        assert task["status"] == "failed"
        assert "Echo" in str(task["error"])
        assert names(task["steps"], "attempts") == [[]]
        async with serve_agent(tmp_path, ECHO, port=port):
            await until(lambda: running.get(path), lambda found: found["status"] == "active")
            assert (await running.run(step("a", "hello")))["status"] == "completed"


async def test_an_agent_that_is_just_restarting_is_waited_for(tmp_path: Path) -> None:
    port = free_port()
    async with federation(tmp_path, agent_check_interval_s=3600) as running:
        async with serve_agent(tmp_path, ECHO, port=port) as endpoint:
            await running.post("/api/agents", {"endpoint": endpoint}, 201)
        task = await running.run(step("a", "hello"), wait_s=None)
        await running.task_when(task, lambda found: "Cannot connect" in str(found["steps"]))
        async with serve_agent(tmp_path, ECHO, port=port):
            done = await running.task_when(task, lambda found: found["completed_at"] is not None)
            assert done["status"] == "completed"


async def test_a_check_on_demand_answers_the_health_of_now(tmp_path: Path) -> None:
    async with federation(tmp_path, agent_check_interval_s=3600) as running:
        async with serve_agent(tmp_path, ECHO) as endpoint:
            agent = await running.post("/api/agents", {"endpoint": endpoint}, 201)
            health = await running.post(f"/api/agents/{agent['id']}/health")
            assert (health["state"], health["error"]) == ("healthy", None)
        health = await running.post(f"/api/agents/{agent['id']}/health")
        assert health["state"] == "unreachable"
        await running.post("/api/agents/nobody/health", status=404)


@pytest.mark.parametrize("to", ["javascript:alert(1)", "http://xn--a/"])
async def test_an_agent_that_says_it_moved_to_no_address_is_not_reachable(tmp_path: Path, to: str) -> None:
    async with Fickle().serving() as fickle, federation(tmp_path, agent_check_interval_s=3600) as running:
        agent = await running.post("/api/agents", {"endpoint": fickle.url}, 201)
        fickle.moved_to = to
        health = await running.post(f"/api/agents/{agent['id']}/health")
        assert health["state"] == "unreachable"
        assert "no address" in str(health["error"])
        await running.post("/api/agents", {"endpoint": fickle.url}, 502)


async def test_a_need_in_plain_words_finds_the_skill_that_fits(tmp_path: Path, database_url: str | None) -> None:
    agents = [
        ECHO,
        TestAgent("Painter", echo, ("draw-picture",), ("image", "painting")),
        TestAgent("Clerk", echo, ("file-invoices", "pay-invoices"), ("accounting", "bookkeeping")),
    ]
    async with federation(tmp_path, *agents, database_url=database_url) as running:
        needs = {
            "please paint me something": ("Painter", "draw-picture"),
            "draw pictures of cats": ("Painter", "draw-picture"),
            "who can repeat what I say?": ("Echo", "echo"),
            "pay the invoice": ("Clerk", "pay-invoices"),
        }
        for need, expected in needs.items():
            found = (await running.get("/api/agents/discover", params={"q": need}))["items"]
            assert isinstance(found, list)
            assert isinstance(best := found[0], dict)
            assert isinstance(agent := best["agent"], dict)
            assert (agent["name"], best["skill"]) == expected, need
            assert best["why"]
        shown = await running.get("/api/agents/discover", params={"q": "paying for invoices and paintings"})
        assert "invoices in its" in str(shown["items"])
        assert "paintings in its tags" in str(shown["items"])
        nothing = await running.get("/api/agents/discover", params={"q": "xylophone zebra"})
        assert nothing["items"] == []
        by_tag = await running.get("/api/agents", params={"capability": "accounting"})
        assert names(by_tag["items"], "name") == ["Clerk"]
        by_words = await running.get("/api/agents", params={"q": "painting"})
        assert names(by_words["items"], "name") == ["Painter"]


async def test_an_agent_that_is_switched_off_is_not_chosen(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO, step_attempts=1) as running:
        [agent_id] = names((await running.get("/api/agents"))["items"], "id")
        changed = await running.client.patch(f"/api/agents/{agent_id}", json={"status": "inactive"})
        assert changed.json()["status"] == "inactive"
        assert (await running.get("/api/agents/discover", params={"q": "echo"}))["items"] == []
        task = await running.run(step("a"))
        assert "switched off" in str(task["error"])


async def test_a_removed_agent_is_gone(tmp_path: Path, database_url: str | None) -> None:
    async with federation(tmp_path, ECHO, database_url=database_url) as running:
        [agent_id] = names((await running.get("/api/agents"))["items"], "id")
        assert (await running.client.delete(f"/api/agents/{agent_id}")).status_code == 204
        await running.get(f"/api/agents/{agent_id}", 404)
        assert (await running.client.delete(f"/api/agents/{agent_id}")).status_code == 404
        assert (await running.get("/api/agents/discover", params={"q": "echo"}))["items"] == []


async def test_a_message_goes_straight_to_one_agent(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO) as running:
        [agent_id] = names((await running.get("/api/agents"))["items"], "id")
        answer = await running.post(f"/api/agents/{agent_id}/messages", {"text": "hello"})
        assert (answer["state"], answer["text"]) == ("completed", "<hello>")
        assert answer["id"]


async def test_an_agent_whose_credentials_cannot_be_read_is_not_tried_and_the_answer_says_why(tmp_path: Path) -> None:
    async with serve_agent(tmp_path, ECHO) as endpoint:
        async with federation(tmp_path, federation_secret_key="one") as running:
            agent = await running.post("/api/agents", {"endpoint": endpoint, "headers": {"X-Api-Key": "secret"}}, 201)
        async with federation(tmp_path, federation_secret_key="another") as running:
            answer = await running.client.post(f"/api/agents/{agent['id']}/try", json={"text": "hello"})
            assert answer.status_code == 500
            assert "FEDERATION_SECRET_KEY" in answer.json()["detail"]


async def test_credentials_are_sent_to_the_agent_and_never_shown(tmp_path: Path) -> None:
    seen: list[str | None] = []
    port = free_port()

    async def answer(request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse(_card(port))
        seen.append(request.headers.get("x-api-key"))
        body = await request.json()
        task: JsonObject = {"id": "t1", "contextId": "c1", "status": {"state": "TASK_STATE_COMPLETED"}}
        return JSONResponse({"jsonrpc": "2.0", "id": body["id"], "result": {"task": task}})

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    async with serve(app, port=port) as url, federation(tmp_path) as running:
        body: JsonObject = {"endpoint": url, "headers": {"X-Api-Key": "very-secret"}}
        agent = await running.post("/api/agents", body, 201)
        task = await running.run(step("a", skill="plain"))
        assert task["status"] == "completed"
        assert set(seen) == {"very-secret"}
        assert "very-secret" not in str(agent) + str(task)
        database = (tmp_path / "orchestrator" / "orchestrator.db").read_bytes()
        assert b"very-secret" not in database


async def test_credentials_are_taken_back_though_the_card_needs_them_or_nobody_answers(tmp_path: Path) -> None:
    port = free_port()
    shown: list[str | None] = []

    async def answer(request: Request) -> Response:
        if request.method == "POST":
            task: JsonObject = {"id": "t1", "contextId": "c1", "status": {"state": "TASK_STATE_COMPLETED"}}
            return JSONResponse({"jsonrpc": "2.0", "id": (await request.json())["id"], "result": {"task": task}})
        shown.append(request.headers.get("x-api-key"))
        return JSONResponse(_card(port)) if shown[-1] else Response(status_code=401)

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    async with federation(tmp_path) as running:
        async with serve(app, port=port) as url:
            agent = await running.post("/api/agents", {"endpoint": url, "headers": {"X-Api-Key": "secret"}}, 201)
            await _change(running, agent, {"headers": {}})
            shown.clear()
            await running.client.post(f"/api/agents/{agent['id']}/health")
            assert shown == [None]
            await _change(running, agent, {"headers": {"X-Api-Key": "secret"}})
        changed = await _change(running, agent, {"headers": {}})
        async with serve(app, port=port):
            shown.clear()
            await running.client.post(f"/api/agents/{agent['id']}/health")
            assert shown == [None]
        assert changed["skills"] == agent["skills"]
        refused = await running.client.patch(f"/api/agents/{agent['id']}", json={"headers": {"X-Api-Key": "x"}})
        assert refused.status_code == 502


async def _change(running: Federation, agent: JsonObject, body: JsonObject) -> JsonObject:
    answer = await running.client.patch(f"/api/agents/{agent['id']}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _card(port: int) -> JsonObject:
    interface: JsonObject = {
        "url": f"http://127.0.0.1:{port}/",
        "protocolBinding": "JSONRPC",
        "protocolVersion": "1.0",
    }
    skills: list[JsonValue] = [{"id": "plain", "name": "Plain", "description": "Plain.", "tags": ["plain"]}]
    return {
        "name": "Plain",
        "description": "A plain agent.",
        "version": "1",
        "supportedInterfaces": [interface],
        "capabilities": {},
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": skills,
    }


async def test_a_refreshed_card_brings_new_skills(tmp_path: Path) -> None:
    port = free_port()
    async with federation(tmp_path) as running:
        async with serve_agent(tmp_path, ECHO, port=port) as endpoint:
            agent = await running.post("/api/agents", {"endpoint": endpoint, "name": "Mine"}, 201)
        grown = TestAgent("Echo", echo, ("echo", "sing"))
        async with serve_agent(tmp_path, grown, port=port):
            fresh = await running.post(f"/api/agents/{agent['id']}/refresh")
            assert (fresh["status"], names(fresh["skills"], "id")) == ("quarantined", ["echo"])
            fresh = await running.post(f"/api/agents/{agent['id']}/accept")
            assert fresh["status"] == "active"
            assert names(fresh["skills"], "id") == ["echo", "sing"]
            assert fresh["name"] == "Mine"


async def test_of_two_agents_with_the_skill_a_failing_one_is_not_tried_twice(tmp_path: Path) -> None:
    calls: list[str] = []

    async def busy(request: AgentRequest) -> AsyncGenerator[Update]:

        calls.append("busy")
        raise UnavailableError("Busy.")
        yield Answer("", "")

    async def idle(request: AgentRequest) -> AsyncGenerator[Update]:
        calls.append("idle")
        yield Answer("echo", "done")

    agents = [TestAgent("Aaa", busy, ("work",)), TestAgent("Bbb", idle, ("work",))]
    async with federation(tmp_path, *agents) as running:
        task = await running.run(step("a", "aaa work", skill="work"))
        assert task["status"] == "completed"
        assert calls in (["busy", "idle"], ["idle"])
        assert all(names(task["steps"], "why_chosen"))
