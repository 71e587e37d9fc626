"""A service's log: everything goes to the file, what matters to the terminal too."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_LONGEST_FILE_BYTES = 20_000_000
_LONGEST_LINE_BYTES = 100_000
_SHOWN_CHARS = 300
_SAYS_NOTHING = frozenset(
    {
        "Application startup failed. Exiting.",  # uvicorn, after it has said why
        "It was told to stop before it was up.",  # Ctrl-C
    }
)
_ALARMING = frozenset({"warning", "error", "critical"})


class ServiceLog:
    """Takes a service's output as it comes. One file, and one older beside it, of at most 20 MB each.

    `not_shown` is the last line, if only the file has it.

    When the file cannot be written, because the disk is full, say, that is said, and what matters is still shown.
    """

    def __init__(self, path: Path, name: str, say: Callable[[str], None], *, verbose: bool) -> None:
        self.path = path
        self.not_shown = ""
        self._name = name
        self._say = say
        self._verbose = verbose
        self._rest = b""
        self._is_kept = True
        self._file = path.open("ab", buffering=0)

    def write(self, chunk: bytes) -> None:
        """Keep `chunk`, and show the lines it completes where they matter."""
        try:
            self._keep(chunk)
            self._is_kept = True
        except OSError as error:
            if self._is_kept:
                self._say(
                    f"{self._name}: its log {self.path} cannot be written ({error.strerror}); it goes on without."
                )
            self._is_kept = False
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self._rest = self._rest[-_LONGEST_LINE_BYTES:]
        for line in lines:
            if text := line.decode(errors="replace").strip():
                self._show(text)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _keep(self, chunk: bytes) -> None:
        if self._file.tell() > _LONGEST_FILE_BYTES:
            with suppress(FileNotFoundError):  # it was moved already, and no new one could be made
                self.path.replace(self.path.with_suffix(".log.1"))
            full, self._file = self._file, self.path.open("ab", buffering=0)
            full.close()
        self._file.write(chunk)

    def _show(self, line: str) -> None:
        level, text = _parse(line)
        if len(lines := text.splitlines()) > 1:
            text = f"{lines[0]} … {lines[-1]}"  # of a stack, what was raised
        is_shown = self._verbose or level in _ALARMING
        if text in _SAYS_NOTHING and not self._verbose:
            return
        self.not_shown = "" if is_shown else text
        if is_shown:
            self._say(f"{self._name}: {level + ': ' if level else ''}{text[:_SHOWN_CHARS]}")


def _parse(line: str) -> tuple[str, str]:
    """Return the level and the message of a log line; of anything else, the line itself."""
    try:
        facts: object = json.loads(line) if line.startswith("{") else None
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        return "", line
    fields: dict[str, object] = {**facts}
    extra = fields.get("error") or fields.get("detail") or ""
    return str(fields.get("level", "")), f"{fields.get('message', line)}{f' ({extra})' if extra else ''}"
