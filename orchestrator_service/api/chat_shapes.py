"""What the answers of the OpenAI-compatible door look like.

Source: https://platform.openai.com/docs/api-reference/chat/object
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import JsonValue

from orchestrator_service.api.shapes import Answer, Json, Shape


class Model(Answer):
    """What can be asked: `federation`, which finds agents, or one agent by itself."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class Models(Answer):
    """All that can be asked."""

    object: Literal["list"]
    data: list[Model]


class Said(Answer):
    """The answer."""

    role: Literal["assistant"]
    content: str
    refusal: None


class ChatChoice(Answer):
    """The one answer there is."""

    index: Literal[0]
    message: Said
    logprobs: None
    finish_reason: Literal["stop"]


class TokenUsage(Answer):
    """What models read and wrote for it."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(Answer):
    """A conversation's next turn; the task behind it has the `id` without `chatcmpl-`."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: TokenUsage


class Delta(Answer):
    """What a piece of a stream adds."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(Answer):
    """A piece of the one answer there is."""

    index: Literal[0]
    delta: Delta
    logprobs: None
    finish_reason: Literal["stop"] | None


class Chunk(Answer):
    """A piece of a stream of server-sent events, which `[DONE]` ends."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: TokenUsage | None
    error: dict[str, JsonValue] | None = None


ModelAnswer: TypeAlias = Annotated[Json, Shape(Model)]
ModelsAnswer: TypeAlias = Annotated[Json, Shape(Models)]
CompletionAnswer: TypeAlias = Annotated[Json, Shape(Completion)]
