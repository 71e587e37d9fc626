"""Gates: no agent gets more calls at once than it may, bad ones are left alone for a while, retries have a budget."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestrator_service.engine.gates import Gate, Gates


@dataclass
class Time:
    """A clock that a test moves."""

    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Visitor:
    """One who wants a place, and has it until `leave` is set."""

    limit: int | None
    inside: bool = False
    leave: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    async def visit(self, gate: Gate, present: list["Visitor"], arrived: list["Visitor"], places: int) -> None:
        async with gate.place(self.limit):
            present.append(self)
            arrived.append(self)
            assert len(present) <= (self.limit or places)
            self.inside = True
            try:
                await self.leave.wait()
            finally:
                present.remove(self)
                self.inside = False


def fail(gate: Gate, times: int) -> None:
    for _ in range(times):
        gate.failed()


def test_five_failures_in_a_row_make_an_agent_rest() -> None:
    gates = Gates(places=1, clock=Time())
    gate = gates.gate("a")
    fail(gate, 4)
    gate.succeeded()
    fail(gate, 4)
    assert (gate.state, gate.may_try(), gates.open_agents()) == ("closed", 0.0, set())
    gate.failed()
    assert (gate.state, gate.may_try(), gates.open_agents()) == ("open", 5.0, {"a"})
    assert gates.gate("b").may_try() == 0.0


def test_more_failures_than_successes_make_an_agent_rest_once_there_are_ten_calls() -> None:
    gate = Gates(places=1, clock=Time()).gate("a")
    for _ in range(4):
        gate.failed()
        gate.succeeded()
    gate.failed()  # 5 of 9
    assert gate.state == "closed"
    gate.failed()  # 6 of 10
    assert gate.state == "open"


def test_only_the_last_twenty_calls_are_judged() -> None:
    gate = Gates(places=1, clock=Time()).gate("a")
    for _ in range(100):
        gate.succeeded()
    for _ in range(10):
        gate.failed()
        gate.succeeded()
    assert gate.state == "closed"
    gate.failed()
    gate.failed()
    assert gate.state == "open"  # 11 of 20


def test_rests_double_up_to_a_minute_and_begin_anew_after_a_success() -> None:
    time = Time()
    gate = Gates(places=1, clock=time).gate("a")
    fail(gate, 5)
    rests: list[float] = []
    for _ in range(6):
        rests.append(gate.may_try())
        time.seconds += rests[-1]
        assert gate.may_try() == 0.0
        gate.failed()
    assert rests == [5, 10, 20, 40, 60, 60]
    time.seconds += 60
    assert gate.may_try() == 0.0
    gate.succeeded()
    fail(gate, 5)
    assert gate.may_try() == 5


def test_after_a_rest_one_call_is_let_through_and_decides() -> None:
    time = Time()
    gates = Gates(places=1, clock=time)
    gate = gates.gate("a")
    fail(gate, 5)
    time.seconds += 5
    assert (gate.state, gates.open_agents()) == ("half-open", set())
    assert gate.may_try() == 0.0
    assert gate.may_try() == 5.0
    assert gates.open_agents() == {"a"}
    gate.succeeded()
    assert (gate.state, gate.may_try(), gates.open_agents()) == ("closed", 0.0, set())


def test_a_trial_that_never_says_how_it_went_does_not_close_the_agent_for_ever() -> None:
    time = Time()
    gate = Gates(places=1, clock=time).gate("a")
    fail(gate, 5)
    time.seconds += 5
    assert gate.may_try() == 0.0
    time.seconds += 5
    assert gate.may_try() == 0.0


def test_what_calls_from_before_bring_does_not_end_or_prolong_a_rest() -> None:
    time = Time()
    gate = Gates(places=1, clock=time).gate("a")
    fail(gate, 7)
    gate.succeeded()
    time.seconds += 4
    gate.failed()
    assert gate.may_try() == 1.0


def test_there_are_ten_retries_and_one_more_for_every_five_calls() -> None:
    async def call(gate: Gate) -> None:
        async with gate.place(None):
            pass

    gate = Gates(places=1, clock=Time()).gate("a")
    asyncio.run(call(gate))
    for _ in range(10):
        assert gate.may_retry()
        asyncio.run(call(gate))  # a retry itself brings nothing
    assert not gate.may_retry()
    for _ in range(4):
        asyncio.run(call(gate))
        assert not gate.may_retry()
    asyncio.run(call(gate))
    assert gate.may_retry()
    assert not gate.may_retry()


@given(st.lists(st.booleans(), max_size=300))
def test_retries_never_exceed_their_budget(retries: list[bool]) -> None:
    async def run() -> None:
        gate = Gates(places=1, clock=Time()).gate("a")
        calls, granted = 0, 0
        for is_retry in retries:
            if is_retry:
                if not gate.may_retry():
                    continue
                granted += 1
            else:
                calls += 1
            async with gate.place(None):
                pass
            assert granted <= 10 + 0.2 * calls

    asyncio.run(run())


async def test_a_gate_that_is_not_used_is_forgotten_when_there_are_very_many() -> None:
    gates = Gates(places=1, clock=Time())
    used, idle, resting = gates.gate("used"), gates.gate("idle"), gates.gate("resting")
    fail(resting, 5)
    async with used.place(None):
        for number in range(10_000):
            gates.gate(f"another {number}")
        assert gates.gate("used") is used
    assert gates.gate("idle") is not idle
    assert gates.open_agents() == set()


async def test_a_gate_that_was_asked_for_lately_is_kept() -> None:
    gates = Gates(places=1, clock=Time())
    kept = gates.gate("kept")
    for number in range(10_500):
        gates.gate(f"another {number}")
        if number % 1_000 == 0:
            gates.gate("kept")
    assert gates.gate("kept") is kept


async def test_a_place_is_free_again_after_a_failure() -> None:
    gate = Gates(places=1, clock=Time()).gate("a")
    with pytest.raises(ZeroDivisionError):
        async with gate.place(None):
            raise ZeroDivisionError
    async with asyncio.timeout(5), gate.place(None):
        pass


def in_turn(visitors: list[Visitor], arrived: list[Visitor]) -> bool:
    """Tell whether nobody waits who came before one that was let in. Who was given a place has to have taken it."""
    waiting = [each not in arrived and each.task is not None and not each.task.done() for each in visitors]
    first = waiting.index(True) if True in waiting else len(visitors)
    return not any(each in arrived for each in visitors[first:])


moves = st.lists(
    st.tuples(st.sampled_from(["come", "come", "leave", "cancel", "leave and cancel"]), st.integers(0, 50)), max_size=40
)


@settings(deadline=None)
@given(moves, st.integers(1, 3), st.sampled_from([None, 1, 2, 5]))
def test_no_more_than_the_limit_are_inside_and_nobody_is_forgotten(
    moves: list[tuple[str, int]], places: int, limit: int | None
) -> None:
    async def run() -> None:
        gate = Gates(places=places, clock=Time()).gate("a")
        visitors: list[Visitor] = []
        present: list[Visitor] = []
        arrived: list[Visitor] = []
        for move, number in moves:
            if move == "come":
                visitor = Visitor(limit)
                visitor.task = asyncio.create_task(visitor.visit(gate, present, arrived, places))
                visitors.append(visitor)
            elif visitors:
                one, next_one = visitors[number % len(visitors)], visitors[(number + 1) % len(visitors)]
                if "leave" in move:
                    one.leave.set()
                if "cancel" in move:
                    target = next_one if "leave" in move else one
                    assert target.task is not None
                    target.task.cancel()
            if number % 3:  # else the next move comes before anyone can react
                await settle()
                assert in_turn(visitors, arrived)
        await settle()
        assert in_turn(visitors, arrived)
        waiting = [each for each in visitors if each.task is not None and not each.task.done() and not each.inside]
        assert not waiting or len(present) == (limit or places)
        for each in visitors:
            each.leave.set()
            await settle()
            assert in_turn(visitors, arrived)
        for each in visitors:
            assert each.task is not None
            with suppress(asyncio.CancelledError):
                await asyncio.wait_for(each.task, 5)
        assert not gate.is_used

    asyncio.run(run())


async def test_limits_that_change_hold_for_those_who_come_after() -> None:
    gate = Gates(places=2, clock=Time()).gate("a")
    present: list[Visitor] = []
    visitors = [Visitor(3), Visitor(3), Visitor(1), Visitor(3)]
    for each in visitors:
        each.task = asyncio.create_task(each.visit(gate, present, [], 2))
    await settle()
    assert [each.inside for each in visitors] == [True, True, False, False]
    visitors[0].leave.set()
    await settle()
    assert [each.inside for each in visitors] == [False, True, False, False]
    visitors[1].leave.set()
    await settle()
    assert [each.inside for each in visitors] == [False, False, True, True]
    for each in visitors:
        each.leave.set()
        assert each.task is not None
        await each.task


async def settle() -> None:
    """Let everyone do what they can do now."""
    for _ in range(6):
        await asyncio.sleep(0)


class Breaker(RuleBasedStateMachine):
    """A gate against its description: the outcomes since it last closed say when it must open."""

    def __init__(self) -> None:
        super().__init__()
        self.time = Time()
        self.gates = Gates(places=1, clock=self.time)
        self.gate = self.gates.gate("a")
        self.outcomes: list[bool] = []
        self.opened_at: float | None = None
        self.rest_s = 0.0
        self.trial_at: float | None = None

    def must_open(self) -> bool:
        recent = self.outcomes[-20:]
        in_a_row = len(recent) >= 5 and not any(recent[-5:])
        return in_a_row or (len(recent) >= 10 and recent.count(False) * 2 > len(recent))

    def open(self) -> None:
        self.rest_s = min(60.0, self.rest_s * 2 or 5.0)
        self.opened_at, self.trial_at = self.time.seconds, None

    @property
    def is_resting(self) -> bool:
        return self.opened_at is not None and self.time.seconds < self.opened_at + self.rest_s

    @rule(seconds=st.sampled_from([0.25, 1.0, 5.0, 30.0, 60.0]))
    def wait(self, seconds: float) -> None:
        self.time.seconds += seconds

    @rule()
    def succeed(self) -> None:
        self.gate.succeeded()
        if self.opened_at is None:
            self.outcomes.append(True)
        elif not self.is_resting:
            self.opened_at, self.trial_at, self.rest_s, self.outcomes = None, None, 0.0, []

    @rule(times=st.integers(1, 4))
    def fail(self, times: int) -> None:
        for _ in range(times):
            self.gate.failed()
            if self.opened_at is None:
                self.outcomes.append(False)
                if self.must_open():
                    self.open()
            elif not self.is_resting:
                self.open()

    @precondition(lambda self: self.opened_at is not None)
    @rule()
    def wait_out_the_rest(self) -> None:
        assert self.opened_at is not None
        self.time.seconds = max(self.time.seconds, self.opened_at + self.rest_s)

    @rule()
    def try_it(self) -> None:
        rest_s = self.gate.may_try()
        if self.opened_at is None:
            assert rest_s == 0
        elif self.is_resting:
            assert rest_s == self.opened_at + self.rest_s - self.time.seconds
        elif self.trial_at is not None and self.time.seconds < self.trial_at + self.rest_s:
            assert rest_s == self.trial_at + self.rest_s - self.time.seconds
        else:
            assert rest_s == 0
            self.trial_at = self.time.seconds

    @invariant()
    def says_how_it_is(self) -> None:
        expected = "closed" if self.opened_at is None else "open" if self.is_resting else "half-open"
        assert self.gate.state == expected
        assert self.gates.open_agents() == ({"a"} if self.gate.rest_s > 0 else set())


TestBreaker = Breaker.TestCase
