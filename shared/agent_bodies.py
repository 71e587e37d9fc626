"""What is to be refused before the SDK reads it: what it lets pass without a word, and what of A2A 0.3 it fails at.

Protobuf's way of reading JSON leaves out the letters that base64 does not have, so that a file arrives broken, and
names that it does not know, so that a list is not filtered.
"""

import base64
from typing import Final

from a2a.types import InvalidParamsError, TaskState
from pydantic import JsonValue

_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_OLDER: Final = _LETTERS + b"+/= \t\r\n"
_NEWER: Final = _OLDER + b"-_"  # those of URLs
_STATES: Final = frozenset(TaskState.keys())
_MOST_MESSAGES: Final = 2**31 - 1


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


def check_history_length(given: JsonValue) -> None:
    """Refuse a history length that is no number, or that no 32 bits hold. Raises: InvalidParamsError."""
    try:
        is_right = given is None or abs(int(str(given))) <= _MOST_MESSAGES
    except ValueError:
        is_right = False
    if not is_right:
        raise InvalidParamsError(f"historyLength is a whole number up to {_MOST_MESSAGES:,}.")


def check_content(body: JsonValue) -> None:
    """Refuse a message of A2A 0.3 over HTTP+JSON with a part that holds nothing, or a file that is not base64 twice.

    So the official SDK writes it there: what protobuf decodes is base64 again. Raises: InvalidParamsError.
    """
    match body:
        case {"message": {"content": [*parts]}} | {"request": {"content": [*parts]}}:
            for place, part in enumerate(parts, 1):
                if not isinstance(part, dict) or all(part.get(kind) is None for kind in ("text", "file", "data")):
                    raise InvalidParamsError(f"Part {place} of the message has none of text, file and data.")
                if not _is_readable(part):
                    raise InvalidParamsError(f"The bytes of the file in part {place} are not base64 of base64.")
        case _:
            pass


def _is_readable(part: JsonValue) -> bool:
    match part:
        case {"raw": str(encoded)}:
            return not encoded.encode().translate(None, _NEWER)
        case {"file": {"bytes": str(encoded)}}:
            return _is_older(encoded.encode())
        case {"file": {"fileWithBytes": str(encoded)}}:
            try:
                return _is_older(base64.b64decode(encoded, validate=True))
            except ValueError:
                return False
        case _:
            return True


def _is_older(encoded: bytes) -> bool:
    return not encoded.translate(None, _OLDER) and len(b"".join(encoded.split())) % 4 == 0
