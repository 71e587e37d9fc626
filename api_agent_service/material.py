"""What a request asks for and what it asks it about, told apart: instruction, parameters, sources.

A message often carries both in one text: "Average price by city:" and then the table, or a sentence of instruction
followed by the result of an earlier step.
"""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard, cast

from pydantic import JsonValue

from api_agent_service import markup_tables
from shared.agent import AgentRequest, File, JsonObject
from shared.errors import InvalidRequestError

MESSAGE = "the message"


@dataclass(frozen=True, slots=True)
class Source:
    """Something to work on, with the name it has in answers: in memory (`content`), or a file on disk (`path`)."""

    name: str
    media_type: str
    content: bytes = b""
    path: Path | None = None

    @property
    def size_bytes(self) -> int:
        """How large it is. Blocking."""
        return self.path.stat().st_size if self.path else len(self.content)

    def head(self, size_bytes: int) -> bytes:
        """Return its first bytes. Blocking."""
        if self.path is None:
            return self.content[:size_bytes]
        with self.path.open("rb") as file:
            return file.read(size_bytes)

    def on_disk(self, to: Path) -> Path:
        """Return it as a file, which is written to `to` where it is in memory. Blocking."""
        if self.path is None:
            to.write_bytes(self.content)
        return self.path or to


@dataclass(frozen=True, slots=True)
class Parts:
    """A text, told apart. `material` is what the instruction is about; either may be empty."""

    instruction: str
    material: str


@dataclass(frozen=True, slots=True)
class Parameters:
    """What the data parts of a request say: named parameters, and all else as sources."""

    instruction: str = ""
    text: str = ""
    urls: tuple[str, ...] = ()
    schema: JsonObject | None = None
    sheet: str = ""
    sources: tuple[Source, ...] = ()


_ASKING = (
    r"(?:summar|condens|shorten|tl;?dr|boil\s+down|extract|pull\s+out|analy[sz]e|profile|describe|give\s+me|list|"
    r"(?:the\s+)?(?:key|main)\s+(?:points|ideas|takeaways)|find|get|show|compute|calculate|plot|chart|answer|tell\s+me|what|which|who|how)"
)
_POLITE = (
    r"(?:(?:please|kindly|now|then|and|first|next|finally|can you|could you|would you|i want you to|you should)[,\s]+)*"
)
_BEGINS = re.compile(rf"^\W*{_POLITE}{_ASKING}", re.IGNORECASE)
_STRONG = re.compile(
    rf"^\W*{_POLITE}(?:summar|condens|shorten|tl;?dr|boil\s+down|extract|pull\s+out|analy[sz]e\b|profile\b|give\s+me\b|"
    r"(?:the\s+)?(?:key|main)\s+(?:points|ideas|takeaways))",
    re.IGNORECASE,
)
_ONE_LINE = re.compile(rf"^(\W*{_POLITE}{_ASKING}(?:[^:\n]|:(?!\s)){{0,200}}):\s+(?=\S)", re.IGNORECASE)
_FIRST_SENTENCE = re.compile(r"^([^\n]{3,240}?[.!?])\s+(?=\S)")
_FENCE = re.compile(r"^[ \t]*(```|~~~)")
_URL = re.compile(r"https?://[^\s<>\"'`\\^{}|]+", re.IGNORECASE)
_LONGEST_INSTRUCTION = 600


def split_prose(text: str) -> Parts:
    """Tell the instruction from the text it is about, where one message holds both; addresses alone are no text."""
    parts = _split_prose(text.strip())
    is_text = _URL.sub("", parts.material).strip(" \n\t,;*-")
    return parts if is_text or not parts.material else Parts(text.strip(), "")


def keep_whole(text: str) -> Parts:
    """Take a text for an instruction: what it is about came beside it."""
    return Parts(text.strip(), "")


def split_table(text: str) -> Parts:
    """Tell the instruction from its table: fenced, JSON, JSON Lines, a Markdown table or delimited lines."""
    text = text.strip("\n")
    if fenced := _split_fences(text):
        return fenced
    span = _find_json(text) or next(iter(markup_tables.find_markdown(text)), None) or _find_delimited(text)
    if span is None:
        return Parts(text.strip(), "")
    before, after = text[: span[0]].strip(), text[span[1] :].strip()
    return Parts(f"{before}\n{after}".strip(), text[span[0] : span[1]].strip("\n"))


def urls(text: str) -> tuple[str, ...]:
    """Return the http(s) URLs in a text, each once, without the punctuation that follows them."""
    found: dict[str, None] = {}
    for match in _URL.finditer(text):
        url = match[0].rstrip(".,;:!?*_")
        while url.endswith((")", "]")) and url.count(url[-1]) > url.count({")": "(", "]": "["}[url[-1]]):
            url = url[:-1].rstrip(".,;:!?*_")
        found[url] = None
    return tuple(found)


def read_parameters(request: AgentRequest) -> Parameters:
    """Return what the data parts say.

    An object whose keys are all of `instruction`, `question`, `text`, `url`, `urls`, `csv`, `data`, `sheet`, `schema`,
    each with a value of its kind, is read as parameters; anything else is data.
    """
    instruction, text, addresses = list[str](), list[str](), list[str]()
    schema: JsonObject | None = None
    sheet = ""
    sources: list[Source] = []
    for value in request.data:
        if not _is_parameters(value):
            sources.append(_json_source(value))
            continue
        for key, item in value.items():
            match key, item:
                case (("instruction" | "question"), str()):
                    instruction.append(item)
                case "text", str():
                    text.append(item)
                case "url", str():
                    addresses.append(item)
                case "urls", list():
                    addresses.extend(str(url) for url in item)
                case "csv", str():
                    sources.append(Source("data", "text/csv", item.encode()))
                case "sheet", str():
                    sheet = item
                case "schema", dict():
                    schema = item
                case _:
                    sources.append(_json_source(item))
    return Parameters("\n".join(instruction), "\n".join(text), tuple(addresses), schema, sheet, tuple(sources))


def file_source(file: File) -> Source:
    """Return a file part that carries its bytes as a source."""
    return Source(file.name or "the file", file.media_type, file.content or b"")


def without_names(instruction: str) -> str:
    """Return an instruction without the URLs and file names in it."""
    return _FILE_NAME.sub(" ", _URL.sub(" ", instruction))


_FILE_NAME = re.compile(
    r"(?<![\w/:.-])((?:[\w.-]+/)*[\w.-]+\.(?:csv|tsv|json|jsonl|ndjson|parquet|xlsx|xlsm|xls|ods|txt|text|md|markdown|html?|pdf))\b",
    re.IGNORECASE,
)


def find_file(instruction: str, folder: Path) -> Source | None:
    """Return the file of `folder` that the instruction names, or None when it names none. Blocking.

    Raises: InvalidRequestError when a file is named that is not in the folder, or not readable.
    """
    match = _FILE_NAME.search(_URL.sub(" ", instruction))
    if match is None:
        return None
    root = folder.resolve()
    for candidate in ((root / match[1]), (root.parent / match[1])):
        path = candidate.resolve()
        if path.is_relative_to(root) and path.is_file():
            if not os.access(path, os.R_OK):
                raise InvalidRequestError(f"The file {match[1]} cannot be read: permission denied.")
            return Source(match[1], "", path=path)
    raise InvalidRequestError(
        f"There is no file {match[1]} here. Attach it, give a URL, paste its content, or put it into the folder of the "
        "setting DATA_FILES."
    )


def _is_instruction(line: str) -> bool:
    stripped = line.rstrip()
    return bool(_STRONG.match(line)) or (stripped.endswith((":", "?")) and bool(_BEGINS.match(line)))


def _split_prose(text: str) -> Parts:  # noqa: PLR0911 - one line for each way to write it
    if not text:
        return Parts("", "")
    if fenced := _split_fences(text):
        return fenced
    if match := _ONE_LINE.match(text):
        return Parts(match[1].strip(), text[match.end() :].strip())
    first, _, rest = text.partition("\n")
    if rest.strip() and len(first) <= _LONGEST_INSTRUCTION and _is_instruction(first):
        return Parts(first.strip(), rest.strip())
    before, blank, last = text.rpartition("\n\n")
    if blank and len(last) <= 300 and _STRONG.match(last):
        return Parts(last.strip(), before.strip())
    if _STRONG.match(text) and (match := _FIRST_SENTENCE.match(text)):
        return Parts(match[1].strip(), text[match.end() :].strip())
    if len(text) <= _LONGEST_INSTRUCTION and (_STRONG.match(text) or _URL.search(text)):
        return Parts(text, "")
    return Parts("", text)


def _split_fences(text: str) -> Parts | None:
    """Return what stands inside closed fences as material; None where there are none, or much text around them."""
    inside: list[str] = []
    outside: list[str] = []
    pending: list[str] = []
    mark = ""
    for line in text.splitlines():
        fence = _FENCE.match(line)
        if not mark:
            mark = fence[1] if fence else ""
            outside += [] if fence else [line]
        elif line.strip() == mark:
            inside.append("\n".join(pending))
            pending, mark = [], ""
        else:
            pending.append(line)
    instruction = "\n".join(line for line in outside if line.strip()).strip()
    if mark or not any(block.strip() for block in inside) or len(instruction) > _LONGEST_INSTRUCTION:
        return None
    return Parts(instruction, "\n\n".join(inside))


_JSON_START = re.compile(
    r"(?:^[ \t]*|:[ \t]*)[\[{](?=\s*(?:[\[{\"}]|-?\d|null|true|false))|(?<=\s)[\[{](?=\s*[{\"])", re.MULTILINE
)
_JSON_NUMBERS = re.compile(r"\[\s*-?\d|\{\s*[{}]")


def _find_json(text: str) -> tuple[int, int] | None:
    """Return where a JSON document or JSON Lines stand; to the end of the text where they are broken."""
    decoder = json.JSONDecoder()
    for number, match in enumerate(_JSON_START.finditer(text)):
        start = match.end() - 1
        if number > 20:
            break
        try:
            value, end = _decode(decoder, text, start)
        except ValueError:
            if _JSON_NUMBERS.match(text, start):
                continue
            return start, len(text)
        if isinstance(value, list) and len(value) < 2 and not any(isinstance(item, (dict, list)) for item in value):
            continue  # a footnote such as [1]
        while (more := re.compile(r"\s*\n\s*(?=\{)").match(text, end)) is not None:
            try:
                _, end = _decode(decoder, text, more.end())
            except ValueError:
                return start, len(text)
        return start, end
    return None


def _decode(decoder: json.JSONDecoder, text: str, start: int) -> tuple[JsonValue, int]:
    try:
        value, end = cast("tuple[JsonValue, int]", decoder.raw_decode(text, start))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value, end


_SEPARATORS = (",", "\t", ";", "|")


def _find_delimited(text: str) -> tuple[int, int] | None:
    """Return the longest run of lines that looks like CSV: it begins with two lines of as many separators.

    Only where there is none such, two lines with any separators do, so that a ragged table is found and can be told so.
    """
    lines = text.splitlines(keepends=True)
    return _longest_run(lines, alike=True) or _longest_run(lines, alike=False)


def _longest_run(lines: list[str], *, alike: bool) -> tuple[int, int] | None:
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    best: tuple[int, int] | None = None
    index = 0
    while index < len(lines) - 1:
        separator = next(
            (mark for mark in _SEPARATORS if _begins_table(lines[index], lines[index + 1], mark, alike=alike)), None
        )
        end = index + 1
        if separator is not None:
            while end < len(lines) and (separator in lines[end] or '"' in lines[end]):
                end += 1
            if best is None or starts[end] - starts[index] > best[1] - best[0]:
                best = starts[index], starts[end]
        index = end
    return best


def _begins_table(header: str, row: str, separator: str, *, alike: bool) -> bool:
    count = header.count(separator)
    if count == 0:
        return False
    found = re.sub(r'"(?:[^"]|"")*"', "", row).count(separator)
    open_quote = row.count('"') % 2 == 1
    if (alike and found != count and not open_quote) or (found == 0 and not open_quote):
        return False
    cells = [cell.strip() for cell in header.strip().split(separator)]
    return all(len(cell) <= 60 and len(cell.split()) <= 6 for cell in cells) and not header.rstrip().endswith(
        (".", ":", "?")
    )


def _is_parameters(value: JsonValue) -> TypeGuard[JsonObject]:
    kinds: dict[str, type | tuple[type, ...]] = {
        "instruction": str,
        "question": str,
        "text": str,
        "url": str,
        "urls": list,
        "csv": str,
        "sheet": str,
        "schema": dict,
        "data": (list, dict),
    }
    return (
        isinstance(value, dict)
        and bool(value)
        and all(key in kinds and isinstance(item, kinds[key]) for key, item in value.items())
    )


def _json_source(value: JsonValue) -> Source:
    if isinstance(value, str):
        return Source("data", "", value.encode())
    return Source("data", "application/json", json.dumps(value).encode())
