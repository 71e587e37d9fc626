"""Groq, by its own SDK."""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, cast

import groq
import httpx

from shared.llm_choice import Access
from shared.llm_providers import CONNECT_TIMEOUT_S, RUBBISH, CallFailedError, Form, Message, Reply, failed, openai_form

if TYPE_CHECKING:
    from groq.types import CompletionUsage
    from groq.types.chat import ChatCompletionMessageParam

_FAILURES = (groq.GroqError, httpx.HTTPError, *RUBBISH, TimeoutError)


class Groq:
    """Groq's chat completions."""

    def __init__(self, access: Access, timeout_s: float) -> None:
        self._access = access
        self._timeout_s = timeout_s
        timeout = httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
        self._http = httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=timeout)
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
            return _reply(text, completion.usage, choice.finish_reason)
        except _FAILURES as error:
            raise self._failed(error, model) from error

    async def stream(self, model: str, messages: list[Message], max_tokens: int) -> AsyncGenerator[str | Reply]:
        """See `Provider`."""
        usage: CompletionUsage | None = None
        reason: str | None = None
        try:
            async with await self._client.chat.completions.create(
                model=model,
                messages=_messages(messages),
                max_completion_tokens=max_tokens,
                extra_body={"stream_options": {"include_usage": True}} | effort(model),
                stream=True,
            ) as chunks:
                async for chunk in chunks:
                    at_end = cast("CompletionUsage | None", getattr(chunk, "usage", None))  # not in every version
                    usage = at_end or (chunk.x_groq.usage if chunk.x_groq else None) or usage
                    for choice in chunk.choices[:1]:
                        reason = choice.finish_reason or reason
                        if choice.delta.content:
                            yield choice.delta.content
        except _FAILURES as error:
            raise self._failed(error, model) from error
        yield _reply("", usage, reason)

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
    return [cast("ChatCompletionMessageParam", {"role": role, "content": content}) for role, content in messages]


def _reply(text: str, usage: "CompletionUsage | None", reason: str | None) -> Reply:
    if usage is None:
        return Reply(text, 0, 0, reason)
    details = cast("object", getattr(usage, "prompt_tokens_details", None))
    cached = cast("int | None", getattr(details, "cached_tokens", None)) or 0
    return Reply(text, usage.prompt_tokens, usage.completion_tokens, reason, cached)
