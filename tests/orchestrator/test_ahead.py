"""Steps are made ready while the commit that begins them is awaited; nothing of them is seen outside before."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import psycopg
from pydantic import JsonValue

from shared.agent import AgentRequest, Answer, JsonObject, Update
from tests.orchestrator.stored_tasks import until_blocked
from tests.support import ready_made
from tests.support.federation import TestAgent, federation, names, step

_AT_COMMIT = """
    CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON attempts DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.step_id = '{}') EXECUTE FUNCTION at_commit()
"""
_WAIT = "PERFORM pg_advisory_xact_lock(1);"
_IN_TURN = (step("first", "one"), step("second", "two", depends_on=["first"]))
_REFUSE = "RAISE 'this is not kept';"
_REFUSE_LATE = "PERFORM pg_sleep(6); RAISE 'this is not kept';"


class _Counting:
    """An agent that keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def answer(self, request: AgentRequest) -> AsyncGenerator[Update]:
        self.asked.append(request.text)
        yield Answer("done", f"<{request.text}>")


async def test_no_agent_is_called_before_the_commit_that_begins_its_step(tmp_path: Path) -> None:
    agent = _Counting()
    with ready_made.on_postgres() as url, psycopg.connect(url, autocommit=True) as other:
        async with federation(tmp_path, TestAgent("Agent", agent.answer, ("echo",)), database_url=url) as running:
            for held, asked in (("first", []), ("second", ["one"])):
                agent.asked.clear()
                other.execute(_AT_COMMIT.format(_WAIT, held).encode())
                other.execute("SELECT pg_advisory_lock(1)")
                both = asyncio.create_task(running.run(*_IN_TURN))
                await until_blocked(url)
                await asyncio.sleep(0.3)  # what is made ready has the time to do more
                assert agent.asked == asked
                other.execute("SELECT pg_advisory_unlock(1)")
                task = await both
                assert task["status"] == "completed"
                assert sorted(agent.asked) == ["one", "two"]
                other.execute("DROP FUNCTION at_commit CASCADE")


async def test_a_step_whose_begin_is_not_kept_is_not_performed(tmp_path: Path) -> None:
    agent = _Counting()
    with ready_made.on_postgres() as url, psycopg.connect(url, autocommit=True) as other:
        other.execute(_AT_COMMIT.format(_REFUSE, "second").encode())
        async with federation(tmp_path, TestAgent("Agent", agent.answer, ("echo",)), database_url=url) as running:
            task = await running.run(*_IN_TURN, replan=False)
            assert task["status"] == "failed"
            assert agent.asked == ["one"]
            submitted = await running.client.post("/api/tasks", json={"description": "test", "plan": _alone("second")})
            assert submitted.status_code == 500
            assert names((await running.get("/api/tasks"))["items"], "id") == [task["id"]]
            other.execute("DROP FUNCTION at_commit CASCADE")
            assert (await running.run(step("second", "two")))["status"] == "completed"
    assert agent.asked == ["one", "two"]


def _alone(step_id: str) -> JsonValue:
    return {"steps": [step(step_id, "two")]}


async def test_a_step_whose_time_is_up_before_its_begin_is_kept_is_not_asked_for(tmp_path: Path) -> None:
    agent = _Counting()
    with ready_made.on_postgres() as url, psycopg.connect(url, autocommit=True) as other:
        other.execute(_AT_COMMIT.format(_REFUSE_LATE, "second").encode())
        async with federation(tmp_path, TestAgent("Agent", agent.answer, ("echo",)), database_url=url) as running:
            steps = step("first", "one"), step("second", "two", depends_on=["first"], timeout_s=1)
            task = await running.run(*steps, replan=False)
            assert task["status"] == "failed"
            assert agent.asked == ["one"]
            assert _states(await running.events(task), "second") == ["skipped"]


def _states(log: list[JsonObject], step_id: str) -> list[JsonValue]:
    return [event["status"] for event in log if event["type"] == "step.status" and event["step_id"] == step_id]
