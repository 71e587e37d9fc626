"""Budgets: what is reserved never exceeds the limit, what is settled is counted once, nothing is left behind."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, select, update

from orchestrator_service import budgets
from orchestrator_service.budgets import Amount, BudgetExhaustedError
from orchestrator_service.ledger import Call, Ledger, Spent, parts, read, share
from orchestrator_service.models import Task, TenantSpending
from orchestrator_service.planning.plan import Plan, check, needs
from shared.agent import JsonObject, Usage
from shared.db import Database, now
from tests.orchestrator.stored_tasks import (
    add_steps,
    add_task,
    close,
    ledger_of,
    reserve,
    settle,
    tables,
    tenants_day,
)
from tests.orchestrator.test_plan import graphs, step

NOTHING_HELD = Spent()


@given(graphs(), st.integers(1, 10_000), st.data())
def test_however_a_plan_runs_its_calls_stay_within_the_limit_and_none_finds_it_held_by_others(
    plan: Plan, limit: int, data: st.DataObject
) -> None:
    """Calls begin and end in any order and spend any part of their grant but all of it, or they could not go on."""
    most = Amount(tokens=limit + 2 ** len(plan.steps), cost_usd=1.0)
    book, used = Ledger(), Spent()
    waiting = {each.id for each in check(plan).steps}
    running: list[str] = []
    while waiting or running:
        held = used.plus(Spent()) if not book.calls else used
        for call in book.calls.values():
            held = held.plus(call.may.held)
        assert held.tokens <= (most.tokens or 0)
        assert held.cost_usd <= 1.0
        ready = [each for each in plan.steps if each.id in waiting and not needs(each) & {*waiting, *running}]
        if ready and (not running or data.draw(st.booleans())):
            one = data.draw(st.sampled_from(ready)).id
            waiting.discard(one)
            begun = {each.id for each in plan.steps} - waiting
            grant = share(most, [used, *book.taken()], parts(plan, one, begun))
            book = book.opened(one, Call(may=grant))
            running.append(one)
        else:
            one = running.pop(data.draw(st.integers(0, len(running) - 1)))
            may = book.calls[one].may.held
            used = used.plus(Spent(tokens=may.tokens // 2, cost_usd=may.cost_usd / 2))
            book = book.closed(one)
    assert book == Ledger()


def test_a_chain_hands_all_of_it_on_and_a_fan_divides_it() -> None:
    chain = Plan(steps=[step("a"), step("b", "x", "a"), step("c", "x", "b")])
    assert parts(chain, "a", {"a"}) == 1
    fan = Plan(steps=[step("a"), *(step(f"s{n}", "x", "a") for n in range(4)), step("z", "x", "s0", "s1", "s2", "s3")])
    assert parts(fan, "a", {"a"}) == 1
    assert parts(fan, "s0", {"a", "s0"}) == 4
    assert parts(fan, "s3", {"a", "s0", "s1", "s2", "s3"}) == 1
    assert parts(fan, "z", {each.id for each in fan.steps}) == 1


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 200), st.booleans()), max_size=30))
def test_a_ledger_survives_storing(calls: list[tuple[int, int, bool]]) -> None:
    book = Ledger()
    for number, tokens, lends in calls:
        lent = Spent(tokens=tokens // 2) if lends else NOTHING_HELD
        book = book.opened(f"s{number}", Call(may=Amount(tokens=tokens), lent=lent, day="2026-11-21"))
        if tokens % 3 == 0:
            book = book.closed(f"s{number}")
        assert read(book.to_json()) == book


async def test_what_is_reserved_at_once_never_exceeds_the_limit(tmp_path: Path, database_url: str | None) -> None:
    async with tables(tmp_path, database_url) as database:
        task_id = await database.write(add_task, budget={"tokens": 1_000, "cost_usd": 0.01})
        calls = [f"s{number}" for number in range(12)]

        async def one(call: str) -> Amount | None:
            try:
                return await database.write(reserve, task_id, call, 4)
            except BudgetExhaustedError:
                return None

        grants = [grant for grant in await asyncio.gather(*map(one, calls)) if grant is not None]
        assert 700 < sum(grant.tokens or 0 for grant in grants) <= 1_000
        assert sum(grant.cost_usd or 0 for grant in grants) <= 0.01
        book = await database.read(ledger_of, task_id)
        assert sum(call.may.tokens or 0 for call in book.calls.values()) == sum(grant.tokens or 0 for grant in grants)


async def test_what_a_call_did_not_spend_comes_back_and_settling_again_counts_nothing(
    tmp_path: Path, database_url: str | None
) -> None:
    async with tables(tmp_path, database_url) as database:
        task_id = await database.write(add_task, budget={"tokens": 100})
        first = await database.write(reserve, task_id, "a")
        assert first == Amount(tokens=100)
        assert await database.write(reserve, task_id, "a") == first  # after a crash: what it had
        with pytest.raises(BudgetExhaustedError):
            await database.write(reserve, task_id, "b")
        for _ in range(3):
            await database.write(settle, task_id, "a", Usage(input_tokens=20, output_tokens=10))
        assert await database.read(ledger_of, task_id) == Ledger()
        assert await database.write(reserve, task_id, "b") == Amount(tokens=70)


async def test_the_next_try_of_a_step_keeps_what_the_failed_one_left(tmp_path: Path, database_url: str | None) -> None:
    async with tables(tmp_path, database_url) as database:
        task_id = await database.write(add_task, budget={"tokens": 100})
        await database.write(reserve, task_id, "a")
        for _ in range(2):
            await database.write(settle, task_id, "a", Usage(input_tokens=60), again_after=1)
        with pytest.raises(BudgetExhaustedError):
            await database.write(reserve, task_id, "b")
        assert await database.write(reserve, task_id, "a") == Amount(tokens=40)
        await database.write(settle, task_id, "a", Usage(input_tokens=15))
        assert await database.write(reserve, task_id, "b") == Amount(tokens=25)


async def test_a_step_that_spent_its_share_gets_another_for_its_next_try(
    tmp_path: Path, database_url: str | None
) -> None:
    async with tables(tmp_path, database_url) as database:
        task_id = await database.write(add_task, budget={"tokens": 100})
        assert await database.write(reserve, task_id, "a", 2) == Amount(tokens=50)
        await database.write(settle, task_id, "a", Usage(input_tokens=60), again_after=1)
        assert await database.write(reserve, task_id, "a", 2) == Amount(tokens=20)


async def test_what_a_sub_task_spends_after_the_call_that_began_it_is_counted_at_every_level(
    tmp_path: Path, database_url: str | None
) -> None:
    async with tables(tmp_path, database_url) as database:
        budget: JsonObject = {"tokens": 1000}
        top = await database.write(add_task, budget=budget)
        await database.write(reserve, top, "a")
        middle = await database.write(add_task, budget=budget, parent_task_id=top, ancestry={"lender": [top, "a"]})
        await database.write(reserve, middle, "b")
        lowest = await database.write(
            add_task, budget=budget, parent_task_id=middle, ancestry={"lender": [middle, "b"]}
        )
        await database.write(reserve, lowest, "c")
        await database.write(settle, middle, "b", Usage(input_tokens=10))  # its agent has answered; the lowest goes on
        await database.write(settle, lowest, "c", Usage(input_tokens=200))
        for task_id in (lowest, middle):
            await database.write(close, task_id)
        await database.write(settle, top, "a", Usage())
        assert (await database.read(ledger_of, top)).below.tokens == 210


async def test_an_agent_that_spends_more_than_granted_is_counted_in_full(
    tmp_path: Path, database_url: str | None
) -> None:
    async with tables(tmp_path, database_url) as database:
        task_id = await database.write(add_task, budget={"cost_usd": 0.5})
        assert await database.write(reserve, task_id, "a", 5) == Amount(cost_usd=0.1)
        await database.write(settle, task_id, "a", Usage(cost_usd=0.7))
        with pytest.raises(BudgetExhaustedError, match=r"0\.7 of the 0\.5 USD"):
            await database.write(reserve, task_id, "b")


async def test_without_limits_nothing_is_reserved_nor_written(tmp_path: Path) -> None:
    async with tables(tmp_path, None) as database:
        task_id = await database.write(add_task, budget={"steps": 3, "seconds": 9.0})
        assert await database.write(reserve, task_id, "a") is None
        assert await database.read(ledger_of, task_id) == Ledger()


DAILY = Amount(tokens=800, cost_usd=8.0)


async def test_a_tenants_day_holds_over_all_its_tasks(tmp_path: Path, database_url: str | None) -> None:
    async with tables(tmp_path, database_url) as database:
        tasks = [await database.write(add_task) for _ in range(6)]
        other = await database.write(add_task, tenant_id="other")
        grants = await asyncio.gather(*(database.write(reserve, task, "a", 1, DAILY) for task in tasks))
        tokens = sum(grant.tokens or 0 for grant in grants if grant is not None)
        assert grants[0] is not None
        assert max(grant.tokens or 0 for grant in grants if grant is not None) == 100  # an eighth
        spent, held = await database.read(tenants_day)
        assert (spent, held.tokens) == (Spent(), tokens)
        for task in tasks:
            await database.write(settle, task, "a", Usage(input_tokens=50, cost_usd=0.25))
        assert await database.read(tenants_day) == (Spent(tokens=300, cost_usd=1.5), NOTHING_HELD)
        await database.write(reserve, tasks[0], "b", 1, DAILY)
        await database.write(settle, tasks[0], "b", Usage(input_tokens=500))
        with pytest.raises(BudgetExhaustedError, match="TENANT_DAILY_TOKENS"):
            await database.write(reserve, tasks[1], "b", 1, DAILY)
        assert await database.read(ledger_of, tasks[1]) == Ledger()
        assert await database.write(reserve, other, "a", 1, DAILY) == Amount(tokens=100, cost_usd=1.0)


async def test_tasks_at_the_same_time_reserve_no_more_than_their_tenant_may_spend(
    tmp_path: Path, database_url: str | None
) -> None:
    async with tables(tmp_path, database_url) as database:
        tasks = [await database.write(add_task) for _ in range(12)]
        grants = await asyncio.gather(*(database.write(reserve, task, "a", 1, DAILY) for task in tasks))
        assert sum(grant.tokens or 0 for grant in grants if grant is not None) <= 800


async def test_a_call_that_lasts_over_midnight_is_settled_on_the_day_that_it_began(
    tmp_path: Path, database_url: str | None
) -> None:
    async with tables(tmp_path, database_url) as database:
        task_id = await database.write(add_task)
        assert await database.write(reserve, task_id, "a", 1, DAILY) == Amount(tokens=100, cost_usd=1.0)
        await database.write(settle, task_id, "a", Usage(input_tokens=100, cost_usd=1.0), again_after=1)
        await database.write(_begun_on, task_id, "2026-01-01")
        other = await database.write(add_task)
        assert await database.write(reserve, other, "a", 1, DAILY) == Amount(tokens=100, cost_usd=1.0)
        assert await database.write(reserve, task_id, "a", 1, DAILY) == Amount(tokens=87, cost_usd=0.875)
        await database.write(settle, task_id, "a", Usage(input_tokens=7))
        assert await database.read(_days) == [(107, 0), (0, 100)]


def _begun_on(connection: Connection, task_id: str, day: str) -> None:
    """Let the task's calls have begun on another day."""
    book = ledger_of(connection, task_id)
    calls = {name: call.model_copy(update={"day": day}) for name, call in book.calls.items()}
    stored = book.model_copy(update={"calls": calls}).to_json()
    connection.execute(update(Task).where(Task.id == task_id).values(reserved=stored))
    connection.execute(update(TenantSpending).values(day=day))


def _days(connection: Connection) -> list[tuple[int, int]]:
    """Return the tokens that were spent on each day, and those that calls have reserved."""
    rows = connection.execute(select(TenantSpending).order_by(TenantSpending.day)).mappings()
    return [(row["tokens"], row["reserved_tokens"]) for row in rows]


async def test_a_task_that_ends_leaves_nothing_reserved(tmp_path: Path, database_url: str | None) -> None:
    async with tables(tmp_path, database_url) as database:
        task_id = await database.write(add_task, budget={"tokens": 90})
        for call in ("a", "b", budgets.PLANNING):
            await database.write(reserve, task_id, call, 3, DAILY)
        assert (await database.read(tenants_day))[1].tokens > 0
        await database.write(close, task_id)
        assert await database.read(tenants_day) == (Spent(), NOTHING_HELD)
        assert await database.read(ledger_of, task_id) == Ledger()


async def _sub_task(database: Database, parent_id: str, budget: JsonObject) -> str:
    return await database.write(
        add_task, budget=budget, parent_task_id=parent_id, ancestry={"lender": [parent_id, "call"]}
    )


async def test_sub_tasks_spend_what_the_call_that_they_work_for_was_granted(
    tmp_path: Path, database_url: str | None
) -> None:
    async with tables(tmp_path, database_url) as database:
        parent_id = await database.write(add_task, budget={"tokens": 1_000})
        await database.write(reserve, parent_id, "call", 2)
        children = [await _sub_task(database, parent_id, {"tokens": 500}) for _ in range(4)]
        grants = await asyncio.gather(*(database.write(reserve, child, "a", 1, DAILY) for child in children))
        assert 0 < sum(grant.tokens or 0 for grant in grants if grant is not None) <= 500
        for child in children:
            await database.write(settle, child, "a", Usage(input_tokens=30))
        call = (await database.read(ledger_of, parent_id)).calls["call"]
        assert (call.lent, call.below) == (NOTHING_HELD, Spent(tokens=120))
        await database.write(settle, parent_id, "call", Usage(output_tokens=80))
        assert await database.write(reserve, parent_id, "next") == Amount(tokens=800)  # 1,000 - 80 - 4 x 30
        with pytest.raises(BudgetExhaustedError, match="is over"):
            await database.write(reserve, children[0], "b")


async def test_a_sub_task_gets_its_part_of_what_the_others_left_of_the_grant(
    tmp_path: Path, database_url: str | None
) -> None:
    async with tables(tmp_path, database_url) as database:
        parent_id = await database.write(add_task, budget={"tokens": 1_000})
        await database.write(reserve, parent_id, "call")
        first, second = [await _sub_task(database, parent_id, {"tokens": 1_000}) for _ in range(2)]
        await database.write(reserve, first, "a")
        await database.write(settle, first, "a", Usage(input_tokens=300))
        assert await database.write(reserve, second, "a") == Amount(tokens=350)


async def test_what_a_sub_task_holds_after_its_call_is_over_stays_held_until_it_is_settled(
    tmp_path: Path, database_url: str | None
) -> None:
    async with tables(tmp_path, database_url) as database:
        parent_id = await database.write(add_task, budget={"tokens": 1_000})
        await database.write(reserve, parent_id, "call")
        child = await _sub_task(database, parent_id, {"tokens": 1_000})
        assert await database.write(reserve, child, "a") == Amount(tokens=500)
        await database.write(settle, parent_id, "call", Usage(input_tokens=100))
        assert await database.write(reserve, parent_id, "next") == Amount(tokens=400)
        await database.write(settle, child, "a", Usage(input_tokens=50))
        assert await database.write(reserve, parent_id, "last") == Amount(tokens=450)


async def test_a_sub_task_of_a_sub_task_is_charged_up_to_the_root(tmp_path: Path, database_url: str | None) -> None:
    async with tables(tmp_path, database_url) as database:
        root = await database.write(add_task, budget={"tokens": 1_000})
        await database.write(reserve, root, "call")
        child = await _sub_task(database, root, {"tokens": 1_000})
        await database.write(reserve, child, "call")
        grandchild = await _sub_task(database, child, {"tokens": 500})
        await database.write(reserve, grandchild, "a")
        await database.write(settle, grandchild, "a", Usage(input_tokens=7))
        await database.write(close, grandchild)
        await database.write(settle, child, "call", Usage(input_tokens=3))
        await database.write(close, child)
        await database.write(settle, root, "call", Usage(input_tokens=1))
        assert await database.write(reserve, root, "next") == Amount(tokens=989)


async def test_what_was_spent_below_a_sub_task_that_is_canceled_is_charged_up_to_the_root(
    tmp_path: Path, database_url: str | None
) -> None:
    async with tables(tmp_path, database_url) as database:
        root = await database.write(add_task, budget={"tokens": 1_000})
        await database.write(reserve, root, "call")
        child = await _sub_task(database, root, {"tokens": 1_000})
        await database.write(reserve, child, "call")
        grandchild = await _sub_task(database, child, {"tokens": 500})
        await database.write(reserve, grandchild, "a")
        await database.write(settle, grandchild, "a", Usage(input_tokens=7))
        for task_id in (grandchild, child):
            await database.write(close, task_id)  # the child's call is still under way
        await database.write(settle, root, "call", Usage())
        assert await database.write(reserve, root, "next") == Amount(tokens=993)


async def test_the_steps_of_a_task_and_of_all_its_sub_tasks_are_bounded(
    tmp_path: Path, database_url: str | None
) -> None:
    async with tables(tmp_path, database_url) as database:
        request: JsonObject = {"budget": {"steps": 5}}
        root = await database.write(add_task, budget={"steps": 5}, steps=2)
        child = await database.write(add_task, parent_task_id=root, root_task_id=root, steps=1)
        await database.write(budgets.check_steps, root, request, None, 2)
        with pytest.raises(BudgetExhaustedError, match="6 steps, more than the 5"):
            await database.write(budgets.check_steps, root, request, None, 3)
        await database.write(budgets.check_steps, child, {}, root, 2)
        with pytest.raises(BudgetExhaustedError, match="the whole task has 6"):
            await database.write(budgets.check_steps, child, {}, root, 3)
        await database.write(add_steps, child, 2)
        assert await database.read(budgets.steps_left, root, request) == 0
        assert await database.read(budgets.steps_left, child, {}) is None


def test_an_agent_is_told_what_it_may_spend() -> None:
    request: JsonObject = {"budget": {"steps": 5, "depth": 2, "tokens": 100}}
    told = budgets.to_metadata(Amount(tokens=40), request, now() + timedelta(seconds=60), planned=3)["budget"]
    assert isinstance(told, dict)
    assert (told["tokens"], told["steps"], told["depth"], "cost_usd" in told) == (40, 2, 2, False)
    assert isinstance(seconds := told["seconds"], float)
    assert 0 < seconds <= 60
    late = budgets.to_metadata(None, {}, now() - timedelta(seconds=1))
    assert late == {"budget": {"seconds": 0.0}}


@pytest.mark.parametrize(
    ("grant", "price", "tokens"),
    [
        (None, 2.0, None),
        (Amount(tokens=10), 2.0, 10),
        (Amount(cost_usd=0.01), 2.0, 5_000),
        (Amount(cost_usd=0.01, tokens=100), 2.0, 100),
        (Amount(cost_usd=0.01), 0.0, None),
    ],
)
def test_a_model_may_use_the_tokens_that_its_grant_pays_for(
    grant: Amount | None, price: float, tokens: int | None
) -> None:
    assert budgets.affordable_tokens(grant, price) == tokens
