"""The queue: whose turn it is, how much runs at once, and what happens when more is asked for than can be done."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from pydantic import JsonValue
from sqlalchemy import Connection, insert, inspect, select, update

from orchestrator_service import tasks
from orchestrator_service.models import Base, Task
from orchestrator_service.registry_models import Agent, AgentSkill
from shared.agent import JsonObject
from shared.auth import LOCAL
from shared.db import Database, database_url, new_id, open_database
from tests.orchestrator.fleet import Holding
from tests.orchestrator.killable import killable
from tests.orchestrator.stored_tasks import add_task, tables
from tests.support.federation import Federation, federation, serve_agent, step, until

BURST = 600
"""Tasks that are submitted at once; this many at most may wait."""
MAY_WAIT = 200


async def submit(running: Federation, *texts: str, **more: JsonValue) -> list[JsonObject]:
    """Submit tasks of one step, in this order."""
    return [await running.run(step("a", text, skill="work"), wait_s=None, **more) for text in texts]


async def all_completed(running: Federation, tasks: list[JsonObject]) -> None:
    for task in tasks:
        assert (await running.task_when(task, lambda found: bool(found["completed_at"])))["status"] == "completed"


async def begun(agent: Holding, count: int) -> list[str]:
    """Return what the agent got, in order, once that is so much."""

    async def look() -> JsonObject:
        return {"begun": [*agent.begun]}

    await until(look, lambda _: len(agent.begun) >= count)
    return agent.begun


@asynccontextmanager
async def database_of(running: Federation) -> AsyncGenerator[Database]:
    async with open_database(database_url(running.settings, "orchestrator")) as database:
        yield database


def give_to(connection: Connection, tenant_id: str, tasks: list[JsonObject]) -> None:
    """Make tasks another tenant's, who has the same agents. (Over HTTP there is one tenant.)"""
    for agent in _rows(connection, Agent):
        agent_id = new_id()
        connection.execute(insert(Agent).values({**agent, "id": agent_id, "tenant_id": tenant_id}))
        for skill in _rows(connection, AgentSkill):
            if skill["agent_id"] == agent["id"]:
                del skill["id"]
                connection.execute(insert(AgentSkill).values({**skill, "agent_id": agent_id}))
    ids = [str(task["id"]) for task in tasks]
    connection.execute(update(Task).where(Task.id.in_(ids)).values(tenant_id=tenant_id))


def _rows(connection: Connection, model: type[Base]) -> list[dict[str, object]]:
    columns = list(inspect(model).column_attrs)
    found = connection.execute(select(*(getattr(model, attribute.key) for attribute in columns)))
    return [dict(zip((attribute.key for attribute in columns), row, strict=True)) for row in found]


async def test_a_tenant_has_its_share_of_places_and_the_others_are_left_to_others(
    tmp_path: Path, database_url: str | None
) -> None:
    agent = Holding()
    async with (
        federation(
            tmp_path, agent.served(), database_url=database_url, max_running_tasks=6, tenant_max_running_tasks=2
        ) as running,
        database_of(running) as database,
    ):
        many = await submit(running, *(f"held {number}" for number in range(20)))
        await agent.has("held 0", "held 1")
        small = await submit(running, *(f"held small {number}" for number in range(3)))
        await database.write(give_to, "small", small)
        await agent.has("held 0", "held 1", "held small 0", "held small 1")
        agent.let_go("held small 0")
        await agent.has("held 0", "held 1", "held small 1", "held small 2")
        assert len(agent.begun) == 5
        agent.let_go(*(f"held {number}" for number in range(20)), "held small 1", "held small 2")
        await all_completed(running, many)
        assert agent.most_inside == 4


async def test_who_has_least_under_way_is_next(tmp_path: Path, database_url: str | None) -> None:
    agent = Holding()
    async with (
        federation(tmp_path, agent.served(), database_url=database_url, max_running_tasks=2) as running,
        database_of(running) as database,
    ):
        many = await submit(running, "held 0", "held 1", *(f"many {number}" for number in range(10)))
        await agent.has("held 0", "held 1")
        await database.write(give_to, "small", await submit(running, "small 0", "small 1"))
        agent.let_go("held 0")
        assert (await begun(agent, 5))[2:5] == ["small 0", "small 1", "many 0"]
        agent.let_go("held 1")
        await all_completed(running, many)


async def test_the_most_urgent_goes_first_and_of_these_the_oldest(tmp_path: Path, database_url: str | None) -> None:
    agent = Holding()
    async with federation(tmp_path, agent.served(), database_url=database_url, max_running_tasks=1) as running:
        tasks = await submit(running, "held")
        await agent.has("held")
        for priority in (1, 9, 5, 0, 9, 1):
            tasks += await submit(running, f"{priority} {len(tasks)}", priority=priority)
        tasks += await submit(running, "ordinary")
        agent.let_go("held")
        await all_completed(running, tasks)
        assert agent.begun == ["held", "9 2", "9 5", "5 3", "ordinary", "1 1", "1 6", "0 4"]


async def test_an_agent_gets_no_more_calls_at_once_than_it_may(tmp_path: Path) -> None:
    agent, careful = Holding(), Holding()
    async with (
        federation(tmp_path, agent.served(), agent_max_concurrency=3) as running,
        serve_agent(tmp_path / "careful", careful.served()) as endpoint,
    ):
        await running.post(
            "/api/agents", {"endpoint": endpoint, "name": "Careful", "config": {"max_concurrency": 1}}, 201
        )
        texts = [f"held {number}" for number in range(9)]
        tasks = [
            await running.run(step("a", text, agent=name, skill="work"), wait_s=None)
            for text in texts
            for name in ("Holding", "Careful")
        ]
        await agent.has(*texts[:3])
        await careful.has(texts[0])
        for place, text in enumerate(texts):
            assert (len(agent.begun), len(careful.begun)) == (min(place + 3, 9), place + 1)
            agent.let_go(text)
            careful.let_go(text)
            await agent.has(*texts[place + 1 : place + 4])
            await careful.has(*texts[place + 1 : place + 2])
        await all_completed(running, tasks)
        assert (agent.begun, careful.begun) == (texts, texts)
        assert (agent.most_inside, careful.most_inside) == (3, 1)


async def test_of_very_many_tasks_at_once_each_is_accepted_or_refused_and_the_accepted_ones_end(
    tmp_path: Path, database_url: str | None
) -> None:
    agent = Holding()
    async with (
        serve_agent(tmp_path, agent.served()) as endpoint,
        killable(tmp_path, database_url, MAX_QUEUED_TASKS=str(MAY_WAIT), LOG_LEVEL="warning") as process,
    ):
        await process.start()
        await process.register(endpoint)
        accepted = await burst(str(process.client.base_url))
        assert MAY_WAIT <= len(accepted) < BURST
        agent.let_go(*(f"held {number}" for number in accepted))

        async def statuses() -> JsonObject:
            found: Counter[str] = Counter()
            cursor = ""
            while True:
                page = (await process.client.get(f"/api/tasks?limit=200{cursor}")).json()
                found.update(task["status"] for task in page["items"])
                if page["next_cursor"] is None:
                    return dict(found)
                cursor = f"&cursor={page['next_cursor']}"

        await until(statuses, lambda found: found == {"completed": len(accepted)}, 90)
        assert Counter(agent.begun) == {f"held {number}": 1 for number in accepted}


async def test_tasks_that_begin_at_once_do_not_fill_the_queue(tmp_path: Path) -> None:
    agent = Holding()
    async with federation(tmp_path, agent.served(), max_running_tasks=2, max_queued_tasks=1) as running:
        answers: list[int] = []
        for number in range(4):
            plan: JsonObject = {"steps": [step("a", f"held {number}", skill="work")]}
            answer = await running.client.post("/api/tasks", json={"description": "x", "plan": plan})
            answers.append(answer.status_code)
        assert answers == [202, 202, 202, 429]


async def test_a_task_that_is_there_already_is_known_though_the_queue_is_full(
    tmp_path: Path, database_url: str | None
) -> None:
    """Who restarts submits again what it had in hand."""

    def submit_when_full(connection: Connection, task_id: str) -> tasks.Submitted:
        return tasks.submit(connection, LOCAL, tasks.NewTask("x", id=task_id), None, is_full=True)

    async with tables(tmp_path, database_url) as database:
        known = await database.write(add_task)
        assert await database.write(submit_when_full, known) == tasks.Submitted(known, is_new=False)
        with pytest.raises(tasks.QueueFullError):
            await database.write(submit_when_full, new_id())


async def burst(url: str) -> list[int]:
    """Submit very many tasks at once, and return the numbers of those that were accepted."""
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=200)) as session:

        async def submit_one(number: int) -> bool:
            plan = {"steps": [step("a", f"held {number}", skill="work")]}
            async with session.post("/api/tasks", json={"description": "x", "plan": plan}) as answer:
                assert answer.status == 202 or (answer.status == 429 and int(answer.headers["retry-after"]) > 0), (
                    await answer.text()
                )
                return answer.status == 202

        accepted = await asyncio.gather(*(submit_one(number) for number in range(BURST)))
    return [number for number, is_accepted in enumerate(accepted) if is_accepted]
