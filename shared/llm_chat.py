"""What the SDKs of OpenAI and Groq have in common: how chats are asked for, and how their answers are read."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from typing import Protocol, TypeVar, cast

from shared.llm_providers import Message, Reply


class Counted(Protocol):
    """Tokens as these providers count them; what was read from their caches is in details that not all give."""

    @property
    def prompt_tokens(self) -> int: ...
    @property
    def completion_tokens(self) -> int: ...


class _Written(Protocol):
    @property
    def content(self) -> str | None: ...


class _Choice(Protocol):
    @property
    def finish_reason(self) -> str | None: ...
    @property
    def delta(self) -> _Written: ...


class _Chunk(Protocol):
    @property
    def choices(self) -> Sequence[_Choice]: ...


C = TypeVar("C", bound=_Chunk)


def to_messages(messages: list[Message]) -> list[dict[str, str]]:
    """Return messages as these providers take them."""
    return [{"role": role, "content": content} for role, content in messages]


def reply(text: str, usage: Counted | None, reason: str | None) -> Reply:
    """Return how an answer ended."""
    if usage is None:
        return Reply(text, 0, 0, reason)
    details = cast("object", getattr(usage, "prompt_tokens_details", None))
    cached = cast("int | None", getattr(details, "cached_tokens", None)) or 0
    return Reply(text, usage.prompt_tokens, usage.completion_tokens, reason, cached)


async def pieces(chunks: AsyncIterable[C], usage_of: Callable[[C], Counted | None]) -> AsyncGenerator[str | Reply]:
    """Yield the pieces of a streamed answer as they come, then how it ended."""
    usage: Counted | None = None
    reason: str | None = None
    async for chunk in chunks:
        usage = usage_of(chunk) or usage
        for choice in chunk.choices[:1]:
            reason = choice.finish_reason or reason
            if choice.delta.content:
                yield choice.delta.content
    yield reply("", usage, reason)
