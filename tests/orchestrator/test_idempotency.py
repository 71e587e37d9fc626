"""Idempotency-Key: one request, one task, however often and wherever it is sent. (The plain case: `test_tasks`.)"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import JsonValue
from sqlalchemy import Connection, select, update

from orchestrator_service.engine import engine
from orchestrator_service.models import IdempotencyKey, insert_or_skip
from shared.agent import AgentRequest, Answer, InputRequired, JsonObject, Update
from shared.auth import LOCAL
from shared.db import database_url as url_of
from shared.db import new_id, now, open_database
from tests.orchestrator.fleet import Holding
from tests.support.federation import Federation, TestAgent, federation, names, step, until


async def post(running: Federation, body: JsonObject, wait_s: int = 0) -> httpx.Response:
    headers = {"Idempotency-Key": "key-1", "Prefer": f"wait={wait_s}"}
    return await running.client.post("/api/tasks", json=body, headers=headers)


def body_of(text: str) -> JsonObject:
    return {"description": "once", "plan": {"steps": [step("a", text, skill="work")]}}


@pytest.fixture
async def doors(tmp_path: Path, database_url: str | None) -> AsyncGenerator[tuple[Federation, Federation, Holding]]:
    """Two orchestrators on one PostgreSQL; on SQLite, where there is one, the same one twice. And their agent."""
    agent = Holding()
    async with federation(tmp_path, agent.served(), database_url=database_url) as first:
        if database_url is None:
            yield first, first, agent
            return
        async with federation(tmp_path, database_url=database_url) as second:
            yield first, second, agent


async def test_requests_at_the_same_moment_with_one_key_make_one_task(
    doors: tuple[Federation, Federation, Holding],
) -> None:
    first, second, agent = doors
    answers = await asyncio.gather(*(post(door, body_of("held")) for _ in range(10) for door in (first, second)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [202]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len({answer.headers["location"] for answer in answers}) == 1
    await agent.has("held")
    agent.let_go("held")
    done = await first.task_when(answers[0].json(), lambda found: bool(found["completed_at"]))
    assert (await post(second, body_of("held"))).json() == done
    assert names((await first.get("/api/tasks"))["items"], "id") == [done["id"]]
    assert agent.begun == ["held"]


async def test_of_different_requests_at_the_same_moment_with_one_key_one_is_taken(
    doors: tuple[Federation, Federation, Holding],
) -> None:
    first, second, agent = doors
    bodies = [body_of(f"held {number}") for number in range(10)]
    answers = await asyncio.gather(*(post(door, body) for body in bodies for door in (first, second)))
    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [200, 202, *([409] * 18)]
    for answer in answers:
        assert answer.status_code != 409 or "key-1" in answer.json()["detail"]
    taken = next(number for number in range(10) if statuses[2 * number] != 409)
    assert answers[2 * taken].json()["id"] == answers[2 * taken + 1].json()["id"]
    await agent.has(f"held {taken}")
    agent.let_go(f"held {taken}")
    await first.task_when(answers[2 * taken].json(), lambda found: found["status"] == "completed")
    assert agent.begun == [f"held {taken}"]


async def test_a_refused_request_leaves_its_key_free(tmp_path: Path) -> None:
    async with federation(tmp_path, Holding().served()) as running:
        assert (await post(running, {**body_of("go"), "session_id": "nothing"})).status_code == 404
        assert (await post(running, body_of("go"), 20)).status_code == 202


async def test_the_same_key_of_another_caller_is_another_key(tmp_path: Path) -> None:
    theirs = new_id()

    def take_key(connection: Connection) -> None:
        of_others = [("default", "another"), ("another", "local")]
        for tenant_id, caller in of_others:  # over HTTP there is one caller
            row = {"tenant_id": tenant_id, "caller": caller, "key": "key-1", "body_sha256": "x", "task_id": theirs}
            connection.execute(insert_or_skip(connection, IdempotencyKey).values(**row, created_at=now()))

    async with (
        federation(tmp_path, Holding().served()) as running,
        open_database(url_of(running.settings, "orchestrator")) as database,
    ):
        await database.write(take_key)
        answer = await post(running, body_of("go"), 20)
        assert answer.status_code == 202
        assert answer.json()["id"] != theirs
        assert (await post(running, body_of("go"))).json()["id"] == answer.json()["id"]


async def test_a_key_is_known_after_a_restart_with_other_settings(tmp_path: Path, database_url: str | None) -> None:
    async with federation(tmp_path, Holding().served(), database_url=database_url) as running:
        first = await post(running, body_of("go"), 20)
    async with federation(tmp_path, database_url=database_url, task_timeout_s=120.0) as running:
        again = await post(running, body_of("go"))
        assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])


async def test_a_key_that_another_version_kept_is_known(tmp_path: Path) -> None:
    """What bodies may hold grows from version to version; what is left out of one counts for nothing."""

    def keep_key(connection: Connection, task_id: str) -> None:
        row = {"tenant_id": LOCAL.tenant_id, "caller": LOCAL.name, "key": "key-1", "body_sha256": _KEPT}
        connection.execute(insert_or_skip(connection, IdempotencyKey).values(**row, task_id=task_id, created_at=now()))

    async with (
        federation(tmp_path, Holding().served()) as running,
        open_database(url_of(running.settings, "orchestrator")) as database,
    ):
        made = await running.submit("once", plan=body_of("go")["plan"], priority=7)
        await database.write(keep_key, str(made["id"]))
        again = await post(running, {**body_of("go"), "priority": 7, "replan": None})
        assert (again.status_code, again.json()["id"]) == (200, made["id"])


_KEPT = "864475108c2186ffde48e7b59a29c071506ea0522e77ca93a86721e3c647de49"


def age(connection: Connection, hours: float, task_id: str = "") -> None:
    keys = update(IdempotencyKey).where(IdempotencyKey.task_id != task_id)
    connection.execute(keys.values(created_at=now() - timedelta(hours=hours)))


def keys(connection: Connection) -> list[str]:
    return list(connection.execute(select(IdempotencyKey.task_id)).scalars())


async def test_keys_that_are_used_no_more_are_forgotten(
    tmp_path: Path, database_url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_UPKEEP_S", 0.05)
    monkeypatch.setattr(engine, "_FORGET_EVERY", 2)
    async with (
        federation(tmp_path, Holding().served(), database_url=database_url) as running,
        open_database(url_of(running.settings, "orchestrator")) as database,
    ):
        made = [
            (await running.client.post("/api/tasks", json=body_of("one"), headers={"Idempotency-Key": key})).json()
            for key in ("a", "b", "c")
        ]
        young = made[1]["id"]
        await database.write(age, 26, young)

        async def left() -> JsonObject:
            return {"keys": [*await database.read(keys)]}

        await until(left, lambda found: found["keys"] == [young])


async def test_a_key_is_kept_for_a_day_and_free_again_after_it(tmp_path: Path, database_url: str | None) -> None:
    async with (
        federation(tmp_path, Holding().served(), database_url=database_url) as running,
        open_database(url_of(running.settings, "orchestrator")) as database,
    ):
        first = (await post(running, body_of("one"), 20)).json()["id"]
        await database.write(age, 23.9)
        assert (await post(running, body_of("one"))).json()["id"] == first
        assert (await post(running, body_of("two"))).status_code == 409
        await database.write(age, 24.1)
        answers = await asyncio.gather(*(post(running, body_of("two"), 20) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 202]
        [second] = {answer.json()["id"] for answer in answers}
        assert second != first
        assert await database.read(keys) == [second]


def _with_files(*files: tuple[str, str, bytes]) -> JsonObject:
    encoded: list[JsonValue] = [
        {"name": name, "media_type": media_type, "content": b64encode(content).decode()}
        for name, media_type, content in files
    ]
    return {**body_of("go"), "files": encoded}


@pytest.mark.parametrize(
    "other",
    [
        _with_files(("a", "application/json", b"1"), ("b", "text/csv", b"2")),
        _with_files(("a", "text/csv", b"1\0b\0002")),
        _with_files(("a", "text/csv", b"1b"), ("b", "text/csv", b"2")),
        body_of("go"),
    ],
)
async def test_other_files_are_another_request(tmp_path: Path, other: JsonObject) -> None:
    body = _with_files(("a", "text/csv", b"1"), ("b", "text/csv", b"2"))
    async with federation(tmp_path, Holding().served()) as running:
        assert [(await post(running, body)).status_code for _ in range(2)] == [202, 200]
        assert (await post(running, other)).status_code == 409


async def test_a_request_is_answered_again_though_it_would_be_refused_by_now(tmp_path: Path) -> None:
    async with federation(tmp_path, Holding().served()) as running:
        [agent_id] = names((await running.get("/api/agents"))["items"], "id")
        body: JsonObject = {"description": "go", "agent": agent_id}
        first = await post(running, body, 20)
        assert (await running.client.delete(f"/api/agents/{agent_id}")).status_code == 204
        again = await post(running, body)
        assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
        assert (await post(running, {**body, "priority": 1})).status_code == 409
        assert (await running.client.post("/api/tasks", json=body)).status_code == 404


async def test_a_wait_for_a_request_made_before_is_for_what_is_still_to_come(tmp_path: Path) -> None:
    holding = Holding()

    async def ask(request: AgentRequest) -> AsyncGenerator[Update]:
        yield Answer("city", request.text) if request.history else InputRequired("Which city?")

    steps: list[JsonValue] = [step("a", skill="ask"), step("b", "held", skill="work", depends_on=["a"])]
    body: JsonObject = {"description": "once", "plan": {"steps": steps}}
    async with federation(tmp_path, holding.served(), TestAgent("Asks", ask, ("ask",))) as running:
        first = (await post(running, body, 20)).json()
        assert (await post(running, body, 20)).json()["status"] == "input_required"
        answer: JsonObject = {"input_id": first["pending_inputs"][0]["input_id"], "text": "Oslo"}
        await running.post(f"/api/tasks/{first['id']}/input", answer)
        await holding.has("held")
        again = asyncio.create_task(post(running, body, 30))
        asyncio.get_running_loop().call_later(0.5, holding.let_go, "held")
        assert (await again).json()["status"] == "completed"


async def test_execute_takes_a_key_too(tmp_path: Path) -> None:
    async with federation(tmp_path, Holding().served()) as running:
        bodies: list[JsonObject] = [{"task": "@Holding a"}, {"task": "@Holding a"}, {"task": "@Holding b"}]
        answers = [
            await running.client.post("/execute", json=body, headers={"Idempotency-Key": "key-1"}) for body in bodies
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 409]
        assert answers[0].json() == answers[1].json()
