"""Tasks that wait for sub-tasks do not keep these from running, however few places there are."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from orchestrator_service.engine import queue
from tests.orchestrator.stored_tasks import add_task, tables
from tests.orchestrator.test_sub_tasks import Delegator
from tests.support.echo import ECHO
from tests.support.federation import TestAgent, federation, step


@pytest.mark.parametrize("few", ["max_running_tasks", "tenant_max_running_tasks", "max_steps_at_once"])
async def test_sub_tasks_run_though_the_tasks_that_wait_for_them_have_every_place(
    tmp_path: Path, database_url: str | None, few: str
) -> None:
    delegator = Delegator("@Echo hello")
    agents = ECHO, TestAgent("Delegator", delegator.answer, ("delegate",))
    places: dict[str, Any] = {few: 2}
    async with federation(tmp_path, *agents, database_url=database_url, **places) as running:
        delegator.url = running.url
        tasks = await asyncio.gather(*(running.run(step("a", f"go {n}", skill="delegate")) for n in range(4)))
        assert [task["status"] for task in tasks] == ["completed"] * 4


async def test_sub_tasks_of_tasks_that_do_not_run_wait_for_room(tmp_path: Path, database_url: str | None) -> None:
    async with tables(tmp_path, database_url) as database:
        for status, state in (("completed", "idle"), ("input_required", "idle"), ("executing", "running")):
            parent = await database.write(add_task, status=status, run_state=state)
            for _ in range(3):
                await database.write(add_task, status="pending", run_state="queued", run=0, parent_task_id=parent)
        taken, _ = await database.write(queue.claim, "me", 0, 9)
        assert len(taken) == 1
        assert not (await database.write(queue.claim, "me", 0, 9))[0]


async def test_a_task_whose_steps_have_several_sub_tasks_at_once_ends(tmp_path: Path) -> None:
    delegator = Delegator("@Echo hello")
    agents = ECHO, TestAgent("Delegator", delegator.answer, ("delegate",))
    async with federation(tmp_path, *agents, max_running_tasks=1, max_steps_at_once=3) as running:
        delegator.url = running.url
        task = await running.run(*(step(f"s{n}", f"go {n}", skill="delegate") for n in range(3)))
        assert task["status"] == "completed"
