"""Providers by LangChain's packages for them, for graphs of LangGraph: OpenAI-compatible servers, and Groq."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

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
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage


@dataclass(frozen=True, slots=True)
class LangChain:
    """A chat model of LangChain's as a `Provider`.

    `wish` makes the arguments of a call from the model's name, the most tokens and the form; `listed` asks for the
    names of models; `failures` are what the package raises, `lost` what its HTTP client does.
    """

    access: Access
    timeout_s: float
    chat: "BaseChatModel"
    wish: Callable[[str, int, Form | None], dict[str, object]]
    listed: Callable[[], Awaitable[list[str]]]
    closing: Callable[[], Awaitable[None]]
    failures: type[Exception]
    lost: type[Exception]

    async def ask(self, model: str, messages: list[Message], max_tokens: int, form: Form | None) -> Reply:
        """See `Provider`."""
        try:
            message = await self.chat.bind(**self.wish(model, max_tokens, form)).ainvoke(messages)
            read, written, cached = _counted(message)
            return Reply(_arguments(message) or message.text, read, written, _reason(message), cached)
        except (self.failures, self.lost, *RUBBISH, TimeoutError) as error:
            raise self._failed(error, model) from error

    async def stream(self, model: str, messages: list[Message], max_tokens: int) -> AsyncGenerator[str | Reply]:
        """See `Provider`."""
        read = written = cached = 0
        reason: str | None = None
        chunks = self.chat.bind(**self.wish(model, max_tokens, None)).astream(messages)
        try:
            async with aclosing(cast("AsyncGenerator[AIMessage]", chunks)) as chunks:
                async for chunk in chunks:
                    counts = _counted(chunk)
                    read, written, cached = read + counts[0], written + counts[1], cached + counts[2]
                    reason = _reason(chunk) or reason
                    if chunk.text:
                        yield chunk.text
        except (self.failures, self.lost, *RUBBISH, TimeoutError) as error:
            raise self._failed(error, model) from error
        yield Reply("", read, written, reason, cached)

    async def models(self) -> list[str]:
        """See `Provider`."""
        try:
            return await self.listed()
        except (self.failures, self.lost, *RUBBISH, TimeoutError) as error:
            raise self._failed(error, "") from error

    async def close(self) -> None:
        """See `Provider`."""
        await self.closing()

    def _failed(self, error: Exception, model: str) -> CallFailedError:
        return failed(error, self.access, model, self.timeout_s, lost=(self.lost,))


def open_openai(access: Access, timeout_s: float) -> LangChain:
    """Return a server that speaks as OpenAI's does, by `ChatOpenAI`."""
    import httpx2  # noqa: PLC0415 - heavy, each of them, and only one is needed
    import openai  # noqa: PLC0415
    from langchain_openai import ChatOpenAI  # noqa: PLC0415

    from shared.llm_bounds import BOUNDED  # noqa: PLC0415

    timeout = openai.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
    client = openai.DefaultAsyncHttpxClient(timeout=timeout, **BOUNDED)
    chat = ChatOpenAI(
        base_url=access.base_url,
        api_key=access.key,
        http_async_client=client,
        openai_proxy=None,
        timeout=timeout_s,
        stream_chunk_timeout=2 * timeout_s,
        max_retries=0,
        stream_usage=True,
        use_responses_api=False,
    )

    async def listed() -> list[str]:
        return [model.id for model in (await chat.root_async_client.models.list()).data]

    def wish(model: str, max_tokens: int, form: Form | None) -> dict[str, object]:
        return {"model": model, "extra_body": token_limit(access, max_tokens) | openai_form(form)}

    return LangChain(access, timeout_s, chat, wish, listed, client.aclose, openai.OpenAIError, httpx2.HTTPError)


def open_groq(access: Access, timeout_s: float) -> LangChain:
    """Return Groq, by `ChatGroq`."""
    import groq  # noqa: PLC0415
    import httpx  # noqa: PLC0415
    from langchain_groq import ChatGroq  # noqa: PLC0415

    from shared.llm_bounds import BOUNDED  # noqa: PLC0415
    from shared.llm_groq import effort  # noqa: PLC0415

    timeout = httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
    client = httpx.AsyncClient(timeout=timeout, **BOUNDED)
    chat = ChatGroq(
        model="",  # said in each call
        api_key=access.key,
        base_url=access.base_url,
        http_async_client=client,
        timeout=timeout_s,
        max_retries=0,
    )

    async def listed() -> list[str]:
        return []  # a graph's model at Groq is always named

    def wish(model: str, max_tokens: int, form: Form | None) -> dict[str, object]:
        return {"model": model, "max_tokens": max_tokens, **openai_form(form), **effort(model)}

    return LangChain(access, timeout_s, chat, wish, listed, client.aclose, groq.GroqError, httpx.HTTPError)


def _arguments(message: "AIMessage") -> str:
    """Return the arguments of the tool that was called last, as the model wrote them where they are no JSON."""
    read = [json.dumps(call["args"]) for call in message.tool_calls]
    return next(reversed([*read, *(call["args"] or "" for call in message.invalid_tool_calls)]), "")


def _counted(message: "AIMessage") -> tuple[int, int, int]:
    """Return the tokens that were read and written, and how many of the former were read from the provider's cache."""
    usage = message.usage_metadata
    if not usage:
        return 0, 0, 0
    return usage["input_tokens"], usage["output_tokens"], usage.get("input_token_details", {}).get("cache_read") or 0


def _reason(message: "AIMessage") -> str | None:
    return cast("str | None", message.response_metadata.get("finish_reason"))
