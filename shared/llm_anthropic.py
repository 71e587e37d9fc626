"""Anthropic, by its own SDK: long system prompts go into its prompt cache."""

import json
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Final, cast

import anthropic
import httpx2

from shared.errors import ModelRefusedError
from shared.llm_bounds import BOUNDED
from shared.llm_choice import Access
from shared.llm_providers import (
    ANSWER_TOOL,
    CONNECT_TIMEOUT_S,
    RUBBISH,
    CallFailedError,
    Form,
    Message,
    Reply,
    failed,
)

if TYPE_CHECKING:
    from anthropic.types import MessageParam, TextBlockParam, Usage

_FAILURES = (anthropic.AnthropicError, httpx2.HTTPError, *RUBBISH, TimeoutError)
_WORTH_CACHING_CHARS: Final = 4_000
"""About 1,024 tokens: of less, nothing is cached there."""

_REASONS: Final = {"max_tokens": "length", "refusal": "content_filter"}


class Anthropic:
    """Anthropic's messages."""

    def __init__(self, access: Access, timeout_s: float) -> None:
        self._access = access
        self._timeout_s = timeout_s
        timeout = anthropic.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
        self._http = anthropic.DefaultAsyncHttpxClient(timeout=timeout, **BOUNDED)
        self._client = anthropic.AsyncAnthropic(
            base_url=access.base_url,
            api_key=access.key.get_secret_value(),
            http_client=self._http,
            timeout=timeout,
            max_retries=0,
        )

    async def ask(self, model: str, messages: list[Message], max_tokens: int, form: Form | None) -> Reply:
        """See `Provider`."""
        try:
            message = await self._client.messages.create(
                model=model,
                max_tokens=max_tokens,
                system=_system(messages),
                messages=_messages(messages),
                extra_body=_form(form),
            )
            text = "".join(block.text for block in message.content if block.type == "text")
            for block in message.content:
                if block.type == "tool_use":
                    text = json.dumps(block.input)
            return _reply(text, message.usage, message.stop_reason)
        except _FAILURES as error:
            raise self._failed(error, model) from error

    async def stream(self, model: str, messages: list[Message], max_tokens: int) -> AsyncGenerator[str | Reply]:
        """See `Provider`."""
        usage: Usage | None = None
        written = 0
        reason: str | None = None
        try:
            async with await self._client.messages.create(
                model=model,
                max_tokens=max_tokens,
                system=_system(messages),
                messages=_messages(messages),
                stream=True,
            ) as events:
                async for event in events:
                    if event.type == "message_start":
                        usage = event.message.usage
                    elif event.type == "content_block_delta" and event.delta.type == "text_delta":
                        yield event.delta.text
                    elif event.type == "message_delta":
                        written, reason = event.usage.output_tokens, event.delta.stop_reason
        except _FAILURES as error:
            raise self._failed(error, model) from error
        yield _reply("", usage, reason, written)

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


def _system(messages: list[Message]) -> "list[TextBlockParam]":
    text = "\n\n".join(content for role, content in messages if role == "system")
    if not text:
        return []
    block: TextBlockParam = {"type": "text", "text": text}
    if len(text) >= _WORTH_CACHING_CHARS:
        block["cache_control"] = {"type": "ephemeral"}
    return [block]


def _messages(messages: list[Message]) -> "list[MessageParam]":
    return [cast("MessageParam", {"role": role, "content": content}) for role, content in messages if role != "system"]


def _form(form: Form | None) -> dict[str, object]:
    if form is None:
        return {}
    if form.by == "schema":
        try:
            schema = anthropic.transform_schema(form.schema)
        except RUBBISH as error:  # a schema that its own way cannot say
            refused = ModelRefusedError(f"Anthropic takes no such JSON schema: {error}")
            raise CallFailedError(refused, status=400) from error
        return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
    tool = {"name": ANSWER_TOOL, "description": "Give the answer.", "input_schema": form.schema}
    return {"tools": [tool], "tool_choice": {"type": "tool", "name": ANSWER_TOOL}}


def _reply(text: str, usage: "Usage | None", reason: str | None, written: int | None = None) -> Reply:
    finish = None if reason is None else _REASONS.get(reason, "stop")
    if usage is None:
        return Reply(text, 0, written or 0, finish)
    cached, stored = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    output = usage.output_tokens if written is None else written
    return Reply(text, usage.input_tokens + cached + stored, output, finish, cached, stored)
