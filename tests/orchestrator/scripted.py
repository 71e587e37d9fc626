"""Scripted agents at an orchestrator: registered under a name, and what came of the step they got."""

import asyncio
from collections.abc import Sequence
from typing import cast

from google.protobuf.json_format import MessageToDict
from pydantic import JsonValue
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.agent import JsonObject
from tests.support.federation import Federation, step
from tests.support.misbehaving import Answer, ScriptedAgent, result, stream, task

DONE = stream({"task": task("COMPLETED", artifact="done")})
"""Answers a message with a task that is done."""


class _Silent(Response):
    def __init__(self, asked: asyncio.Event, hold: asyncio.Event) -> None:
        super().__init__()
        self._asked = asked
        self._hold = hold

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive, send
        self._asked.set()
        await self._hold.wait()


def silent(asked: asyncio.Event, hold: asyncio.Event) -> Answer:
    """Say nothing until `hold` is set; `asked` is set when the request has come."""
    return lambda _: _Silent(asked, hold)


def agent(*answers: Answer, **more: Answer | list[Answer]) -> ScriptedAgent:
    """Return an agent that answers messages so, in turn; its tasks work on until they are canceled."""
    calls: dict[str, Answer | list[Answer]] = {
        "SendStreamingMessage": list(answers),
        "GetTask": result(task("WORKING")),
        "CancelTask": result(task("CANCELED")),
    }
    return ScriptedAgent(**(calls | more))


async def register(
    running: Federation, scripted: ScriptedAgent, name: str = "Scripted", *, streaming: bool = True
) -> None:
    """Register the agent under a name, with the skill `any`."""
    card = cast("JsonObject", MessageToDict(scripted.card(streaming=streaming)))
    await running.post("/api/agents", {"card": card, "name": name}, 201)


def any_step(step_id: str = "a", instruction: str = "go", **fields: JsonValue) -> JsonObject:
    """Return a step that any scripted agent can do."""
    return step(step_id, instruction, skill="any", **fields)


def first_step(found: JsonObject) -> JsonObject:
    """Return how the task's first step went."""
    return cast("list[JsonObject]", found["steps"])[0]


def tries(found: JsonObject) -> list[JsonObject]:
    """Return the tries of the task's first step."""
    return cast("list[JsonObject]", first_step(found)["attempts"])


def agents(found: JsonObject) -> list[JsonValue]:
    """Return the names of the agents that tried the task's first step, in order."""
    return [each["agent_name"] for each in tries(found)]


def errors(found: JsonObject) -> list[str | None]:
    """Return how each try of the task's first step failed; None for one that did not."""
    return [None if each["error"] is None else str(error_of(each)["detail"]) for each in tries(found)]


def error_of(found: JsonObject) -> JsonObject:
    """Return the error of a task, a step or a try that has one."""
    return cast("JsonObject", found["error"])


def messages(scripted: ScriptedAgent) -> Sequence[JsonObject]:
    """Return the messages that the agent got, in order."""
    params = [cast("JsonObject", request["params"]) for request in scripted.requests]
    return [cast("JsonObject", each["message"]) for each in params if "message" in each]


def message_ids(scripted: ScriptedAgent) -> list[str]:
    """Return the ids of the messages that the agent got, in order."""
    return [str(message["messageId"]) for message in messages(scripted)]
