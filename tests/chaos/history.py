"""The history of a run: what was asked, what was answered, what was seen, what was broken. JSON lines, in order."""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import orjson
from pydantic import JsonValue

from shared.agent import JsonObject


class History:
    """Appends to the file of a history. One process writes it, so its order is the order of what happened there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab", buffering=0)
        self._begun = monotonic()

    def note(self, what: str, **facts: JsonValue) -> None:
        """Add a line; `what` names it, `at_s` is the time since the run began."""
        line: JsonObject = {"at_s": self.now_s(), "what": what, **facts}
        self._file.write(orjson.dumps(line) + b"\n")

    def now_s(self) -> float:
        """Return the time since the run began."""
        return round(monotonic() - self._begun, 4)

    def close(self) -> None:
        """Write no more."""
        self._file.close()


def read_lines(path: Path) -> Iterator[JsonObject]:
    """Yield the objects of a file of JSON lines; a last line that was cut short by a kill is left out."""
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n")[:-1]:
        yield orjson.loads(line)
