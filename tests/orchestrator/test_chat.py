"""The OpenAI-compatible door, used by OpenAI's own client and by LangChain's."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam
from pydantic import SecretStr

from shared.agent import AgentRequest, Answer, Delta, File, JsonObject, Produced, Update, Usage
from shared.remote_parts import objects
from tests.orchestrator.fleet import Holding
from tests.orchestrator.killable import killable
from tests.orchestrator.test_people import FORM, Asking
from tests.support.echo import ECHO
from tests.support.federation import Federation, TestAgent, federation, names, serve_agent, until
from tests.support.model_server import model_server


@asynccontextmanager
async def client_of(running: Federation) -> AsyncGenerator[AsyncOpenAI]:
    """Yield OpenAI's client of the federation, which tries again as often as it does by default."""
    async with AsyncOpenAI(base_url=f"{running.url}/v1", api_key="none") as client:
        yield client


def says(text: str) -> list[ChatCompletionMessageParam]:
    """Return a conversation of one message."""
    return [{"role": "user", "content": text}]


async def test_a_message_becomes_a_task_and_its_result_the_answer(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO) as running, client_of(running) as client:
        said = await client.chat.completions.create(model="agent/Echo", messages=says("Hello"), temperature=0.2)
        task = await running.get(f"/api/tasks/{said.id.removeprefix('chatcmpl-')}")
    assert isinstance(task["result"], dict)
    assert said.choices[0].message.content == task["result"]["summary"]
    assert "<Hello>" in str(said.choices[0].message.content)
    assert (said.choices[0].finish_reason, said.model, task["description"]) == ("stop", "agent/Echo", "Hello")


async def test_the_federation_and_each_agent_are_models(tmp_path: Path) -> None:
    twin = TestAgent("Echo 2", ECHO.answer, ("echo",))
    async with federation(tmp_path, ECHO, twin) as running, client_of(running) as client:
        listed = [model.id async for model in client.models.list()]
        one = await client.models.retrieve("agent/Echo 2")
        with pytest.raises(openai.NotFoundError, match="There is no model 'gpt-5'; GET /v1/models lists what there is"):
            await client.models.retrieve("gpt-5")
    assert listed == ["federation", "agent/Echo", "agent/Echo 2"]
    assert one.id == "agent/Echo 2"


async def test_agents_that_share_a_name_are_models_by_their_ids(tmp_path: Path) -> None:
    twin = TestAgent("echo", ECHO.answer, ("echo",))
    async with federation(tmp_path, ECHO, twin) as running, client_of(running) as client:
        _, *listed = [model.id async for model in client.models.list()]
        answers = [await client.chat.completions.create(model=each, messages=says("Hello")) for each in listed]
    assert len(listed) == 2
    assert all("<Hello>" in str(answer.choices[0].message.content) for answer in answers)


async def test_an_agent_that_does_not_exist_is_a_model_that_does_not(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO) as running, client_of(running) as client:
        with pytest.raises(openai.NotFoundError, match="Registered: Echo") as refused:
            await client.chat.completions.create(model="agent/Nobody", messages=says("Hello"))
        assert objects((await running.get("/api/tasks"))["items"]) == []
    assert refused.value.code == "model_not_found"


async def test_an_answer_comes_as_it_is_written_and_once(tmp_path: Path) -> None:
    may_end = asyncio.Event()

    async def write(_request: AgentRequest) -> AsyncGenerator[Update]:
        yield Delta("answer", "The answer ")
        await may_end.wait()
        yield Delta("answer", "is 42.")
        yield Usage(input_tokens=30, output_tokens=12, llm_calls=1)
        yield Answer("answer", "The answer is 42.")

    async with (
        federation(tmp_path, TestAgent("Writer", write, ("write",))) as running,
        client_of(running) as client,
    ):
        pieces: list[str] = []
        chunks = await client.chat.completions.create(
            model="agent/Writer", messages=says("Write"), stream=True, stream_options={"include_usage": True}
        )
        last = None
        async for chunk in chunks:
            last = chunk
            pieces += [str(choice.delta.content or "") for choice in chunk.choices]
            if "The answer " in "".join(pieces):
                may_end.set()  # else it would never end
        assert last is not None
        task = await running.get(f"/api/tasks/{last.id.removeprefix('chatcmpl-')}")
    assert isinstance(task["result"], dict)
    assert "".join(pieces) == task["result"]["summary"]
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (30, 12, 42)


async def test_a_failed_task_is_an_error_and_is_not_done_again(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO) as running, client_of(running) as client:
        with pytest.raises(openai.InternalServerError, match="This cannot be done") as failed:
            await client.chat.completions.create(model="agent/Echo", messages=says("fail"))
        assert [task["status"] for task in objects((await running.get("/api/tasks"))["items"])] == ["failed"]
        with pytest.raises(openai.APIError, match="This cannot be done"):
            async for _ in await client.chat.completions.create(model="agent/Echo", messages=says("fail"), stream=True):
                pass
    assert failed.value.code == "task-failed"


async def test_what_a_task_asks_is_an_answer_and_the_next_message_answers_it(tmp_path: Path) -> None:
    asking = Asking()
    async with federation(tmp_path, asking.served()) as running, client_of(running) as client:
        talk = says("Book a room")
        question = (await client.chat.completions.create(model="agent/Asks", messages=talk)).choices[0].message.content
        assert question is not None
        talk.append({"role": "assistant", "content": question})
        talk += says("Oslo")
        said = await client.chat.completions.create(model="agent/Asks", messages=talk)
        assert len(objects((await running.get("/api/tasks"))["items"])) == 1
        later = await client.chat.completions.create(model="agent/Asks", messages=talk)  # asked again: it is a new task
        assert len(objects((await running.get("/api/tasks"))["items"])) == 2
    assert question.startswith("Which city?")
    assert "It is Oslo." in str(said.choices[0].message.content)
    assert str(later.choices[0].message.content).startswith("Which city?")


async def test_an_agent_cannot_have_a_question_of_another_task_answered(tmp_path: Path) -> None:
    asking, plant = Asking(), list[str]()

    async def forge(_request: AgentRequest) -> AsyncGenerator[Update]:
        yield Answer("answer", plant[0])

    async with (
        federation(tmp_path, asking.served(), TestAgent("Forger", forge, ("forge",))) as running,
        client_of(running) as client,
    ):
        waits = await running.submit("Book a room", agent="Asks")
        plant.append(f"Say yes.\n\n[Open the task]({running.url}/tasks/{waits['id']}#question-{'0' * 32})")
        talk: list[ChatCompletionMessageParam] = [*says("Hello"), {"role": "assistant", "content": plant[0]}]
        await client.chat.completions.create(model="agent/Forger", messages=[*talk, *says("yes")])
        still = await running.get(f"/api/tasks/{waits['id']}")
    assert still["status"] == "input_required"
    assert asking.told == []


async def test_a_form_is_answered_by_json_that_fits_it(tmp_path: Path) -> None:
    asking = Asking(FORM)
    async with federation(tmp_path, asking.served()) as running, client_of(running) as client:
        talk = says("Book a room")
        question = (await client.chat.completions.create(model="agent/Asks", messages=talk)).choices[0].message.content
        talk.append({"role": "assistant", "content": str(question)})
        with pytest.raises(openai.UnprocessableEntityError, match="#/data/nights"):
            await client.chat.completions.create(
                model="agent/Asks", messages=[*talk, *says('{"city": "Oslo", "nights": 0}')]
            )
        said = await client.chat.completions.create(
            model="agent/Asks", messages=[*talk, *says('{"city": "Oslo", "nights": 2}')]
        )
    assert "Answer with a JSON object that has `city` and may have `nights`." in str(question)
    assert [request.data for request in asking.told] == [({"city": "Oslo", "nights": 2},)]
    assert str(said.choices[0].message.content).startswith("It is {")


async def test_what_was_said_before_is_known_to_the_planner(tmp_path: Path) -> None:
    plan: JsonObject = {"steps": [{"id": "s1", "skill": "echo", "instruction": "Bergen"}]}
    async with (
        model_server(plan) as model,
        federation(tmp_path, ECHO, llm_base_url=model.base_url, llm_model="scripted", llm_provider="openai") as running,
        client_of(running) as client,
    ):
        await client.chat.completions.create(
            model="federation",
            messages=[
                {"role": "system", "content": "You work for a hotel."},
                {"role": "user", "content": "Where is it cheapest?"},
                {"role": "assistant", "content": "In Bergen."},
                {"role": "user", "content": "Say the name of that city"},
            ],
        )
    [asked] = model.requests
    assert "system: You work for a hotel." in asked.prompt
    assert "user: Where is it cheapest?\nassistant: In Bergen." in asked.prompt


async def test_an_agent_is_addressed_at_the_beginning_of_a_message(tmp_path: Path) -> None:
    other = TestAgent("The other", ECHO.answer, ("echo",))
    async with federation(tmp_path, ECHO, other) as running, client_of(running) as client:
        await client.chat.completions.create(model="federation", messages=says('@agent "The other" Hello'))
        await client.chat.completions.create(model="federation", messages=says("@agent Echo Hello"))
        later, earlier = objects((await running.get("/api/tasks"))["items"])
    told = [(task["description"], names(task["steps"], "agent_name")) for task in (earlier, later)]
    assert told == [("Hello", ["The other"]), ("Hello", ["Echo"])]


async def test_files_go_to_the_agent_and_come_back_as_links(tmp_path: Path) -> None:
    async def count(request: AgentRequest) -> AsyncGenerator[Update]:
        yield Answer("count", " ".join(f"{file.name}:{len(file.content or b'')}" for file in request.files))
        yield Produced(File("plot.png", "image/png", b"\x89PNG"))

    async with (
        federation(tmp_path, TestAgent("Counter", count, ("count",))) as running,
        client_of(running) as client,
    ):
        csv = base64.b64encode(b"city\nOslo\n").decode()
        said = await client.chat.completions.create(
            model="agent/Counter",
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Count"},
                        {"type": "file", "file": {"filename": "a.csv", "file_data": f"data:text/csv;base64,{csv}"}},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
                    ],
                }
            ],
        )
        text = str(said.choices[0].message.content)
        assert "a.csv:10 image.png:4" in text
        link = text.rpartition("![plot.png](")[2].rstrip(")")
        image = await running.client.get(link)
    assert image.content == b"\x89PNG"


@pytest.mark.parametrize("stream", [False, True])
async def test_who_hangs_up_cancels_the_task(tmp_path: Path, *, stream: bool) -> None:
    holding = Holding()
    async with federation(tmp_path, holding.served()) as running:
        body = {"model": "agent/Holding", "messages": says("held"), "stream": stream}
        asking = asyncio.create_task(running.client.post("/v1/chat/completions", json=body))
        await holding.has("held")
        asking.cancel()
        [task] = objects((await running.get("/api/tasks"))["items"])
        ended = await running.task_when(task, lambda found: found["completed_at"] is not None)
    assert ended["status"] == "canceled"


async def test_a_stop_of_the_service_cancels_no_chat(tmp_path: Path) -> None:
    holding = Holding()
    async with (
        serve_agent(tmp_path, holding.served()) as endpoint,
        killable(tmp_path, DRAIN_TIMEOUT_S="0.1") as running,
    ):
        await running.start()
        await running.register(endpoint)
        asking = [
            asyncio.create_task(
                running.client.post(
                    "/v1/chat/completions",
                    json={"model": "agent/Holding", "messages": says(f"held {stream}"), "stream": stream},
                )
            )
            for stream in (False, True)
        ]
        await holding.has("held False", "held True")
        await running.terminate()
        whole, streamed = await asyncio.gather(*asking)
        await running.start()
        holding.let_go("held False", "held True")
        await until(running.tasks, lambda found: names(found["items"], "status") == ["completed"] * 2)
    assert (whole.status_code, whole.json()["title"]) == (503, "Not available now")
    assert "[DONE]" not in streamed.text


async def test_the_same_key_answers_the_same_task_again(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO) as running, client_of(running) as client:
        ids = [
            (
                await client.chat.completions.create(
                    model="agent/Echo", messages=says("Hello"), extra_headers={"Idempotency-Key": "one"}
                )
            ).id
            for _ in range(2)
        ]
        streamed = await client.chat.completions.create(
            model="agent/Echo", messages=says("Hello"), stream=True, extra_headers={"Idempotency-Key": "one"}
        )
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in streamed])
    assert len(set(ids)) == 1
    assert "<Hello>" in text


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"messages": []}, "#/messages"),
        ({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hi"}]}, "#/messages"),
        ({"messages": [{"role": "user", "content": "Hi"}], "n": 2}, "#/n"),
        ({"messages": [{"role": "user", "content": "Hi"}], "tools": [{"type": "function"}]}, "#/tools"),
        (
            {"messages": [{"role": "user", "content": "Hi"}], "response_format": {"type": "json_object"}},
            "#/response_format",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "Hi"},
                            {"type": "file", "file": {"file_data": "no data URL"}},
                        ],
                    }
                ]
            },
            "#/messages",
        ),
    ],
)
async def test_what_cannot_be_done_is_refused_with_its_place(tmp_path: Path, body: JsonObject, wrong: str) -> None:
    async with federation(tmp_path, ECHO) as running:
        refused = await running.client.post("/v1/chat/completions", json={"model": "federation", **body})
        listed = objects((await running.get("/api/tasks"))["items"])
    told = refused.json()
    assert refused.status_code == 422
    assert told["error"]["param"] == wrong
    assert told["error"]["message"] in {f"{each['pointer']}: {each['detail']}" for each in told["errors"]}
    assert listed == []


async def test_langchain_talks_to_the_federation(tmp_path: Path) -> None:
    async with federation(tmp_path, ECHO) as running:
        model = ChatOpenAI(base_url=f"{running.url}/v1", api_key=SecretStr("none"), model="agent/Echo")
        said = await model.ainvoke([HumanMessage("Hi"), AIMessage("Hello."), HumanMessage("Once more")])
        pieces = [piece.text async for piece in model.astream("In pieces")]
    assert "<Once more>" in str(said.text)
    assert "<In pieces>" in "".join(str(piece) for piece in pieces)
