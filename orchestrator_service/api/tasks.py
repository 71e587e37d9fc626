"""Routes of tasks."""

import asyncio
import re
from base64 import b64decode
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BeforeValidator, ConfigDict, Field, JsonValue
from sse_starlette.sse import EventSourceResponse

from orchestrator_service import artifacts, events, inputs, task_views, tasks
from orchestrator_service.api.body import Body
from orchestrator_service.api.parts import Cursor, Limit, OpenParts, Parts, WhoAsks, page
from orchestrator_service.planning.plan import MAX_INSTRUCTION_CHARS, Plan
from shared.agent import File, JsonObject
from shared.db import new_id
from shared.errors import FederationError

router = APIRouter(prefix="/api/tasks", tags=["tasks"])
execute_router = APIRouter(tags=["tasks"])

_MAX_WAIT_S = 3600
_PING_S = 15
_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,6})(?:$|[,;\s])")
_INLINE = frozenset({"image/png", "image/jpeg", "image/webp", "application/json", "text/plain", "text/csv"})


class TaskMissingError(FederationError):
    """`POST /execute` without a task."""

    slug = "task-missing"
    title = "No task was given"
    status = 400


def _decode(content: object) -> object:
    if not isinstance(content, str):
        return content
    try:
        return b64decode(content, validate=True)
    except ValueError as error:
        raise ValueError(f"it is not valid Base64: {error}") from error


class NewFile(Body):
    """A file the task brings along."""

    name: str = Field(min_length=1, max_length=255, examples=["sales.csv"])
    media_type: str = Field(default="application/octet-stream", max_length=200, examples=["text/csv"])
    content: Annotated[bytes, BeforeValidator(_decode)] = Field(
        description="The bytes, in Base64.", examples=["Y2l0eSxwcmljZQpPc2xvLDQyCg=="]
    )


class Budget(Body):
    """What a task may spend; what is left out is unlimited."""

    cost_usd: float | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    steps: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)


class NewTask(Body):
    """A goal. `agent` skips planning and sends it there; `plan` is run as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"description": "Compute 17 * 23 in Python."}]})

    description: str = Field(min_length=1, max_length=MAX_INSTRUCTION_CHARS, pattern=r"\S")
    session_id: str | None = Field(default=None, max_length=200)
    user_id: str | None = Field(default=None, max_length=200, description="Stored only as a keyed hash.")
    workflow: str | None = Field(default=None, max_length=200)
    inputs: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    files: list[NewFile] = Field(default_factory=list[NewFile], max_length=50)
    agent: str | None = Field(default=None, max_length=2000, description="Name or id of a registered agent.")
    plan: Plan | None = None
    approve_plan: bool = Field(default=False, description="Wait for a person before the plan is run.")
    budget: Budget = Field(default_factory=Budget)
    priority: int = Field(default=5, ge=0, le=9, description="9 is most urgent.")
    metadata: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])

    def to_task(self) -> tasks.NewTask:
        """Return what is submitted."""
        return tasks.NewTask(
            description=self.description,
            session_id=self.session_id,
            user_id=self.user_id,
            inputs=self.inputs,
            files=tuple(File(file.name, file.media_type, file.content) for file in self.files),
            agent=self.agent,
            plan=self.plan,
            approve_plan=self.approve_plan,
            budget=self.budget.model_dump(exclude_none=True),
            priority=self.priority,
            metadata=self.metadata,
        )


class NewAnswer(Body):
    """An answer to a pending input: `text` or `data` for an agent, `approve` for a plan."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"input_id": "0190a7a4-0000-7000-8000-000000000000", "text": "yes"}]},
    )

    input_id: str = Field(max_length=200)
    text: str | None = Field(default=None, max_length=MAX_INSTRUCTION_CHARS)
    data: JsonValue = None
    approve: bool | None = None
    comment: str | None = Field(default=None, max_length=10_000)


class Execution(Body):
    """A goal to run and wait for."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"task": "Compute 17 * 23 in Python."}]})

    task: str = Field(default="", max_length=MAX_INSTRUCTION_CHARS)


@router.post("", status_code=202, summary="Submit a task", responses={200: {"description": "Submitted before"}})
async def submit(
    body: NewTask,
    response: Response,
    parts: OpenParts,
    who: WhoAsks,
    idempotency_key: Annotated[str | None, Header(max_length=255, min_length=1)] = None,
    prefer: Annotated[str | None, Header(max_length=200)] = None,
) -> JsonObject:
    """Accept a task. With `Prefer: wait=N`, answer when it is over or needs input, or after N seconds."""
    if body.workflow is not None:
        raise tasks.UnknownWorkflowError(f"There is no workflow {body.workflow!r}.")
    submitted = await parts.intake.submit(who, body.to_task(), idempotency_key)
    task_id = submitted.task_id
    response.headers["Location"] = f"/api/tasks/{task_id}"
    if (wait := _WAIT.search(prefer or "")) is not None:
        await _rest(parts, task_id, min(int(wait[1]), _MAX_WAIT_S))
        response.headers["Preference-Applied"] = f"wait={wait[1]}"
    if not submitted.is_new:
        response.status_code = 200
    return await parts.database.read(task_views.find, who, task_id)


@router.get("", summary="Search tasks, newest first")
async def search(
    parts: OpenParts,
    who: WhoAsks,
    status: Annotated[tasks.TaskStatus | None, Query()] = None,
    session_id: Annotated[str | None, Query(max_length=200)] = None,
    user_id: Annotated[str | None, Query(max_length=200)] = None,
    agent: Annotated[str | None, Query(max_length=200)] = None,
    q: Annotated[str | None, Query(max_length=1000)] = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> JsonObject:
    """Answer the tasks that fit every filter given."""
    filters = task_views.Filters(
        status=status,
        session_id=session_id,
        user_id=None if user_id is None else parts.keys.hash_user(who.tenant_id, user_id),
        agent=agent,
        q=q,
        since=since if since is None or since.tzinfo else since.astimezone(),
        until=until if until is None or until.tzinfo else until.astimezone(),
    )
    return page(await parts.database.read(task_views.search, who, filters, cursor, limit), limit)


@router.get("/{task_id}", summary="A task with its steps")
async def find(task_id: str, parts: OpenParts, who: WhoAsks) -> JsonObject:
    """Answer the task."""
    return await parts.database.read(task_views.find, who, task_id)


@router.get("/{task_id}/events", summary="What happens in a task, from the beginning, then live")
async def follow(
    task_id: str,
    request: Request,
    parts: OpenParts,
    who: WhoAsks,
    after: Annotated[int | None, Query(ge=0, description="Begin after this event number.")] = None,
    last_event_id: Annotated[str | None, Header(pattern=r"^\d{1,18}$")] = None,
) -> Response:
    """Answer server-sent events; with `Accept: application/json`, those so far as a list."""
    await parts.database.read(tasks.require, who, task_id)
    begin = after if after is not None else int(last_event_id or 0)
    if "application/json" in request.headers.get("accept", ""):
        found = await parts.database.read(events.read, task_id, begin, 1000)
        return JSONResponse({"items": [event.to_json() for event in found], "next_cursor": None})
    return EventSourceResponse(_stream(parts, task_id, begin), ping=_PING_S, headers={"Cache-Control": "no-store"})


@router.post("/{task_id}/cancel", summary="Cancel a task and its remote tasks")
async def cancel(task_id: str, parts: OpenParts, who: WhoAsks) -> JsonObject:
    """Cancel it; 409 when it is over."""
    await parts.intake.cancel(who, task_id)
    return await parts.database.read(task_views.find, who, task_id)


@router.post("/{task_id}/input", summary="Answer what a task waits for")
async def answer(task_id: str, body: NewAnswer, parts: OpenParts, who: WhoAsks) -> JsonObject:
    """Answer a pending input, once; 409 when it was answered already."""
    given = inputs.Answer(body.input_id, body.text, body.data, body.approve, body.comment)
    await parts.intake.answer(who, task_id, given)
    return await parts.database.read(task_views.find, who, task_id)


@router.get("/{task_id}/artifacts/{artifact_id}", summary="The bytes of an artifact")
async def read_artifact(task_id: str, artifact_id: str, parts: OpenParts, who: WhoAsks) -> Response:
    """Answer the bytes with their media type; what a browser could run comes as a download."""
    file = await parts.database.read(artifacts.read, who, task_id, artifact_id)
    kind = "inline" if file.media_type in _INLINE else "attachment"
    return Response(
        file.content,
        media_type=file.media_type,
        headers={
            "Content-Disposition": f"{kind}; filename*=UTF-8''{quote(file.name, safe='')}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )


@execute_router.post("/execute", summary="Run a task and wait for its result")
async def execute(parts: OpenParts, who: WhoAsks, body: Execution | None = None) -> JsonObject:
    """Run the task to its end."""
    if body is None or not body.task.strip():
        raise TaskMissingError('Give what is to be done: {"task": "..."}.')
    new = tasks.NewTask(body.task, id=new_id())
    await parts.intake.submit(who, new)
    await _rest(parts, new.id, _MAX_WAIT_S)
    task = await parts.database.read(task_views.find, who, new.id)
    return _execution(task)


def _execution(task: JsonObject) -> JsonObject:
    result = task["result"] if isinstance(task["result"], dict) else {}
    error = task["error"] if isinstance(task["error"], dict) else {}
    outputs = result.get("outputs")
    message = {
        "completed": result.get("summary"),
        "failed": error.get("detail"),
        "canceled": "The task was canceled.",
    }.get(str(task["status"]), f"The task is {task['status']}; see /api/tasks/{task['id']}.")
    return {
        "task_id": task["id"],
        "status": task["status"],
        "plan": task["plan"],
        "results": outputs if isinstance(outputs, list) else [],
        "message": message,
    }


async def _rest(parts: Parts, task_id: str, timeout_s: float) -> None:
    """Wait until the task is over or needs input, at most `timeout_s`."""
    try:
        async with asyncio.timeout(timeout_s), aclosing(parts.log.follow(task_id)) as log:
            async for event in log:
                if event.is_last or (event.type == "task.status" and event.data["status"] == "input_required"):
                    return
    except TimeoutError:
        return


async def _stream(parts: Parts, task_id: str, after: int) -> AsyncGenerator[dict[str, str]]:
    async with aclosing(parts.log.follow(task_id, after)) as log:
        async for event in log:
            yield {"id": str(event.seq), "event": event.type, "data": orjson.dumps(event.to_json()).decode()}
