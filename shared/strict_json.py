"""Reads JSON from others: no duplicate keys, no NaN or infinity, no deep nesting, no text that a database refuses."""

import json
import re
from itertools import islice
from typing import Final, NoReturn, cast

import orjson
from pydantic import JsonValue

from shared.agent import JsonObject

MAX_DEPTH = 32
EXACT = 2**53
"""Up to here a double holds every whole number."""

_SURELY_WHOLE: Final = 10**17
_MOST_BRACES: Final = 1_000


class JsonError(ValueError):
    """The bytes are not JSON as it is accepted here. The text completes a sentence: "The card ... <text>."."""


def parse(content: bytes) -> JsonValue:
    """Return the JSON value that `content` is; zero bytes and lone surrogates in its strings become U+FFFD.

    Raises: JsonError.
    """
    try:
        value = cast("JsonValue", orjson.loads(content))
    except orjson.JSONDecodeError:
        return _parse_carefully(content)
    return value if _is_surely_right(content, value) else _parse_carefully(content)


def find_object(text: str) -> JsonObject:
    """Return the first JSON object in a text that says other things too. Raises: JsonError."""
    for found in islice(re.finditer(r"\{", text), _MOST_BRACES):
        try:
            value = cast("JsonObject", _DECODER.raw_decode(text, found.start())[0])
        except json.JSONDecodeError:
            continue
        except RecursionError as error:
            raise JsonError(f"is nested deeper than {MAX_DEPTH} levels") from error
        _check_depth(value)
        return cast("JsonObject", _scrub(value))
    raise JsonError("has no complete JSON object")


def _is_surely_right(content: bytes, value: JsonValue) -> bool:
    """Say whether the fast reader's `value` is beyond doubt; it takes the last of equal keys and all depths.

    When no colon has a space before it, each key is one `":` in the text; strings can only add to their number. So
    there is no key twice if there are as many of them as keys that were read.
    """
    if b"\\u" in content or b" :" in content or b"\n:" in content or b"\t:" in content or b"\r:" in content:
        return False
    return content.count(b'":') == _count_keys(value)


def _count_keys(value: JsonValue) -> int | None:
    """Return how many keys there are in all, or None if it is too deep or has a number near the limit.

    Walks level by level, so that it needs no recursion.
    """
    keys = 0
    level: list[JsonValue] = [value]
    for _ in range(MAX_DEPTH + 1):
        below: list[JsonValue] = []
        for item in level:
            if type(item) is str:
                continue
            if type(item) is dict:
                keys += len(item)
                below += item.values()
            elif type(item) is list:
                below += item
            elif type(item) is int and not -_SURELY_WHOLE <= item <= _SURELY_WHOLE:
                return None
        if not below:
            return keys
        level = below
    return None


def _parse_carefully(content: bytes) -> JsonValue:
    try:
        value = cast("JsonValue", _DECODER.decode(content.decode("utf-8-sig")))
    except RecursionError as error:
        raise JsonError(f"is nested deeper than {MAX_DEPTH} levels") from error
    except UnicodeDecodeError as error:
        raise JsonError("is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise JsonError(f"is not JSON ({error.msg.lower()} at character {error.pos})") from error
    _check_depth(value)
    return _scrub(value) if b"\\u" in content or b"\0" in content else value


def _object(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise JsonError(f"has the key {repeated[:60]!r} twice in one object")
    return found


def _float(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise JsonError(f"has a number that is out of range ({text[:30]})")
    return number


def _int(text: str) -> int | float:
    return int(text) if len(text) < 19 else _float(text)


def _refuse_constant(name: str) -> NoReturn:
    raise JsonError(f"has {name}, which JSON does not have")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_float, parse_int=_int, parse_constant=_refuse_constant
)


def _check_depth(value: JsonValue) -> None:
    """Walk level by level, so that the walk itself needs no recursion."""
    level: list[JsonValue] = [value]
    for _ in range(MAX_DEPTH + 1):
        below: list[JsonValue] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return
        level = below
    raise JsonError(f"is nested deeper than {MAX_DEPTH} levels")


def _scrub(value: JsonValue) -> JsonValue:
    match value:
        case str():
            return scrub_text(value)
        case list():
            return [_scrub(item) for item in value]
        case dict():
            return {cast("str", _scrub(key)): _scrub(item) for key, item in value.items()}
        case _:
            return value


def scrub_text(text: str) -> str:
    """Return the text with U+FFFD for what cannot be stored: zero bytes, and halves of characters."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


def whole(value: JsonValue) -> JsonValue:
    """Return `value` with whole numbers as integers: protobuf knows only doubles."""
    match value:
        case float():
            return int(value) if value.is_integer() and abs(value) <= EXACT else value
        case list():
            return [whole(item) for item in value]
        case dict():
            return {key: whole(item) for key, item in value.items()}
        case _:
            return value
