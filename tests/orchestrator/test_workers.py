"""Several processes on one PostgreSQL: they share the tasks, take over from those that die, and hand over when told."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import psycopg
import pytest
from pydantic import JsonValue

from orchestrator_service.engine import workers
from shared.agent import JsonObject
from tests.orchestrator.fleet import Fleet, Holding, Member, open_fleet
from tests.support import ready_made
from tests.support.echo import ECHO
from tests.support.federation import federation, names, serve_agent, step, until

TERMINAL = {"completed", "failed", "canceled"}


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncGenerator[Fleet]:
    """A fleet without members."""
    with ready_made.on_postgres() as url:
        async with open_fleet(tmp_path, url) as fleet:
            yield fleet


async def submit(api: Member, *steps: JsonObject, **more: JsonValue) -> str:
    """Submit a task with this plan, and return its id."""
    response = await api.client.post("/api/tasks", json={"description": "x", "plan": {"steps": [*steps]}, **more})
    assert response.status_code == 202, response.text
    return response.json()["id"]


async def submit_held(api: Member, *numbers: int) -> list[str]:
    """Submit tasks of three steps, of which the second is held."""
    return [
        await submit(
            api,
            step("a", f"one {number}", skill="work"),
            step("b", f"held {number}", skill="work", depends_on=["a"]),
            step("c", f"then {{{{ steps.b.output }}}} {number}", skill="work"),
        )
        for number in numbers
    ]


async def find(api: Member, task_id: str) -> JsonObject:
    return (await api.client.get(f"/api/tasks/{task_id}")).json()


async def over(api: Member, task_id: str) -> JsonObject:
    return await until(lambda: find(api, task_id), lambda found: found["status"] in TERMINAL, 40)


async def log_of(api: Member, task_id: str) -> list[JsonObject]:
    headers = {"Accept": "application/json"}
    return (await api.client.get(f"/api/tasks/{task_id}/events", headers=headers)).json()["items"]


async def progress_stored(api: Member, task_id: str) -> None:
    """Wait until all that the agent has told of a held step is stored."""

    async def read() -> JsonObject:
        return {"types": [event["type"] for event in await log_of(api, task_id) if event.get("text") == "begun"][-1:]}

    await until(read, lambda found: bool(found["types"]))


async def owned_by(fleet: Fleet, task_ids: list[str], *workers: str) -> None:
    """Wait until these workers, and no others, have the tasks."""
    await until(fleet.owners, lambda found: {str(found.get(task_id)) for task_id in task_ids} == set(workers), 30)


async def check_done_once(api: Member, agent: Holding, task_ids: list[str]) -> None:
    """Every task is completed, by one message to the agent for each of its steps, and its log says so once."""
    for task_id in task_ids:
        done = await over(api, task_id)
        assert done["status"] == "completed", done["error"]
        assert isinstance(steps := done["steps"], list)
        assert {len(tries) for tries in names(steps, "attempts") if isinstance(tries, list)} == {1}
        log = await log_of(api, task_id)
        assert names([*log], "seq") == list(range(1, len(log) + 1))
        told = [event["status"] for event in log if event["type"] == "task.status"]
        assert told == ["pending", "planning", "executing", "completed"]
        ends = [event["step_id"] for event in log if event["type"] == "step.status" and event["status"] == "completed"]
        assert sorted(str(step_id) for step_id in ends) == sorted(str(step_id) for step_id in names(steps, "id"))
    assert len(agent.begun) == len(set(agent.begun)) == len(set(agent.message_ids))
    assert agent.broken_off == []


async def test_tasks_of_killed_processes_are_taken_over_and_every_step_is_done_once(
    tmp_path: Path, fleet: Fleet
) -> None:
    agent = Holding()
    api, first, second = fleet.api(MAX_RUNNING_TASKS="3"), *(fleet.worker(MAX_RUNNING_TASKS=room) for room in "36")
    async with serve_agent(tmp_path, agent.served()) as endpoint:
        await api.start()
        await api.register(endpoint)
        await asyncio.gather(first.start(), second.start())
        tasks = await submit_held(api, *range(12))
        await agent.has(*(f"held {number}" for number in range(12)))
        await owned_by(fleet, tasks, api.worker_id, first.worker_id, second.worker_id)
        for dead in (api, first):
            dead.send(signal.SIGKILL)
            assert await dead.ended() == -signal.SIGKILL
        agent.let_go(*(f"held {number}" for number in range(12)))
        await until(fleet.unfinished, lambda found: not found, 40)
        await api.start()
        await check_done_once(api, agent, tasks)
        assert len(agent.begun) == 36


async def test_a_frozen_worker_loses_its_tasks_and_does_no_harm_when_it_wakes(tmp_path: Path, fleet: Fleet) -> None:
    agent = Holding()
    api, frozen = fleet.api(MAX_RUNNING_TASKS="1"), fleet.worker()
    async with serve_agent(tmp_path, agent.served()) as endpoint:
        await api.start()
        await api.register(endpoint)
        [own] = await submit_held(api, 0)
        await agent.has("held 0")
        await frozen.start()
        tasks = await submit_held(api, 1, 2)
        impatient = await submit(api, step("a", "held 3", skill="work", timeout_s=8))
        tasks.append(impatient)
        await agent.has("held 1", "held 2", "held 3")
        await owned_by(fleet, tasks, frozen.worker_id)
        await asyncio.gather(*(progress_stored(api, task_id) for task_id in tasks))
        frozen.send(signal.SIGSTOP)
        agent.let_go("held 0", "held 1")  # "held 1": what the frozen one is to find when it wakes
        await over(api, own)

        async def taken_over() -> JsonObject:
            found = [await find(api, task_id) for task_id in tasks]
            owner = (await fleet.owners()).get(impatient)
            return {"owner": owner, "first": found[0]["status"]}

        # The API's process has one place: each task is done when the one before it is over.
        await until(taken_over, lambda found: found["first"] == "completed", 40)
        agent.let_go("held 2")
        await until(taken_over, lambda found: found["owner"] == api.worker_id, 40)
        frozen.send(signal.SIGCONT)
        await frozen.new_worker_id()
        agent.let_go("held 3")
        await check_done_once(api, agent, [own, *tasks])
        more = await submit_held(api, 4, 5)
        await agent.has("held 4", "held 5")
        assert frozen.worker_id in (await fleet.owners()).values()
        agent.let_go("held 4", "held 5")
        await check_done_once(api, agent, [own, *tasks, *more])


async def test_a_worker_that_is_told_to_stop_begins_nothing_new_and_hands_over_what_is_not_done(
    tmp_path: Path, fleet: Fleet
) -> None:
    agent = Holding()
    api, stopping = fleet.api(MAX_RUNNING_TASKS="1"), fleet.worker(DRAIN_TIMEOUT_S="4")
    async with serve_agent(tmp_path, agent.served()) as endpoint:
        await api.start()
        await api.register(endpoint)
        [own] = await submit_held(api, 0)
        await agent.has("held 0")
        await stopping.start()
        tasks = await submit_held(api, 1, 2)
        await agent.has("held 1", "held 2")
        await owned_by(fleet, tasks, stopping.worker_id)
        stopping.send(signal.SIGTERM)
        await fleet.said("worker is stopping")
        tasks.append(await submit(api, step("a", "new", skill="work")))
        agent.let_go("held 1")
        first = await until(lambda: find(api, tasks[0]), lambda found: names(found["steps"], "status")[1] != "running")
        assert names(first["steps"], "status") == ["completed", "completed", "pending"]
        assert await stopping.ended() == 0
        assert await fleet.rows("SELECT pid FROM workers WHERE id = %s", stopping.worker_id) == []
        assert {"new", "then <held 1> 1"} & set(agent.begun) == set()
        assert "held 2" in agent.inside
        agent.let_go("held 0", "held 2")
        await check_done_once(api, agent, [own, *tasks])


async def test_a_worker_that_waits_for_its_database_stops_as_soon_as_it_is_told_to(fleet: Fleet) -> None:
    worker = fleet.worker()
    with psycopg.connect(fleet.database_url) as other:
        other.execute("LOCK TABLE federation_version")
        await worker.begin()
        await fleet.said("the service waits for its database")
        worker.send(signal.SIGTERM)
        assert await worker.ended() == 0
    log = (fleet.folder / "fleet.log").read_text(encoding="utf-8")
    assert "cannot be used" not in log
    assert "Traceback" not in log


async def test_a_worker_whose_beat_fails_for_a_reason_that_nobody_foresaw_beats_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_key, stumbled = workers.lock_key, asyncio.Event()

    def stumble_once(worker_id: str) -> int:
        if not stumbled.is_set():
            stumbled.set()
            raise RuntimeError("who would have thought so")
        return find_key(worker_id)

    monkeypatch.setattr(workers, "lock_key", stumble_once)
    with ready_made.on_postgres() as url:
        async with asyncio.timeout(40), federation(tmp_path, ECHO, database_url=url) as running:
            assert (await running.run(step("a")))["status"] == "completed"
            assert stumbled.is_set()


async def test_a_task_whose_worker_nobody_knows_is_not_forgotten(tmp_path: Path, fleet: Fleet) -> None:
    agent = Holding()
    async with (
        serve_agent(tmp_path, agent.served()) as endpoint,
        federation(tmp_path, database_url=fleet.database_url, max_running_tasks=1) as running,
    ):
        await running.post("/api/agents", {"endpoint": endpoint}, 201)
        await running.run(step("a", "held", skill="work"), wait_s=None)
        await agent.has("held")
        task = await running.run(step("a", "go", skill="work"), wait_s=None)
        await fleet.rows("UPDATE tasks SET run_state = 'running', worker = 'nobody' WHERE id = %s", str(task["id"]))
        agent.let_go("held")
        await running.task_when(task, lambda found: found["status"] == "completed")


async def test_who_watches_at_one_process_sees_what_happens_in_another_as_it_happens(
    tmp_path: Path, fleet: Fleet
) -> None:
    agent = Holding()
    api, worker = fleet.api(MAX_RUNNING_TASKS="1"), fleet.worker()
    async with serve_agent(tmp_path, agent.served()) as endpoint:
        await api.start()
        await api.register(endpoint)
        await submit_held(api, 0)
        await agent.has("held 0")
        await worker.start()
        [task_id] = await submit_held(api, 1)
        await owned_by(fleet, [task_id], worker.worker_id)
        seen: list[JsonObject] = []
        async with asyncio.timeout(30), api.client.stream("GET", f"/api/tasks/{task_id}/events") as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data:"):
                    seen.append(json.loads(line.removeprefix("data:")))
                    if seen[-1]["type"] == "step.progress" and seen[-1]["step_id"] == "b":
                        agent.let_go("held 1")
        assert seen == await log_of(api, task_id)
        assert seen[-1]["status"] == "completed"
        agent.let_go("held 0")


async def test_who_waits_while_the_service_is_told_to_stop_is_answered_how_the_task_stands(
    tmp_path: Path, fleet: Fleet
) -> None:
    agent = Holding()
    api, frozen = fleet.api(MAX_RUNNING_TASKS="1", DRAIN_TIMEOUT_S="1"), fleet.worker()
    async with serve_agent(tmp_path, agent.served()) as endpoint:
        await api.start()
        await api.register(endpoint)
        body = {"description": "wait", "plan": {"steps": [step("a", "held 0", skill="work")]}}
        submitted = asyncio.create_task(api.client.post("/api/tasks", json=body, headers={"Prefer": "wait=60"}))
        await agent.has("held 0")
        await frozen.start()
        [task_id] = await submit_held(api, 1)
        await agent.has("held 1")
        frozen.send(signal.SIGSTOP)
        canceled = asyncio.create_task(api.client.post(f"/api/tasks/{task_id}/cancel"))

        async def wished() -> JsonObject:
            return {"stored": len(await fleet.rows("SELECT id FROM tasks WHERE cancel_requested AND id = %s", task_id))}

        await until(wished, lambda found: found["stored"] == 1)
        api.send(signal.SIGTERM)
        for answered, status in ((await submitted, 202), (await canceled, 200)):
            assert (answered.status_code, answered.json()["status"]) == (status, "executing")
