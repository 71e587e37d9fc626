"""What goes over the wire between the orchestrator and an agent, for people who look: of steps, of tries by hand."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from datetime import datetime
from time import monotonic
from typing import Annotated, Literal, TypeAlias, cast

import orjson
from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field, JsonValue

from orchestrator_service import choosing, tasks
from orchestrator_service.api.body import Body
from orchestrator_service.api.parts import OpenParts, Parts, WhoAsks
from orchestrator_service.api.shapes import Answer, Json, Shape, Sparse
from orchestrator_service.engine import said
from shared.agent import JsonObject
from shared.agent_client import AgentConnection, Ended, OutgoingMessage, ShownCall, Started, Tap
from shared.db import new_id
from shared.errors import FederationError, NotFoundError
from shared.event_response import EventResponse, encode

router = APIRouter(tags=["agents"])

_MOST_BYTES = 256 * 1024
_MOST_TEXT = 64 * 1024
_MOST_ASKED_AT_ONCE = 8


class Frame(Sparse):
    """One message on the wire: JSON as it was sent, or text where it is none. `headers` hide what is secret."""

    direction: Literal["sent", "received"]
    operation: str
    after_ms: float
    content: JsonValue
    method: str | None = None
    url: str | None = None
    headers: dict[str, str] | None = None


class Traffic(Answer):
    """What passed between us and the agent of one try of a step. `part`: for which of several answers it was.

    `told` is what was said, put together again from what is stored, and what the task's log says came of it;
    `left_out` entries of the log are not among them. `frames` is what the agent says now of the task that it has for
    the try; `error` why it does not.
    """

    attempt: int
    part: str | None
    agent_name: str | None
    remote_task_id: str | None
    told: list[Frame]
    left_out: int
    frames: list[Frame]
    error: JsonObject | None


class StepTraffic(Answer):
    """Each try of a step."""

    items: list[Traffic]


class TrialMessage(Body):
    """A message to try an agent with. `task_id` and `context_id`, both, answer a task of its that waits for input."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "Compute 2 + 2.", "skill": "run-code"}]})

    text: str = Field(default="", max_length=1_000_000)
    data: JsonValue = None
    skill: str | None = Field(default=None, max_length=200)
    task_id: str | None = Field(default=None, max_length=200)
    context_id: str | None = Field(default=None, max_length=200)


_StepTraffic: TypeAlias = Annotated[Json, Shape(StepTraffic)]


@router.get("/api/tasks/{task_id}/steps/{step_id}/wire", summary="What passed between us and a step's agents")
async def of_step(task_id: str, step_id: str, parts: OpenParts, who: WhoAsks) -> _StepTraffic:
    """Answer what each try of the step said and heard, and what its agent says now of its task."""
    await parts.database.read(tasks.require, who, task_id)
    tries = await parts.database.read(said.tries, task_id, step_id)
    places = asyncio.Semaphore(_MOST_ASKED_AT_ONCE)

    async def show(each: said.Try) -> JsonObject:
        async with places:
            return await _show(parts, each)

    return {"items": list(await asyncio.gather(*map(show, tries)))}


@router.post(
    "/api/agents/{agent_id}/try",
    summary="Send one message to an agent, and see everything that goes over the wire",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def try_agent(agent_id: str, body: TrialMessage, parts: OpenParts, who: WhoAsks) -> Response:
    """Answer server-sent events: `frame` for each message, then `end`. Who goes before the end cancels the task."""
    agent = await parts.database.read(choosing.choose, who.tenant_id, None, agent_id, body.text)
    message = OutgoingMessage(
        new_id(),
        body.text,
        data=() if body.data is None else (body.data,),
        skill=body.skill,
        task_id=body.task_id,
        context_id=body.context_id,
    )
    frames: asyncio.Queue[JsonObject | None] = asyncio.Queue()
    connection = await parts.connect(agent, _recorder(frames.put_nowait))
    return EventResponse(_send(connection, message, frames))


async def _send(
    connection: AgentConnection, message: OutgoingMessage, frames: asyncio.Queue[JsonObject | None]
) -> AsyncGenerator[bytes]:
    """Send the message, and yield each of the `frames` that the connection's tap puts there; then how it ended."""
    remote: list[str] = []

    async def talk() -> JsonObject:
        try:
            async with aclosing(connection.send(message)) as heard:
                async for event in heard:
                    if isinstance(event, Started):
                        remote.append(event.remote_task_id)
                    if isinstance(event, Ended):
                        return {
                            "state": event.state,
                            "text": event.text,
                            "remote_task_id": remote[0] if remote else None,
                        }
            return {"state": None}
        except FederationError as error:
            return {"state": None, "error": error.to_problem()}
        finally:
            frames.put_nowait(None)

    talking = asyncio.create_task(talk())
    try:
        number = 0
        while (frame := await frames.get()) is not None:
            number += 1
            yield encode(number, "frame", orjson.dumps(frame))
        yield encode(number + 1, "end", orjson.dumps(await talking))
    finally:
        if not talking.done():
            talking.cancel()
            await asyncio.wait({talking})
            if remote:
                with suppress(FederationError):
                    await connection.cancel(remote[0])


async def _show(parts: Parts, each: said.Try) -> JsonObject:
    frames: list[JsonValue] = []
    told: list[JsonValue] = []
    error = None if each.problem is None else each.problem.to_problem()
    try:
        agent = await parts.database.read(choosing.reach, each.agent_id)
        if agent is None:
            raise NotFoundError("The agent is not registered any more.")
        connection = await parts.connect(agent, _recorder(frames.append))
        told += [_sent(connection.show(message.message), _after_ms(each, message.at)) for message in each.said]
        if each.remote_task_id is not None:
            await connection.get_task(each.remote_task_id)
    except FederationError as failure:
        error = failure.to_problem()
    told += [_heard(each, event) for event in each.told]
    return {
        "attempt": each.number,
        "part": each.part,
        "agent_name": each.agent_name,
        "remote_task_id": each.remote_task_id,
        "told": sorted(told, key=_when),
        "left_out": each.left_out,
        "frames": frames,
        "error": error,
    }


def _sent(call: ShownCall, after_ms: float) -> JsonObject:
    return {
        "direction": "sent",
        "operation": str(call.content.get("method", "message")),
        "after_ms": after_ms,
        "content": _short(call.content),
        "method": call.method,
        "url": call.url,
        "headers": {**call.headers},
    }


def _heard(each: said.Try, event: JsonObject) -> JsonObject:
    after_ms = _after_ms(each, datetime.fromisoformat(str(event["at"])))
    return {"direction": "received", "operation": str(event["type"]), "after_ms": after_ms, "content": event}


def _after_ms(each: said.Try, at: datetime) -> float:
    return round((at - each.began_at).total_seconds() * 1000, 1)


def _when(frame: JsonValue) -> float:
    after_ms = frame.get("after_ms") if isinstance(frame, dict) else None
    return after_ms if isinstance(after_ms, float) else 0.0


def _short(value: JsonValue) -> JsonValue:
    """Return a message with long texts cut, and with the sizes of files in place of their bytes."""
    match value:
        case {"raw": str(raw), **rest}:
            return {"raw": f"({len(raw) * 3 // 4:,} bytes, not shown here)", **rest}
        case dict():
            return {key: _short(item) for key, item in value.items()}
        case list():
            return [_short(item) for item in value]
        case str() if len(value) > _MOST_TEXT:
            return f"{value[:_MOST_TEXT]} … ({len(value):,} characters)"
        case _:
            return value


def _recorder(keep: Callable[[JsonObject], None]) -> Tap:
    began = monotonic()

    def record(direction: Literal["sent", "received"], operation: str, content: bytes) -> None:
        after_ms = round((monotonic() - began) * 1000, 1)
        keep({"direction": direction, "operation": operation, "after_ms": after_ms, "content": _read(content)})

    return record


def _read(content: bytes) -> JsonValue:
    if len(content) > _MOST_BYTES:
        return f"{len(content):,} bytes, of which these are the first: {content[:2000].decode(errors='replace')}"
    try:
        return cast("JsonValue", orjson.loads(content))
    except orjson.JSONDecodeError:
        return content.decode(errors="replace")
