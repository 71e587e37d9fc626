"""The HTTP/1.1 that services speak: uvicorn's, which alone would keep a request line and headers without end."""

import logging
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

logger = logging.getLogger(__name__)

_MAX_HEAD_BYTES: Final = 65_536
_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nx-content-type-options: nosniff\r\n"
    b"connection: close\r\n\r\n"
)


class BoundedHeads(HttpToolsProtocol):
    """One connection, closed as soon as more than 64 KiB have come that are neither body nor a complete head.

    Such are headers without end, and what may follow a body in pieces.
    """

    _head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes <= _MAX_HEAD_BYTES or self.transport.is_closing():
            return
        logger.warning("a request was refused: its head is larger than %d bytes", _MAX_HEAD_BYTES)
        if not self.cycle or self.cycle.response_complete:
            self.transport.write(_TOO_LARGE)
        self.transport.close()

    def on_headers_complete(self) -> None:
        """Take the end of a head."""
        self._head_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._head_bytes = 0
        super().on_body(body)
