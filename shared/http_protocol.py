"""The HTTP/1.1 that services speak: uvicorn's, which alone would wait for a head for ever, and keep one without end."""

import asyncio
import logging
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

logger = logging.getLogger(__name__)

_MAX_HEAD_BYTES: Final = 65_536
_HEAD_S = 30.0
_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nx-content-type-options: nosniff\r\n"
    b"connection: close\r\n\r\n"
)


class BoundedHeads(HttpToolsProtocol):
    """One connection, closed as soon as more than 64 KiB have come that are neither body nor a complete head.

    Such are headers without end, and what may follow a body in pieces. It is closed, too, when a head is not complete
    30 s after the connection was made, or after the head began.
    """

    _head_bytes = 0
    _until: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Take the connection."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that it is closed."""
        self._end_wait()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        self._head_bytes += len(data)
        super().data_received(data)
        is_answered = not self.cycle or self.cycle.response_complete
        if is_answered and self._until is None and self.transport.get_protocol() is self:  # else it is a WebSocket now
            self._await_head()
        if self._head_bytes <= _MAX_HEAD_BYTES or self.transport.is_closing():
            return
        logger.warning("a request was refused: its head is larger than %d bytes", _MAX_HEAD_BYTES)
        if is_answered:
            self.transport.write(_TOO_LARGE)
        self.transport.close()

    def on_headers_complete(self) -> None:
        """Take the end of a head."""
        self._head_bytes = 0
        self._end_wait()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._head_bytes = 0
        super().on_body(body)

    def _await_head(self) -> None:
        self._until = self.loop.call_later(_HEAD_S, self.transport.close)

    def _end_wait(self) -> None:
        if self._until is not None:
            self._until.cancel()
            self._until = None
