"""Loops end, and what travels in metadata is believed only where it makes a request poorer."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from math import inf, nan
from pathlib import Path
from typing import cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import JsonValue
from sqlalchemy import Connection

from orchestrator_service import ancestry, tasks
from orchestrator_service.ancestry import Ancestry, LoopDetectedError
from orchestrator_service.budgets import BudgetExhaustedError
from shared.agent import METADATA_KEY, AgentRequest, Answer, InputRequired, JsonObject, Update, Usage
from shared.auth import LOCAL, Caller
from shared.db import new_id, now
from shared.errors import AgentUnavailableError, ConflictError
from tests.orchestrator.stored_tasks import add_task, close, reserve, tables
from tests.support.federation import TestAgent, federation, step

DOOR = ancestry.door("http://127.0.0.1:8000")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)
KEYS = ("root_task_id", "task_id", "step_id", "hops", "trail", "budget", "lender")
LIMITS = ("cost_usd", "tokens", "seconds", "steps", "depth")


def send(told: JsonObject | None, agent: str, text: str, max_hops: int = ancestry.MAX_HOPS) -> JsonObject:
    """Return what a task with this ancestry tells an agent."""
    return ancestry.child_metadata(
        task_id="t",
        root_task_id=None,
        ancestry=told,
        step_id="s",
        agent=agent,
        request_text=text,
        max_hops=max_hops,
    )


def back(call: JsonObject) -> JsonObject:
    """Return the metadata that an agent puts on a message for the sake of the call it got."""
    return AgentRequest("x", "remote", "c", "m", metadata={METADATA_KEY: call}).onward()


def test_each_message_in_a_row_counts_one_hop_and_too_many_are_refused() -> None:
    told: JsonObject | None = None
    for hop in range(1, 5):
        told = send(told, f"agent {hop}", f"part {hop}", max_hops=4)
        assert told["hops"] == hop
        assert told["root_task_id"] == "t"
    with pytest.raises(LoopDetectedError, match="MAX_HOPS"):
        send(told, "agent 5", "part 5", max_hops=4)
    come = ancestry.read(back(send(None, "a", "x")))
    assert (come.hops, come.root_task_id, come.task_id, come.step_id) == (2, "t", "t", "s")


def test_the_same_request_to_the_same_agent_on_the_way_is_a_loop_whatever_its_case_and_spaces() -> None:
    told = send(send(None, "http://a", "Do the thing"), "http://b", "other")
    with pytest.raises(LoopDetectedError, match="same was asked"):
        send(told, "http://a", " do  THE\nthing ")
    assert send(told, "http://c", "Do the thing")["hops"] == 3
    assert send(told, "http://a", "Do another thing")["hops"] == 3


def test_agents_that_ask_each_other_in_the_same_order_three_times_are_a_loop() -> None:
    told: JsonObject | None = None
    for number in range(5):
        told = send(told, "ab"[number % 2], f"count {number}", max_hops=100)
    with pytest.raises(LoopDetectedError, match="same order 3 times"):
        send(told, "b", "count 5", max_hops=100)
    assert send(told, "c", "count 5", max_hops=100)["hops"] == 6


PATTERNS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4)


@given(st.lists(st.sampled_from("abc"), max_size=6), PATTERNS)
def test_a_pattern_that_comes_three_times_is_seen_after_anything(before: list[str], pattern: list[str]) -> None:
    assert ancestry.repeats(before + pattern * 3)


@given(st.lists(st.integers(), unique=True, max_size=40))
def test_what_never_comes_again_is_no_pattern(items: list[int]) -> None:
    assert not ancestry.repeats([str(item) for item in items])


def test_a_question_that_comes_three_times_whatever_is_answered_is_a_loop() -> None:
    ancestry.check_prompts([], "Which city?")
    ancestry.check_prompts(["Which city?", "Which street?"], "Which city?")
    ancestry.check_prompts(["Which city?"], "Which city?")
    with pytest.raises(LoopDetectedError, match="Which city"):
        ancestry.check_prompts(["Which city?", "which  CITY?"], "Which city?")
    with pytest.raises(LoopDetectedError):
        ancestry.check_prompts(["a", "b", "a", "b", "a"], "b")


@given(st.dictionaries(st.sampled_from(KEYS), JSON) | JSON)
def test_any_metadata_is_read_and_what_is_forged_is_bounded(told: JsonValue) -> None:
    come = ancestry.read({METADATA_KEY: told})
    assert 0 <= come.hops <= 10_000
    assert len(come.trail) <= 64
    assert all(len(mark) == 29 for mark in come.trail)
    for each in (come.root_task_id, come.task_id, come.step_id):
        assert each is None or (0 < len(each) <= 256 and each.isprintable())
    assert set(come.budget) <= set(LIMITS)
    assert all(isinstance(limit, int | float) and limit >= 0 for limit in come.budget.values())


@given(st.dictionaries(st.sampled_from(LIMITS), JSON))
@example({"cost_usd": -inf, "tokens": nan})
def test_an_agent_passes_on_only_what_it_was_given(budget: JsonObject) -> None:
    request = AgentRequest("x", "t", "c", "m", metadata={METADATA_KEY: {"hops": 1, "budget": budget}})
    left = ancestry.read(request.onward(Usage(input_tokens=5, cost_usd=0.5))).budget
    given_budget = ancestry.read(request.metadata).budget
    assert set(left) <= set(given_budget)
    for name, limit in left.items():
        most = given_budget[name]
        assert isinstance(limit, int | float)
        assert isinstance(most, int | float)
        assert limit <= most


def test_a_request_without_metadata_is_passed_on_as_the_first_of_a_row() -> None:
    onward = AgentRequest("x", "mine", "c", "m").onward()[METADATA_KEY]
    assert onward == {"root_task_id": "mine", "hops": 1}


async def test_a_message_for_a_running_task_makes_its_sub_task_with_what_is_left(
    tmp_path: Path, database_url: str | None
) -> None:
    async with tables(tmp_path, database_url) as database:
        budget: JsonObject = {"tokens": 100, "steps": 7, "depth": 2}
        parent_id = await database.write(add_task, budget=budget, steps=3, deadline_at=now() + timedelta(seconds=50))
        await database.write(reserve, parent_id, "s", 2)
        forged: JsonObject = {"tokens": 9_999, "cost_usd": 3.0, "steps": 99, "depth": 9, "seconds": 1e9}
        told = Ancestry("root", parent_id, "s", 2, (), forged)
        link = await database.read(ancestry.link, LOCAL, new_id(), told, DOOR, "x")
        assert (link.parent_task_id, link.root_task_id) == (parent_id, parent_id)
        assert link.ancestry["lender"] == [parent_id, "s"]
        left = link.budget
        assert (left["tokens"], left["cost_usd"], left["steps"], left["depth"]) == (50, 3.0, 4, 1)
        assert isinstance(seconds := left["seconds"], float)
        assert seconds <= 50
        poorer = Ancestry(None, parent_id, "s", 2, (), {"tokens": 10, "depth": 1})
        link = await database.read(ancestry.link, LOCAL, new_id(), poorer, DOOR, "x")
        assert (link.budget["tokens"], link.budget["depth"]) == (10, 0)


async def test_a_task_that_is_not_the_callers_or_not_there_is_only_a_name(
    tmp_path: Path, database_url: str | None
) -> None:
    async with tables(tmp_path, database_url) as database:
        parent_id = await database.write(add_task, budget={"tokens": 100})
        await database.write(reserve, parent_id, "s")
        over = await database.write(add_task)
        await database.write(close, over)
        for caller, task_id in ((Caller("other"), parent_id), (LOCAL, "nothing"), (LOCAL, over)):
            told = Ancestry("far", task_id, "s", 3, ("0" * 12 + ":" + "0" * 16,), {"tokens": 5})
            link = await database.read(ancestry.link, caller, new_id(), told, DOOR, "x")
            assert (link.parent_task_id, link.root_task_id) == (None, None)
            assert "lender" not in link.ancestry
            assert (link.ancestry["root_task_id"], link.ancestry["hops"]) == ("far", 3)
            assert link.budget == {"tokens": 5}


async def test_a_budget_without_depth_or_money_left_allows_no_sub_task(
    tmp_path: Path, database_url: str | None
) -> None:
    async with tables(tmp_path, database_url) as database:
        flat = await database.write(add_task, budget={"depth": 0})
        with pytest.raises(BudgetExhaustedError, match="depth"):
            await database.read(ancestry.link, LOCAL, new_id(), Ancestry(task_id=flat), DOOR, "x")
        known = await database.write(add_task)  # submitted before a restart: it stays
        link = await database.read(ancestry.link, LOCAL, known, Ancestry(task_id=flat), DOOR, "x")
        assert link.parent_task_id is None
        with pytest.raises(BudgetExhaustedError, match="tokens"):
            await database.read(ancestry.link, LOCAL, new_id(), Ancestry(budget={"tokens": 0}), DOOR, "x")


async def test_a_canceled_task_gets_no_more_sub_tasks_and_knows_those_it_has(
    tmp_path: Path, database_url: str | None
) -> None:
    async with tables(tmp_path, database_url) as database:
        parent_id = await database.write(add_task)
        children = [await database.write(add_task, parent_task_id=parent_id) for _ in range(3)]
        children.append(await database.write(submit_below, parent_id))
        await database.write(close, children[1])
        assert await database.read(ancestry.below, parent_id) == [children[0], *children[2:]]
        assert await database.read(ancestry.is_sub_task, children[0])
        assert not await database.read(ancestry.is_sub_task, parent_id)
        stopping = await database.write(add_task, cancel_requested=True)
        for task_id in (stopping, children[1], "nothing"):
            with pytest.raises(ConflictError):
                await database.write(submit_below, task_id)
        with pytest.raises(ConflictError, match="canceled"):
            await database.read(ancestry.link, LOCAL, new_id(), Ancestry(task_id=stopping), DOOR, "x")


def submit_below(connection: Connection, parent_id: str) -> str:
    """Submit a sub-task and return its id."""
    new = tasks.NewTask("x", parent_task_id=parent_id)
    return tasks.submit(connection, LOCAL, new, None, is_full=False).task_id


async def test_an_agent_that_hands_its_request_back_is_refused_at_the_door(tmp_path: Path) -> None:
    async with tables(tmp_path, None) as database:
        first = ancestry.read({})
        ancestry.check(first, DOOR, "do it")
        link = await database.read(ancestry.link, LOCAL, new_id(), first, DOOR, "do it")
        returned = ancestry.read(back(send(link.ancestry, "http://a", "Do it!")))
        assert returned.hops == 2
        with pytest.raises(LoopDetectedError):
            ancestry.check(returned, DOOR, "DO it")
        ancestry.check(returned, ancestry.door("http://elsewhere"), "do it")


async def test_a_question_that_each_try_of_a_step_asks_anew_is_no_loop(tmp_path: Path) -> None:
    tries: list[str] = []

    async def ask_and_break(request: AgentRequest) -> AsyncGenerator[Update]:
        if not request.history:
            yield InputRequired("Which city?")
            return
        tries.append(request.text)
        if len(tries) < 3:
            raise AgentUnavailableError("I am busy.")
        yield Answer("weather", "Sunny")

    async with federation(
        tmp_path, TestAgent("Weather", ask_and_break, ("weather",)), step_attempts=5, max_revisions=0
    ) as running:
        found = await running.run(step("a", "The weather?", skill="weather"))
        for said in ("one", "two", "three"):
            found = await running.task_when(found, lambda found: bool(found["pending_inputs"]))
            [asked] = cast("list[JsonObject]", found["pending_inputs"])
            await running.post(f"/api/tasks/{found['id']}/input", {"input_id": asked["input_id"], "text": said})
            found = await running.task_when(
                found, lambda found, seen=asked: seen not in cast("list[JsonValue]", found["pending_inputs"])
            )
        done = await running.task_when(found, lambda found: found["completed_at"] is not None)
    assert (done["status"], tries) == ("completed", ["one", "two", "three"])
