"""Steps of one task that end in the same moment."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import psycopg
from pydantic import JsonValue

from shared.agent import AgentRequest, Answer, JsonObject, Progress, Update
from tests.orchestrator.stored_tasks import until_blocked
from tests.support import ready_made
from tests.support.federation import Federation, TestAgent, federation, step, until

_STEPS = ("a", "b", "c", "d")
_REFUSE = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$;
    CREATE TRIGGER refuse BEFORE UPDATE ON steps FOR EACH ROW
    WHEN (NEW.step_id = '{}' AND NEW.status = 'completed') EXECUTE FUNCTION refuse()
"""


class _Together:
    """An agent whose answers all come when they may."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()

    async def answer(self, request: AgentRequest) -> AsyncGenerator[Update]:
        yield Progress(f"{request.text} has begun")
        await self.may_end.wait()
        yield Answer("done", f"<{request.text}>")


async def test_steps_that_end_while_the_end_of_one_is_written_are_closed_together(tmp_path: Path) -> None:
    log = await _end_at_once(tmp_path)
    closed = _ends(log)
    assert {each["step_id"]: each["status"] for each in closed} == dict.fromkeys(_STEPS, "completed")
    assert len({str(each["at"]) for each in closed}) == 2  # the first by itself, then the others
    assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
    assert (log[-1]["type"], log[-1]["status"]) == ("task.status", "completed")


async def test_of_steps_that_end_together_one_that_cannot_be_stored_fails_alone(tmp_path: Path) -> None:
    log = await _end_at_once(tmp_path, refused="c")
    ended = {each["step_id"]: each["status"] for each in _ends(log)}
    assert ended == {"a": "completed", "b": "completed", "c": "failed", "d": "completed"}
    assert (log[-1]["type"], log[-1]["status"]) == ("task.status", "failed")


async def _end_at_once(folder: Path, refused: str = "") -> list[JsonObject]:
    """Return the log of a task whose four steps all end while the database keeps the first of them waiting.

    The database refuses to store that the step `refused` was completed.
    """
    agent = _Together()
    with ready_made.on_postgres() as url:
        with psycopg.connect(url) as other:
            other.execute(_REFUSE.format(refused).encode())
        async with federation(folder, TestAgent("Agent", agent.answer, ("echo",)), database_url=url) as running:
            steps: list[JsonValue] = [step(name, name) for name in _STEPS]
            task = await running.submit("test", wait_s=None, plan={"steps": steps}, replan=False)
            await until(lambda: _read(running, task), lambda log: str(log).count("has begun") == len(_STEPS))
            with psycopg.connect(url) as other:
                other.execute("SELECT id FROM tasks WHERE id = %s FOR UPDATE", [str(task["id"])])
                agent.may_end.set()
                await until_blocked(url)
                await asyncio.sleep(0.5)  # the others end meanwhile
                other.rollback()
            await running.task_when(task, lambda now: now["status"] in {"completed", "failed"})
            return await running.events(task)


async def _read(running: Federation, task: JsonObject) -> JsonObject:
    return {"items": list(await running.events(task))}


def _ends(log: list[JsonObject]) -> list[JsonObject]:
    return [event for event in log if event["type"] == "step.status" and event["status"] in {"completed", "failed"}]
