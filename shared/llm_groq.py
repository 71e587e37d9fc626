"""Groq, by its own SDK."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

import groq
import httpx

from shared import llm_chat
from shared.llm_bounds import BOUNDED
from shared.llm_choice import Access
from shared.llm_providers import CONNECT_TIMEOUT_S, RUBBISH, CallFailedError, Form, Message, Reply, failed, openai_form

if TYPE_CHECKING:
    from groq.types import CompletionUsage
    from groq.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

_FAILURES = (groq.GroqError, httpx.HTTPError, *RUBBISH, TimeoutError)


class Groq:
    """Groq's chat completions."""

    def __init__(self, access: Access, timeout_s: float) -> None:
        self._access = access
        self._timeout_s = timeout_s
        timeout = httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
        self._http = httpx.AsyncClient(timeout=timeout, **BOUNDED)
        self._client = groq.AsyncGroq(
            api_key=access.key.get_secret_value(),
            base_url=access.base_url,
            http_client=self._http,
            timeout=timeout_s,
            max_retries=0,
        )

    async def ask(self, model: str, messages: list[Message], max_tokens: int, form: Form | None) -> Reply:
        """See `Provider`."""
        try:
            completion = await self._client.chat.completions.create(
                model=model,
                messages=_messages(messages),
                max_completion_tokens=max_tokens,
                extra_body=openai_form(form) | effort(model),
            )
            choice = completion.choices[0]
            text = choice.message.content or ""
            for call in choice.message.tool_calls or ():
                text = call.function.arguments
            return llm_chat.reply(text, completion.usage, choice.finish_reason)
        except _FAILURES as error:
            raise self._failed(error, model) from error

    async def stream(self, model: str, messages: list[Message], max_tokens: int) -> AsyncGenerator[str | Reply]:
        """See `Provider`."""
        try:
            async with (
                await self._client.chat.completions.create(
                    model=model,
                    messages=_messages(messages),
                    max_completion_tokens=max_tokens,
                    extra_body={"stream_options": {"include_usage": True}} | effort(model),
                    stream=True,
                ) as chunks,
                aclosing(llm_chat.pieces(chunks, _usage_of)) as pieces,
            ):
                async for piece in pieces:
                    yield piece
        except _FAILURES as error:
            raise self._failed(error, model) from error

    async def models(self) -> list[str]:
        """See `Provider`."""
        try:
            listed = await self._client.models.list()
            return [model.id for model in listed.data]
        except _FAILURES as error:
            raise self._failed(error, "") from error

    async def close(self) -> None:
        """See `Provider`."""
        await self._http.aclose()

    def _failed(self, error: Exception, model: str) -> CallFailedError:
        return failed(error, self._access, model, self._timeout_s, lost=(httpx.HTTPError,))


def effort(model: str) -> dict[str, object]:
    """Return how long a model is to think before it answers, for those that would think for long."""
    return {"reasoning_effort": "low"} if model.startswith("openai/gpt-oss") else {}


def _messages(messages: list[Message]) -> "list[ChatCompletionMessageParam]":
    return cast("list[ChatCompletionMessageParam]", llm_chat.to_messages(messages))


def _usage_of(chunk: "ChatCompletionChunk") -> "CompletionUsage | None":
    at_end = cast("CompletionUsage | None", getattr(chunk, "usage", None))  # not in every version
    return at_end or (chunk.x_groq.usage if chunk.x_groq else None)
