"""Requests to the HTTP API: what is taken, what is refused and why, and what the API says of itself."""

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from pydantic import JsonValue

from shared import telemetry
from shared.agent import AgentRequest, Answer, JsonObject, Update
from tests.support.echo import ECHO
from tests.support.federation import TestAgent, federation, names, step


async def test_execute_runs_a_task_and_answers_its_results(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO) as running:
        done = await running.post("/execute", {"task": "echo banana"})
        assert done["results"] == [{"step": "echo banana", "output": "<echo banana>"}]
        assert "<echo banana>" in str(done["message"])
        bodies: tuple[JsonValue, ...] = (None, {}, {"task": "  "})
        for body in bodies:
            refused = await running.post("/execute", body, 400)
            assert "Give what is to be done" in str(refused["detail"])


async def test_a_callers_trace_goes_on_through_the_agents_whether_its_task_began_at_once_or_waited(
    tmp_path: Path, database_url: str | None
) -> None:
    waited = asyncio.Event()

    async def tell_trace(request: AgentRequest) -> AsyncGenerator[Update]:
        if request.text == "first":
            await waited.wait()
        yield Answer("trace", f"{telemetry.trace_id()} {str(telemetry.traceparent())[-2:]}")

    agent = TestAgent("Traced", tell_trace, ("trace",))
    traces = (("first", "ab" * 16, "01"), ("second", "cd" * 16, "00"))
    async with federation(tmp_path, agent, database_url=database_url, max_running_tasks=1) as running:
        tasks: list[JsonObject] = []
        for text, trace, flags in traces:
            plan = {"steps": [step("a", text, skill="trace")]}
            headers = {"traceparent": f"00-{trace}-{'ef' * 8}-{flags}"}
            submitted = await running.client.post(
                "/api/tasks", json={"description": "x", "plan": plan}, headers=headers
            )
            tasks.append(submitted.json())
        waited.set()
        for task, (_, trace, flags) in zip(tasks, traces, strict=True):
            done = await running.task_when(task, lambda found: bool(found["completed_at"]))
            assert done["trace_id"] == trace
            assert isinstance(done["result"], dict)
            assert names(done["result"]["outputs"], "output") == [f"{trace} {flags}"]
        again = await running.client.post(
            f"/api/tasks/{tasks[0]['id']}/fork",
            json={"from_step": "a", "instruction": "again"},
            headers={"traceparent": f"00-{'12' * 16}-{'ef' * 8}-00", "Prefer": "wait=20"},
        )
        assert names(again.json()["result"]["outputs"], "output") == [f"{'12' * 16} 00"]


async def test_a_refused_method_is_answered_with_all_that_are_taken(tmp_path: Path) -> None:
    async with federation(tmp_path) as running:
        for path, allowed in (("/api/tasks", "GET, HEAD, POST"), ("/api/agents/x", "DELETE, GET, HEAD, PATCH")):
            refused = await running.client.put(path)
            assert (refused.status_code, refused.headers["allow"]) == (405, allowed)


async def test_what_passed_on_the_wire_is_told_of_steps_that_there_are(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO) as running:
        task = await running.run(step("a", "hello"))
        told = await running.get(f"/api/tasks/{task['id']}/steps/a/wire")
        assert isinstance(items := told["items"], list)
        assert len(items) == 1
        assert (await running.client.get(f"/api/tasks/{task['id']}/steps/b/wire")).status_code == 404


async def test_a_wait_is_understood_however_the_preference_is_written(tmp_path: Path) -> None:
    written = ["Wait=20", 'wait="20"', "wait = 20; x, handling=lenient"]
    headers = [[("Prefer", each)] for each in written] + [[("Prefer", "handling=lenient"), ("prefer", "wait=20")]]
    async with federation(tmp_path, ECHO) as running:
        body = {"description": "x", "agent": "Echo"}
        for each in headers:
            answer = await running.client.post("/api/tasks", json=body, headers=each)
            assert (answer.json()["status"], answer.headers["preference-applied"]) == ("completed", "wait=20")
        for each in ("await=20", "wait=soon", "respond-async"):
            answer = await running.client.post("/api/tasks", json=body, headers={"Prefer": each})
            assert "preference-applied" not in answer.headers


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({}, 422, "description"),
        ({"description": "   "}, 422, "description"),
        ({"description": "x", "colour": "red"}, 422, "colour"),
        ({"description": "x", "session_id": "none"}, 404, "session"),
        ({"description": "x", "agent": "Nobody"}, 404, "Nobody"),
        ({"description": "x", "workflow": "nothing"}, 404, "workflow"),
        ({"description": "x", "plan": {"steps": []}}, 422, "steps"),
        (
            {"description": "x", "plan": {"steps": [step("a", depends_on=["b"]), step("b", depends_on=["a"])]}},
            422,
            "circle",
        ),
        ({"description": "x", "plan": {"steps": [step("a", "{{ steps.z.output }}")]}}, 422, "'z'"),
        ({"description": "x", "plan": {"steps": [step("a"), step("a")]}}, 422, "unique"),
        (
            {"description": "x", "plan": {"steps": [{"id": "a", "instruction": "x"}]}},
            422,
            "neither a skill nor an agent",
        ),
        ({"description": "x", "files": [{"name": "a", "content": "%%%"}]}, 422, "Base64"),
    ],
)
async def test_a_wrong_task_is_refused_and_the_answer_names_what_is_wrong(
    tmp_path: Path, body: JsonObject, status: int, word: str
) -> None:
    async with federation(tmp_path, ECHO) as running:
        response = await running.client.post("/api/tasks", json=body)
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        assert word in response.text
        assert (await running.get("/api/tasks"))["items"] == []


async def test_an_event_number_that_no_event_can_have_is_refused(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO) as running:
        path = f"/api/tasks/{(await running.run(step('a')))['id']}/events"
        for after in ("9223372036854775808", "-1", "x"):
            assert (await running.client.get(path, params={"after": after})).status_code == 422
            assert (await running.client.get(path, headers={"Last-Event-ID": after})).status_code == 422
        latest = {"after": 2**53 - 1}
        told = await running.client.get(path, params=latest, headers={"Accept": "application/json"})
        assert (told.status_code, told.json()["items"]) == (200, [])


async def test_a_cursor_that_no_list_gave_is_refused(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO) as running:
        session = await running.post("/api/sessions", {}, 201)
        task = await running.run(step("a"))
        lists = (
            "tasks",
            "inputs",
            "sessions",
            "agents",
            "tests",
            "learned-plans",
            f"sessions/{session['id']}/messages",
        )
        for path in (*lists, f"tasks/{task['id']}/events", "usage"):
            for cursor in ("zzz", "", "-1", f"{task['id']}x", str(task["id"]).upper()):
                asked = await running.client.get(
                    f"/api/{path}", params={"cursor": cursor}, headers={"Accept": "application/json"}
                )
                assert asked.status_code == 422, (path, cursor)
                assert "cursor" in asked.text


async def test_times_are_taken_in_every_zone_and_refused_where_they_say_no_moment(
    tmp_path: Path, database_url: str | None
) -> None:
    misfits = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")
    async with federation(tmp_path, ECHO, database_url=database_url) as running:
        await running.run(step("a"))
        for path in ("/api/tasks", "/api/usage"):
            for name in ("since", "until"):
                for time in (*misfits, "2026-01-01T00:00:00", "2026", "-5", "1e3", "soon"):
                    refused = await running.get(path, 422, {name: time})
                    assert f"query/{name}" in str(refused["errors"]), (path, time)
                await running.get(path, 200, {name: "0001-01-01T00:00:00Z"})
        ahead = (datetime.now(UTC) + timedelta(minutes=1)).astimezone(timezone(timedelta(hours=-12))).isoformat()
        assert (await running.get("/api/tasks", params={"since": ahead}))["items"] == []
        assert len(names((await running.get("/api/tasks", params={"until": ahead}))["items"], "id")) == 1


async def test_sessions_are_listed_newest_first_page_by_page_whoever_chose_their_ids(
    tmp_path: Path, database_url: str | None
) -> None:
    async with federation(tmp_path, ECHO, database_url=database_url) as running:
        expected = list[JsonValue]()
        for context_id in ("z" * 256, "A chat of mine", ""):
            message: JsonObject = {"messageId": f"m{context_id[:1]}", "role": "ROLE_USER", "parts": [{"text": "echo"}]}
            body: JsonObject = {"message": {**message, **({"contextId": context_id} if context_id else {})}}
            headers = {"A2A-Version": "1.0"}
            sent = await running.client.post("/message:send", json=body, headers=headers)
            expected.insert(0, sent.json()["task"]["contextId"])
        expected.insert(0, (await running.post("/api/sessions", {}, 201))["id"])
        listed, cursor = list[JsonValue](), ""
        for _ in expected:
            page = await running.get("/api/sessions", params={"limit": "1", **({"cursor": cursor} if cursor else {})})
            listed += names(page["items"], "id")
            cursor = str(page["next_cursor"])
        assert listed == expected
        assert (await running.get("/api/sessions", params={"cursor": cursor}))["items"] == []


async def test_a_body_that_is_no_json_is_told_apart_from_one_that_is_wrong(tmp_path: Path) -> None:
    async with federation(tmp_path) as running:
        plain = await running.client.post("/api/tasks", content='{"description": "x"}')
        assert "Content-Type: application/json" in plain.json()["detail"]
        headers = {"Content-Type": "application/json"}
        broken = await running.client.post("/api/tasks", content='{"description": ', headers=headers)
        assert "not valid JSON" in broken.json()["detail"]
        assert {plain.status_code, broken.status_code} == {422}


async def test_text_that_the_database_cannot_hold_is_refused_or_kept_whole(
    tmp_path: Path, database_url: str | None
) -> None:
    async with federation(tmp_path, ECHO, database_url=database_url) as running:
        for description in ("a\x00b", "emoji 🦜 and \u202e bidi", "{{ steps.x.output }} {{ inputs.y }}"):
            body: JsonObject = {"description": description, "agent": "Echo"}
            response = await running.client.post("/api/tasks", json=body, headers={"Prefer": "wait=20"})
            if response.status_code == 422:
                assert "NUL" in response.text
            else:
                assert response.json()["status"] == "completed"
                assert response.json()["result"]["outputs"][0]["output"] == f"<{description}>"


async def test_the_app_says_how_it_is(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO) as running:
        assert (await running.get("/health"))["status"] == "ok"
        assert (await running.get("/ready"))["ready"] is True
        await running.run(step("a", "one"))
        numbers = (await running.client.get("/metrics")).text
        assert 'federation_tasks{status="completed"} 1.0' in numbers
        assert 'federation_agents{status="active"} 1.0' in numbers
        assert (await running.client.get("/docs")).status_code == 200


async def test_whatever_can_be_read_can_be_asked_for_its_headers_alone(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO) as running:
        waiting = await running.run(step("a"), approve_plan=True)
        paths = ("/", "/docs", "/openapi.json", "/ready", "/tasks", "/tasks/none", "/v1/card")
        tasks = ("/api/tasks", f"/api/tasks/{waiting['id']}", "/api/tasks/none")
        for path in (*paths, *tasks):
            whole, head = await running.client.get(path), await running.client.head(path)
            assert (head.status_code, head.content) == (whole.status_code, b"")
            for name in ("content-type", "content-length"):
                assert head.headers[name] == whole.headers[name], path
        live = await running.client.head(f"/api/tasks/{waiting['id']}/events")
        assert (live.status_code, live.content) == (200, b"")
        assert live.headers["content-type"].startswith("text/event-stream")
        refused = await running.client.delete("/api/tasks")
        assert refused.headers["allow"] == "GET, HEAD, POST"
        assert (await running.client.head("/execute")).status_code == 405


async def test_openapi_describes_the_routes_and_every_body_with_an_example(tmp_path: Path) -> None:
    async with federation(tmp_path) as running:
        document = await running.get("/openapi.json")
        paths = document["paths"]
        assert isinstance(paths, dict)
        assert {"/api/tasks", "/api/tasks/{task_id}/events", "/api/agents", "/api/sessions", "/execute"} <= set(paths)
        assert isinstance(components := document["components"], dict)
        assert isinstance(schemas := components["schemas"], dict)
        for name in (
            "NewTask",
            "NewAnswer",
            "Execution",
            "NewSession",
            "NewMessage",
            "AgentRegistration",
            "AgentChange",
        ):
            assert '"examples": [' in json.dumps(schemas[name]), name


@pytest.mark.parametrize(
    "field",
    [
        '"metadata": {"n": 1180591620717411303424}',
        '"metadata": {"text": "\\ud800"}',
        '"budget": {"steps": 124933566115200303104}',
        '"budget": {"cost_usd": 1e400}',
        '"budget": {"cost_usd": 1.7e308}',
        '"metadata": {"n": NaN}',
        '"inputs": {"list": [null, {"n": -1e999}]}',
    ],
)
async def test_what_no_database_keeps_as_it_is_is_refused(tmp_path: Path, database_url: str | None, field: str) -> None:
    body = f'{{"description": "x", {field}}}'
    async with federation(tmp_path, database_url=database_url) as running:
        answer = await running.client.post("/api/tasks", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
