"""Groq by LangChain's package for it, for graphs of LangGraph."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

import groq
import httpx
from langchain_groq import ChatGroq

from shared.llm_choice import Access
from shared.llm_groq import effort
from shared.llm_providers import CONNECT_TIMEOUT_S, RUBBISH, CallFailedError, Form, Message, Reply, failed, openai_form

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

_FAILURES = (groq.GroqError, httpx.HTTPError, *RUBBISH, TimeoutError)


class LangChainGroq:
    """Groq's chat completions, by `ChatGroq`."""

    def __init__(self, access: Access, timeout_s: float) -> None:
        self._access = access
        self._timeout_s = timeout_s
        timeout = httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
        self._http = httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=timeout)
        self._chat = ChatGroq(
            model="",  # said in each call
            api_key=access.key,
            base_url=access.base_url,
            http_async_client=self._http,
            timeout=timeout_s,
            max_retries=0,
        )

    async def ask(self, model: str, messages: list[Message], max_tokens: int, form: Form | None) -> Reply:
        """See `Provider`."""
        extra = openai_form(form) | effort(model)
        try:
            message = await self._chat.bind(model=model, max_tokens=max_tokens, **extra).ainvoke(messages)
            text = message.text
            for call in cast("list[dict[str, dict[str, str]]]", message.additional_kwargs.get("tool_calls") or []):
                text = call["function"]["arguments"]
            return Reply(text, *_counted(message), _reason(message))
        except _FAILURES as error:
            raise self._failed(error, model) from error

    async def stream(self, model: str, messages: list[Message], max_tokens: int) -> AsyncGenerator[str | Reply]:
        """See `Provider`."""
        read = written = 0
        reason: str | None = None
        chunks = self._chat.bind(model=model, max_tokens=max_tokens, **effort(model)).astream(messages)
        try:
            async with aclosing(cast("AsyncGenerator[AIMessage]", chunks)) as chunks:
                async for chunk in chunks:
                    counts = _counted(chunk)
                    read, written = read + counts[0], written + counts[1]
                    reason = _reason(chunk) or reason
                    if chunk.text:
                        yield chunk.text
        except _FAILURES as error:
            raise self._failed(error, model) from error
        yield Reply("", read, written, reason)

    async def models(self) -> list[str]:
        """See `Provider`: a graph's model is always named."""
        return []

    async def close(self) -> None:
        """See `Provider`."""
        await self._http.aclose()

    def _failed(self, error: Exception, model: str) -> CallFailedError:
        return failed(error, self._access, model, self._timeout_s, lost=(httpx.HTTPError,))


def _counted(message: "AIMessage") -> tuple[int, int]:
    usage = message.usage_metadata
    return (usage["input_tokens"], usage["output_tokens"]) if usage else (0, 0)


def _reason(message: "AIMessage") -> str | None:
    return cast("str | None", message.response_metadata.get("finish_reason"))
