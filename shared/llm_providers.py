"""The model providers behind `shared.llm`: OpenAI-compatible servers by langchain-openai, Groq by its own SDK.

Both are imported at the first call only: the SDKs cost tens of megabytes, which an idle service should not hold.
Their own retries are off and no proxy of the environment is used. Each failure leaves as a `CallFailedError`.
"""

import email.utils
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, cast

import httpx
from pydantic import JsonValue, SecretStr

from shared.errors import FederationError, ModelAnswerError, ModelRefusedError, ModelUnavailableError

if TYPE_CHECKING:
    from groq.types.chat import ChatCompletionMessageParam
    from groq.types.completion_usage import CompletionUsage
    from langchain_core.messages import AIMessage

CONNECT_TIMEOUT_S = 10.0

Message: TypeAlias = tuple[Literal["system", "user", "assistant"], str]


@dataclass(frozen=True, slots=True)
class Reply:
    """How an answer ended: the whole text (nothing, for a stream), tokens as the provider counts them, and why."""

    text: str
    input_tokens: int
    output_tokens: int
    finish_reason: str | None


@dataclass(frozen=True, slots=True)
class Access:
    """Where a provider is and with which key, and the names to use in error texts."""

    provider: Literal["openai", "groq"]
    base_url: str
    key: SecretStr
    key_setting: str
    timeout_s: float


class CallFailedError(Exception):
    """One call failed: the error to tell the caller, and what may be done about it."""

    def __init__(
        self,
        error: FederationError,
        *,
        status: int | None = None,
        retry: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(error.detail)
        self.error = error
        self.status = status
        self.retry = retry
        self.retry_after_s = retry_after_s


class Provider(Protocol):
    """A place that completes chats. Raises: CallFailedError."""

    async def ask(
        self, model: str, messages: list[Message], max_tokens: int, schema: dict[str, JsonValue] | None
    ) -> Reply:
        """Return the answer; with a JSON schema, ask the provider to keep to it."""
        ...

    def stream(self, model: str, messages: list[Message], max_tokens: int) -> AsyncGenerator[str | Reply]:
        """Yield the pieces of the answer as they come, then how it ended."""
        ...

    async def models(self) -> list[str]:
        """Return the names of the models that can be asked for."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


def connect(access: Access) -> Provider:
    """Import the provider's SDK and make a client. Takes a second or two the first time: call it in a thread."""
    return _Groq(access) if access.provider == "groq" else _OpenAI(access)


class _OpenAI:
    def __init__(self, access: Access) -> None:
        import openai  # noqa: PLC0415  heavy, see the module's docstring
        from langchain_openai import ChatOpenAI  # noqa: PLC0415

        self._access = access
        self._failures = (openai.OpenAIError, *_RUBBISH, TimeoutError)
        self._official = access.base_url.startswith("https://api.openai.com/")
        timeout = openai.Timeout(access.timeout_s, connect=CONNECT_TIMEOUT_S)
        self._http = openai.DefaultAsyncHttpxClient(trust_env=False, follow_redirects=False, timeout=timeout)
        self._chat = ChatOpenAI(
            base_url=access.base_url,
            api_key=access.key,
            http_async_client=self._http,
            openai_proxy=None,
            timeout=access.timeout_s,
            stream_chunk_timeout=2 * access.timeout_s,
            max_retries=0,
            stream_usage=True,
            use_responses_api=False,
        )

    async def ask(
        self, model: str, messages: list[Message], max_tokens: int, schema: dict[str, JsonValue] | None
    ) -> Reply:
        extra = self._limit(max_tokens) | _response_format(schema)
        try:
            message = await self._chat.ainvoke(messages, model=model, extra_body=extra)
        except self._failures as error:
            raise _failed(error, self._access, model) from error
        reason = cast("str | None", message.response_metadata.get("finish_reason"))
        return Reply(message.text, *_counted(message), reason)

    async def stream(self, model: str, messages: list[Message], max_tokens: int) -> AsyncGenerator[str | Reply]:
        read = written = 0
        reason: str | None = None
        chunks = self._chat.astream(messages, model=model, extra_body=self._limit(max_tokens))
        try:
            async with aclosing(cast("AsyncGenerator[AIMessage]", chunks)) as chunks:
                async for chunk in chunks:
                    counts = _counted(chunk)
                    read, written = read + counts[0], written + counts[1]
                    reason = cast("str | None", chunk.response_metadata.get("finish_reason")) or reason
                    if chunk.text:
                        yield chunk.text
        except self._failures as error:
            raise _failed(error, self._access, model) from error
        yield Reply("", read, written, reason)

    async def models(self) -> list[str]:
        try:
            page = await self._chat.root_async_client.models.list()
            return [model.id for model in page.data]
        except self._failures as error:
            raise _failed(error, self._access, "") from error

    async def close(self) -> None:
        await self._http.aclose()

    def _limit(self, max_tokens: int) -> dict[str, object]:
        # OpenAI's newer models take only the new name, most compatible servers know only the old one.
        return {"max_completion_tokens" if self._official else "max_tokens": max_tokens}


class _Groq:
    def __init__(self, access: Access) -> None:
        import groq  # noqa: PLC0415  heavy, see the module's docstring

        self._access = access
        self._failures = (groq.GroqError, httpx.HTTPError, *_RUBBISH, TimeoutError)
        timeout = httpx.Timeout(access.timeout_s, connect=CONNECT_TIMEOUT_S)
        self._http = httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=timeout)
        self._client = groq.AsyncGroq(
            api_key=access.key.get_secret_value(),
            base_url=access.base_url,
            http_client=self._http,
            timeout=access.timeout_s,
            max_retries=0,
        )

    async def ask(
        self, model: str, messages: list[Message], max_tokens: int, schema: dict[str, JsonValue] | None
    ) -> Reply:
        try:
            completion = await self._client.chat.completions.create(
                model=model,
                messages=_as_groq(messages),
                max_completion_tokens=max_tokens,
                extra_body=_response_format(schema) | _effort(model),
            )
            choice = completion.choices[0]
            return Reply(choice.message.content or "", *_spent(completion.usage), choice.finish_reason)
        except self._failures as error:
            raise _failed(error, self._access, model) from error

    async def stream(self, model: str, messages: list[Message], max_tokens: int) -> AsyncGenerator[str | Reply]:
        usage: CompletionUsage | None = None
        reason: str | None = None
        try:
            async with await self._client.chat.completions.create(
                model=model,
                messages=_as_groq(messages),
                max_completion_tokens=max_tokens,
                extra_body={"stream_options": {"include_usage": True}} | _effort(model),
                stream=True,
            ) as chunks:
                async for chunk in chunks:
                    usage = chunk.usage or (chunk.x_groq.usage if chunk.x_groq else None) or usage
                    for choice in chunk.choices[:1]:
                        reason = choice.finish_reason or reason
                        if choice.delta.content:
                            yield choice.delta.content
        except self._failures as error:
            raise _failed(error, self._access, model) from error
        yield Reply("", *_spent(usage), reason)

    async def models(self) -> list[str]:
        try:
            listed = await self._client.models.list()
            return [model.id for model in listed.data]
        except self._failures as error:
            raise _failed(error, self._access, "") from error

    async def close(self) -> None:
        await self._http.aclose()


# What the SDKs let through when a body is no chat completion: wrong JSON, wrong shape, missing fields.
_RUBBISH = (ValueError, KeyError, IndexError, TypeError, AttributeError)


def _response_format(schema: dict[str, JsonValue] | None) -> dict[str, object]:
    if schema is None:
        return {}
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": False}}
    }


def _effort(model: str) -> dict[str, object]:
    return {"reasoning_effort": "low"} if model.startswith("openai/gpt-oss") else {}


def _as_groq(messages: list[Message]) -> "list[ChatCompletionMessageParam]":
    return [cast("ChatCompletionMessageParam", {"role": role, "content": content}) for role, content in messages]


def _counted(message: "AIMessage") -> tuple[int, int]:
    usage = message.usage_metadata
    return (usage["input_tokens"], usage["output_tokens"]) if usage else (0, 0)


def _spent(usage: "CompletionUsage | None") -> tuple[int, int]:
    return (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)


def _failed(error: Exception, access: Access, model: str) -> CallFailedError:
    at = f"The language model at {access.base_url}"
    kind = type(error).__name__
    status = cast("int | None", getattr(error, "status_code", None))
    if isinstance(error, TimeoutError | httpx.TimeoutException) or "Timeout" in kind:
        detail = f"{at} did not answer within {access.timeout_s:g} s (LLM_TIMEOUT_S)."
        return CallFailedError(ModelUnavailableError(detail), retry=True)
    if status is not None and status >= 300:
        return _refused(error, status, access, model)
    if isinstance(error, _RUBBISH) or status is not None:
        detail = f"{at} answered something that is not a chat completion; check LLM_BASE_URL and LLM_MODEL."
        return CallFailedError(ModelAnswerError(detail))
    if "Connection" in kind or isinstance(error, httpx.HTTPError):
        detail = f"{at} cannot be reached or closed the connection; check that it runs, and LLM_BASE_URL."
        return CallFailedError(ModelUnavailableError(detail), retry=True)
    detail = f"{at} broke off with an error: {_quoted(error, access)}"
    return CallFailedError(ModelUnavailableError(detail), retry=True)


def _refused(error: Exception, status: int, access: Access, model: str) -> CallFailedError:
    at = f"The language model at {access.base_url}"
    if status in {401, 403}:
        detail = f"{at} refused the key ({status}); check {access.key_setting}."
        return CallFailedError(ModelRefusedError(detail), status=status)
    if status == 404:
        detail = f"{at} does not know the model {model!r} (404); check LLM_MODEL and LLM_BASE_URL."
        return CallFailedError(ModelRefusedError(detail), status=status)
    if status == 429 and "insufficient_quota" in str(error):
        detail = f"{at} says that the account's quota is used up (429); check its plan and billing."
        return CallFailedError(ModelUnavailableError(detail), status=status)
    if status in {408, 409, 425, 429} or status >= 500:
        why = "is overloaded or limits the rate" if status == 429 else "failed"
        response = cast("object", getattr(error, "response", None))
        headers = cast("Mapping[str, str]", getattr(response, "headers", {}))
        return CallFailedError(
            ModelUnavailableError(f"{at} {why} ({status}); try again later."),
            status=status,
            retry=True,
            retry_after_s=_retry_after_s(headers.get("retry-after")),
        )
    detail = f"{at} did not accept the request ({status}): {_quoted(error, access)}"
    return CallFailedError(ModelRefusedError(detail), status=status)


def _quoted(error: Exception, access: Access) -> str:
    key = access.key.get_secret_value()
    return str(error).replace(key, "***")[:300] if key else str(error)[:300]


def _retry_after_s(value: str | None) -> float | None:
    """Read seconds or an HTTP date. Source: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after"""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
