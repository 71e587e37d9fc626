"""Asks the code agent, opened with real settings and the real sandbox, and gathers its updates."""

import asyncio
import tempfile
import uuid
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from code_agent_service.agent import open_agent
from code_agent_service.settings import Settings
from shared.agent import AgentRequest, Answer, File, JsonObject, OpenAgent, Produced, Progress, Usage
from shared.errors import FederationError

_WAIT_S = 20.0
_DATA = tempfile.TemporaryDirectory(prefix="code-agent-")


def make_settings(**changes: object) -> Settings:
    """Return settings with small limits, and without a model unless changed."""
    values: dict[str, object] = {
        "federation_register": False,
        "data_dir": Path(_DATA.name),
        "llm_provider": None,
        "llm_base_url": None,
        "openai_api_key": None,
        "groq_api_key": None,
        "llm_max_attempts": 1,
        "sandbox_timeout_s": 20.0,
        "sandbox_memory_mb": 128,
        "sandbox_processes": 24,
        "sandbox_disk_mb": 8,
        "sandbox_output_kb": 16,
    }
    return Settings.model_validate(values | changes)


@dataclass(slots=True)
class Outcome:
    """What the agent yielded, and the error it ended with. `archive` is the one of all the files."""

    answer: Answer | None = None
    files: dict[str, File] = field(default_factory=dict[str, File])
    archive: File | None = None
    progress: list[str] = field(default_factory=list[str])
    usage: list[Usage] = field(default_factory=list[Usage])
    error: FederationError | None = None

    @property
    def text(self) -> str:
        """The answer's text."""
        assert self.answer is not None, self.error
        return self.answer.text

    @property
    def data(self) -> JsonObject:
        """The answer's data."""
        assert self.answer is not None, self.error
        assert self.answer.data is not None
        return self.answer.data

    def rows(self, name: str) -> list[JsonObject]:
        """Return a list of objects of the answer's data."""
        return cast("list[JsonObject]", self.data[name])


async def ask(
    text: str,
    *,
    settings: Settings | None = None,
    skill: str | None = "run-code",
    files: Sequence[File] = (),
    data: Sequence[JsonValue] = (),
    session: str | None = None,
) -> Outcome:
    """Open the agent, send one request and return what came."""
    async with open_agent(settings or make_settings()) as agent:
        return await ask_opened(agent, text, skill=skill, files=files, data=data, session=session)


def python(name: str, code: str) -> File:
    """Return code as an attached file."""
    return File(name, "text/x-python", code.encode())


async def ask_opened(
    agent: OpenAgent,
    text: str,
    *,
    skill: str | None = "run-code",
    files: Sequence[File] = (),
    data: Sequence[JsonValue] = (),
    session: str | None = None,
) -> Outcome:
    """Send one request to an agent that is open, and return what came."""
    session = session or uuid.uuid4().hex
    request = AgentRequest(text, "task", session, "message", tuple(data), tuple(files), skill)
    outcome = Outcome()
    try:
        async with aclosing(agent.answer(request)) as updates:
            async for update in updates:
                match update:
                    case Answer():
                        outcome.answer = update
                    case Produced(file) if file.name == "files.zip":
                        outcome.archive = file
                    case Produced(file):
                        outcome.files[file.name] = file
                    case Progress(said):
                        outcome.progress.append(said)
                    case Usage():
                        outcome.usage.append(update)
                    case _:
                        raise AssertionError(f"unexpected {update}")
    except FederationError as error:
        outcome.error = error
    return outcome


def find_processes(mark: str) -> list[int]:
    """Return the processes of this machine that have `mark` as one of their arguments."""
    found: list[int] = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                arguments = (path / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if mark.encode() in arguments:
                found.append(int(path.name))
    return found


async def wait_for_processes(mark: str, *, some: bool) -> list[int]:
    """Wait until there are, or are not, processes with `mark` as an argument; return them."""
    async with asyncio.timeout(_WAIT_S):
        while bool(found := find_processes(mark)) != some:  # noqa: ASYNC110 - processes tell nobody
            await asyncio.sleep(0.02)
    return found
