"""Reads server-sent events from bytes as they come. Source: https://html.spec.whatwg.org/multipage/server-sent-events.html"""

from shared.errors import TooLargeError

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventReader:
    """Takes chunks, cut anywhere, and returns the data of the events they complete; other fields are not kept."""

    def __init__(self, max_event_bytes: int) -> None:
        self._max_event_bytes = max_event_bytes
        self._line = bytearray()
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._skip_line_feed = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the data of each event that `chunk` completes. Raises: TooLargeError for an event over the limit."""
        if self._skip_line_feed and chunk:
            self._skip_line_feed = False
            chunk = chunk.removeprefix(b"\n")
        events: list[bytes] = []
        for piece in chunk.splitlines(keepends=True):
            self._line += piece
            if len(self._line) + self._data_bytes > self._max_event_bytes:
                raise TooLargeError(f"The agent sent an event larger than {self._max_event_bytes:,} bytes.")
            if piece.endswith((b"\n", b"\r")):
                line = bytes(self._line).rstrip(b"\r\n")
                self._line.clear()
                self._end_line(line, events)
        self._skip_line_feed = chunk.endswith(b"\r") or (self._skip_line_feed and not chunk)
        return events

    def _end_line(self, line: bytes, events: list[bytes]) -> None:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if not line:
            if self._data:
                events.append(b"\n".join(self._data))
                self._data.clear()
                self._data_bytes = 0
            return
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            self._data_bytes += len(value) + 1
