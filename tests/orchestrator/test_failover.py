"""Agents that fail: what is tried again, when, at which agent, and how all of it can be read afterwards.

A request that says "alpha" goes to the agent Alpha first, as long as that can be called.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import cast

import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.agent import AgentRequest, Answer, JsonObject, Update
from shared.errors import UnavailableError
from tests.orchestrator.scripted import (
    DONE,
    agent,
    agents,
    any_step,
    error_of,
    errors,
    first_step,
    message_ids,
    messages,
    register,
    tries,
)
from tests.support.federation import Federation, TestAgent, federation, step, until
from tests.support.misbehaving import Answer as RemoteAnswer
from tests.support.misbehaving import error, response, result, stream, task

BUSY = response("", 503, retry_after="0")
BROKEN = response("", 500)
LATER = re.compile(r"Trying again in (\d+\.\d) s")


async def pauses(running: Federation, of: JsonObject) -> list[float]:
    """Return the pauses that were announced in the task's log."""
    told = [str(event.get("text")) for event in await running.events(of)]
    return [float(found[1]) for text in told if (found := LATER.search(text)) is not None]


async def failed(running: Federation, of: JsonObject) -> JsonObject:
    """Return the error of the task's first step, once it has failed."""
    found = await running.task_when(of, lambda found: found["completed_at"] is not None)
    assert found["status"] == "failed"
    return error_of(first_step(found))


class HangUp(Response):
    """Begins an answer and closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begin it."""
        del scope, receive
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def hung_up(_: JsonObject) -> Response:
    """Close the connection without an answer."""
    return HangUp()


async def test_an_overloaded_agent_is_tried_again_and_every_try_is_kept(
    tmp_path: Path, database_url: str | None
) -> None:
    scripted = agent(BUSY, BUSY, DONE)
    async with scripted.serving(), federation(tmp_path, database_url=database_url) as running:
        await register(running, scripted)
        done = await running.run(any_step())
        assert done["status"] == "completed"
        assert errors(done) == [*["The agent is overloaded: HTTP 503."] * 2, None]
        assert {str(each["why"]) for each in tries(done)} == {"the only reachable agent with the skill any"}
        assert all(each["ended_at"] for each in tries(done))
        assert len(messages(scripted)) == 3
        assert len(set(message_ids(scripted))) == 1  # should one have come through all the same, it is known


@pytest.mark.parametrize(("asked", "least_s", "most_s"), [("2", 2.0, 2.3), ("3600", 60.0, 60.3)])
async def test_the_pause_that_an_agent_asks_for_is_kept_within_bounds(
    tmp_path: Path, asked: str, least_s: float, most_s: float
) -> None:
    scripted = agent(response("", 503, retry_after=asked), DONE)
    async with scripted.serving(), federation(tmp_path, drain_timeout_s=0) as running:
        await register(running, scripted)
        submitted = await running.run(any_step(), wait_s=None)

        async def announced() -> JsonObject:
            return {"pauses": [*await pauses(running, submitted)]}

        found = await until(announced, lambda found: bool(found["pauses"]))
        assert isinstance(announcements := found["pauses"], list)
        [pause_s] = announcements
        assert isinstance(pause_s, float)
        assert least_s <= pause_s <= most_s
        assert len(messages(scripted)) == 1


async def test_what_an_agent_refuses_is_not_tried_again(tmp_path: Path) -> None:
    refusals = [
        response("", 400),
        response("", 401),
        response("", 404),
        response("", 307, location="http://127.0.0.1:9/"),
        error(-32602, "The message has no parts"),
    ]
    alpha, beta = agent(*refusals), agent(DONE)
    async with alpha.serving(), beta.serving(), federation(tmp_path) as running:
        await register(running, alpha, "Alpha")
        await register(running, beta, "Beta")
        for number, said in enumerate(["HTTP 400", "HTTP 401", "HTTP 404", "HTTP 307", "has no parts"], 1):
            submitted = await running.run(any_step("a", "alpha"))
            assert said in str((await failed(running, submitted))["detail"])
            assert len(tries(submitted)) == 1
            assert (len(messages(alpha)), len(messages(beta))) == (number, 0)


async def test_a_step_that_never_reached_its_agent_goes_to_another_at_once(
    tmp_path: Path, database_url: str | None
) -> None:
    alpha, beta = agent(DONE), agent(DONE)
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(
            federation(tmp_path, database_url=database_url, agent_check_interval_s=600)
        )
        await stack.enter_async_context(beta.serving())
        await register(running, beta, "Beta")
        async with alpha.serving():
            await register(running, alpha, "Alpha")
        done = await running.run(any_step("a", "alpha"))
        assert done["status"] == "completed"
        first, second = tries(done)
        assert (first["agent_name"], second["agent_name"]) == ("Alpha", "Beta")
        assert "best of 2 reachable agents" in str(first["why"])
        assert "Cannot connect" in str(error_of(first)["detail"])
        assert second["why"] == first_step(done)["why_chosen"] == "the other agent with any: Alpha failed it"
        assert first_step(done)["agent_name"] == "Beta"
        log = await running.events(done)
        chosen = [event["agent_name"] for event in log if "why_chosen" in event and event["why_chosen"] is not None]
        assert chosen == ["Alpha", "Beta"]
        assert await pauses(running, done) == []
        assert any("Trying another agent." in str(event.get("text")) for event in log)


async def test_what_an_agent_asks_to_wait_is_not_waited_where_another_can_do_it(tmp_path: Path) -> None:
    alpha, beta = agent(response("", 503, retry_after="60")), agent(DONE)
    async with alpha.serving(), beta.serving(), federation(tmp_path) as running:
        await register(running, alpha, "Alpha")
        await register(running, beta, "Beta")
        done = await running.run(any_step("a", "alpha"))
        assert done["status"] == "completed"
        assert agents(done) == ["Alpha", "Beta"]


@pytest.mark.parametrize("breaks", [BROKEN, hung_up], ids=["500", "hangs up"])
async def test_a_step_that_may_have_reached_its_agent_is_not_given_to_another(
    tmp_path: Path, breaks: RemoteAnswer
) -> None:
    alpha, beta = agent(breaks), agent(DONE)
    async with alpha.serving(), beta.serving(), federation(tmp_path, step_attempts=2) as running:
        await register(running, alpha, "Alpha")
        await register(running, beta, "Beta")
        submitted = await running.run(any_step("a", "alpha"))
        reason = await failed(running, submitted)
        assert reason["type"] == "agent-unavailable"
        assert "agent" in str(reason["detail"])
        assert agents(submitted) == ["Alpha"]
        assert len(set(message_ids(alpha))) == 1
        assert not beta.requests


async def test_a_step_that_may_be_done_twice_goes_to_another_when_its_agent_stays_bad(tmp_path: Path) -> None:
    alpha, beta = agent(BROKEN), agent(DONE)
    async with alpha.serving(), beta.serving(), federation(tmp_path) as running:
        await register(running, alpha, "Alpha")
        await register(running, beta, "Beta")
        done = await running.run(any_step("a", "alpha", idempotent=True))
        assert done["status"] == "completed"
        assert agents(done) == ["Alpha", "Beta"]
        assert "HTTP 500" in str(tries(done)[0]["error"])
        assert "Alpha failed it" in str(first_step(done)["why_chosen"])
        assert len(message_ids(alpha)) >= 2
        assert len(set(message_ids(alpha))) == 1
        assert not set(message_ids(alpha)) & set(message_ids(beta))


async def test_the_same_message_is_sent_again_to_an_agent_that_may_have_got_it(tmp_path: Path) -> None:
    scripted = agent(hung_up, BROKEN, DONE)
    async with scripted.serving(), federation(tmp_path) as running:
        await register(running, scripted)
        done = await running.run(any_step())
        assert done["status"] == "completed"
        assert len(tries(done)) == 1
        assert len(message_ids(scripted)) == 3
        assert len(set(message_ids(scripted))) == 1


async def test_a_step_that_names_its_agent_goes_to_no_other(tmp_path: Path) -> None:
    alpha, beta = agent(BUSY, BUSY, BUSY, DONE), agent(DONE)
    async with alpha.serving(), beta.serving(), federation(tmp_path) as running:
        await register(running, alpha, "Alpha")
        await register(running, beta, "Beta")
        done = await running.run(step("a", "beta", skill="any", agent="Alpha"))
        assert done["status"] == "completed"
        assert agents(done) == ["Alpha"] * 4
        assert {str(each["why"]) for each in tries(done)} == {"named by the plan"}
        assert not beta.requests


async def test_an_agent_that_keeps_failing_is_passed_over(tmp_path: Path) -> None:
    alpha, beta = agent(BUSY), agent(DONE)
    async with alpha.serving(), beta.serving(), federation(tmp_path) as running:
        await register(running, alpha, "Alpha")
        await register(running, beta, "Beta")
        for _ in range(5):
            done = await running.run(any_step("a", "alpha"))
            assert agents(done) == ["Alpha", "Beta"]
        done = await running.run(any_step("a", "alpha"))
        assert agents(done) == ["Beta"]
        assert first_step(done)["why_chosen"] == "the other agent with any: Alpha failed too often lately"
        assert len(messages(alpha)) == 5


async def test_a_step_whose_only_agent_keeps_failing_says_so(tmp_path: Path) -> None:
    scripted = agent(BUSY)
    async with scripted.serving(), federation(tmp_path, step_attempts=1) as running:
        await register(running, scripted, "Alpha")
        for _ in range(5):
            assert "HTTP 503" in str((await failed(running, await running.run(any_step())))["detail"])
        submitted = await running.run(any_step())
        reason = await failed(running, submitted)
        assert reason["type"] == "agents-away"
        assert "Alpha failed too often lately and is left alone for a moment" in str(reason["detail"])
        assert tries(submitted) == []
        assert len(messages(scripted)) == 5


async def test_an_agent_that_failed_too_often_is_tried_once_after_its_rest_and_is_back_if_it_works(
    tmp_path: Path,
) -> None:
    scripted = agent(*[BUSY] * 5, DONE)
    async with scripted.serving(), federation(tmp_path) as running:
        await register(running, scripted, "Alpha")
        done = await running.run(step("a", skill="any", agent="Alpha"))
        assert done["status"] == "completed"
        told = errors(done)
        assert told[:5] == ["The agent is overloaded: HTTP 503."] * 5
        assert all("failed too often lately and is left alone" in str(text) for text in told[5:-1])
        assert (len(told) >= 7, told[-1]) == (True, None)
        assert len(messages(scripted)) == 6
        assert max(await pauses(running, done)) <= 5.3
        again = await running.run(any_step())
        assert (again["status"], len(tries(again))) == ("completed", 1)


async def test_retries_at_an_agent_that_fails_for_many_tasks_are_bounded(tmp_path: Path) -> None:
    count = 20
    begun: list[str] = []

    async def busy(request: AgentRequest) -> AsyncGenerator[Update]:
        begun.append(request.message_id)
        raise UnavailableError("Busy now.")
        yield Answer("", "")

    served = TestAgent("Busy", busy, ("any",))
    async with federation(tmp_path, served, step_attempts=2, drain_timeout_s=0) as running:
        submitted = [await running.run(any_step(), wait_s=None) for _ in range(count)]

        async def announced() -> JsonObject:
            found = await asyncio.gather(*(pauses(running, each) for each in submitted))
            return {"pauses": [pause for each in found for pause in each]}

        found = await until(announced, lambda found: len(cast("list[float]", found["pauses"])) == count)
        soon = [pause for pause in cast("list[float]", found["pauses"]) if pause < 15]
        most = 10 + count // 5  # a full budget, and what first calls bring
        assert 10 <= len(soon) <= most
        assert len(begun) <= count + most


async def test_the_failure_that_an_agent_reports_as_passing_is_tried_at_another_first(tmp_path: Path) -> None:
    reported = stream(
        {"task": task("WORKING")},
        {
            "statusUpdate": {
                "taskId": "t-1",
                "contextId": "c-1",
                "status": {"state": "TASK_STATE_FAILED"},
                "metadata": {
                    "urn:agent-federation:call": {
                        "error": {"type": "unavailable", "title": "Busy", "detail": "Busy now.", "retryable": True}
                    }
                },
            }
        },
    )
    alpha, beta = agent(reported), agent(DONE)
    async with alpha.serving(), beta.serving(), federation(tmp_path) as running:
        await register(running, alpha, "Alpha")
        await register(running, beta, "Beta")
        done = await running.run(any_step("a", "alpha"))
        assert done["status"] == "completed"
        assert agents(done) == ["Alpha", "Beta"]
        assert "Busy now." in str(tries(done)[0]["error"])
        assert len(messages(alpha)) == 1


async def test_an_agent_is_not_to_blame_for_those_that_wait_for_a_place(tmp_path: Path) -> None:
    hold = asyncio.Event()
    held = agent(stream({"task": task("WORKING")}, hold=hold), DONE, GetTask=result(task("COMPLETED", artifact="done")))
    async with held.serving(), federation(tmp_path, agent_max_concurrency=1, step_attempts=1) as running:
        await register(running, held, "Alpha")
        first = await running.run(any_step(), wait_s=None)
        await running.task_when(first, lambda found: "'remote_task_id': 't-1'" in str(found["steps"]))
        late = [await running.run(any_step(), wait_s=None, deadlines={"step_s": 0.2}) for _ in range(5)]
        for each in late:
            assert (await failed(running, each))["type"] == "timed-out"
        hold.set()
        assert (await running.run(any_step()))["status"] == "completed"
        assert len(messages(held)) == 2
