"""Which other runners are judged dead: for a free lock or a long silence, by the judge's own clock."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.agent_runners import SILENT_S, Judge, Seen

ALIVE = Seen("other", beat=1, is_free=False)


def test_a_runner_whose_lock_is_free_in_two_looks_is_dead() -> None:
    judge = Judge()
    assert judge.judge([replace(ALIVE, is_free=True)], 0.0) == ([], False)
    assert judge.judge([replace(ALIVE, is_free=True)], 0.75) == (["other"], False)


def test_a_lock_that_is_taken_again_means_life() -> None:
    judge = Judge()
    for at, is_free in enumerate([True, False, True, False]):
        assert judge.judge([replace(ALIVE, is_free=is_free)], float(at)) == ([], False)


def test_a_runner_that_is_silent_for_long_is_dead_even_if_it_holds_its_lock() -> None:
    judge = Judge()
    found = [judge.judge([ALIVE], at / 2)[0] for at in range(int(2 * SILENT_S) + 2)]
    assert found[:-1] == [[]] * (len(found) - 1)
    assert found[-1] == ["other"]


def test_who_was_frozen_itself_judges_nobody_at_once() -> None:
    judge = Judge()
    judge.judge([ALIVE], 0.0)
    assert judge.judge([replace(ALIVE, is_free=True)], 3_600.0) == ([], False)
    assert judge.judge([replace(ALIVE, is_free=True)], 3_600.75) == ([], False)


def test_locks_that_went_with_their_server_mean_nothing() -> None:
    judge, at_first, later = Judge(), datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    judge.meet(at_first, 0.0)
    assert judge.judge([ALIVE], 0.0) == ([], False)
    judge.meet(later, 0.5)
    assert judge.judge([replace(ALIVE, is_free=True)], 0.5) == ([], False)
    assert judge.judge([replace(ALIVE, is_free=True)], 1.0) == ([], False)
    judge.meet(later, 5.5)
    assert judge.judge([replace(ALIVE, is_free=True)], 5.5) == ([], False)
    assert judge.judge([replace(ALIVE, is_free=True)], 6.0) == (["other"], False)


def test_a_runner_that_left_is_noticed_once() -> None:
    judge = Judge()
    judge.judge([ALIVE], 0.0)
    assert judge.judge([], 0.75) == ([], True)
    assert judge.judge([], 1.5) == ([], False)


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(0, 3)), max_size=60))
def test_a_runner_that_beats_and_holds_its_lock_is_never_dead(looks: list[tuple[float, int]]) -> None:
    judge, at, beat, beaten_at = Judge(), 0.0, 0, 0.0
    for pause_s, beats in looks:
        at += pause_s
        if beats or at - beaten_at > SILENT_S / 2:
            beat, beaten_at = beat + max(beats, 1), at
        assert judge.judge([Seen("other", beat, is_free=False)], at) == ([], False)


@pytest.mark.parametrize("others", [0, 3])
def test_each_is_judged_alone(others: int) -> None:
    judge = Judge()
    living = [Seen(f"living-{number}", 1, is_free=False) for number in range(others)]
    for at in (0.0, 0.75):
        dead, _ = judge.judge([*living, replace(ALIVE, is_free=True)], at)
    assert dead == ["other"]
