"""Agents made with other frameworks, each registered at the real orchestrator by its URL and used in tasks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import JsonValue

from shared import agent_client
from shared.agent import JsonObject
from shared.http import open_client
from shared.settings import FederationSettings
from tests.interop.environments import A2A_JS, AGENT_FRAMEWORK, FASTA2A, GOOGLE_ADK, Framework, require, serving
from tests.interop.findings import AGENTS, NOT_OFFERED, YES, keep
from tests.support.federation import Federation, federation, step

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

PIECES = ("step.output", "step.progress")


@dataclass(frozen=True, slots=True)
class Kind:
    """An agent to use: its framework, its dialect, and where it does otherwise than "yes"."""

    framework: Framework
    dialect: str
    quiet: bool = False
    otherwise: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def name(self) -> str:
        """The framework with its version."""
        return f"{self.framework.package} {self.framework.version()}" + (", not streaming" if self.quiet else "")


NO_PIECES = {"streams": "only the whole answer"}
NO_QUESTION = {"asks": NOT_OFFERED}
NEW_TASK = {"asks": "asks; takes the answer for a new task"}
KINDS = [
    Kind(FASTA2A, "JSONRPC 1.0", otherwise=NEW_TASK),
    Kind(FASTA2A, "JSONRPC 1.0", quiet=True, otherwise=NEW_TASK | NO_PIECES),
    Kind(GOOGLE_ADK, "JSONRPC 1.0"),
    Kind(GOOGLE_ADK, "JSONRPC 0.3"),
    Kind(AGENT_FRAMEWORK, "JSONRPC 1.0", otherwise=NO_QUESTION),
    Kind(AGENT_FRAMEWORK, "JSONRPC 1.0", quiet=True, otherwise=NO_QUESTION | NO_PIECES),
    Kind(AGENT_FRAMEWORK, "HTTP+JSON 1.0", otherwise=NO_QUESTION),
    Kind(AGENT_FRAMEWORK, "JSONRPC 0.3", otherwise=NO_QUESTION),
    Kind(A2A_JS, "JSONRPC 1.0"),
    Kind(A2A_JS, "HTTP+JSON 1.0"),
    Kind(A2A_JS, "JSONRPC 0.3"),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.framework.folder}-{kind.dialect}-{kind.quiet}")
async def test_an_agent_made_with_another_framework_is_used_by_the_orchestrator(kind: Kind, tmp_path: Path) -> None:
    require(kind.framework)
    arguments = (kind.dialect, "quiet") if kind.quiet else (kind.dialect,)
    async with serving(kind.framework, *arguments) as url, federation(tmp_path) as running:
        use = Use(running, url, kind.dialect, "quiet" if kind.quiet else "loud")
        cells = {
            name: NOT_OFFERED if kind.otherwise.get(name) == NOT_OFFERED else await _tried(case)
            for name, case in use.cases().items()
        }
    keep(AGENTS, (kind.name, kind.dialect), cells)
    assert cells == {**dict.fromkeys(cells, YES), **kind.otherwise}


class Use:
    """One agent, used in each way; every case returns "yes" or what it found instead."""

    def __init__(self, running: Federation, url: str, dialect: str, manner: str) -> None:
        self._running = running
        self._url = url
        self._dialect = dialect
        self._manner = manner
        self._agent_id: JsonValue = None

    def cases(self) -> dict[str, Callable[[], Awaitable[str]]]:
        """Return the cases in their order."""
        return {
            "is registered": self._register,
            "answers": self._answer,
            "streams": self._stream,
            "asks": self._ask,
            "is canceled": self._cancel,
            "says why it failed": self._fail,
        }

    async def _register(self) -> str:
        self._agent_id = (await self._running.post("/api/agents", {"endpoint": self._url}, 201))["id"]
        async with open_client(FederationSettings.model_validate({})) as client:
            card = await agent_client.fetch_card(client, self._url, timeout_s=10)
            binding = agent_client.connect(client, card.card).endpoint.binding
        return YES if binding == self._dialect else f"as {binding}"

    async def _answer(self) -> str:
        words = f"one {self._manner} three"
        task = await self._run(words)
        return YES if f"<{words}>" in str(task["result"]) else _failure(task)

    async def _stream(self) -> str:
        words = f"one {self._manner} three"
        task = await self._run(words)
        told = [event for event in await self._running.events(task) if event["type"] in PIECES]
        texts = [str(event["text"]) for event in told]
        return YES if any("one" in text and f"<{words}>" not in text for text in texts) else "only the whole answer"

    async def _ask(self) -> str:
        task = await self._run("ask")
        waiting = task["pending_inputs"]
        if not isinstance(waiting, list) or not waiting or not isinstance(question := waiting[0], dict):
            return _failure(task)
        assert "Which colour?" in str(question["prompt"])
        body: JsonObject = {"input_id": question["input_id"], "text": "blue"}
        await self._running.post(f"/api/tasks/{task['id']}/input", body)
        done = await self._running.task_when(task, lambda found: found["completed_at"] is not None)
        if "another task" in str(done["error"]):
            return NEW_TASK["asks"]
        return YES if "<blue>" in str(done["result"]) else _failure(done)

    async def _cancel(self) -> str:
        task = await self._run("wait", wait_s=None)
        begun = await self._running.task_when(task, lambda found: _remote_id(found) is not None)
        canceled = await self._running.post(f"/api/tasks/{task['id']}/cancel")
        assert canceled["status"] == "canceled"
        async with open_client(FederationSettings.model_validate({})) as client:
            card = await agent_client.fetch_card(client, self._url, timeout_s=10)
            connection = agent_client.connect(client, card.card)
            state = (await connection.get_task(str(_remote_id(begun)))).state
        return YES if state == "canceled" else f"not at the agent: {state}"

    async def _fail(self) -> str:
        task = await self._run("fail")
        return YES if "It broke." in str(task["error"]) else _failure(task)

    async def _run(self, words: str, wait_s: int | None = 20) -> JsonObject:
        return await self._running.run({**step("a", words), "skill": None, "agent": self._agent_id}, wait_s=wait_s)


async def _tried(case: Callable[[], Awaitable[str]]) -> str:
    try:
        return await case()
    except AssertionError as error:
        return f"no: {str(error)[:200]}"


def _remote_id(task: JsonObject) -> JsonValue:
    found = task["steps"][0] if isinstance(task["steps"], list) and task["steps"] else None
    attempts = found.get("attempts") if isinstance(found, dict) else None
    last = attempts[-1] if isinstance(attempts, list) and attempts else None
    return last.get("remote_task_id") if isinstance(last, dict) else None


def _failure(task: JsonObject) -> str:
    return f"no: {task['status']}, {task['error']}"
