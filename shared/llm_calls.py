"""Calls of one model, bounded in time and number, tried again where that can help."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from time import monotonic
from typing import Final, TypeVar

import tenacity
from pydantic import JsonValue

from shared import llm_prices, strict_json
from shared.errors import ModelRefusedError, ModelUnavailableError
from shared.llm_choice import Choice
from shared.llm_connection import Connection
from shared.llm_prices import Price
from shared.llm_providers import CallFailedError, Form, Message, Provider, Reply, as_told
from shared.settings import FederationSettings

R = TypeVar("R")

_MAX_PAUSE_S: Final = 20.0
_NOT_TAKEN: Final = frozenset({400, 422})
"""What a server answers that does not know a way to hold a model to a form."""


class Target:
    """One model at one provider. Each call raises one of `shared.llm.MODEL_ERRORS`.

    `name` is empty until a server that was given without a model's name has told which it has.
    """

    def __init__(self, choice: Choice, connection: Connection, settings: FederationSettings) -> None:
        self.provider = choice.provider
        self.name = choice.name
        self.missing = choice.missing
        self._choice = choice
        self._connection = connection
        self._settings = settings
        self._price: Price | None = None
        self._ways: list[str] = ["schema", "tool", ""]

    @property
    def full_name(self) -> str:
        """The model as `provider:name`."""
        return f"{self.provider}:{self.name}"

    async def ready(self) -> None:
        """Learn the model's name and price, where they are not known."""
        if self.missing:
            raise ModelRefusedError(self.missing)
        if not self.name:
            provider = await self._connection.provider()
            models = await self._within(self._settings.llm_timeout_s, self._retried(provider.models))
            if not models:
                raise ModelRefusedError(f"The server at {self._choice.access.base_url} lists no models; set LLM_MODEL.")
            self.name = models[0]
        if self._price is None:
            self._price = await asyncio.to_thread(llm_prices.find, self._settings, self._choice, self.name)

    @property
    def price(self) -> Price:
        """What the model costs: before it is `ready`, by the settings."""
        return self._price or llm_prices.configured(self._settings)

    async def ask(self, messages: list[Message], max_tokens: int, schema: dict[str, JsonValue] | None) -> Reply:
        """Return the answer within LLM_TIMEOUT_S, all attempts together."""
        provider = await self._connection.provider()

        async def attempt() -> Reply:
            async with self._connection.slots:
                return await self._ask_once(provider, messages, max_tokens, schema)

        return as_told(await self._within(self._settings.llm_timeout_s, self._retried(attempt)))

    async def stream(self, messages: list[Message], max_tokens: int) -> AsyncGenerator[str | Reply]:
        """Yield the pieces of the answer as they come, then how it ended.

        The first comes within LLM_FIRST_TOKEN_TIMEOUT_S, with new attempts until then; each other one within
        LLM_TIMEOUT_S, and all within LLM_STREAM_TIMEOUT_S.
        """
        provider = await self._connection.provider()
        settings = self._settings
        ends_at = asyncio.get_running_loop().time() + settings.llm_stream_timeout_s

        async def attempt() -> tuple[AsyncGenerator[str | Reply], str | Reply | None]:
            pieces = provider.stream(self.name, messages, max_tokens)
            try:
                return pieces, await anext(pieces, None)
            except BaseException:
                await pieces.aclose()
                raise

        async with self._connection.slots:
            first_within_s = min(settings.llm_first_token_timeout_s, settings.llm_stream_timeout_s)
            pieces, piece = await self._within(
                first_within_s, self._retried(attempt), "LLM_FIRST_TOKEN_TIMEOUT_S", "begin to answer"
            )
            async with aclosing(pieces):
                while isinstance(piece, str):
                    yield strict_json.scrub_text(piece)
                    left_s = ends_at - asyncio.get_running_loop().time()
                    if left_s < settings.llm_timeout_s:
                        piece = await self._within(max(0.0, left_s), _next(pieces), "LLM_STREAM_TIMEOUT_S", "finish")
                    else:
                        piece = await self._within(settings.llm_timeout_s, _next(pieces))
                if piece is None or piece.finish_reason is None:
                    raise ModelUnavailableError(
                        f"The language model {self.name!r} broke off in the middle of its answer; try again."
                    )
                yield as_told(piece)

    async def _ask_once(
        self, provider: Provider, messages: list[Message], max_tokens: int, schema: dict[str, JsonValue] | None
    ) -> Reply:
        """Ask in the first way to hold the model to the form that the server takes: what it refused is not tried again.

        Its own way comes first, then a tool that it must call; else the prompt alone says the form.
        """
        if schema is None:
            return await provider.ask(self.name, messages, max_tokens, None)
        refused: list[str] = []
        for way in list(self._ways):
            form = Form(schema, "schema" if way == "schema" else "tool") if way else None
            try:
                reply = await provider.ask(self.name, messages, max_tokens, form)
            except CallFailedError as failure:
                if form is None or failure.status not in _NOT_TAKEN:
                    raise
                refused.append(way)
            else:
                self._ways = [way for way in self._ways if way not in refused]
                return reply
        raise AssertionError("the last way has no form")

    async def _retried(self, call: Callable[[], Awaitable[R]]) -> R:
        """Call, and again where that can help. Tenacity takes its time, so it is asked when the first call failed."""
        began = monotonic()
        try:
            return await call()
        except CallFailedError as failure:
            if not failure.retry:
                raise
            failed = [failure]
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, CallFailedError) and error.retry),
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(self._settings.llm_max_attempts),
                tenacity.stop_before_delay(self._settings.llm_timeout_s - (monotonic() - began)),
            ),
            wait=_pause_s,
            reraise=True,
        )

        async def attempt() -> R:
            if failed:
                raise failed.pop()
            return await call()

        return await retrying(attempt)

    async def _within(
        self, seconds: float, call: Awaitable[R], setting: str = "LLM_TIMEOUT_S", what: str = "answer"
    ) -> R:
        try:
            async with asyncio.timeout(seconds):
                return await call
        except CallFailedError as failure:
            raise failure.error from failure
        except TimeoutError as error:
            raise ModelUnavailableError(
                f"The language model at {self._choice.access.base_url} did not {what} within "
                f"{getattr(self._settings, setting.lower()):g} s ({setting})."
            ) from error


async def _next(pieces: AsyncGenerator[str | Reply]) -> str | Reply | None:
    return await anext(pieces, None)


def _pause_s(state: tenacity.RetryCallState) -> float:
    """Return the pause before the next attempt: as the provider asks, else full jitter.

    Source: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
    """
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, CallFailedError) and error.retry_after_s is not None:
        return error.retry_after_s + random.uniform(0, 0.1)
    return random.uniform(0, min(_MAX_PAUSE_S, 0.5 * 2**state.attempt_number))
