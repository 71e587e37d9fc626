"""The orchestrator as an A2A agent, called by the official SDK's client."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import httpx
import pytest
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.helpers import get_artifact_text, new_data_part
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    Message,
    Part,
    Role,
    SendMessageRequest,
    StreamResponse,
    Task,
    TaskNotCancelableError,
    TaskState,
)

from shared import agent_upkeep
from shared.agent import AgentRequest, Answer, InputRequired, JsonObject, Progress, Update
from tests.support.echo import ECHO
from tests.support.federation import Federation, TestAgent, federation, names, until


async def test_a_message_becomes_a_task_of_the_same_id(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO) as running, httpx.AsyncClient() as http:
        client = await _client(running, http)
        events = [event async for event in client.send_message(_message("echo hello"))]
        task_id = events[0].task.id
        task = await client.get_task(GetTaskRequest(id=task_id))
        assert task.status.state == TaskState.TASK_STATE_COMPLETED
        assert "<echo hello>" in get_artifact_text(task.artifacts[-1])
        ours = await running.get(f"/api/tasks/{task_id}")
        assert ours["status"] == "completed"
        assert ours["session_id"] == task.context_id
        assert [names((await running.get("/api/tasks"))["items"], "id")] == [[task_id]]


async def test_what_an_agent_asks_reaches_the_client_and_its_answer_the_agent(tmp_path: Path) -> None:
    async def ask(request: AgentRequest) -> AsyncGenerator[Update]:
        if not request.history:
            yield InputRequired("Which city?")
            return
        yield Answer("city", f"It is {request.text}.")

    async with federation(tmp_path, TestAgent("Asks", ask, ("echo",))) as running, httpx.AsyncClient() as http:
        client = await _client(running, http)
        first = await _last_task(client.send_message(_message("echo my city")), client)
        assert first.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
        assert first.status.message.parts[0].text == "Which city?"
        answer = _message("Oslo", task_id=first.id, context_id=first.context_id)
        second = await _last_task(client.send_message(answer), client)
        assert second.id == first.id
        assert second.status.state == TaskState.TASK_STATE_COMPLETED
        assert "It is Oslo." in get_artifact_text(second.artifacts[-1])


async def test_an_answer_that_does_not_fit_is_refused_over_a2a_and_the_task_keeps_waiting(tmp_path: Path) -> None:
    form: JsonObject = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}

    async def ask(request: AgentRequest) -> AsyncGenerator[Update]:
        if not request.history:
            yield InputRequired("Which city?", form)
            return
        yield Answer("city", f"It is {request.data}.")

    async with federation(tmp_path, TestAgent("Asks", ask, ("echo",))) as running, httpx.AsyncClient() as http:
        client = await _client(running, http)
        first = await _last_task(client.send_message(_message("echo my city")), client)
        wrong = _message("Oslo", task_id=first.id, context_id=first.context_id)
        second = await _last_task(client.send_message(wrong), client)
        assert second.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
        assert "Give `data`" in second.status.message.parts[0].text
        ours = await running.get(f"/api/tasks/{first.id}")
        assert ours["status"] == "input_required"
        right = _message("", task_id=first.id, context_id=first.context_id)
        right.message.parts[0].CopyFrom(new_data_part({"city": "Oslo"}))
        third = await _last_task(client.send_message(right), client)
        assert third.status.state == TaskState.TASK_STATE_COMPLETED
        assert "Oslo" in get_artifact_text(third.artifacts[-1])


async def test_a_cancel_over_a2a_reaches_the_agent(tmp_path: Path) -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def endless(_request: AgentRequest) -> AsyncGenerator[Update]:
        yield Progress("begun")
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with federation(tmp_path, TestAgent("Endless", endless, ("echo",))) as running, httpx.AsyncClient() as http:
        client = await _client(running, http)
        stream = client.send_message(_message("echo for ever"))
        task_id = (await anext(stream)).task.id
        async with asyncio.timeout(20):
            await started.wait()
            await running.task_when({"id": task_id}, lambda found: "remote_task_id': '" in str(found["steps"]))
            canceled = await client.cancel_task(CancelTaskRequest(id=task_id))
            assert canceled.status.state == TaskState.TASK_STATE_CANCELED
            await stopped.wait()
            ours = await running.task_when({"id": task_id}, lambda found: found["status"] == "canceled")
            assert names(ours["steps"], "status") == ["canceled"]


async def test_a_goal_that_nobody_can_do_fails_and_says_what_is_there(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO) as running, httpx.AsyncClient() as http:
        client = await _client(running, http)
        task = await _last_task(client.send_message(_message("zyx wvu")), client)
        assert task.status.state == TaskState.TASK_STATE_FAILED
        assert "Echo" in task.status.message.parts[0].text


class _Asks:
    """An agent that asks about its request, and answers what it was told."""

    async def answer(self, request: AgentRequest) -> AsyncGenerator[Update]:
        if request.history:
            yield Answer("answer", f"{request.history[0].text}: {request.text}")
        else:
            yield InputRequired(f"What of {request.text}?")

    def served(self, name: str) -> TestAgent:
        return TestAgent(name, self.answer, (name.lower(),))


async def test_a_second_question_is_told_when_the_first_is_answered(tmp_path: Path) -> None:
    agents = _Asks().served("Asks"), _Asks().served("Other")
    async with federation(tmp_path, *agents) as running, httpx.AsyncClient() as http:
        client = await _client(running, http)
        first = await _last_task(client.send_message(_message("@Asks one and @Other two")), client)
        await running.task_when({"id": first.id}, lambda found: len(names(found["pending_inputs"], "prompt")) == 2)
        shown = {first.status.message.parts[0].text}
        answer = _message("Oslo", task_id=first.id, context_id=first.context_id)
        second = await _last_task(client.send_message(answer), client)
        assert second.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
        shown.add(second.status.message.parts[0].text)
        assert shown == {"What of one?", "What of two?"}
        answer = _message("Rome", task_id=first.id, context_id=first.context_id)
        third = await _last_task(client.send_message(answer), client)
        assert third.status.state == TaskState.TASK_STATE_COMPLETED


async def test_an_answer_given_elsewhere_is_seen_over_a2a(tmp_path: Path, database_url: str | None) -> None:
    async with (
        federation(tmp_path, _Asks().served("Asks"), database_url=database_url) as running,
        httpx.AsyncClient() as http,
    ):
        client = await _client(running, http)
        first = await _last_task(client.send_message(_message("@Asks one")), client)
        ours = await running.get(f"/api/tasks/{first.id}")
        [input_id] = names(ours["pending_inputs"], "input_id")
        await running.post(f"/api/tasks/{first.id}/input", {"input_id": input_id, "text": "Oslo"})
        ended = await _when(client, first.id, TaskState.TASK_STATE_COMPLETED)
        assert "one: Oslo" in get_artifact_text(ended.artifacts[-1])


async def test_a_cancel_of_what_waits_is_seen_over_a2a(tmp_path: Path) -> None:
    async with federation(tmp_path, _Asks().served("Asks")) as running, httpx.AsyncClient() as http:
        client = await _client(running, http)
        first = await _last_task(client.send_message(_message("@Asks one")), client)
        await running.post(f"/api/tasks/{first.id}/cancel")
        await _when(client, first.id, TaskState.TASK_STATE_CANCELED)


async def test_a_cancel_over_a2a_of_what_has_ended_elsewhere_says_how_it_ended(
    tmp_path: Path, database_url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_upkeep, "_ANSWERED_S", 3600.0)  # so that the cancel is the first to see it
    async with (
        federation(tmp_path, _Asks().served("Asks"), database_url=database_url) as running,
        httpx.AsyncClient() as http,
    ):
        client = await _client(running, http)
        answered = await _last_task(client.send_message(_message("@Asks one")), client)
        [input_id] = names((await running.get(f"/api/tasks/{answered.id}"))["pending_inputs"], "input_id")
        await running.post(f"/api/tasks/{answered.id}/input", {"input_id": input_id, "text": "Oslo"})
        await running.task_when({"id": answered.id}, lambda found: found["status"] == "completed")
        with pytest.raises(TaskNotCancelableError):
            await client.cancel_task(CancelTaskRequest(id=answered.id))
        ended = await client.get_task(GetTaskRequest(id=answered.id))
        assert ended.status.state == TaskState.TASK_STATE_COMPLETED
        assert "one: Oslo" in get_artifact_text(ended.artifacts[-1])
        canceled = await _last_task(client.send_message(_message("@Asks two")), client)
        await running.post(f"/api/tasks/{canceled.id}/cancel")
        told = await client.cancel_task(CancelTaskRequest(id=canceled.id))
        assert told.status.state == TaskState.TASK_STATE_CANCELED


async def test_a_reply_to_a_question_that_was_answered_elsewhere_answers_no_other(tmp_path: Path) -> None:
    agents = _Asks().served("Asks"), _Asks().served("Other")
    async with federation(tmp_path, *agents) as running, httpx.AsyncClient() as http:
        client = await _client(running, http)
        first = await _last_task(client.send_message(_message("@Asks one and @Other two")), client)
        shown = first.status.message.parts[0].text
        ours = await running.task_when(
            {"id": first.id}, lambda found: len(names(found["pending_inputs"], "prompt")) == 2
        )
        prompts = names(ours["pending_inputs"], "prompt")
        input_id = names(ours["pending_inputs"], "input_id")[prompts.index(shown)]
        await running.post(f"/api/tasks/{first.id}/input", {"input_id": input_id, "text": "elsewhere"})
        reply = _message("late", task_id=first.id, context_id=first.context_id)
        second = await _last_task(client.send_message(reply), client)
        assert second.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
        assert "answered already" in second.status.message.parts[0].text
        states = ["completed", "input_required"]
        await running.task_when(
            {"id": first.id}, lambda found: sorted(map(str, names(found["steps"], "status"))) == states
        )


async def _when(client: Client, task_id: str, state: TaskState) -> Task:
    async def state_now() -> JsonObject:
        task = await client.get_task(GetTaskRequest(id=task_id))
        return {"state": task.status.state}

    await until(state_now, lambda found: found["state"] == state)
    return await client.get_task(GetTaskRequest(id=task_id))


async def test_a_late_reply_answers_no_other_step_that_asks_the_same(tmp_path: Path) -> None:
    async def ask(request: AgentRequest) -> AsyncGenerator[Update]:
        yield Answer("city", request.text) if request.history else InputRequired("Which city?")

    agents = TestAgent("Asks", ask, ("asks",)), TestAgent("Other", ask, ("other",))
    async with federation(tmp_path, *agents) as running, httpx.AsyncClient() as http:
        client = await _client(running, http)
        first = await _last_task(client.send_message(_message("@Asks one and @Other two")), client)
        ours = await running.task_when(
            {"id": first.id}, lambda found: len(names(found["pending_inputs"], "input_id")) == 2
        )
        told = names(ours["pending_inputs"], "input_id")[0]
        await running.post(f"/api/tasks/{first.id}/input", {"input_id": told, "text": "elsewhere"})
        reply = _message("late", task_id=first.id, context_id=first.context_id)
        second = await _last_task(client.send_message(reply), client)
        assert second.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
        assert "'late'" not in str((await running.get(f"/api/tasks/{first.id}"))["steps"])


async def test_a_question_that_follows_at_once_on_one_answered_elsewhere_is_told(tmp_path: Path) -> None:
    async def ask(request: AgentRequest) -> AsyncGenerator[Update]:
        told = [turn for turn in request.history if turn.role == "user"]
        yield InputRequired(("First?", "Second?")[len(told)])

    async with federation(tmp_path, TestAgent("Asks", ask, ("asks",))) as running, httpx.AsyncClient() as http:
        client = await _client(running, http)
        first = await _last_task(client.send_message(_message("@Asks one")), client)
        [told] = names((await running.get(f"/api/tasks/{first.id}"))["pending_inputs"], "input_id")
        await running.post(f"/api/tasks/{first.id}/input", {"input_id": told, "text": "Oslo"})

        async def shown() -> JsonObject:
            task = await client.get_task(GetTaskRequest(id=first.id))
            return {"says": task.status.message.parts[0].text if task.status.message.parts else ""}

        await until(shown, lambda found: found["says"] == "Second?")


async def _client(running: Federation, http: httpx.AsyncClient) -> Client:
    http.timeout = httpx.Timeout(30)
    card = await A2ACardResolver(http, running.url).get_agent_card()
    return ClientFactory(ClientConfig(httpx_client=http)).create(card)


def _message(text: str, *, task_id: str = "", context_id: str = "") -> SendMessageRequest:
    message = Message(
        message_id=f"m-{text}", role=Role.ROLE_USER, parts=[Part(text=text)], task_id=task_id, context_id=context_id
    )
    return SendMessageRequest(message=message)


async def _last_task(stream: AsyncIterator[StreamResponse], client: Client) -> Task:
    task_id = ""
    async for event in stream:
        task_id = task_id or event.task.id or event.status_update.task_id
    return await client.get_task(GetTaskRequest(id=task_id))
