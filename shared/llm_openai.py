"""OpenAI, and every server that speaks as it does: Together, OpenRouter, Ollama, vLLM and others."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, cast

import aiohttp
import httpx2
import openai
from pydantic import BaseModel, BeforeValidator, Field

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


_Tokens = Annotated[int, BeforeValidator(lambda count: count or 0)]  # some servers say null


class _Function(BaseModel):
    arguments: str


class _Call(BaseModel):
    function: _Function | None = None


class _Said(BaseModel):
    content: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(BaseModel):
    message: _Said
    finish_reason: str | None = None


class _Details(BaseModel):
    cached_tokens: int | None = None


class _Counted(BaseModel):
    prompt_tokens: _Tokens = 0
    completion_tokens: _Tokens = 0
    prompt_tokens_details: _Details | None = None


class _Completion(BaseModel):
    """What is read of an answer; servers that speak as OpenAI's does leave much else out."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Counted | None = None


class OpenAI:
    """A server that speaks OpenAI's chat completions."""

    def __init__(self, access: Access, timeout_s: float) -> None:
        self._access = access
        self._timeout_s = timeout_s
        timeout = openai.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
        # Over aiohttp, as calls of agents are.
        self._http = openai.DefaultAioHttpClient(trust_env=False, follow_redirects=False, timeout=timeout)
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
            # Not `chat.completions.create`: it walks request and answer by types, 3 ms for a request with a form.
            body = {"model": model, "messages": _messages(messages), **token_limit(self._access, max_tokens)}
            response = await self._client.post(
                "/chat/completions", cast_to=httpx2.Response, body=body | openai_form(form)
            )
            completion = _Completion.model_validate_json(response.content)
            choice = completion.choices[0]
            text = choice.message.content or ""
            for call in choice.message.tool_calls or ():
                if call.function is not None:
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
        lost = (httpx2.HTTPError, aiohttp.ClientError)
        return failed(_first_cause(error), self._access, model, self._timeout_s, lost=lost)


def _first_cause(error: Exception) -> Exception:
    """Return aiohttp's own error, if there is one: its transport calls every lost connection a timeout."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, aiohttp.ClientError):
        cause = cause.__cause__
    return cause or error


def _messages(messages: list[Message]) -> "list[ChatCompletionMessageParam]":
    return cast("list[ChatCompletionMessageParam]", llm_chat.to_messages(messages))
