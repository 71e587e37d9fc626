"""Reads the parts of what another agent says (A2A 1.0 JSON): checked, bounded and without control characters. Pure."""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence

import orjson
from pydantic import JsonValue

from shared import data_urls
from shared.agent import File, JsonObject
from shared.agent_events import DataPart, Part, TextPart
from shared.errors import AgentProtocolError
from shared.strict_json import whole

_LONGEST_NOTE = 2_000
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_BIDI = re.compile("[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_URL_SAFE = str.maketrans("-_", "+/")


def clean_note(text: str) -> str:
    """Return a sentence of a peer, fit to be shown and logged: at most 2,000 characters, none that control."""
    short = text if len(text) <= _LONGEST_NOTE else text[: _LONGEST_NOTE - 1] + "…"
    if short.isprintable():
        return short.strip()
    return _BIDI.sub("", _CONTROL.sub("", short)).strip()


def read(carrier: JsonObject) -> list[Part]:
    """Return the parts of a message or artifact. Raises: AgentProtocolError for one that is none."""
    parts = carrier.get("parts")
    return [_part(part) for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def text_of(parts: Iterable[Part]) -> str:
    """Return what the text parts say, each on a line of its own."""
    return "\n".join([part.text for part in parts if isinstance(part, TextPart)])


def question_of(parts: Iterable[Part]) -> str:
    """Return the question in a message: its texts, else its data; some agents ask by a function call, which is data."""
    said = list(parts)
    return text_of(said) or "\n".join(
        clean_note(orjson.dumps(part.data).decode()) for part in said if isinstance(part, DataPart)
    )


def join(pieces: Sequence[Part]) -> tuple[Part, ...]:
    """Join texts that follow each other: agents stream an answer word by word, each word a part."""
    if len(pieces) < 2:
        return tuple(pieces)
    joined: list[Part] = []
    run: list[str] = []
    for piece in pieces:
        if isinstance(piece, TextPart):
            run.append(piece.text)
            continue
        if run:
            joined.append(TextPart("".join(run)))
            run.clear()
        joined.append(piece)
    return (*joined, TextPart("".join(run))) if run else tuple(joined)


def rest(known: tuple[Part, ...], parts: tuple[Part, ...]) -> tuple[Part, ...] | None:
    """Return what `parts` has after all of `known`, or None if it does not begin with it."""
    if parts[: len(known)] == known:
        return parts[len(known) :]
    last = len(known) - 1
    if parts[:last] != known[:last] or len(parts) <= last:
        return None
    old, new = known[last], parts[last]
    if isinstance(old, TextPart) and isinstance(new, TextPart) and new.text.startswith(old.text):
        return (TextPart(new.text[len(old.text) :]), *parts[last + 1 :])
    return None


def with_addresses(said: str, files: Iterable[File]) -> str:
    """Return what is said with the addresses of files that come as such, each on a line of its own if it is not in it.

    Who keeps files by their bytes keeps these so.
    """
    addresses = [clean_note(file.url) for file in files if file.url is not None]
    return "\n".join([*filter(None, [said]), *(each for each in dict.fromkeys(addresses) if each not in said)])


def size_of(part: Part) -> int:
    """Return about how many bytes a part takes."""
    match part:
        case TextPart():
            return len(part.text)
        case DataPart():
            return len(orjson.dumps(part.data))
        case File():
            return len(part.content or b"") + len(part.url or "")


def objects(value: JsonValue) -> list[JsonObject]:
    """Return the objects of a list; what else is in it, or is no list, is left out."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: JsonValue) -> str:
    """Return a string, and nothing for what is none."""
    return value if isinstance(value, str) else ""


def _part(part: JsonObject) -> Part:
    match part:
        case {"text": str(said)}:
            return TextPart(_CONTROL.sub("", said))
        case {"raw": str(encoded)}:
            return File(*_name_and_type(part), content=_decode(encoded))
        case {"url": str(url)}:
            held = data_urls.read(url)
            if held is None:
                return File(*_name_and_type(part), url=url[:8_000])
            return File(*_name_and_type({"mediaType": held[0], **part}), content=held[1])
        case {"data": data}:
            return DataPart(whole(data))
        case _:
            raise AgentProtocolError("The agent sent a part that is neither text, data, bytes nor a URL.")


def _name_and_type(part: JsonObject) -> tuple[str, str]:
    name = clean_note(text(part.get("filename")))[:500]
    return name, clean_note(text(part.get("mediaType")))[:200] or "application/octet-stream"


def _decode(encoded: str) -> bytes:
    plain = encoded.translate(_URL_SAFE).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise AgentProtocolError("The agent sent a file whose bytes are not base64.") from error
