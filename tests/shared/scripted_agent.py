"""An agent that does what the first word of its request says, and a client that calls it over plain HTTP."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from uuid import uuid4

import httpx
from fastapi import FastAPI
from pydantic_settings import SettingsConfigDict

from shared import agent_server, cards
from shared.agent import (
    AgentRequest,
    Answer,
    Delta,
    File,
    InputRequired,
    JsonObject,
    OpenAgent,
    Produced,
    Progress,
    Update,
    Usage,
)
from shared.errors import InvalidRequestError, NotFoundError
from shared.settings import FederationSettings
from tests.support import ready_made
from tests.support.serving import serve


class Settings(FederationSettings):
    """Settings that no `.env` file reaches."""

    model_config = SettingsConfigDict(env_file=None, frozen=True)


@dataclass
class ScriptedAgent:
    """What happened to an agent, and the event that lets its waiting tasks go on."""

    requests: list[AgentRequest] = field(default_factory=list[AgentRequest])
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    cleaned_up: asyncio.Event = field(default_factory=asyncio.Event)
    canceled: list[str] = field(default_factory=list[str])
    knows_cancels: bool = True
    retained: asyncio.Queue[list[str]] = field(default_factory=asyncio.Queue[list[str]])

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[OpenAgent]:
        """Open the agent."""

        async def note_cancel(task_id: str) -> None:
            if not (self.knows_cancels or self.cleaned_up.is_set()):
                raise NotFoundError("Nothing was begun for that task.")
            self.canceled.append(task_id)

        async def note_retain(unfinished: Collection[str]) -> None:
            self.retained.put_nowait(list(unfinished))

        yield OpenAgent(self.answer, cancel=note_cancel, retain=note_retain)

    async def answer(self, request: AgentRequest) -> AsyncGenerator[Update]:
        """Do what the request's first word says."""
        self.requests.append(request)
        self.asked.set()
        match request.text.split(" ")[0]:
            case "wait":
                yield Progress("waiting")
                try:
                    await self.released.wait()
                finally:
                    self.cleaned_up.set()
                yield Answer("answer", "waited")
            case "ask":
                yield Usage(input_tokens=10, llm_calls=1)
                yield InputRequired("Which colour?", {"type": "string"})
            case "write":
                yield Delta("answer", "one ")
                await asyncio.sleep(0)
                yield Delta("answer", "two ")
                yield Delta("answer", "three")
                yield Answer("answer", "one two three", {"count": 3})
            case "draft":
                yield Delta("answer", "half a ")
                yield Delta("answer", "sentence")
            case "make":
                yield Answer("answer", "two files", {"bad": float("nan"), "big": 2**60})
                yield Produced(File("a.bin", "application/octet-stream", b"\x00\xff"))
                yield Produced(File("a.bin", "text/plain", b"second"))
            case "fail":
                yield Progress("trying")
                raise InvalidRequestError("There is no such file; name one that exists.")
            case "crash":
                raise ZeroDivisionError("secret detail")
            case "spend":
                yield Usage(input_tokens=5, output_tokens=7, cost_usd=0.25, llm_calls=1)
                yield Usage(input_tokens=1, llm_calls=1)
                yield Answer("answer", "spent")
            case _ if request.history:
                yield Usage(input_tokens=1, llm_calls=1)
                yield Answer("answer", " | ".join(f"{turn.role}: {turn.text}" for turn in request.history))
            case _:
                yield Answer("answer", request.text)


@dataclass(frozen=True)
class Caller:
    """Calls an agent as curl would."""

    http: httpx.AsyncClient

    async def rpc(self, method: str, params: JsonObject, **headers: str) -> JsonObject:
        """Return the whole JSON-RPC response."""
        response = await self.http.post("/", json=_envelope(method, params), headers={"A2A-Version": "1.0", **headers})
        assert response.status_code == 200, response.text
        return cast("JsonObject", response.json())

    async def call(self, method: str, params: JsonObject) -> JsonObject:
        """Return the result; fail on an error."""
        response = await self.rpc(method, params)
        assert "result" in response, response
        return cast("JsonObject", response["result"])

    async def refusal(self, method: str, params: JsonObject) -> tuple[int, str]:
        """Return code and message of the error that is expected."""
        response = await self.rpc(method, params)
        assert "error" in response, response
        error = cast("JsonObject", response["error"])
        return cast("int", error["code"]), cast("str", error["message"])

    async def send(self, text: str, *, at_once: bool = False, **message: str) -> JsonObject:
        """Send a message and return the task."""
        params = {**to_params(text, **message), "configuration": {"returnImmediately": at_once}}
        return cast("JsonObject", (await self.call("SendMessage", cast("JsonObject", params)))["task"])

    async def get(self, task: JsonObject) -> JsonObject:
        """Return the task as it is now."""
        return await self.call("GetTask", {"id": task["id"]})

    async def until(self, task: JsonObject, state: str) -> JsonObject:
        """Return the task once it is in a state."""
        async with asyncio.timeout(20):
            while state_of(task) != state:
                await asyncio.sleep(0.02)
                task = await self.get(task)
        return task

    async def stream(self, method: str, params: JsonObject) -> AsyncGenerator[JsonObject]:
        """Yield the results of a stream."""
        async with self.http.stream("POST", "/", json=_envelope(method, params)) as response:
            async for line in response.aiter_lines():
                if line.startswith("data:"):
                    event = json.loads(line[5:])
                    assert "result" in event, event
                    yield event["result"]


def to_params(text: str, *, id: str = "", **message: str) -> JsonObject:  # noqa: A002 - the words of the protocol
    """Return the parameters that send a text."""
    return {"message": {"messageId": id or str(uuid4()), "role": "ROLE_USER", "parts": [{"text": text}], **message}}


def state_of(task: JsonObject) -> str:
    """Return a task's state without its prefix."""
    return cast("str", cast("JsonObject", task["status"])["state"]).removeprefix("TASK_STATE_")


def text_of(task: JsonObject) -> str:
    """Return the text of a task's first artifact."""
    [artifact, *_] = cast("list[JsonObject]", task["artifacts"])
    return cast("str", cast("list[JsonObject]", artifact["parts"])[0]["text"])


def sentence_of(task: JsonObject) -> str:
    """Return the text of a task's status."""
    message = cast("JsonObject", cast("JsonObject", task["status"])["message"])
    return cast("str", cast("list[JsonObject]", message["parts"])[0]["text"])


def facts_of(holder: JsonObject) -> JsonObject:
    """Return the federation's own object in the metadata of a task or message."""
    return cast("JsonObject", cast("JsonObject", holder["metadata"])["urn:agent-federation:call"])


def build_settings(data_dir: Path, **more: object) -> Settings:
    """Return settings with a free port for the service `api`, which the scripted agent plays."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return Settings.model_validate({"data_dir": data_dir, "api_agent_port": port, "federation_register": False, **more})


def build_app(settings: FederationSettings, agent: ScriptedAgent, *, resumable: bool = False) -> FastAPI:
    """Return the scripted agent's service."""
    skills = [cards.Skill("echo", "Echo", "Says what was said.", ("test",), ("echo hello",))]
    card = cards.build(settings, "api", name="Scripted", description="Does as it is told.", skills=skills)
    if settings.database_url is None:
        ready_made.put_agents(settings.data_dir, "api")
    return agent_server.create(settings, "api", card, agent.open, resumable=resumable)


@asynccontextmanager
async def serving(
    agent: ScriptedAgent, settings: FederationSettings, *, resumable: bool = False
) -> AsyncGenerator[Caller]:
    """Serve the scripted agent and yield its caller."""
    async with AsyncExitStack() as stack:
        app = build_app(settings, agent, resumable=resumable)
        url = await stack.enter_async_context(serve(app, port=settings.port_of("api")))
        yield Caller(await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=20, trust_env=False)))


def _envelope(method: str, params: JsonObject) -> JsonObject:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
