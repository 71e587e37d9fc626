"""Reads server-sent events from bytes as they come. Source: https://html.spec.whatwg.org/multipage/server-sent-events.html"""

from collections.abc import Iterator

from shared.errors import TooLargeError

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventReader:
    """Takes chunks, cut anywhere, and gives the data of the events they complete; other fields are not kept."""

    def __init__(self, max_event_bytes: int) -> None:
        self._max_event_bytes = max_event_bytes
        self._line = bytearray()
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._skip_line_feed = False
        self._at_start = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the data of each event that `chunk` completes; take them all before the next chunk.

        Raises: TooLargeError when it comes to an event over the limit.
        """
        if self._skip_line_feed and chunk:
            self._skip_line_feed = False
            chunk = chunk.removeprefix(b"\n")
        for piece in chunk.splitlines(keepends=True):
            if len(self._line) + len(piece) + self._data_bytes > self._max_event_bytes:
                raise TooLargeError(f"An event is larger than {self._max_event_bytes:,} bytes; that is the limit here.")
            if not piece.endswith((b"\n", b"\r")):
                self._line += piece
                break  # only the last one has no end
            line = piece
            if self._line:
                line = bytes(self._line) + piece
                self._line.clear()
            event = self._end_line(line.rstrip(b"\r\n"))
            if event is not None:
                yield event
        self._skip_line_feed = chunk.endswith(b"\r") or (self._skip_line_feed and not chunk)

    def _end_line(self, line: bytes) -> bytes | None:
        """Take in a line, and return the data of the event that it completes."""
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if not line:
            event = b"\n".join(self._data) if self._data else None
            self._data.clear()
            self._data_bytes = 0
            return event
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            self._data_bytes += len(value) + 1
        return None
