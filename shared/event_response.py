"""The response that streams server-sent events: one task more per client, and no memory for one who reads slowly.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final
from weakref import WeakSet

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_KEEP_ALIVE_S: Final = 15.0
_KEEP_ALIVE: Final = b": keep-alive\n\n"
_MAX_STUCK: Final = 4  # times of keep-alive in which a client takes nothing of what is sent
_open: Final[WeakSet["EventResponse"]] = WeakSet()


def encode(event_id: int, event_type: str, data: bytes) -> bytes:
    """Return an event as it is sent. `data` is one line, such as JSON."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event_id, event_type.encode(), data)


def end_all() -> None:
    """End every stream of this process: it is to stop. Clients come back with the id of the last event they have."""
    for response in tuple(_open):
        response.end()


class _ClientGoneError(Exception):
    """The client has closed the connection, or the service stops."""


class EventResponse(Response):
    """Sends what `events` yields, as `encode` returns it, and closes it at the end or when the client is gone.

    The next event is asked for when the one before is on its way. A comment keeps quiet connections open.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes], *, keep_alive_s: float = _KEEP_ALIVE_S) -> None:
        self.background = None
        self.status_code = 200
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._events = events
        self._keep_alive_s = keep_alive_s
        self._is_sending = self._is_to_end = False
        self._sent = 0
        self._watching: asyncio.Task[None] | None = None

    def end(self) -> None:
        """End the stream now."""
        self._is_to_end = True
        if self._watching is not None:
            self._watching.cancel()

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        _open.add(self)
        try:
            async with asyncio.TaskGroup() as group:
                self._watching = group.create_task(self._watch(receive, send))
                await self._send_events(send)
                self._watching.cancel()
        except* _ClientGoneError:
            pass
        finally:
            _open.discard(self)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_events(self, send: Send) -> None:
        async with aclosing(self._events) as events:
            async for event in events:
                self._is_sending = True
                await send({"type": "http.response.body", "body": event, "more_body": True})
                self._is_sending = False
                self._sent += 1

    async def _watch(self, receive: Receive, send: Send) -> None:
        """Keep the connection open until the client is gone, or takes nothing any more. Raises: _ClientGoneError."""
        stuck = seen = 0
        while True:
            try:
                async with asyncio.timeout(self._keep_alive_s):
                    message = await receive()
            except TimeoutError:
                stuck = stuck + 1 if self._is_sending and seen == self._sent else 0
                if stuck == _MAX_STUCK:
                    raise _ClientGoneError from None
                if not self._is_sending and seen == self._sent:
                    await send({"type": "http.response.body", "body": _KEEP_ALIVE, "more_body": True})
                seen = self._sent
            except asyncio.CancelledError:
                if self._is_to_end:
                    raise _ClientGoneError from None
                raise
            else:
                if message["type"] == "http.disconnect":
                    raise _ClientGoneError
