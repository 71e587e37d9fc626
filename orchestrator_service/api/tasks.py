"""Routes of tasks."""

import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, nullcontext
from typing import Annotated
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from orchestrator_service import artifacts, events, inputs, lineage, task_views, tasks
from orchestrator_service.api.event_shapes import EventPage
from orchestrator_service.api.parts import (
    Cursor,
    Limit,
    OpenParts,
    Parts,
    Prefer,
    SeqNumber,
    Time,
    WhoAsks,
    caller,
    opened,
    page,
    preferred,
)
from orchestrator_service.api.task_bodies import Execution, NewAnswer, NewFork, NewTask
from orchestrator_service.api.task_shapes import QuestionsAnswer, TaskAnswer, TasksAnswer
from orchestrator_service.event_log import Attended
from shared.agent import JsonObject
from shared.auth import Caller
from shared.db import new_id
from shared.errors import FederationError
from shared.event_response import EventResponse, encode

router = APIRouter(prefix="/api/tasks", tags=["tasks"])
more_router = APIRouter(tags=["tasks"])

_EVENTS_AT_ONCE = 1000
MAX_WAIT_S = 3600
"""The longest that a request waits for a task, in seconds."""
_WAIT = re.compile(r"[0-9]{1,6}")
_MEDIA_TYPE = re.compile(r"[\w.+!#$&^-]+/[\w.+!#$&^-]+[\t -~]*", re.ASCII)
_INLINE = frozenset({"image/png", "image/jpeg", "image/webp", "application/json", "text/plain", "text/csv"})


IdempotencyKey = Annotated[str | None, Header(max_length=255, min_length=1)]


class TaskMissingError(FederationError):
    """`POST /execute` without a task."""

    slug = "task-missing"
    title = "No task was given"
    status = 400


@router.post("", status_code=202, summary="Submit a task", responses={200: {"description": "Submitted before"}})
async def submit(
    body: NewTask,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> TaskAnswer:
    """Accept a task. With `Prefer: wait=N`, answer when it is over or needs input, or after N seconds."""
    parts, who = await opened(request), await caller()  # asked for as dependencies they take longer
    if body.workflow is not None:
        raise tasks.UnknownWorkflowError(f"There is no workflow {body.workflow!r}.")
    new = body.to_task()
    with nullcontext() if prefer is None else parts.log.attending(new.id, _look(who, new.id)) as attended:
        submitted = await parts.intake.submit(who, new, idempotency_key)
        return await _accepted(submitted, response, parts, who, prefer, attended)


@router.get("", summary="Search tasks, newest first")
async def search(
    parts: OpenParts,
    who: WhoAsks,
    status: Annotated[list[tasks.TaskStatus] | None, Query(description="One of these; repeatable.")] = None,
    session_id: Annotated[str | None, Query(max_length=200)] = None,
    user_id: Annotated[str | None, Query(max_length=200)] = None,
    agent: Annotated[str | None, Query(max_length=200)] = None,
    q: Annotated[str | None, Query(max_length=1000)] = None,
    since: Time | None = None,
    until: Time | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> TasksAnswer:
    """Answer the tasks that fit every filter given."""
    filters = task_views.Filters(
        statuses=status,
        session_id=session_id,
        user_id=None if user_id is None else parts.keys.hash_user(who.tenant_id, user_id),
        agent=agent,
        q=q,
        since=since,
        until=until,
    )
    return page(await parts.database.read(task_views.search, who, filters, cursor, limit), limit)


@router.get("/{task_id}", summary="A task with its steps")
async def find(task_id: str, parts: OpenParts, who: WhoAsks) -> TaskAnswer:
    """Answer the task."""
    return await parts.database.read(task_views.find, who, task_id)


@router.get(
    "/{task_id}/events",
    summary="What happens in a task, from the beginning, then live",
    response_class=Response,
    responses={200: {"model": EventPage, "content": {"text/event-stream": {}}}},
)
async def follow(
    task_id: str,
    request: Request,
    parts: OpenParts,
    who: WhoAsks,
    after: Annotated[SeqNumber | None, Query(description="Begin after this event number.")] = None,
    cursor: Annotated[SeqNumber | None, Query(description="The same, as `next_cursor` gave it.")] = None,
    last_event_id: Annotated[SeqNumber | None, Header(description="The same, as a browser says it.")] = None,
) -> Response:
    """Answer server-sent events; with `Accept: application/json`, those so far as a list."""
    await parts.database.read(tasks.require, who, task_id)
    begin = max(after or 0, cursor or 0, last_event_id or 0)  # who comes back says again where it began at first
    if "application/json" in request.headers.get("accept", ""):
        found = await parts.database.read(events.read, task_id, begin, _EVENTS_AT_ONCE)
        more = len(found) == _EVENTS_AT_ONCE
        items = [event.to_json() for event in found]
        return JSONResponse({"items": items, "next_cursor": str(found[-1].seq) if more else None})
    begin = min(begin, await parts.log.last_seq(task_id)) if begin else 0  # beyond it the end would not be seen
    return EventResponse(_stream(parts, task_id, begin))


@router.post("/{task_id}/cancel", summary="Cancel a task and its remote tasks")
async def cancel(task_id: str, parts: OpenParts, who: WhoAsks) -> TaskAnswer:
    """Cancel it; 409 when it is over."""
    await parts.intake.cancel(who, task_id)
    return await parts.database.read(task_views.find, who, task_id)


@router.post(
    "/{task_id}/retry",
    status_code=202,
    summary="Do what a task that is over left undone, as a new task",
    responses={200: {"description": "Submitted before"}},
)
async def retry(
    task_id: str,
    response: Response,
    parts: OpenParts,
    who: WhoAsks,
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> TaskAnswer:
    """Accept a new task with the same plan that keeps what the completed steps brought; 409 if nothing is left to do.

    A task that ended before it had a plan is planned anew.
    """
    submitted = await parts.intake.copy(who, lineage.Wish("retry", task_id), idempotency_key)
    return await _accepted(submitted, response, parts, who, prefer)


@router.post(
    "/{task_id}/fork",
    status_code=202,
    summary="Do a step of a task that is over again, and all that depends on it, as a new task",
    responses={200: {"description": "Submitted before"}},
)
async def fork(
    task_id: str,
    body: NewFork,
    response: Response,
    parts: OpenParts,
    who: WhoAsks,
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> TaskAnswer:
    """Accept a new task with the same plan that keeps what the other completed steps brought."""
    wish = lineage.Wish("fork", task_id, body.from_step, body.instruction)
    return await _accepted(await parts.intake.copy(who, wish, idempotency_key), response, parts, who, prefer)


@router.post("/{task_id}/input", summary="Answer what a task waits for")
async def answer(task_id: str, body: NewAnswer, parts: OpenParts, who: WhoAsks) -> TaskAnswer:
    """Answer a pending input, once; 409 when it was answered already, or has expired."""
    given = inputs.Answer(body.input_id, body.text, body.data, body.approve, body.comment, body.plan)
    await parts.intake.answer(who, task_id, given)
    return await parts.database.read(task_views.find, who, task_id)


@router.get("/{task_id}/artifacts/{artifact_id}", summary="The bytes of an artifact", response_class=Response)
async def read_artifact(task_id: str, artifact_id: str, parts: OpenParts, who: WhoAsks) -> Response:
    """Answer the bytes with their media type; what a browser could run comes as a download."""
    file = await parts.database.read(artifacts.read, who, task_id, artifact_id)
    kind = "inline" if file.media_type in _INLINE else "attachment"
    return Response(
        file.content,
        media_type=file.media_type if _MEDIA_TYPE.fullmatch(file.media_type) else "application/octet-stream",
        headers={
            "Content-Disposition": f"{kind}; filename*=UTF-8''{quote(file.name, safe='')}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )


@more_router.get("/api/inputs", summary="What people are asked, by any task, oldest first")
async def list_questions(parts: OpenParts, who: WhoAsks, limit: Limit = 50, cursor: Cursor = None) -> QuestionsAnswer:
    """Answer the questions that nobody has answered yet."""
    return page(await parts.database.read(task_views.open_questions, who, cursor, limit), limit)


@more_router.post("/execute", summary="Run a task and wait for its result")
async def execute(
    parts: OpenParts, who: WhoAsks, body: Execution | None = None, idempotency_key: IdempotencyKey = None
) -> JsonObject:
    """Run the task to its end."""
    if body is None or not body.task.strip():
        raise TaskMissingError('Give what is to be done: {"task": "..."}.')
    new = tasks.NewTask(body.task, id=new_id())
    with parts.log.attending(new.id, _look(who, new.id)) as attended:
        submitted = await parts.intake.submit(who, new, idempotency_key)
        await _rest(parts, submitted, MAX_WAIT_S)
    return _execution(attended.seen or await parts.database.read(task_views.find, who, submitted.task_id))


def _look(who: Caller, task_id: str) -> Callable[[Connection], JsonObject]:
    return lambda connection: task_views.find(connection, who, task_id)


async def _accepted(
    submitted: tasks.Submitted,
    response: Response,
    parts: Parts,
    who: Caller,
    prefer: Sequence[str] | None,
    attended: Attended | None = None,
) -> JsonObject:
    """Answer the task that was accepted, with its `Location`; as it stands after the wait that is preferred."""
    response.headers["Location"] = f"/api/tasks/{submitted.task_id}"
    if (wait := preferred(prefer, "wait")) is not None and _WAIT.fullmatch(wait):
        await _rest(parts, submitted, min(int(wait), MAX_WAIT_S))
        response.headers["Preference-Applied"] = f"wait={wait}"
    if not submitted.is_new:
        response.status_code = 200
    if attended is not None and attended.seen is not None:
        return attended.seen
    return await parts.database.read(task_views.find, who, submitted.task_id)


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


async def _rest(parts: Parts, submitted: tasks.Submitted, limit_s: float) -> None:
    after = 0 if submitted.is_new else await parts.database.read(inputs.goes_on_after, submitted.task_id)
    if after is not None:
        await rest(parts, submitted.task_id, limit_s, after)


async def rest(parts: Parts, task_id: str, limit_s: float, after: int = 0) -> None:
    """Wait until the task is over or needs input, by an event above `after`.

    At most `limit_s`, and no longer than this process goes on.
    """
    await parts.log.wait_for(
        task_id,
        lambda event: event.is_last or (event.type == "task.status" and event.data["status"] == "input_required"),
        limit_s,
        after,
    )


async def _stream(parts: Parts, task_id: str, after: int) -> AsyncGenerator[bytes]:
    async with aclosing(parts.log.follow(task_id, after)) as log:
        async for event in log:
            yield encode(event.seq, event.type, orjson.dumps(event.to_json()))
