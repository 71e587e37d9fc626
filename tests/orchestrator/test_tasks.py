"""Tasks through the HTTP API: they run their plans, tell what happens, and end."""

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator
from itertools import count
from pathlib import Path

import pytest
from pydantic import JsonValue
from sqlalchemy import Connection

from orchestrator_service import task_views
from shared.agent import AgentRequest, Answer, File, InputRequired, JsonObject, Produced, Progress, Update, Usage
from shared.auth import Caller
from shared.errors import InvalidRequestError, UnavailableError
from tests.support.echo import ECHO
from tests.support.federation import TestAgent, federation, names, step


async def test_a_plan_runs_to_its_end_and_results_flow_along_references(
    tmp_path: Path, database_url: str | None
) -> None:
    async with federation(tmp_path, ECHO, database_url=database_url) as running:
        task = await running.run(
            step("a", "one"),
            step("b", "{{ inputs.word }} after {{ steps.a.output }}"),
            step("c", "{{steps.b.output}}", depends_on=["a"]),
            inputs={"word": "two"},
        )
        assert task["status"] == "completed"
        assert names(task["steps"], "status") == ["completed"] * 3
        assert isinstance(result := task["result"], dict)
        assert names(result["outputs"], "output") == ["<one>", "<two after <one>>", "<<two after <one>>>"]
        assert "<<two after <one>>>" in str(result["summary"])
        assert names(task["steps"], "agent_name") == ["Echo"] * 3
        assert task["completed_at"] is not None


async def test_the_log_is_gap_free_and_ends_with_the_terminal_status(tmp_path: Path, database_url: str | None) -> None:
    async with federation(tmp_path, ECHO, database_url=database_url) as running:
        task = await running.run(*(step(f"s{number}", str(number)) for number in range(5)))
        log = await running.events(task)
        assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
        assert log[-1]["type"] == "task.status"
        assert log[-1]["status"] == "completed"
        assert [event["status"] for event in log if event["type"] == "task.status"] == [
            "pending",
            "planning",
            "executing",
            "completed",
        ]
        told = "".join(
            str(event["text"]) for event in log if event["type"] == "step.output" and event["step_id"] == "s3"
        )
        assert told == "<3>"


async def test_a_follower_that_comes_back_misses_nothing_and_sees_nothing_twice(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def slow(request: AgentRequest) -> AsyncGenerator[Update]:
        yield Progress("first")
        await go_on.wait()
        yield Answer("done", request.text)

    async with federation(tmp_path, TestAgent("Slow", slow, ("wait",))) as running:
        task = await running.run(step("a", skill="wait"), wait_s=None)
        first: list[tuple[int, str]] = []
        async with running.client.stream("GET", f"/api/tasks/{task['id']}/events") as stream:
            async for seq, kind in _sse(stream.aiter_lines()):
                first.append((seq, kind))
                if kind == "step.progress":
                    break
        go_on.set()
        rest: list[tuple[int, str]] = []
        headers = {"Last-Event-ID": str(first[-1][0])}
        async with running.client.stream("GET", f"/api/tasks/{task['id']}/events", headers=headers) as stream:
            rest = [event async for event in _sse(stream.aiter_lines())]
        assert [seq for seq, _ in first + rest] == list(range(1, len(first) + len(rest) + 1))
        assert rest[-1][1] == "task.status"


async def _sse(lines: AsyncIterator[str]) -> AsyncGenerator[tuple[int, str]]:
    seq = 0
    async for line in lines:
        if line.startswith("id:"):
            seq = int(line[3:])
        if line.startswith("event:"):
            yield seq, line[6:].strip()


async def test_steps_that_do_not_need_each_other_run_at_once(tmp_path: Path) -> None:
    here: set[str] = set()
    all_here = asyncio.Event()

    async def meet(request: AgentRequest) -> AsyncGenerator[Update]:
        here.add(request.text)
        if len(here) == 3:
            all_here.set()
        async with asyncio.timeout(10):
            await all_here.wait()  # one after the other, none would ever get past here
        yield Answer("met", request.text)

    async with federation(tmp_path, TestAgent("Meet", meet, ("meet",))) as running:
        task = await running.run(*(step(name, name, skill="meet") for name in "abc"))
        assert task["status"] == "completed"


async def test_a_failed_step_fails_the_task_which_keeps_what_went_well(
    tmp_path: Path, database_url: str | None
) -> None:
    async with federation(tmp_path, ECHO, database_url=database_url) as running:
        task = await running.run(
            step("good", "one"), step("bad", "fail"), step("never", "{{ steps.bad.output }}"), step("also", "two")
        )
        assert task["status"] == "failed"
        statuses = dict(zip(names(task["steps"], "id"), names(task["steps"], "status"), strict=True))
        assert statuses == {"good": "completed", "bad": "failed", "never": "skipped", "also": "completed"}
        assert isinstance(error := task["error"], dict)
        assert "This cannot be done." in str(error["detail"])
        assert isinstance(result := task["result"], dict)
        assert names(result["outputs"], "output") == ["<one>", "<two>"]


async def test_a_failure_that_may_pass_is_tried_again_and_every_try_is_kept(tmp_path: Path) -> None:
    calls: list[str] = []

    async def flaky(request: AgentRequest) -> AsyncGenerator[Update]:
        calls.append(request.message_id)
        if len(calls) < 3:
            raise UnavailableError("Busy now.")
        yield Answer("done", "at last")

    async with federation(tmp_path, TestAgent("Flaky", flaky, ("try",))) as running:
        task = await running.run(step("a", skill="try"))
        assert task["status"] == "completed"
        assert len(set(calls)) == 3
        assert isinstance(steps := task["steps"], list)
        assert isinstance(first := steps[0], dict)
        attempts = first["attempts"]
        assert isinstance(attempts, list)
        assert [bool(error) for error in names(attempts, "error")] == [True, True, False]


async def test_a_failure_that_cannot_pass_is_not_tried_again(tmp_path: Path) -> None:
    calls: list[str] = []

    async def broken(request: AgentRequest) -> AsyncGenerator[Update]:
        calls.append(request.message_id)
        raise InvalidRequestError("Never.")
        yield Answer("", "")

    async with federation(tmp_path, TestAgent("Broken", broken, ("try",))) as running:
        task = await running.run(step("a", skill="try"))
        assert task["status"] == "failed"
        assert len(calls) == 1


async def test_cancel_stops_the_remote_task_and_what_has_not_begun(tmp_path: Path, database_url: str | None) -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def endless(_request: AgentRequest) -> AsyncGenerator[Update]:
        yield Progress("begun")
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    agent = TestAgent("Endless", endless, ("wait",))
    async with federation(tmp_path, agent, database_url=database_url) as running:
        task = await running.run(step("a", skill="wait"), step("b", "{{ steps.a.output }}", skill="wait"), wait_s=None)
        async with asyncio.timeout(10):
            await started.wait()
        await running.task_when(task, lambda found: _attempt(found).get("remote_task_id") is not None)
        canceled = await running.post(f"/api/tasks/{task['id']}/cancel")
        assert canceled["status"] == "canceled"
        assert names(canceled["steps"], "status") == ["canceled", "canceled"]
        async with asyncio.timeout(10):
            await stopped.wait()
        refused = await running.post(f"/api/tasks/{task['id']}/cancel", status=409)
        assert "canceled already" in str(refused["detail"])


def _attempt(task: JsonObject) -> JsonObject:
    steps = task["steps"]
    if not isinstance(steps, list) or not steps or not isinstance(steps[0], dict):
        return {}
    attempts = steps[0]["attempts"]
    return attempts[-1] if isinstance(attempts, list) and attempts and isinstance(attempts[-1], dict) else {}


async def test_the_same_idempotency_key_answers_the_same_task(tmp_path: Path, database_url: str | None) -> None:
    async with federation(tmp_path, ECHO, database_url=database_url) as running:
        body = {"description": "once", "plan": {"steps": [step("a", "one")]}}
        headers = {"Idempotency-Key": "key-1"}
        answers = await asyncio.gather(
            *(running.client.post("/api/tasks", json=body, headers=headers) for _ in range(5))
        )
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 202]
        assert len({answer.json()["id"] for answer in answers}) == 1
        other = await running.client.post("/api/tasks", json={**body, "description": "other"}, headers=headers)
        assert other.status_code == 409
        assert other.json()["type"].endswith("idempotency-key-reused")
        assert len(names((await running.get("/api/tasks"))["items"], "id")) == 1


async def test_an_agent_that_asks_is_answered_and_goes_on(tmp_path: Path, database_url: str | None) -> None:
    async def ask(request: AgentRequest) -> AsyncGenerator[Update]:
        if not request.history:
            schema: JsonObject = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}
            yield InputRequired("Which city?", schema)
            return
        yield Answer("city", f"It is {request.data[0]}")

    async with federation(tmp_path, TestAgent("Asks", ask, ("ask",)), database_url=database_url) as running:
        task = await running.run(step("a", skill="ask"), step("b", "{{ steps.a.output }}", skill="ask"))
        assert task["status"] == "input_required"
        assert isinstance(waiting := task["pending_inputs"], list)
        assert isinstance(question := waiting[0], dict)
        assert question["prompt"] == "Which city?"
        path = f"/api/tasks/{task['id']}/input"
        refused = await running.post(path, {"input_id": question["input_id"], "data": {"city": 5}}, 422)
        assert "city" in str(refused["errors"])
        await running.post(path, {"input_id": question["input_id"], "data": {"city": "Oslo"}})
        again = await running.post(path, {"input_id": question["input_id"], "data": {"city": "Rome"}}, 409)
        assert "answered already" in str(again["detail"])
        found = await running.task_when(task, lambda found: names(found["steps"], "status")[0] == "completed")
        assert "Oslo" in str(found["steps"])
        second = await running.task_when(task, lambda found: bool(found["pending_inputs"]))
        assert isinstance(waiting := second["pending_inputs"], list)
        assert isinstance(question := waiting[0], dict)
        await running.post(path, {"input_id": question["input_id"], "data": {"city": "Bergen"}})
        done = await running.task_when(task, lambda found: found["status"] == "completed")
        assert "Bergen" in str(done["result"])


async def test_a_plan_that_needs_approval_waits_for_it(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO) as running:
        for approve, status in ((True, "completed"), (False, "canceled")):
            task = await running.run(step("a", "one"), approve_plan=True)
            assert task["status"] == "input_required"
            assert names(task["steps"], "status") == ["pending"]
            assert isinstance(waiting := task["pending_inputs"], list)
            assert isinstance(question := waiting[0], dict)
            body: JsonObject = {"input_id": question["input_id"], "approve": approve}
            await running.post(f"/api/tasks/{task['id']}/input", body)
            assert (await running.task_when(task, lambda found: found["completed_at"] is not None))["status"] == status


async def test_files_go_in_and_out_byte_for_byte(tmp_path: Path, database_url: str | None) -> None:
    async def copy(request: AgentRequest) -> AsyncGenerator[Update]:
        [file] = request.files
        yield Produced(File(f"copy-of-{file.name}", file.media_type, (file.content or b"")[::-1]))
        yield Answer("copied", file.name)

    content = bytes(range(256))
    async with federation(tmp_path, TestAgent("Copy", copy, ("copy",)), database_url=database_url) as running:
        file: JsonObject = {"name": "a.bin", "media_type": "image/png", "content": base64.b64encode(content).decode()}
        task = await running.run(step("a", skill="copy", inputs={"files": ["a.bin"]}), files=[file])
        assert names(task["files"], "name") == ["a.bin"]
        assert isinstance(result := task["result"], dict)
        assert isinstance(artifacts := result["artifacts"], list)
        assert isinstance(artifact := artifacts[0], dict)
        assert artifact["name"] == "copy-of-a.bin"
        answer = await running.client.get(str(artifact["url"]))
        assert answer.content == content[::-1]
        assert answer.headers["content-type"] == "image/png"
        await running.get(f"/api/tasks/{task['id']}/artifacts/nothing", 404)


async def test_a_step_that_refers_to_a_spreadsheet_is_told_of_it_and_not_its_bytes(tmp_path: Path) -> None:
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    async def make(_request: AgentRequest) -> AsyncGenerator[Update]:
        yield Produced(File("a.xlsx", kind, b"PK\x03\x04"))
        yield Produced(File("a.xml", "application/xml; charset=utf-8", b"<a/>"))

    maker = TestAgent("Maker", make, ("make",))
    async with federation(tmp_path, ECHO, maker) as running:
        refers = "{{ steps.a.artifacts.a.xlsx }} {{ steps.a.artifacts.a.xml }}"
        task = await running.run(step("a", skill="make"), step("b", refers))

    told = names(task["steps"], "output_data")[1]
    assert "(the file a.xlsx is attached) <a/>" in str(told)


async def test_a_file_is_given_out_whatever_its_agent_says_that_it_is(tmp_path: Path) -> None:
    kinds = ("text/html\r\nSet-Cookie: a=b", "\U0001f99c", "", "x", "text/html", "text/csv; header=present")

    async def produce(_request: AgentRequest) -> AsyncGenerator[Update]:
        for kind in kinds:
            yield Produced(File('a\r\n"/../\u00fc', kind, b"<b>"))

    async with federation(tmp_path, TestAgent("Maker", produce, ("make",))) as running:
        task = await running.run(step("a", skill="make"))
        assert isinstance(result := task["result"], dict)
        told = list[str]()
        for url in names(result["artifacts"], "url"):
            answer = await running.client.get(str(url))
            assert (answer.status_code, answer.content) == (200, b"<b>")
            assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''a%0D%0A%22%2F..%2F%C3%BC"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "set-cookie" not in answer.headers
            told.append(answer.headers["content-type"])
        unknown = "application/octet-stream"
        assert told == [*[unknown] * 4, "text/html; charset=utf-8", "text/csv; header=present; charset=utf-8"]


async def test_a_large_file_reaches_its_agent_and_the_answer_after_it_and_a_question(tmp_path: Path) -> None:
    """Larger than an event or an answer of an agent may be: its task's history has the file."""

    async def weigh(request: AgentRequest) -> AsyncGenerator[Update]:
        weights.extend(len(file.content or b"") for file in request.files)
        yield Answer("weight", "done") if request.history else InputRequired("Shall it be weighed?", None)

    weights: list[int] = []
    content = bytes(6_000_000)
    async with federation(tmp_path, TestAgent("Scales", weigh, ("weigh",))) as running:
        file: JsonObject = {"name": "a.bin", "content": base64.b64encode(content).decode()}
        task = await running.run(step("a", skill="weigh", inputs={"files": ["a.bin"]}), files=[file])
        assert isinstance(waiting := task["pending_inputs"], list)
        assert isinstance(question := waiting[0], dict)
        await running.post(f"/api/tasks/{task['id']}/input", {"input_id": question["input_id"], "text": "yes"})
        done = await running.task_when(task, lambda found: found["completed_at"] is not None)
        assert done["status"] == "completed"
        assert weights == [len(content)]


async def test_a_step_that_takes_too_long_fails_and_its_remote_task_is_canceled(tmp_path: Path) -> None:
    stopped = asyncio.Event()

    async def endless(_request: AgentRequest) -> AsyncGenerator[Update]:
        yield Progress("begun")
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with federation(tmp_path, TestAgent("Endless", endless, ("wait",))) as running:
        task = await running.run(step("a", skill="wait", timeout_s=0.5))
        assert task["status"] == "failed"
        assert "timeout_s" in str(task["error"])
        async with asyncio.timeout(10):
            await stopped.wait()


async def test_a_task_of_a_megabyte_is_done(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO) as running:
        task = await running.submit("x" * 1_000_000, agent="Echo")
        assert task["status"] == "completed"
        assert len(str(task["result"])) > 1_000_000


async def test_tasks_are_searched_by_status_session_agent_and_words(tmp_path: Path, database_url: str | None) -> None:
    async with federation(tmp_path, ECHO, database_url=database_url) as running:
        session = await running.post("/api/sessions", {"user_id": "ada@example.org"}, 201)
        assert "ada@" not in str(session)
        good = await running.run(step("a", "one"), session_id=session["id"], user_id="ada@example.org")
        bad = await running.submit("the bad one", plan={"steps": [step("a", "fail")]})
        searches: tuple[tuple[dict[str, str], list[JsonValue]], ...] = (
            ({"status": "failed"}, [bad["id"]]),
            ({"session_id": str(session["id"])}, [good["id"]]),
            ({"user_id": "ada@example.org"}, [good["id"]]),
            ({"q": "BAD"}, [bad["id"]]),
            ({"agent": "Echo"}, [bad["id"], good["id"]]),
            ({"since": str(bad["created_at"])}, [bad["id"]]),
        )
        for params, expected in searches:
            assert names((await running.get("/api/tasks", params=params))["items"], "id") == expected, params
        either = await running.get("/api/tasks?status=completed&status=failed")
        assert names(either["items"], "id") == [bad["id"], good["id"]]
        first = await running.get("/api/tasks", params={"limit": "1"})
        second = await running.get("/api/tasks", params={"limit": "1", "cursor": str(first["next_cursor"])})
        assert names(first["items"], "id") + names(second["items"], "id") == [bad["id"], good["id"]]


async def test_a_task_ends_well_though_its_session_is_deleted_meanwhile(
    tmp_path: Path, database_url: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    begun, deleted = asyncio.Event(), asyncio.Event()

    async def wait(_request: AgentRequest) -> AsyncGenerator[Update]:
        begun.set()
        await deleted.wait()
        yield Answer("answer", "done")

    async with federation(tmp_path, TestAgent("Waits", wait, ("wait",)), database_url=database_url) as running:
        session = await running.post("/api/sessions", {}, 201)
        task = await running.run(step("a", skill="wait"), wait_s=None, session_id=session["id"])
        async with asyncio.timeout(20):
            await begun.wait()
        assert (await running.client.delete(f"/api/sessions/{session['id']}")).status_code == 204
        deleted.set()
        done = await running.task_when(task, lambda found: found["completed_at"] is not None)
        assert (done["status"], done["session_id"]) == ("completed", None)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []  # its run did not break


async def test_a_message_for_a_session_that_is_just_deleted_is_stored_or_refused(
    tmp_path: Path, database_url: str | None
) -> None:
    async with federation(tmp_path, database_url=database_url) as running:
        for _ in range(20):
            path = f"/api/sessions/{(await running.post('/api/sessions', {}, 201))['id']}"
            said: JsonObject = {"role": "user", "content": "Hello"}
            posts = [running.client.post(f"{path}/messages", json=said) for _ in range(6)]
            answers = await asyncio.gather(*posts[:3], running.client.delete(path), *posts[3:])
            assert {answer.status_code for answer in answers} <= {201, 204, 404}


async def test_a_session_remembers_what_was_asked_and_answered(tmp_path: Path, database_url: str | None) -> None:
    async with federation(tmp_path, ECHO, database_url=database_url) as running:
        session = await running.post("/api/sessions", {}, 201)
        path = f"/api/sessions/{session['id']}"
        await running.submit('echo "apples"', session_id=session["id"])
        follow_up = await running.submit('do the same for "pears"', session_id=session["id"])
        assert '<echo "pears">' in str(follow_up["result"])
        messages = (await running.get(f"{path}/messages"))["items"]
        assert names(messages, "role") == ["user", "assistant", "user", "assistant"]
        assert (await running.get(path))["title"] == 'echo "apples"'
        await running.post(f"{path}/messages", {"role": "user", "content": "a note"}, 201)
        assert (await running.client.delete(path)).status_code == 204
        await running.get(f"{path}/messages", 404)


async def test_a_budget_that_is_used_up_ends_the_task_and_keeps_its_outputs(tmp_path: Path) -> None:
    async def dear(request: AgentRequest) -> AsyncGenerator[Update]:
        yield Usage(input_tokens=80, output_tokens=40, llm_calls=1, cost_usd=0.5)
        yield Answer("done", request.text)

    async with federation(tmp_path, TestAgent("Dear", dear, ("spend",))) as running:
        chain = [step("a", "one", skill="spend"), step("b", "{{ steps.a.output }}", skill="spend")]
        rich = await running.run(*chain, budget={"tokens": 1000})
        assert rich["status"] == "completed"
        assert isinstance(usage := rich["usage"], dict)
        assert (usage["input_tokens"], usage["output_tokens"], usage["agent_calls"]) == (160, 80, 2)
        budgets: tuple[JsonObject, ...] = ({"tokens": 100}, {"cost_usd": 0.5})
        for budget in budgets:
            poor = await running.run(*chain, budget=budget)
            assert poor["status"] == "failed"
            assert isinstance(error := poor["error"], dict)
            assert str(error["type"]).endswith("budget-exhausted")
            assert "one" in str(poor["result"])
        small = await running.run(*chain, budget={"steps": 1})
        assert "budget" in str(small["error"])


async def test_a_task_that_cannot_be_shown_where_it_ends_ends_all_the_same(
    tmp_path: Path, database_url: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    find, calls = task_views.find, count()

    def stumble_once(connection: Connection, caller: Caller, task_id: str) -> JsonObject:
        if next(calls) == 0:
            raise KeyError("a bug")
        return find(connection, caller, task_id)

    async with federation(tmp_path, ECHO, database_url=database_url) as running:
        monkeypatch.setattr(task_views, "find", stumble_once)
        assert (await running.run(step("a", "one")))["status"] == "completed"
        assert "could not be looked at" in caplog.text
