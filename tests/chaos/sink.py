"""The sink: an agent whose effects can be counted. A process of its own: `python -m tests.chaos.sink FOLDER NAME`.

The first two words of an instruction say what to do and under which key: "slow t7.a". Whatever happens is a line of
`FOLDER/ledger.jsonl`, on the disk before the next thing is done; `performed` is the effect. The sink does what an agent
must do so that the federation's promise holds: it performs once per message id, however often it is asked. That the
federation does not send a second message for the same step is the federation's part, and is what the ledger shows.
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from zlib import crc32

import orjson
from fastapi import FastAPI
from pydantic import JsonValue

from shared import agent_server, cards, service
from shared.agent import (
    METADATA_KEY,
    AgentRequest,
    Answer,
    Delta,
    InputRequired,
    JsonObject,
    OpenAgent,
    Progress,
    Update,
    Usage,
)
from shared.db import new_id, now
from shared.errors import UnavailableError
from shared.settings import FederationSettings
from tests.chaos.history import read_lines

LEDGER: Final = "ledger.jsonl"
SKILL: Final = "sink"


class Ledger:
    """What the sink did, as lines that survive it. `life` tells one process of the sink from the next."""

    def __init__(self, path: Path) -> None:
        self._known: set[tuple[str, str]] = set()
        self._steps: dict[str, tuple[str, str]] = {}
        self._life = new_id()
        for line in read_lines(path):
            self._take_in(line)
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, what: str, request: AgentRequest, **facts: JsonValue) -> None:
        """Add a line and wait until it is on the disk."""
        task_id, step_id = self._step_of(request)
        line: JsonObject = {
            "what": what,
            "at": now().isoformat(),
            "life": self._life,
            "message_id": request.message_id,
            "remote_task_id": request.task_id,
            "task_id": task_id,
            "step_id": step_id,
            **facts,
        }
        os.write(self._handle, orjson.dumps(line) + b"\n")
        os.fsync(self._handle)
        self._take_in(line)

    def write_once(self, what: str, request: AgentRequest, **facts: JsonValue) -> None:
        """Add a line, unless there is one for this message already."""
        if not self.has(what, request.message_id):
            self.write(what, request, **facts)

    def has(self, what: str, message_id: str) -> bool:
        """Tell whether there is such a line for the message."""
        return (what, message_id) in self._known

    def has_failed(self, request: AgentRequest) -> bool:
        """Tell whether any message of the request's step was failed."""
        task_id, step_id = self._step_of(request)
        return ("failed", f"{task_id}/{step_id}") in self._known

    def _take_in(self, line: JsonObject) -> None:
        task_id, step_id = str(line["task_id"]), str(line["step_id"])
        self._known.add((str(line["what"]), str(line["message_id"])))
        self._known.add((str(line["what"]), f"{task_id}/{step_id}"))
        self._steps[str(line["remote_task_id"])] = (task_id, step_id)

    def _step_of(self, request: AgentRequest) -> tuple[str, str]:
        """Return the task and step that a message is for; one that answers a question belongs to who asked it."""
        call = request.metadata.get(METADATA_KEY)
        if isinstance(call, dict) and "step_id" in call:
            return str(call.get("task_id")), str(call["step_id"])
        return self._steps.get(request.task_id, ("", ""))


class Sink:
    """The agent."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def answer(self, request: AgentRequest) -> AsyncGenerator[Update]:
        """Do what the first word says."""
        instruction = request.history[0].text if request.history else request.text
        variant, key, *_ = instruction.split(" ")
        self._ledger.write("asked", request, key=key, text=request.text, is_reply=bool(request.history))
        yield self._meter(request)
        match variant:
            case "slow":
                async for update in self._work_slowly(request, key):
                    yield update
            case "ask" if not request.history:
                yield InputRequired(f"Which colour has {key}?")
                return
            case "hold":
                self._perform(request, key)
                yield Progress("holding")
                await asyncio.Event().wait()
            case "flaky" if self._ledger.has("failed", request.message_id) or not self._ledger.has_failed(request):
                self._ledger.write_once("failed", request, key=key)
                raise UnavailableError("The sink was asked to fail once. Send it again.")
            case _:
                self._perform(request, key)
        yield Answer("answer", f"done {key}")

    async def _work_slowly(self, request: AgentRequest, key: str) -> AsyncGenerator[Update]:
        for number in range(4):
            yield Progress(f"{key} is at {number}")
            await asyncio.sleep(0.05)
            yield Delta("answer", f"piece {number} ")
            await asyncio.sleep(0.05)
            if number == 2:
                self._perform(request, key)

    def _perform(self, request: AgentRequest, key: str) -> None:
        """Have the effect: once for a message."""
        self._ledger.write_once("performed", request, key=key)

    def _meter(self, request: AgentRequest) -> Usage:
        """Return what this call costs, the same however often it is asked, and note it once."""
        spread = crc32(request.message_id.encode())
        usage = Usage(1 + spread % 50, 1 + spread % 7, (1 + spread % 4) / 4, 1)  # quarters: sums are exact
        self._ledger.write_once(
            "metered",
            request,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost_usd=usage.cost_usd,
            llm_calls=usage.llm_calls,
        )
        return usage


def main() -> None:
    """Serve until told to stop. The port is API_AGENT_PORT, as the sink takes the place of that agent."""
    folder, name = Path(sys.argv[1]), sys.argv[2]
    settings = FederationSettings.model_validate({"data_dir": folder, "federation_register": False})

    @asynccontextmanager
    async def open_agent() -> AsyncGenerator[OpenAgent]:
        yield OpenAgent(Sink(Ledger(folder / LEDGER)).answer)

    def create() -> FastAPI:
        skill = cards.Skill(SKILL, "Sink", "Does as it is told, and counts it.", ("sink",))
        card = cards.build(settings, "api", name=name, description="An agent that counts.", skills=[skill])
        return agent_server.create(settings, "api", card, open_agent, resumable=True)

    service.run(create, settings, "api")
