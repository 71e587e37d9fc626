"""What follows a failed try: when it is tried again, where, how often and after which pause."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_service.choosing import AgentsAwayError, NoAgentError
from orchestrator_service.engine.retrying import (
    MAX_RECONNECTS,
    Next,
    RemoteFailureError,
    following,
    is_waited_out,
    pause_s,
)
from orchestrator_service.engine.work import OpenAttempt, Run, StepWork
from orchestrator_service.planning.plan import PlanStep
from shared.agent_client import Ended, Failure
from shared.errors import (
    AgentFailedError,
    AgentProtocolError,
    AgentUnavailableError,
    FederationError,
    TimedOutError,
    TooLargeError,
)

RUN = Run("t", 1, "tenant", "go", None, {}, datetime.max.replace(tzinfo=UTC), None, None)
ATTEMPT = OpenAttempt(1, "id-a", "A", "http://127.0.0.1:1", "hash", None, None, "m-1")
AWAY = AgentUnavailableError("Cannot connect.", reached=False)
BROKEN = AgentUnavailableError("The connection broke.", reached=None)
SLOW = TimedOutError("Too slow.", reached=None)
LOST = AgentUnavailableError("It forgot the task.", reached=True, task_lost=True)
NOBODY = AgentsAwayError("None is reachable.")


def reported(*, retryable: bool) -> RemoteFailureError:
    failure = Failure("agent-failed", "It failed", "No.", retryable=retryable)
    return RemoteFailureError(Ended(state="failed", text="", error=failure))


HOPELESS = (
    reported(retryable=False),
    AgentFailedError("Refused."),
    AgentProtocolError("Not A2A.", reached=False),
    TooLargeError("Too much."),
    NoAgentError("Nobody has the skill."),
)
HOPEFUL = (AWAY, BROKEN, SLOW, LOST, NOBODY, reported(retryable=True))


def work(*, idempotent: bool = False, has_agent: bool = True, may_have_begun: bool = False) -> StepWork:
    step = PlanStep(id="a", skill="any", instruction="go", idempotent=idempotent)
    return StepWork(RUN, step, replace(ATTEMPT, may_have_begun=may_have_begun) if has_agent else None)


works = st.builds(work, idempotent=st.booleans(), has_agent=st.booleans(), may_have_begun=st.booleans())
counts = st.integers(1, 20)
courses = st.lists(st.tuples(st.sampled_from(HOPEFUL), st.booleans()), min_size=30, max_size=30)


@given(works, st.sampled_from(HOPELESS), counts, counts, st.booleans(), st.integers(1, 10))
def test_what_cannot_pass_is_never_tried_again(
    of: StepWork, error: FederationError, failures: int, of_this_try: int, has_begun: bool, tries: int
) -> None:
    found = following(of, error, failures=failures, of_this_try=of_this_try, has_begun=has_begun, tries=tries)
    assert found == "give up"


@given(works, courses, st.integers(1, 10))
def test_a_step_is_tried_a_bounded_number_of_times_whatever_goes_wrong(
    of: StepWork, course: list[tuple[FederationError, bool]], tries: int
) -> None:
    failures: Counter[bool] = Counter()
    of_this_try = 0
    for error, has_begun in course:
        of_this_try += 1
        sort = is_waited_out(error, has_begun=has_begun)
        failures[sort] += 1
        found = following(of, error, failures=failures[sort], of_this_try=of_this_try, has_begun=has_begun, tries=tries)
        if found == "give up":
            return
        assert failures[False] < tries
        assert failures[True] < MAX_RECONNECTS
        assert tries > 1
        if found == "another try":
            of_this_try = 0
    raise AssertionError("it never gave up")


@given(works, st.booleans(), st.integers(1, 10))
def test_what_an_agent_reports_as_passing_is_tried_as_often_as_the_settings_say(
    of: StepWork, has_begun: bool, tries: int
) -> None:
    error = reported(retryable=True)
    for failures in range(1, tries + 1):
        expected = "another try" if failures < tries else "give up"
        found = following(of, error, failures=failures, of_this_try=1, has_begun=has_begun, tries=tries)
        assert found == expected


@given(works, st.sampled_from([BROKEN, SLOW]), st.integers(1, 10))
def test_an_agent_that_breaks_off_before_it_began_gets_no_more_than_the_tries_allowed(
    of: StepWork, error: FederationError, tries: int
) -> None:
    for failures in range(1, tries):
        assert following(of, error, failures=failures, of_this_try=1, has_begun=False, tries=tries) != "give up"
    assert following(of, error, failures=tries, of_this_try=1, has_begun=False, tries=tries) == "give up"


@given(st.sampled_from([AWAY, BROKEN, SLOW]), st.integers(1, 7), counts, st.booleans(), st.integers(2, 10))
def test_a_message_that_may_have_been_got_goes_to_no_other_agent_unless_the_step_may_be_done_twice(
    error: FederationError, failures: int, of_this_try: int, has_begun: bool, tries: int
) -> None:
    of = work(may_have_begun=True)
    found = following(of, error, failures=failures, of_this_try=of_this_try, has_begun=has_begun, tries=tries)
    assert found in {"same try", "give up"}


@pytest.mark.parametrize(
    ("of", "error", "of_this_try", "has_begun", "expected"),
    [
        (work(), AWAY, 1, False, "another try"),
        (work(), AWAY, 1, True, "same try"),
        (work(may_have_begun=True), AWAY, 1, False, "same try"),
        (work(), BROKEN, 1, False, "same try"),
        (work(idempotent=True), BROKEN, 1, False, "same try"),
        (work(idempotent=True), BROKEN, 2, False, "another try"),
        (work(idempotent=True), SLOW, 2, True, "another try"),
        (work(), LOST, 1, True, "give up"),
        (work(idempotent=True), LOST, 1, True, "another try"),
        (work(), reported(retryable=True), 1, True, "another try"),
        (work(has_agent=False), NOBODY, 1, False, "another try"),
    ],
)
def test_the_class_of_a_failure_says_what_follows(
    of: StepWork, error: FederationError, of_this_try: int, has_begun: bool, expected: Next
) -> None:
    assert following(of, error, failures=2, of_this_try=of_this_try, has_begun=has_begun, tries=3) == expected


@given(st.sampled_from(HOPEFUL), counts, st.booleans())
def test_a_pause_is_random_within_bounds_that_grow(error: FederationError, failures: int, is_affordable: bool) -> None:
    pause = pause_s(error, failures, is_affordable=is_affordable)
    if is_affordable:
        assert 0.05 <= pause <= min(30.0, 0.25 * 2**failures)
    else:
        assert 15 <= pause <= 30


@given(st.floats(0, 1e9) | st.integers(0, 10**9), counts, st.booleans())
def test_the_pause_that_an_agent_asks_for_is_kept_up_to_a_minute(
    asked_s: float, failures: int, is_affordable: bool
) -> None:
    error = AgentUnavailableError("Overloaded.", reached=False, retry_after_s=asked_s)
    pause = pause_s(error, failures, is_affordable=is_affordable)
    assert min(asked_s, 60) <= pause <= min(asked_s, 60) + 0.25


def test_pauses_differ_so_that_tasks_do_not_come_back_all_at_once() -> None:
    pauses = [pause_s(BROKEN, 6, is_affordable=True) for _ in range(200)]
    assert len(set(pauses)) > 190
    assert min(pauses) < 4
    assert max(pauses) > 12
