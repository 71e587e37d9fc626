"""Tasks that are over, done again: a retry does what was left undone, a fork does a part of it once more."""

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from orchestrator_service.lineage import dependents
from orchestrator_service.planning.plan import Plan, PlanStep, needs
from shared.agent import AgentRequest, Answer, File, JsonObject, Produced, Progress, Update
from shared.errors import InvalidRequestError
from tests.support.federation import Federation, TestAgent, federation, names, serve_agent, step


@dataclass
class Worker:
    """An agent that counts what it is told; "bad" in it fails until `mended`, "hold" waits until `released`."""

    told: Counter[str] = field(default_factory=Counter[str])
    mended: bool = False
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: AgentRequest) -> AsyncGenerator[Update]:
        """Answer with the request in brackets, and the same as a file."""
        self.told[request.text] += 1
        yield Progress("begun")
        self.begun.set()
        if "hold" in request.text:
            await self.released.wait()
        if "bad" in request.text and not self.mended:
            raise InvalidRequestError("This cannot be done.")
        yield Produced(File("said.txt", "text/plain", request.text.encode()))
        yield Answer("echo", f"<{request.text}>")

    def served(self) -> TestAgent:
        """Return it as the federation serves it."""
        return TestAgent("Echo", self.answer, ("echo",))


CHAIN = (step("a", "one"), step("b", "bad {{ steps.a.output }}"), step("c", "{{ steps.b.output }}"), step("d", "two"))


def kept(task: JsonObject) -> dict[JsonValue, JsonValue]:
    return dict(zip(names(task["steps"], "id"), names(task["steps"], "kept_from"), strict=True))


def outputs(task: JsonObject) -> list[JsonValue]:
    assert isinstance(result := task["result"], dict)
    return names(result["outputs"], "output")


def both_from(step_id: str) -> tuple[tuple[str, JsonObject | None], ...]:
    """Return both ways of doing a task again, with their bodies."""
    return ("retry", None), ("fork", {"from_step": step_id})


async def again(
    running: Federation, task: JsonObject, how: str, body: JsonValue = None, key: str | None = None
) -> JsonObject:
    """Retry or fork the task, and return the new one when it is over or waits."""
    headers = {"Prefer": "wait=20"} | ({} if key is None else {"Idempotency-Key": key})
    response = await running.client.post(f"/api/tasks/{task['id']}/{how}", json=body, headers=headers)
    assert response.status_code in {200, 202}, response.text
    assert response.headers["location"] == f"/api/tasks/{response.json()['id']}"
    return response.json()


async def test_a_retry_keeps_what_was_completed_and_does_the_rest(tmp_path: Path, database_url: str | None) -> None:
    worker = Worker()
    async with federation(tmp_path, worker.served(), database_url=database_url) as running:
        failed = await running.run(*CHAIN)
        assert names(failed["steps"], "status") == ["completed", "failed", "skipped", "completed"]
        worker.mended = True
        task = await again(running, failed, "retry")
        assert task["status"] == "completed"
        assert outputs(task) == ["<one>", "<bad <one>>", "<<bad <one>>>", "<two>"]
        assert worker.told == {"one": 1, "bad <one>": 2, "<bad <one>>": 1, "two": 1}
        assert kept(task) == {"a": failed["id"], "b": None, "c": None, "d": failed["id"]}
        assert task["origin"] == {"kind": "retry", "task_id": failed["id"]}
        assert (await running.get(f"/api/tasks/{failed['id']}"))["descendants"] == [task["id"]]
        assert isinstance(usage := task["usage"], dict)
        assert usage["agent_calls"] == 2


async def test_the_log_of_a_retry_tells_its_whole_story(tmp_path: Path, database_url: str | None) -> None:
    worker = Worker()
    async with federation(tmp_path, worker.served(), database_url=database_url) as running:
        failed = await running.run(*CHAIN)
        worker.mended = True
        task = await again(running, failed, "retry")
        log = await running.events(task)
        assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
        assert [event["status"] for event in log if event["type"] == "task.status"] == [
            "pending",
            "executing",
            "completed",
        ]
        planned = next(event["plan"] for event in log if event["type"] == "plan.created")
        assert planned == task["plan"]
        statuses: dict[JsonValue, JsonValue] = {}
        texts: dict[JsonValue, str] = {}
        files: Counter[JsonValue] = Counter()
        for event in log:
            if event["type"] == "step.status":
                statuses[event["step_id"]] = event["status"]
            elif event["type"] == "step.output":
                before = texts.get(event["step_id"], "") if event["append"] else ""
                texts[event["step_id"]] = before + str(event["text"])
            elif event["type"] == "step.artifact":
                files[event["step_id"]] += 1
        assert statuses == dict.fromkeys("abcd", "completed")
        assert [texts[step_id] for step_id in "abcd"] == outputs(task)
        assert files == dict.fromkeys("abcd", 1)
        begun = [event["step_id"] for event in log if event["type"] == "step.status" and event["status"] == "running"]
        assert begun == ["b", "c"]


async def test_files_are_the_new_tasks_own(tmp_path: Path, database_url: str | None) -> None:
    worker = Worker()
    async with federation(tmp_path, worker.served(), database_url=database_url) as running:
        file: JsonObject = {"name": "a.txt", "content": base64.b64encode(b"brought").decode()}
        failed = await running.run(
            step("a", "one"),
            step("b", "bad {{ steps.a.artifacts.said.txt }}", inputs={"files": ["a.txt"]}),
            files=[file],
        )
        worker.mended = True
        task = await again(running, failed, "retry")
        assert outputs(task) == ["<one>", "<bad one>"]
        assert isinstance(result := task["result"], dict)
        assert isinstance(artifacts := result["artifacts"], list)
        for artifact, said in zip(artifacts, (b"one", b"bad one"), strict=True):
            assert isinstance(artifact, dict)
            assert str(artifact["url"]).startswith(f"/api/tasks/{task['id']}/")
            assert (await running.client.get(str(artifact["url"]))).content == said


async def test_what_the_task_was_given_goes_along(tmp_path: Path, database_url: str | None) -> None:
    worker = Worker()
    async with federation(tmp_path, worker.served(), database_url=database_url) as running:
        session = await running.post("/api/sessions", {}, 201)
        failed = await running.run(
            step("a", "bad {{ inputs.word }}"),
            inputs={"word": "one"},
            session_id=session["id"],
            user_id="ada@example.org",
            budget={"tokens": 1000, "depth": 2},
            deadlines={"step_s": 30},
            priority=7,
            metadata={"ticket": 12},
        )
        worker.mended = True
        task = await again(running, failed, "retry")
        assert outputs(task) == ["<bad one>"]
        for name in ("description", "session_id", "user_id", "budget", "deadlines", "priority", "metadata"):
            assert task[name] == failed[name], name
        assert failed["deadlines"] == {"step_s": 30.0}


async def test_a_fork_does_a_step_again_and_what_depends_on_it(tmp_path: Path, database_url: str | None) -> None:
    worker = Worker(mended=True)
    async with federation(tmp_path, worker.served(), database_url=database_url) as running:
        done = await running.run(*CHAIN)
        assert done["status"] == "completed"
        body: JsonObject = {"from_step": "b", "instruction": "better {{ steps.a.output }}"}
        task = await again(running, done, "fork", body)
        assert outputs(task) == ["<one>", "<better <one>>", "<<better <one>>>", "<two>"]
        assert worker.told["one"] == worker.told["two"] == 1
        assert kept(task) == {"a": done["id"], "b": None, "c": None, "d": done["id"]}
        assert task["origin"] == {"kind": "fork", "task_id": done["id"], "from_step": "b"}
        third = await again(running, task, "fork", {"from_step": "c"})
        assert outputs(third) == outputs(task)
        assert kept(third) == {"a": done["id"], "b": task["id"], "c": None, "d": done["id"]}, "who did it is named"
        assert (await running.get(f"/api/tasks/{done['id']}"))["steps"] == done["steps"]


async def test_failed_and_canceled_tasks_can_be_done_again(tmp_path: Path) -> None:
    worker = Worker()
    async with federation(tmp_path, worker.served()) as running:
        failed = await running.run(*CHAIN)
        worker.mended = True
        forked = await again(running, failed, "fork", {"from_step": "d"})
        assert forked["status"] == "completed"
        assert worker.told == {"one": 1, "two": 2, "bad <one>": 2, "<bad <one>>": 1}
        worker.begun.clear()
        held = await running.run(step("a", "one"), step("b", "hold {{ steps.a.output }}"), wait_s=None)
        await running.task_when(held, lambda found: names(found["steps"], "status") == ["completed", "running"])
        canceled = await running.post(f"/api/tasks/{held['id']}/cancel")
        assert canceled["status"] == "canceled"
        worker.released.set()
        for how, body in both_from("b"):
            task = await again(running, canceled, how, body)
            assert outputs(task) == ["<one>", "<hold <one>>"]
        found = await running.get(f"/api/tasks/{held['id']}")
        assert isinstance(descendants := found["descendants"], list)
        assert len(descendants) == 2


async def test_what_cannot_be_done_again_is_refused_and_the_answer_says_what_to_do(tmp_path: Path) -> None:
    worker = Worker()
    async with federation(tmp_path, worker.served()) as running:
        held = await running.run(step("a", "hold"), wait_s=None)
        for how, body in both_from("a"):
            refused = await running.post(f"/api/tasks/{held['id']}/{how}", body, 409)
            assert "cancel it" in str(refused["detail"])
            await running.post(f"/api/tasks/none/{how}", body, 404)
        worker.released.set()
        done = await running.task_when(held, lambda found: found["status"] == "completed")
        refused = await running.post(f"/api/tasks/{done['id']}/retry", None, 409)
        assert f"/api/tasks/{done['id']}/fork" in str(refused["detail"])
        wrong: tuple[tuple[JsonObject, str], ...] = (
            ({"from_step": "z"}, "Its steps: a"),
            ({"from_step": "a", "instruction": "{{ steps.a.output }}"}, "circle"),
            ({"from_step": "a", "instruction": "{{ steps.z.output }}"}, "'z'"),
            ({"from_step": "a", "instruction": "  "}, "instruction"),
            ({}, "from_step"),
        )
        for body, word in wrong:
            refused = await running.post(f"/api/tasks/{done['id']}/fork", body, 422)
            assert word in str(refused), body
            assert refused["errors"]
        assert names((await running.get("/api/tasks"))["items"], "id") == [held["id"]]


async def test_the_same_key_makes_one_retry(tmp_path: Path, database_url: str | None) -> None:
    worker = Worker()
    async with federation(tmp_path, worker.served(), database_url=database_url) as running:
        failed = await running.run(*CHAIN)
        worker.mended = True
        tasks = await asyncio.gather(*(again(running, failed, "retry", key="k") for _ in range(4)))
        assert len({str(task["id"]) for task in tasks}) == 1
        assert (await again(running, failed, "retry", key="k"))["id"] == tasks[0]["id"]
        headers = {"Idempotency-Key": "k"}
        bodies: tuple[JsonObject, ...] = ({"from_step": "b"}, {"from_step": "b", "instruction": "other"})
        for body in bodies:
            path = f"/api/tasks/{failed['id']}/fork"
            assert (await running.client.post(path, json=body, headers=headers)).status_code == 409
        assert (await running.get(f"/api/tasks/{failed['id']}"))["descendants"] == [tasks[0]["id"]]


async def test_a_task_that_could_not_be_planned_is_planned_anew(tmp_path: Path, database_url: str | None) -> None:
    worker = Worker()
    async with federation(tmp_path, database_url=database_url) as running:
        failed = await running.submit("echo banana")
        assert failed["status"] == "failed"
        assert failed["plan"] is None
        refused = await running.post(f"/api/tasks/{failed['id']}/fork", {"from_step": "a"}, 422)
        assert "/retry" in str(refused["detail"])
        async with serve_agent(tmp_path, worker.served()) as endpoint:
            await running.post("/api/agents", {"endpoint": endpoint}, 201)
            task = await again(running, failed, "retry")
            assert outputs(task) == ["<echo banana>"]
            assert task["origin"] == {"kind": "retry", "task_id": failed["id"]}


async def test_a_plan_is_approved_once_unless_it_is_changed(tmp_path: Path, database_url: str | None) -> None:
    worker = Worker()
    async with federation(tmp_path, worker.served(), database_url=database_url) as running:

        async def decide(task: JsonObject, *, approve: bool) -> JsonObject:
            assert isinstance(waiting := task["pending_inputs"], list)
            assert isinstance(question := waiting[0], dict)
            assert question["kind"] == "plan"
            body: JsonObject = {"input_id": question["input_id"], "approve": approve}
            await running.post(f"/api/tasks/{task['id']}/input", body)
            return await running.task_when(task, lambda found: found["completed_at"] is not None)

        rejected = await decide(await running.run(*CHAIN, approve_plan=True), approve=False)
        asked = await again(running, rejected, "retry")
        assert asked["status"] == "input_required", "nobody has approved it yet"
        assert not worker.told
        failed = await decide(asked, approve=True)
        assert failed["status"] == "failed"
        worker.mended = True
        done = await again(running, failed, "retry")
        assert done["status"] == "completed"
        changed = await again(running, done, "fork", {"from_step": "d", "instruction": "three"})
        assert changed["status"] == "input_required"
        assert outputs(await decide(changed, approve=True))[-1] == "<three>"


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Draw a plan in which steps need some of those before them, listed in any order."""
    count = draw(st.integers(1, 12))
    steps = [
        PlanStep(
            id=f"s{number}",
            skill="echo",
            instruction=" ".join(f"{{{{ steps.s{needed}.output }}}}" for needed in draw(_some_below(number))) or "go",
            depends_on=[f"s{needed}" for needed in draw(_some_below(number))],
        )
        for number in range(count)
    ]
    return Plan(steps=draw(st.permutations(steps)))


def _some_below(number: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, number - 1), unique=True, max_size=3) if number else st.just([])


@given(plans(), st.data())
def test_what_is_done_again_is_the_step_and_exactly_what_needs_it(plan: Plan, data: st.DataObject) -> None:
    begin = data.draw(st.sampled_from([step.id for step in plan.steps]))
    redone = dependents(plan, begin)
    assert begin in redone
    for planned in plan.steps:
        is_reached = planned.id == begin or bool(needs(planned) & redone)
        assert (planned.id in redone) == is_reached


@pytest.mark.parametrize("how", ["retry", "fork"])
async def test_openapi_describes_how_a_task_is_done_again(tmp_path: Path, how: str) -> None:
    async with federation(tmp_path) as running:
        document = await running.get("/openapi.json")
        assert isinstance(paths := document["paths"], dict)
        assert isinstance(path := paths[f"/api/tasks/{{task_id}}/{how}"], dict)
        assert "idempotency-key" in str(path["post"])
