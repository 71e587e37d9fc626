"""What goes over the wire between the orchestrator and an agent, for people who look: of steps, of tries by hand."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from time import monotonic
from typing import Annotated, Literal, TypeAlias, cast

import orjson
from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field, JsonValue
from sqlalchemy import Connection, bindparam, select

from orchestrator_service import choosing, tasks
from orchestrator_service.api.body import Body
from orchestrator_service.api.parts import OpenParts, Parts, WhoAsks
from orchestrator_service.api.shapes import Answer, Shape
from orchestrator_service.models import Attempt
from shared import agent_client
from shared.agent import JsonObject
from shared.agent_client import Deadlines, Ended, OutgoingMessage, Started, Tap
from shared.db import new_id
from shared.errors import FederationError, NotFoundError
from shared.event_response import EventResponse, encode

router = APIRouter(tags=["agents"])

_MOST_BYTES = 256 * 1024


class Frame(Answer):
    """One message on the wire: JSON as it was sent, or text where it is none."""

    direction: Literal["sent", "received"]
    operation: str
    after_ms: float
    content: JsonValue


class Traffic(Answer):
    """What an agent says now of the task that it has for one try of a step."""

    attempt: int
    agent_name: str | None
    remote_task_id: str | None
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


_StepTraffic: TypeAlias = Annotated[JsonObject, Shape(StepTraffic)]


@router.get("/api/tasks/{task_id}/steps/{step_id}/wire", summary="What a step's agents say now of their tasks")
async def of_step(task_id: str, step_id: str, parts: OpenParts, who: WhoAsks) -> _StepTraffic:
    """Ask each agent that tried the step for its task, and answer what went over the wire."""
    await parts.database.read(tasks.require, who, task_id)
    tries = await parts.database.read(_tries, task_id, step_id)
    return {"items": [await _ask(parts, *row) for row in tries]}


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
    return EventResponse(_send(parts, agent, message))


async def _send(parts: Parts, agent: choosing.Choice, message: OutgoingMessage) -> AsyncGenerator[bytes]:
    frames: asyncio.Queue[JsonObject | None] = asyncio.Queue()
    connection = await _connect(parts, agent, _recorder(frames.put_nowait))
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


async def _ask(
    parts: Parts, number: int, agent_id: str, agent_name: str | None, remote_task_id: str | None
) -> JsonObject:
    found: list[JsonValue] = []
    error: JsonObject | None = None
    try:
        agent = await parts.database.read(choosing.reach, agent_id)
        if agent is None:
            raise NotFoundError("The agent is not registered any more.")
        if remote_task_id is not None:
            await (await _connect(parts, agent, _recorder(found.append))).get_task(remote_task_id)
    except FederationError as failure:
        error = failure.to_problem()
    return {
        "attempt": number,
        "agent_name": agent_name,
        "remote_task_id": remote_task_id,
        "frames": found,
        "error": error,
    }


async def _connect(parts: Parts, agent: choosing.Choice, tap: Tap) -> agent_client.AgentConnection:
    card = await parts.database.read(choosing.card, agent.agent_id)
    settings = parts.settings
    return parts.credentials.connect(
        agent_client.parse_card(card),
        agent.credentials,
        deadlines=Deadlines(gap_s=settings.stream_gap_timeout_s, total_s=settings.step_timeout_s),
        tap=tap,
    )


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


def _tries(connection: Connection, task_id: str, step_id: str) -> list[tuple[int, str, str | None, str | None]]:
    rows = connection.execute(_TRIES, {"of_task": task_id, "of_step": step_id})
    return [(row.number, row.agent_id, row.agent_name, row.remote_task_id) for row in rows]


_TRIES = (
    select(Attempt.number, Attempt.agent_id, Attempt.agent_name, Attempt.remote_task_id)
    .where(Attempt.task_id == bindparam("of_task"), Attempt.step_id == bindparam("of_step"))
    .order_by(Attempt.number)
)
