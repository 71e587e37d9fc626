"""OpenAI, and every server that speaks as it does: Together, OpenRouter, Ollama, vLLM and others."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

import httpx2
import openai
from openai.types.chat import ChatCompletion

from shared import llm_chat
from shared.llm_choice import Access
from shared.llm_providers import (
    CONNECT_TIMEOUT_S,
    RUBBISH,
    CallFailedError,
    Form,
    Message,
    Reply,
    failed,
    openai_form,
    token_limit,
)

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam

_FAILURES = (openai.OpenAIError, httpx2.HTTPError, *RUBBISH, TimeoutError)


class OpenAI:
    """A server that speaks OpenAI's chat completions."""

    def __init__(self, access: Access, timeout_s: float) -> None:
        self._access = access
        self._timeout_s = timeout_s
        timeout = openai.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
        self._http = openai.DefaultAsyncHttpxClient(trust_env=False, follow_redirects=False, timeout=timeout)
        self._client = openai.AsyncOpenAI(
            base_url=access.base_url,
            api_key=access.key.get_secret_value(),
            http_client=self._http,
            timeout=timeout,
            max_retries=0,
        )

    async def ask(self, model: str, messages: list[Message], max_tokens: int, form: Form | None) -> Reply:
        """See `Provider`."""
        try:
            # Not `chat.completions.create`: it walks the whole request once more by types, 3 ms for one with a form.
            body = {"model": model, "messages": _messages(messages), **token_limit(self._access, max_tokens)}
            completion = await self._client.post(
                "/chat/completions", cast_to=ChatCompletion, body=body | openai_form(form)
            )
            choice = completion.choices[0]
            text = choice.message.content or ""
            for call in choice.message.tool_calls or ():
                if call.type == "function":
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
                    stream=True,
                    stream_options={"include_usage": True},
                    extra_body=token_limit(self._access, max_tokens),
                ) as chunks,
                aclosing(llm_chat.pieces(chunks, lambda chunk: chunk.usage)) as pieces,
            ):
                async for piece in pieces:
                    yield piece
        except _FAILURES as error:
            raise self._failed(error, model) from error

    async def models(self) -> list[str]:
        """See `Provider`."""
        try:
            page = await self._client.models.list()
            return [model.id for model in page.data]
        except _FAILURES as error:
            raise self._failed(error, "") from error

    async def close(self) -> None:
        """See `Provider`."""
        await self._http.aclose()

    def _failed(self, error: Exception, model: str) -> CallFailedError:
        return failed(error, self._access, model, self._timeout_s, lost=(httpx2.HTTPError,))


def _messages(messages: list[Message]) -> "list[ChatCompletionMessageParam]":
    return cast("list[ChatCompletionMessageParam]", llm_chat.to_messages(messages))
