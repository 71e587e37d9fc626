"""What protobuf's way of reading JSON lets pass without a word: bytes that are not base64, states that no task has.

It leaves out the letters that base64 does not have, so that a file arrives broken, and names that it does not know, so
that a list is not filtered.
"""

from typing import Final

from a2a.types import InvalidParamsError, TaskState
from pydantic import JsonValue

_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_OLDER: Final = _LETTERS + b"+/= \t\r\n"
_NEWER: Final = _OLDER + b"-_"  # those of URLs
_STATES: Final = frozenset(TaskState.keys())


def check_files(params: JsonValue) -> None:
    """Refuse a message of A2A 1.0 or 0.3 with a file whose bytes are not base64. Raises: InvalidParamsError."""
    match params:
        case {"message": {"parts": [*parts]}}:
            for place, part in enumerate(parts, 1):
                if not _is_readable(part):
                    raise InvalidParamsError(f"The bytes of the file in part {place} are not base64.")
        case _:
            pass


def check_state(name: JsonValue) -> None:
    """Refuse to list tasks in a state that there is not. Raises: InvalidParamsError."""
    if isinstance(name, str) and name and not name.isdecimal() and name not in _STATES:
        raise InvalidParamsError(f"status is not '{name[:40]}', but one of {', '.join(sorted(_STATES))}.")


def _is_readable(part: JsonValue) -> bool:
    match part:
        case {"raw": str(encoded)}:
            return not encoded.encode().translate(None, _NEWER)
        case {"file": {"bytes": str(encoded)}}:
            return not encoded.encode().translate(None, _OLDER) and len("".join(encoded.split())) % 4 == 0
        case _:
            return True
