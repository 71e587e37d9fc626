"""What the README shows works: the whole federation, without a model or internet, on the files of examples/."""

import asyncio
import re
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

import httpx
import pytest
import pytest_asyncio
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.helpers import get_artifact_text
from a2a.types import GetTaskRequest, Message, Part, Role, SendMessageRequest, TaskState
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from examples import hello_agent
from federation.client import Client
from federation.models import Task
from federation.services import MODULES, SETTINGS
from shared.agent import JsonObject
from shared.settings import ServiceName
from tests.support.federation import free_port, until
from tests.support.serving import serve

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

_ROOT = Path(__file__).resolve().parents[1]
_SALES = _ROOT / "examples" / "sales.csv"
_NONE = dict.fromkeys(("llm_provider", "llm_base_url", "openai_api_key", "groq_api_key", "database_url"))
_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Whole:
    """The running federation: where its services answer, and a site with the pages of examples/."""

    urls: dict[ServiceName, str]
    site: str

    async def run(self, goal: str, *files: Path) -> Task:
        """Run a task to its end."""
        async with Client(self.urls["orchestrator"]) as client:
            return await client.run(goal, files=files, timeout_s=_WAIT_S)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Whole]:
    """Start the services as they are, in this process, and wait until they have found each other."""
    ports: dict[ServiceName, int] = {name: free_port() for name in MODULES}
    settings = {
        **_NONE,
        "federation_host": "127.0.0.1",
        "egress_allow": (),
        "data_dir": tmp_path_factory.mktemp("data"),
        "orchestrator_port": ports["orchestrator"],
        "research_agent_port": ports["research"],
        "api_agent_port": ports["api"],
        "browser_port": ports["browser"],
        "code_agent_port": ports["code"],
        "agent_host_port": ports["host"],
        "research_documents": _ROOT / "docs",
        "research_web": False,
        "register_interval_s": 0.2,
    }
    pages = Starlette(routes=[Mount("/", StaticFiles(directory=_ROOT / "examples"))])
    async with AsyncExitStack() as stack:
        urls: dict[ServiceName, str] = {}
        for name, module in MODULES.items():
            create = cast("Callable[[object], FastAPI]", import_module(module).create)
            app = create(SETTINGS[name].model_validate(settings))
            urls[name] = await stack.enter_async_context(serve(app, port=ports[name]))
        site = await stack.enter_async_context(serve(pages))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=urls["orchestrator"]))
        await until(lambda: _get(http, "/ready"), lambda state: state["ready"] is True, _WAIT_S)
        yield Whole(urls, site)


async def _get(http: httpx.AsyncClient, path: str) -> JsonObject:
    return (await http.get(path)).json()


async def test_a_page_on_localhost_is_opened_and_its_heading_read(whole: Whole) -> None:
    task = await whole.run(f"Open {whole.site}/shop.html and get the main heading")
    assert task.status == "completed"
    assert task.summary.startswith("Autumn sale: everything for your desk")
    assert [step.agent_name for step in task.steps] == ["Browser agent"]


async def test_an_answer_from_a_folder_of_documents_has_citations_as_the_readme_shows(whole: Whole) -> None:
    task = await whole.run("Find in the documents how a killed orchestrator finishes its tasks")
    assert task.status == "completed"
    readme = (_ROOT / "README.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"^```\n(A killed orchestrator .*?)^```", readme, re.MULTILINE | re.DOTALL)
    said = re.sub(r"\S*/docs/", "docs/", task.summary)
    for line in filter(None, shown.splitlines()):
        assert line == "…" or line in said, f"README.md shows: {line}"


async def test_a_table_is_profiled_with_a_chart(whole: Whole) -> None:
    task = await whole.run("Profile sales.csv", _SALES)
    assert task.status == "completed"
    assert "40 rows and 5 columns" in task.summary
    assert "| units | 2 | 5.0% |" in task.summary
    assert "such as 140 (row 24)" in task.summary
    assert task.result
    assert {artifact.media_type for artifact in task.result.artifacts} >= {"image/png"}


async def test_numbers_are_computed_with_code_in_the_sandbox(whole: Whole) -> None:
    task = await whole.run("Compute 17 * 23 in Python")
    assert task.status == "completed"
    assert task.summary.startswith("391")
    assert [step.skill for step in task.steps] == ["run-code"]


async def test_three_of_them_in_one_sentence_are_three_steps_at_three_agents(whole: Whole) -> None:
    task = await whole.run(
        f"Open {whole.site}/shop.html and get the main heading, show the average price by city of sales.csv, "
        "and compute 17 * 23 in Python",
        _SALES,
    )
    assert task.status == "completed"
    assert [step.agent_name for step in task.steps] == ["Browser agent", "API agent", "Code agent"]
    for found in ("Autumn sale: everything for your desk", "| Oslo | 101.654 |", "391"):
        assert found in task.summary


async def test_a_result_flows_into_the_next_step(whole: Whole) -> None:
    task = await whole.run(f"Get the table on {whole.site}/shop.html, then compute the average of its prices in Python")
    assert task.status == "completed"
    assert task.result
    assert task.result.outputs[-1].output.startswith("93.1")


@pytest.mark.parametrize(
    ("name", "text", "answer"),
    [
        ("orchestrator", "Compute 17 * 23 in Python", "391"),
        ("research", "Find in the documents why there is one orchestrator per database", "[1]"),
        ("api", "Average price by city:\ncity,price\nOslo,42\nBergen,40\nOslo,44", "| Oslo | 43 |"),
        ("browser", "Open SITE/shop.html and get the main heading", "Autumn sale"),
        ("code", "run: print(sum(range(101)))", "5050"),
    ],
)
async def test_each_service_answers_a_direct_call_from_the_sdks_client(
    whole: Whole, name: ServiceName, text: str, answer: str
) -> None:
    message = Message(
        message_id=f"direct-{name}", role=Role.ROLE_USER, parts=[Part(text=text.replace("SITE", whole.site))]
    )
    async with httpx.AsyncClient(timeout=_WAIT_S) as http:
        card = await A2ACardResolver(http, whole.urls[name]).get_agent_card()
        client = ClientFactory(ClientConfig(httpx_client=http)).create(card)
        events = [event async for event in client.send_message(SendMessageRequest(message=message))]
        task = await client.get_task(GetTaskRequest(id=events[0].task.id))
    assert task.status.state == TaskState.TASK_STATE_COMPLETED
    assert answer in get_artifact_text(task.artifacts[0])


async def test_each_service_has_docs_and_is_in_good_health(whole: Whole) -> None:
    async with httpx.AsyncClient() as http:
        for name, url in whole.urls.items():
            health = (await http.get(f"{url}/health")).json()
            assert (health["service"], health["status"]) == (name, "ok")
            assert "openapi.json" in (await http.get(f"{url}/docs")).text
            assert (await http.get(f"{url}/openapi.json")).json()["paths"]


async def test_the_agent_of_the_readme_is_registered_chosen_and_asked(whole: Whole) -> None:
    async with serve(hello_agent.app) as url, Client(whole.urls["orchestrator"]) as client:
        agent = await client.add_agent(url)
        try:
            assert (agent.name, [skill.id for skill in agent.skills], agent.grade) == ("Hello agent", ["greet"], "B")
            task = await whole.run("Greet Ada and compute 6 * 7")
        finally:
            await client.remove_agent(agent.id)
    assert [step.agent_name for step in task.steps] == ["Hello agent", "Code agent"]
    assert "Hello! You said: Greet Ada" in task.summary
    assert "42" in task.summary


async def test_the_client_of_the_readme_follows_a_task_to_its_result(whole: Whole) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(_ROOT / "examples" / "client.py"),
        "Compute 17 * 23 in Python",
        env={"ORCHESTRATOR_URL": whole.urls["orchestrator"], "PYTHONPATH": str(_ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0
    assert said.startswith("1 task.status\n2 task.status\n3 plan.created\n")
    assert "completed 391" in said
