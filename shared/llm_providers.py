"""The model providers behind `shared.llm`: what is asked of each, and what goes wrong there.

The SDKs' own retries are off and no proxy of the environment is used. Each failure leaves as a `CallFailedError`.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, cast

from pydantic import JsonValue

from shared import model_usage, strict_json
from shared.errors import FederationError, ModelAnswerError, ModelRefusedError, ModelUnavailableError
from shared.llm_choice import Access
from shared.retry_after import retry_after_s

CONNECT_TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""No model's answer is as long."""

Message: TypeAlias = tuple[Literal["system", "user", "assistant"], str]

ANSWER_TOOL = "answer"
"""The tool that a model is made to call, where it answers in a form that way."""

RUBBISH = (ValueError, KeyError, IndexError, TypeError, AttributeError)
"""What the SDKs let through when a body is no chat completion: wrong JSON, wrong shape, missing fields."""


class EndlessAnswerError(ValueError):
    """An answer is longer than any model's."""


@dataclass(frozen=True, slots=True)
class Form:
    """The JSON schema of an answer, and how the provider is held to it: its own way, or as arguments of a tool."""

    schema: dict[str, JsonValue]
    by: Literal["schema", "tool"]


@dataclass(frozen=True, slots=True)
class Reply:
    """How an answer ended: the whole text (nothing, for a stream), tokens as the provider counts them, and why.

    Of `input_tokens`, `cached_tokens` were read from the provider's cache and `stored_tokens` were put into it.
    """

    text: str
    input_tokens: int
    output_tokens: int
    finish_reason: str | None
    cached_tokens: int = 0
    stored_tokens: int = 0


def as_told(reply: Reply) -> Reply:
    """Return a reply without what cannot be kept: halves of characters, tokens that are no numbers or below zero."""
    return Reply(
        strict_json.scrub_text(reply.text),
        count(reply.input_tokens),
        count(reply.output_tokens),
        reply.finish_reason,
        count(reply.cached_tokens),
        count(reply.stored_tokens),
    )


def count(tokens: object) -> int:
    """Return a number of tokens that a server told; some put it in a string."""
    return model_usage.whole(float(tokens) if isinstance(tokens, str) and tokens.isdecimal() else tokens)


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

    async def ask(self, model: str, messages: list[Message], max_tokens: int, form: Form | None) -> Reply:
        """Return the answer; in a form, its text is to be JSON."""
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


def token_limit(access: Access, max_tokens: int) -> dict[str, object]:
    """Return how an OpenAI-compatible server is told the most tokens to write.

    OpenAI's newer models take only the new name, most compatible servers know only the old one.
    """
    is_new = access.is_official and access.provider == "openai"
    return {"max_completion_tokens" if is_new else "max_tokens": max_tokens}


def openai_form(form: Form | None) -> dict[str, object]:
    """Return what OpenAI's API, and those like it, take for a form."""
    if form is None:
        return {}
    if form.by == "tool":
        function = {"name": ANSWER_TOOL, "description": "Give the answer.", "parameters": form.schema}
        choice = {"type": "function", "function": {"name": ANSWER_TOOL}}
        return {"tools": [{"type": "function", "function": function}], "tool_choice": choice}
    named = {"name": ANSWER_TOOL, "schema": form.schema, "strict": False}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def failed(
    error: Exception, access: Access, model: str, timeout_s: float, *, lost: tuple[type[Exception], ...] = ()
) -> CallFailedError:
    """Return what an SDK raised as the error to tell. `lost`: what its HTTP client raises when a connection breaks."""
    at = f"The language model at {access.base_url}"
    error = error.__cause__ if isinstance(error.__cause__, EndlessAnswerError) else error
    kind = type(error).__name__
    status = cast("int | None", getattr(error, "status_code", None))
    if isinstance(error, TimeoutError) or "Timeout" in kind:
        detail = f"{at} did not answer within {timeout_s:g} s (LLM_TIMEOUT_S)."
        return CallFailedError(ModelUnavailableError(detail), retry=True)
    if status is not None and status >= 300:
        return _refused(error, status, access, model)
    if isinstance(error, lost) or "Connection" in kind:
        detail = f"{at} cannot be reached or closed the connection; check that it runs, and LLM_BASE_URL."
        return CallFailedError(ModelUnavailableError(detail), retry=True)
    if isinstance(error, RUBBISH) or status is not None or "Validation" in kind:
        detail = f"{at} answered something that is not a chat completion; check LLM_BASE_URL and LLM_MODEL."
        return CallFailedError(ModelAnswerError(detail))
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
            retry_after_s=retry_after_s(headers.get("retry-after")),
        )
    detail = f"{at} did not accept the request ({status}): {_quoted(error, access)}"
    return CallFailedError(ModelRefusedError(detail), status=status)


def _quoted(error: Exception, access: Access) -> str:
    key = access.key.get_secret_value()
    return str(error).replace(key, "***")[:300] if key else str(error)[:300]
