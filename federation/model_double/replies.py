"""What the scripted model is asked and what it answers: texts, JSON, tool calls, and everything that goes wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from pydantic import JsonValue

JsonObject: TypeAlias = dict[str, JsonValue]

Dialect: TypeAlias = Literal["openai", "anthropic"]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call as it arrived."""

    body: JsonObject
    headers: Mapping[str, str]
    dialect: Dialect = "openai"

    @property
    def messages(self) -> list[dict[str, str]]:
        """The messages, each with `role` and `content`."""
        listed = self.body.get("messages")
        messages = listed if isinstance(listed, list) else []
        return [
            {"role": str(message.get("role", "")), "content": text_of(message.get("content"))}
            for message in messages
            if isinstance(message, dict)
        ]

    @property
    def prompt(self) -> str:
        """The last user message."""
        return next((message["content"] for message in reversed(self.messages) if message["role"] == "user"), "")

    @property
    def system(self) -> str:
        """The system message, or nothing."""
        own = text_of(self.body.get("system"))
        return own or next((message["content"] for message in self.messages if message["role"] == "system"), "")

    @property
    def model(self) -> str:
        """The model that was asked for."""
        return str(self.body.get("model", ""))

    @property
    def streamed(self) -> bool:
        """Whether the answer was asked for as a stream."""
        return self.body.get("stream") is True

    @property
    def wants_schema(self) -> bool:
        """Whether the answer was asked for by a JSON schema, in the provider's own way."""
        asked = self.body.get("response_format") or self.body.get("output_config")
        return isinstance(asked, dict) and (asked.get("type") == "json_schema" or "format" in asked)

    @property
    def forced_tool(self) -> str | None:
        """The tool that must be called, if there is one."""
        choice = self.body.get("tool_choice")
        if not isinstance(choice, dict):
            return None
        function = choice.get("function")
        name = function.get("name") if isinstance(function, dict) else choice.get("name")
        return name if isinstance(name, str) else None


@dataclass(frozen=True, slots=True)
class Text:
    """An answer in words. Tokens are counted as words unless they are given; `cached_tokens` are of the input."""

    text: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int = 0
    finish_reason: str = "stop"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model calls a tool instead of answering."""

    name: str
    arguments: JsonObject


@dataclass(frozen=True, slots=True)
class Failure:
    """An HTTP error, with `Retry-After` if given."""

    status: int
    retry_after_s: float | None = None
    message: str = "scripted failure"
    code: str = "scripted"


@dataclass(frozen=True, slots=True)
class Hang:
    """Nothing at all for so many seconds, then an error; None: until the server is closed."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Slow:
    """An answer that begins late, and whose pieces come slowly where it is streamed."""

    text: str
    first_s: float = 0.0
    gap_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Cut:
    """The beginning of a stream, then its end: `clean`, as if it were complete, or by a lost connection."""

    text: str = "The beginning of an"
    clean: bool = True


@dataclass(frozen=True, slots=True)
class Raw:
    """Any body with status 200: rubbish, HTML, another JSON."""

    body: str
    media_type: str = "application/json"


Fixed: TypeAlias = str | JsonObject | list[JsonValue] | Text | ToolCall | Failure | Hang | Slow | Cut | Raw
"""What is answered: a text, JSON as text, a tool call, or something that goes wrong."""

Reply: TypeAlias = Fixed | Callable[[ModelRequest], Fixed]


def tokens(text: str) -> int:
    """Return how many tokens the scripted model counts for a text: its words."""
    return len(text.split())


def text_of(content: JsonValue) -> str:
    """Return the text of a message, whether it is one text or several blocks."""
    if isinstance(content, list):
        blocks = [cast("JsonObject", block) for block in content if isinstance(block, dict)]
        return "\n".join(str(block["text"]) for block in blocks if "text" in block)
    return content if isinstance(content, str) else ""
