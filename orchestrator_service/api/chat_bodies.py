"""What clients of the OpenAI-compatible door send: the conversation so far, of which the last message is the task.

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, field_validator

from orchestrator_service.api.body import Body
from orchestrator_service.planning.plan import MAX_INSTRUCTION_CHARS
from shared import data_urls, remote_parts
from shared.agent import File

FEDERATION: Final = "federation"
"""The model that plans, and finds agents for what is to be done."""
AGENT_PREFIX: Final = "agent/"
"""What stands before the name of an agent that is asked by itself."""

_ADDRESSED: Final = re.compile(r"@agent[ \t]+(?:\"([^\"\n]+)\"|(\S+))\s+(?=\S)")
_MOST_PARTS: Final = 200
_MOST_FILES: Final = 50


class _Lenient(Body):
    """Fields that are not known are left alone: there are many that tune a model."""

    model_config = ConfigDict(extra="ignore")


class _ImageUrl(_Lenient):
    url: str = Field(min_length=1)


class _NamedFile(_Lenient):
    filename: str = Field(default="file", min_length=1, max_length=255)
    file_data: str = Field(min_length=1, description="A `data:` URL.")


class TextPart(_Lenient):
    """Text of a message."""

    type: Literal["text"]
    text: str


class ImagePart(_Lenient):
    """An image of a message, by its address or as a `data:` URL."""

    type: Literal["image_url"]
    image_url: _ImageUrl


class FilePart(_Lenient):
    """A file of a message."""

    type: Literal["file"]
    file: _NamedFile


ContentPart = Annotated[TextPart | ImagePart | FilePart, Field(discriminator="type")]


class ChatMessage(_Lenient):
    """A turn of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | Annotated[list[ContentPart], Field(max_length=_MOST_PARTS)] | None = None

    @property
    def text(self) -> str:
        """What it says in words."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content or () if isinstance(part, TextPart))

    def files(self) -> list[File]:
        """Return what it brings along. Raises: ValueError for a `data:` URL that is none."""
        parts = self.content if isinstance(self.content, list) else []
        return [_file(part) for part in parts if not isinstance(part, TextPart)]


class StreamOptions(_Lenient):
    """What a stream tells besides the answer."""

    include_usage: bool = False


def _require_question(messages: Sequence[ChatMessage]) -> Sequence[ChatMessage]:
    last = messages[-1]
    if last.role != "user" or not last.text.strip():
        raise ValueError("the last message says what is to be done: it has the role `user`, and text")
    if len(last.text) > MAX_INSTRUCTION_CHARS:
        raise ValueError(f"the last message has more than {MAX_INSTRUCTION_CHARS:,} characters; send it as a file")
    if sum(len(message.files()) for message in messages) > _MOST_FILES:
        raise ValueError(
            f"the messages have more than {_MOST_FILES} files; leave out those that are not needed any more"
        )
    return messages


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a conversation asks for. `history` is what was said before, oldest first, as (role, text)."""

    text: str
    agent: str | None
    files: tuple[File, ...]
    history: tuple[tuple[str, str], ...]


class NewCompletion(_Lenient):
    """A conversation to go on with. What tunes a model (`temperature` and the like) changes nothing here."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"model": "federation", "messages": [{"role": "user", "content": "Compute 17 * 23 in Python."}]}
            ]
        }
    )

    model: str = Field(min_length=1, max_length=2_000, examples=["federation", "agent/Data"])
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=2_000), AfterValidator(_require_question)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = Field(default=None, max_length=200, description="Stored only as a keyed hash.")
    metadata: dict[str, str] | None = Field(default=None, max_length=16)
    n: int | None = None
    tools: list[JsonValue] | None = None
    functions: list[JsonValue] | None = None
    response_format: dict[str, JsonValue] | None = None

    @field_validator("n")
    @classmethod
    def _one_answer(cls, n: int | None) -> int | None:
        if n not in {None, 1}:
            raise ValueError("a task has one answer; leave `n` out")
        return n

    @field_validator("tools", "functions")
    @classmethod
    def _no_tools(cls, tools: list[JsonValue] | None) -> list[JsonValue] | None:
        if tools:
            raise ValueError("the agents have tools of their own, and cannot call those of a client; leave this out")
        return tools

    @field_validator("response_format")
    @classmethod
    def _text_alone(cls, asked: dict[str, JsonValue] | None) -> dict[str, JsonValue] | None:
        if asked is not None and asked.get("type") != "text":
            raise ValueError("the answer is text; leave this out, and say in words what it is to look like")
        return asked

    def wanted(self, most_turns: int) -> Wanted:
        """Return what is asked for, with `most_turns` of what was said before."""
        *before, last = self.messages
        text, agent = last.text.strip(), None
        if self.model.startswith(AGENT_PREFIX):
            agent = self.model.removeprefix(AGENT_PREFIX)
        elif (addressed := _ADDRESSED.match(text)) is not None:
            agent = addressed[1] or addressed[2]
            text = text[addressed.end() :]
        files = dict.fromkeys(file for message in self.messages if message.role == "user" for file in message.files())
        turns = [(_role(turn), turn.text) for turn in before if _role(turn) and turn.text.strip()]
        return Wanted(
            remote_parts.with_addresses(text, files),
            agent,
            tuple(file for file in files if file.content is not None),
            tuple(turns[-most_turns:]) if most_turns else (),
        )

    @property
    def said_before(self) -> str:
        """What the answer said that the last message follows."""
        return self.messages[-2].text if len(self.messages) > 1 and self.messages[-2].role == "assistant" else ""


def _role(turn: ChatMessage) -> str:
    """Return the role of a turn as sessions know it; none of what other clients' tools answered."""
    return {"developer": "system", "tool": "", "function": ""}.get(turn.role, turn.role)


def _file(part: ImagePart | FilePart) -> File:
    if isinstance(part, ImagePart):
        url, name = part.image_url.url, "image"
        if not url.lower().startswith("data:"):
            return File("", "", url=url[:8_000])
    else:
        url, name = part.file.file_data, part.file.filename
    held = data_urls.read(url)
    if held is None:
        raise ValueError("a file has to be a data: URL, such as data:text/csv;base64,Y2l0eQ==")
    media_type, content = held
    extension = f".{media_type.partition('/')[2]}" if name == "image" and media_type.startswith("image/") else ""
    return File(f"{name}{extension}", media_type or "application/octet-stream", content)
