"""The live view of a session over a WebSocket: frames, what is known of it, and a person's mouse and keys."""

import asyncio
import json
import logging
from contextlib import suppress

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from browser_service.control import Key, Mouse, NotInControlError, PersonInput, Typed
from browser_service.screencast import Watcher
from browser_service.sessions import OpenSession, note_secrets
from shared.agent import JsonObject
from shared.sockets import hear

logger = logging.getLogger(__name__)

_PAUSE_S = 0.4  # as often as the film that is kept anyway
_HELD_PAUSE_S = 0.1  # for the person who has the mouse, while no task works
_INPUT_S = 5.0
_MAX_MESSAGE_CHARS = 20_000


class _Acknowledged(BaseModel):
    model_config = ConfigDict(extra="forbid")
    type: str = Field(pattern="^ack$")


class _Token(BaseModel):
    model_config = ConfigDict(extra="forbid")
    type: str = Field(pattern="^control$")
    token: str = Field(max_length=200)


_MESSAGE: TypeAdapter[_Acknowledged | _Token | PersonInput] = TypeAdapter(_Acknowledged | _Token | PersonInput)


async def show(socket: WebSocket, session: OpenSession) -> None:
    """Show the session until it ends or the viewer leaves. `socket` is accepted already."""
    viewer = _Viewer(socket, session)
    tasks = [asyncio.create_task(work) for work in (viewer.send_frames(), viewer.send_changes(), viewer.hear())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await task
        await session.cast.unwatch(viewer.watcher)
        session.listeners.discard(viewer.changed)
    with suppress(RuntimeError, WebSocketDisconnect):
        await socket.close(1000)


class _Viewer:
    """One viewer. Its frames wait for its acknowledgements."""

    def __init__(self, socket: WebSocket, session: OpenSession) -> None:
        self.watcher = Watcher(_PAUSE_S)
        self.changed = asyncio.Event()
        self._socket = socket
        self._session = session
        self._sending = asyncio.Lock()
        self._acknowledged = asyncio.Event()
        self._token = ""

    async def send_frames(self) -> None:
        """Send a frame, wait for its acknowledgement, send the latest."""
        await self._session.cast.watch(self.watcher)
        while True:
            frame = await self.watcher.next_frame()
            self._acknowledged.clear()
            async with self._sending:
                await self._socket.send_bytes(frame.content)
            await self._acknowledged.wait()
            self._session.cast.room()

    async def send_changes(self) -> None:
        """Send what is known of the session whenever that changes, until it is closed."""
        self._session.listeners.add(self.changed)
        while True:
            self.changed.clear()
            info = self._session.redacted()
            self.watcher.pause_s = _HELD_PAUSE_S if info.held else _PAUSE_S
            await self._tell({"type": "session", "session": info.model_dump(mode="json")})
            if info.status == "closed":
                await self._tell({"type": "closed"})
                return
            await self.changed.wait()

    async def hear(self) -> None:
        """Take acknowledgements, and mouse and keys from whoever has the session."""
        while True:
            text = await hear(self._socket)
            try:
                message = _MESSAGE.validate_json(text[:_MAX_MESSAGE_CHARS])
            except ValidationError:
                await self._tell({"type": "refused", "detail": "That message is not understood."})
                continue
            match message:
                case _Acknowledged():
                    self._acknowledged.set()
                case _Token(token=token):
                    self._token = token
                case Mouse() | Key() | Typed():
                    await self._perform(message)

    async def _perform(self, given: PersonInput) -> None:
        try:
            self._session.control.require(self._token)
        except NotInControlError as error:
            await self._tell({"type": "refused", "detail": error.detail})
            return
        if given.type != "mouse" or given.action in {"down", "up"}:
            await note_secrets(self._session)  # before a click or Enter sends the form away
        with suppress(TimeoutError):
            async with asyncio.timeout(_INPUT_S):
                await self._session.control.perform(given)

    async def _tell(self, message: JsonObject) -> None:
        async with self._sending:
            await self._socket.send_text(json.dumps(message))
