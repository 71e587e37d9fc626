"""Clients of other frameworks, calling the orchestrator and a bundled agent."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from api_agent_service.main import create
from shared.agent import AgentRequest, Answer, InputRequired, Progress, Update
from tests.api_agent.asking import make_settings
from tests.interop.environments import A2A_JS, AGENT_FRAMEWORK, FASTA2A, GOOGLE_ADK, Framework, call, require
from tests.interop.findings import CLIENTS, NOT_OFFERED, YES, keep
from tests.support.federation import TestAgent, federation, free_port
from tests.support.serving import serve

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

CASES: Final = ("answer", "stream", "ask", "cancel")


@dataclass(frozen=True, slots=True)
class Kind:
    """A client to call with: its framework, its dialect, and what it can do."""

    framework: Framework
    dialect: str
    cases: tuple[str, ...] = CASES


@dataclass(frozen=True, slots=True)
class Service:
    """What is called: what is said to it in each case, and what its answers must have."""

    name: str
    url: str
    script: dict[str, list[str]]
    answers: dict[str, str] = field(default_factory=dict[str, str])


async def echo(request: AgentRequest) -> AsyncGenerator[Update]:
    """Ask, wait or answer, as the words say."""
    if "ask" in request.text and not request.history:
        yield InputRequired("Which colour?")
        return
    yield Progress("begun")
    if "wait" in request.text:
        await asyncio.Event().wait()
    yield Answer("answer", f"<{request.text}>")


@asynccontextmanager
async def orchestrator(folder: Path) -> AsyncGenerator[Service]:
    """Serve the orchestrator with one agent."""
    script = {"answer": ["echo one"], "stream": ["echo two"], "ask": ["echo ask", "blue"], "cancel": ["echo wait"]}
    async with federation(folder, TestAgent("Echo", echo, ("echo",))) as running:
        yield Service(
            "orchestrator", running.url, script, {"answer": "<echo one>", "stream": "<echo two>", "ask": "<blue>"}
        )


@asynccontextmanager
async def bundled_agent(folder: Path) -> AsyncGenerator[Service]:
    """Serve the API agent, without a model."""
    words, port = "Summarize in one sentence: It was built in 1872. It is a museum now.", free_port()
    app = create(make_settings(data_dir=folder, api_agent_port=port))
    async with serve(app, port=port) as url:
        said = "It was built in 1872."
        yield Service("API agent", url, {"answer": [words], "stream": [words]}, {"answer": said, "stream": said})


KINDS = [
    Kind(FASTA2A, "mixed", ("answer", "stream")),
    *(Kind(GOOGLE_ADK, dialect, ("stream", "ask")) for dialect in ("JSONRPC 1.0", "HTTP+JSON 1.0", "JSONRPC 0.3")),
    *(
        Kind(framework, dialect)
        for framework in (AGENT_FRAMEWORK, A2A_JS)
        for dialect in ("JSONRPC 1.0", "HTTP+JSON 1.0", "JSONRPC 0.3")
    ),
]


@pytest.mark.parametrize("open_service", [orchestrator, bundled_agent], ids=lambda service: service.__name__)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.framework.folder}-{kind.dialect}")
async def test_a_client_of_another_framework_is_served(kind: Kind, open_service: object, tmp_path: Path) -> None:
    require(kind.framework)
    assert open_service in {orchestrator, bundled_agent}
    opened = orchestrator(tmp_path) if open_service is orchestrator else bundled_agent(tmp_path)
    async with opened as service:
        script = {case: said for case, said in service.script.items() if case in kind.cases}
        told = await call(kind.framework, service.url, kind.dialect, script)
    found = {case: _judge(case, told.get(case, {}), service) for case in script}
    cells = {case: found.get(case, NOT_OFFERED) for case in CASES}
    keep(CLIENTS, (f"{kind.framework.package} {kind.framework.version()}", kind.dialect, service.name), cells)
    assert found == dict.fromkeys(script, YES), told


def _judge(case: str, told: dict[str, object], service: Service) -> str:
    if "error" in told or not told:
        return f"no: {told.get('error', 'it told nothing')}"[:160]
    state = str(told["state"]).upper().removeprefix("TASK_STATE_")
    if case == "cancel":
        return YES if state == "CANCELED" else f"no: {state}"
    if state != "COMPLETED" or service.answers[case] not in str(told["text"]):
        return f"no: {state}, {told['text']}"[:160]
    if case == "ask" and "Which colour?" not in str(told["question"]):
        return f"no question: {told['question']}"[:160]
    return YES
