"""The WebSocket that a tab of the web UI keeps open: the logs of any number of tasks, and that lists have changed.

Both sides send JSON objects as text. A client sends `{"type": "subscribe", "task_id", "after"}`, `{"type":
"unsubscribe", "task_id"}`, `{"type": "watch", "topic": "tasks"}` and `{"type": "unwatch", ...}`. It hears

- `{"type": "hello"}` when the connection stands,
- `{"type": "events", "task_id", "events": [...]}`: what `GET /api/tasks/{id}/events` says, several at a time,
- `{"type": "end", "task_id"}`: the log ends there,
- `{"type": "refused", "task_id", "problem"}`: there is no such task,
- `{"type": "changed", "topic": "tasks"}`: lists of tasks and questions are to be read again, at most every 300 ms,
- `{"type": "heartbeat"}` when there was nothing else for 15 s.

A client that reads slowly holds up only itself: nothing is read for it from the log before it has taken what it has.
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from itertools import groupby
from typing import Annotated, Final, Literal, TypeAlias

import orjson
from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.websockets import WebSocketDisconnect

from orchestrator_service import tasks
from orchestrator_service.api.parts import OpenParts, Parts, SeqNumber, WhoAsks
from orchestrator_service.events import Recorded
from shared import sockets
from shared.agent import JsonObject
from shared.auth import Caller
from shared.errors import FederationError

router = APIRouter(tags=["events"])

_HEARTBEAT_S: Final = 15.0
_PAUSE_S: Final = 0.3
_MOST_WAITING: Final = 256
_MOST_TOGETHER: Final = 100
_MOST_SUBSCRIPTIONS: Final = 100
_WATCH: Final = ""
_MOST_CHARS: Final = 4_096
_POLICY_VIOLATION: Final = 1008


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Subscribe(_Message):
    type: Literal["subscribe"]
    task_id: str = Field(max_length=200)
    after: SeqNumber = 0


class _Unsubscribe(_Message):
    type: Literal["unsubscribe"]
    task_id: str = Field(max_length=200)


class _Watch(_Message):
    type: Literal["watch", "unwatch"]
    topic: Literal["tasks"]


_Wish: TypeAlias = Annotated[_Subscribe | _Unsubscribe | _Watch, Field(discriminator="type")]
_WISH: Final[TypeAdapter[_Wish]] = TypeAdapter(_Wish)


@router.websocket("/api/events/ws")
async def live(socket: WebSocket, parts: OpenParts, who: WhoAsks) -> None:
    """Serve one tab until it is closed."""
    await socket.accept()
    try:
        await socket.send_text('{"type":"hello"}')
        async with asyncio.TaskGroup() as group:
            tab = _Tab(socket, parts, who, group)
            group.create_task(tab.write())
            group.create_task(tab.read())
    except* WebSocketDisconnect:
        pass


class _Tab:
    """One connection: a reader of wishes, a follower for each log, and one writer for all of them."""

    def __init__(self, socket: WebSocket, parts: Parts, who: Caller, group: asyncio.TaskGroup) -> None:
        self._socket = socket
        self._parts = parts
        self._who = who
        self._group = group
        self._running: dict[str, asyncio.Task[None]] = {}
        self._waiting: asyncio.Queue[Recorded | JsonObject] = asyncio.Queue(_MOST_WAITING)

    async def read(self) -> None:
        """Do what the client wishes. Raises: WebSocketDisconnect."""
        while True:
            text = await sockets.hear(self._socket)
            try:
                wish = _WISH.validate_json(text if len(text) <= _MOST_CHARS else "")
            except ValidationError:
                await self._refuse("A message has not the expected form; see docs/api.md.")
                return
            match wish:
                case _Subscribe():
                    if len(self._running.keys() - {_WATCH, wish.task_id}) >= _MOST_SUBSCRIPTIONS:
                        await self._refuse(f"A connection follows {_MOST_SUBSCRIPTIONS} tasks at most.")
                        return
                    self._begin(wish.task_id, self._follow(wish.task_id, wish.after))
                case _Unsubscribe():
                    self._end(wish.task_id)
                case _Watch(type="watch"):
                    self._begin(_WATCH, self._watch())
                case _Watch():
                    self._end(_WATCH)

    async def write(self) -> None:
        """Send what waits, events of one task together. Raises: WebSocketDisconnect."""
        while True:
            for message in await self._next():
                await self._socket.send_text(orjson.dumps(message).decode())

    async def _next(self) -> list[JsonObject]:
        try:
            async with asyncio.timeout(_HEARTBEAT_S):
                found = [await self._waiting.get()]
        except TimeoutError:
            return [{"type": "heartbeat"}]
        while len(found) < _MOST_TOGETHER and not self._waiting.empty():
            found.append(self._waiting.get_nowait())
        messages: list[JsonObject] = []
        for task_id, together in groupby(found, lambda each: each.task_id if isinstance(each, Recorded) else None):
            if task_id is None:
                messages += [each for each in together if isinstance(each, dict)]
            else:
                events = [each.to_json() for each in together if isinstance(each, Recorded)]
                messages.append({"type": "events", "task_id": task_id, "events": [*events]})
        return messages

    async def _follow(self, task_id: str, after: int) -> None:
        try:
            await self._parts.database.read(tasks.require, self._who, task_id)
        except FederationError as error:
            await self._waiting.put({"type": "refused", "task_id": task_id, "problem": error.to_problem()})
            return
        async with aclosing(self._parts.log.follow(task_id, after)) as log:
            async for event in log:
                await self._waiting.put(event)
        await self._waiting.put({"type": "end", "task_id": task_id})

    async def _watch(self) -> None:
        async with aclosing(self._changes()) as changes:
            async for _ in changes:
                await self._waiting.put({"type": "changed", "topic": "tasks"})

    async def _changes(self) -> AsyncGenerator[None]:
        with self._parts.log.watching() as changed:
            while True:
                await changed.wait()
                changed.clear()
                yield
                await asyncio.sleep(_PAUSE_S)

    async def _refuse(self, reason: str) -> None:
        """Close the connection. Raises: WebSocketDisconnect."""
        await self._socket.close(_POLICY_VIOLATION, reason)
        raise WebSocketDisconnect(_POLICY_VIOLATION)

    def _begin(self, key: str, work: Coroutine[None, None, None]) -> None:
        self._end(key)
        task = self._group.create_task(work)
        self._running[key] = task
        task.add_done_callback(lambda done: self._running.pop(key) if self._running.get(key) is done else None)

    def _end(self, key: str) -> None:
        if (running := self._running.pop(key, None)) is not None:
            running.cancel()
