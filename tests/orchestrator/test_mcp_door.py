"""The door for clients of MCP, used by the protocol's own client."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from mcp import Client
from mcp.types import CallToolResult, ResourceLink, TextContent

from shared.agent import AgentRequest, Answer, File, Produced, Update
from shared.remote_parts import objects
from tests.orchestrator.fleet import Holding
from tests.orchestrator.killable import killable
from tests.orchestrator.test_people import FORM, Asking
from tests.support.echo import ECHO
from tests.support.federation import Federation, TestAgent, federation, names, serve_agent, until


@asynccontextmanager
async def client_of(running: Federation) -> AsyncGenerator[Client]:
    """Yield the protocol's client of the federation."""
    async with Client(f"{running.url}/mcp") as client:
        yield client


def text_of(result: CallToolResult) -> str:
    """Return what a tool answered in words."""
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def task_of(result: CallToolResult) -> str:
    """Return the id of the task behind an answer."""
    return str(cast("dict[str, object]", result.structured_content)["task_id"])


async def test_each_skill_is_a_tool_that_any_agent_with_it_may_do(tmp_path: Path) -> None:
    twin = TestAgent("Twin", ECHO.answer, ("echo", "say it / twice"))
    async with federation(tmp_path, ECHO, twin) as running, client_of(running) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        said = await client.call_tool("echo", {"instruction": "Hello {{ inputs.x }}"})
        [odd] = [name for name in tools if name.startswith("say_it")]
        again = await client.call_tool(odd, {"instruction": "Hello"})
        task = await running.get(f"/api/tasks/{task_of(said)}")
    assert {"run_task", "answer_question", "echo"} < tools.keys()
    assert str(tools["echo"].description).endswith("By: Echo, Twin.")
    assert text_of(said).startswith("<Hello {{ inputs.x }}>")
    assert text_of(again).startswith("<Hello>")
    assert (task["status"], said.is_error) == ("completed", False)


async def test_a_task_is_planned_and_its_progress_is_told(tmp_path: Path) -> None:
    told: list[str | None] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append(message)

    async with federation(tmp_path, ECHO) as running, client_of(running) as client:
        said = await client.call_tool("run_task", {"task": "Use the echo"}, progress_callback=hear)
        task = await running.get(f"/api/tasks/{task_of(said)}")
    assert task["description"] == "Use the echo"
    assert "step-1: Echo works on it" in told
    assert "step-1: reading" in told


async def test_files_are_links_and_a_failure_is_one(tmp_path: Path) -> None:
    async def draw(request: AgentRequest) -> AsyncGenerator[Update]:
        yield Produced(File("plot.png", "image/png", b"\x89PNG"))
        yield Answer("plot", "Here it is.")

    async with (
        federation(tmp_path, ECHO, TestAgent("Draws", draw, ("draw",))) as running,
        client_of(running) as client,
    ):
        drawn = await client.call_tool("draw", {"instruction": "Draw"})
        [link] = [block for block in drawn.content if isinstance(block, ResourceLink)]
        image = await running.client.get(str(link.uri))
        failed = await client.call_tool("echo", {"instruction": "fail"})
    assert (link.name, link.mime_type, image.content) == ("plot.png", "image/png", b"\x89PNG")
    assert failed.is_error
    assert "This cannot be done." in text_of(failed)


async def test_a_question_is_answered_by_a_tool(tmp_path: Path) -> None:
    asking = Asking(FORM)
    async with federation(tmp_path, asking.served()) as running, client_of(running) as client:
        waits = await client.call_tool("ask", {"instruction": "Book a room"})
        told: dict[str, object] = {"task_id": task_of(waits)}
        unfit = await client.call_tool("answer_question", {**told, "answer": '{"city": 3}'})
        said = await client.call_tool("answer_question", {**told, "answer": '{"city": "Oslo"}'})
        late = await client.call_tool("answer_question", {**told, "answer": '{"city": "Oslo"}'})
    assert "waits for an answer: Which city?" in text_of(waits)
    assert (unfit.is_error, said.is_error, late.is_error) == (True, False, True)
    assert "#/data/city" in text_of(unfit)
    assert [request.data for request in asking.told] == [({"city": "Oslo"},)]
    assert "asks nothing now; it is completed" in text_of(late)


@pytest.mark.parametrize(
    ("tool", "given", "wrong"),
    [
        ("nothing", {"instruction": "Hello"}, "There is no tool 'nothing'"),
        ("echo", {}, "The tool takes `instruction`, as texts."),
        ("echo", {"instruction": " "}, "The tool takes `instruction`"),
        ("echo", {"instruction": "Hello", "more": "x"}, "The tool takes `instruction`"),
        ("run_task", {"task": 3}, "The tool takes `task`"),
        ("answer_question", {"task_id": "x", "answer": "y"}, "There is no task 'x'"),
    ],
)
async def test_what_cannot_be_done_is_said(tmp_path: Path, tool: str, given: dict[str, object], wrong: str) -> None:
    async with federation(tmp_path, ECHO) as running, client_of(running) as client:
        refused = await client.call_tool(tool, given)
        listed = await running.get("/api/tasks")
    assert refused.is_error
    assert wrong in text_of(refused)
    assert listed["items"] == []


async def test_who_cancels_a_call_cancels_the_task(tmp_path: Path) -> None:
    holding = Holding()
    async with federation(tmp_path, holding.served()) as running, client_of(running) as client:
        calling = asyncio.create_task(client.call_tool("work", {"instruction": "held"}))
        await holding.has("held")
        calling.cancel()
        [task] = objects((await running.get("/api/tasks"))["items"])
        ended = await running.task_when(task, lambda found: found["completed_at"] is not None)
    assert ended["status"] == "canceled"


async def test_a_stop_of_the_service_cancels_no_call(tmp_path: Path) -> None:
    holding = Holding()
    async with (
        serve_agent(tmp_path, holding.served()) as endpoint,
        killable(tmp_path, DRAIN_TIMEOUT_S="0.1") as running,
    ):
        await running.start()
        await running.register(endpoint)

        async def call() -> None:
            async with Client(f"http://127.0.0.1:{running.port}/mcp") as client:
                await client.call_tool("work", {"instruction": "held"})

        calling = asyncio.create_task(call())
        await holding.has("held")
        await running.terminate()
        await asyncio.gather(calling, return_exceptions=True)
        await running.start()
        holding.let_go("held")
        await until(running.tasks, lambda found: names(found["items"], "status") == ["completed"])
