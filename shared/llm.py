"""The language models, if any are configured: complete, stream, and answer in a given form.

    async with open_models(settings) as models:
        model = models.of("summarize", request)      # None where no model is configured
        completion = await model.complete("Say hello.")
        plan, usage = await model.structured("Plan this.", Plan)

Which ones: `shared.llm_choice`. A role has a list of models; the next is asked where one fails. What an agent does for
a request goes through a model made for that request (`of(role, request)`, or `serving(request)`): it follows the task's
own choice of models, keeps to its budget, and its usage names every call. The address is the operator's own choice and
so is not subject to EGRESS_ALLOW. Text from elsewhere goes into a prompt through `fence` only.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from time import monotonic, perf_counter
from typing import Final, TypeVar

from pydantic import BaseModel, JsonValue

from shared import llm_cache, llm_prompts
from shared.agent import METADATA_KEY, AgentRequest, JsonObject, ModelCall, Usage
from shared.errors import ModelAnswerError, ModelBudgetError, ModelRefusedError, ModelUnavailableError
from shared.llm_cache import AnswerCache, Kept
from shared.llm_calls import Target
from shared.llm_choice import ROLES, Choice, Role, asked_for, choices, choose
from shared.llm_connection import Connection
from shared.llm_prompts import UnfitAnswerError, fence
from shared.llm_providers import Message, Reply
from shared.llm_spending import Purse, charge, spent
from shared.settings import FederationSettings

__all__ = [
    "MODEL_ERRORS",
    "ROLES",
    "Choice",
    "Completion",
    "Model",
    "Models",
    "Role",
    "charge",
    "choose",
    "fence",
    "open_model",
    "open_models",
    "spent",
    "wanted_models",
]

logger = logging.getLogger(__name__)

MODEL_ERRORS = (ModelUnavailableError, ModelRefusedError, ModelAnswerError)
"""What a call of the model can raise, for those who can do without it."""

R = TypeVar("R")
T = TypeVar("T", bound=BaseModel)

_REST_S: Final = 30.0
"""How long a model that is away is asked last."""


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer and what it cost. The text is never empty; `cut` says why it ends in the middle, where it does."""

    text: str
    usage: Usage
    cut: str = ""

    @property
    def marked(self) -> str:
        """The text, with what was cut said at its end."""
        return self.text.rstrip() + _mark(self.cut) if self.cut else self.text


def wanted_models(metadata: Mapping[str, JsonValue]) -> dict[Role, str]:
    """Return the models that a task's own metadata (`models: {role: name}`) asks for, by role."""
    models = metadata.get("models")
    named = models if isinstance(models, dict) else {}
    return {role: name for role in ROLES if isinstance(name := named.get(role), str) and name.strip()}


class Models:
    """The models that the settings name, by role. `open_models` makes it."""

    def __init__(self, settings: FederationSettings, cache: AnswerCache | None, *, in_graph: bool) -> None:
        self._settings = settings
        self._cache = cache
        self._in_graph = in_graph
        self._connections: dict[str, Connection] = {}
        self._targets: dict[tuple[str, str], Target] = {}
        self._away_until: dict[str, float] = {}

    def of(self, role: Role, request: AgentRequest | None = None, *, wanted: str | None = None) -> "Model | None":
        """Return the models of a role as one, or None where none is configured.

        With a `request`: as its task wants it, within its budget. `wanted`: the name of another model to ask instead.
        Raises: ModelRefusedError when the model that is wanted cannot be called.
        """
        limits: JsonObject = {}
        if request is not None and isinstance(call := request.metadata.get(METADATA_KEY), dict):
            wanted = wanted or wanted_models(call).get(role)
            limits = given if isinstance(given := call.get("budget"), dict) else {}
        chosen = (asked_for(self._settings, wanted),) if wanted else choices(self._settings, role)
        if not chosen:
            return None
        return Model(self, role, tuple(self._target(choice) for choice in chosen), Purse.of(limits))

    async def close(self) -> None:
        """Close the connections."""
        for connection in self._connections.values():
            await connection.close()

    def in_order(self, targets: tuple[Target, ...]) -> list[Target]:
        """Return the models with those last that were away just now, or lack a key."""
        now = monotonic()
        return sorted(targets, key=lambda each: bool(each.missing) or self._away_until.get(each.full_name, 0.0) > now)

    def rest(self, target: Target) -> None:
        """Ask a model last for a while: it is away."""
        self._away_until[target.full_name] = monotonic() + _REST_S

    @property
    def settings(self) -> FederationSettings:
        """The settings."""
        return self._settings

    @property
    def cache(self) -> AnswerCache | None:
        """The answers that are kept, if any are."""
        return self._cache

    def _target(self, choice: Choice) -> Target:
        access = choice.access
        if access.provider not in self._connections:
            self._connections[access.provider] = Connection(access, self._settings, in_graph=self._in_graph)
        key = (choice.provider, choice.name)
        if key not in self._targets:
            self._targets[key] = Target(choice, self._connections[access.provider], self._settings)
        return self._targets[key]


class Model:
    """The models of one role, asked one after the other; nothing is connected, nor imported, before the first call.

    `provider` and `name` are those of the model that answered last, or is to be asked first; the name is empty until a
    server that was given without LLM_MODEL has told which it has. Every call is bounded in time, retried up to
    LLM_MAX_ATTEMPTS times where that can help, goes to the role's next model where it fails, and raises one of
    MODEL_ERRORS.
    """

    def __init__(self, models: Models, role: Role, targets: tuple[Target, ...], purse: Purse) -> None:
        self.role: Role = role
        self._models = models
        self._settings = models.settings
        self._targets = targets
        self._purse = purse
        self._used = targets[0]

    @property
    def provider(self) -> str:
        """The provider of the model."""
        return self._used.provider

    @property
    def name(self) -> str:
        """The model's name there."""
        return self._used.name

    @property
    def usd_per_mtok(self) -> float:
        """What a million tokens cost at most."""
        return max(max(each.price.input_usd, each.price.output_usd) for each in self._targets)

    def serving(self, request: AgentRequest) -> "Model":
        """Return the model for a request: as its task wants it, within its budget. Raises: ModelRefusedError."""
        return self._models.of(self.role, request) or self

    def wanted(self, name: str | None) -> "Model":
        """Return the model of that name instead, or this one without a name. Raises: ModelRefusedError."""
        return self if name is None else self._models.of(self.role, wanted=name) or self

    async def complete(self, prompt: str, *, system: str = "", max_tokens: int = 1024) -> Completion:
        """Return the model's answer. Raises: one of MODEL_ERRORS."""
        messages = self._messages(prompt, system)

        async def ask(target: Target) -> Completion:
            text, usage, cut = await self._ask(target, messages, max_tokens, None)
            if not cut:
                await self._keep(target, messages, max_tokens, None, text, usage)
            return Completion(text, usage, cut)

        completion, gone = await self._first_that_can(ask)
        return replace(completion, usage=gone + completion.usage)

    async def structured(
        self,
        prompt: str,
        schema: type[T],
        *,
        system: str = "",
        max_tokens: int = 4096,
        verify: Callable[[T], object] | None = None,
    ) -> tuple[T, Usage]:
        """Return the model's answer in the form of `schema`. One answer that does not fit is sent back for repair.

        `verify`, which may be a coroutine function, may raise a FederationError with what is wrong beyond the form;
        that counts as not fitting.
        Raises: one of MODEL_ERRORS; `spent` tells what the failed answers cost.
        """
        form = _form_of(schema)
        first = self._messages(llm_prompts.in_form(prompt, form), system)

        async def ask(target: Target) -> tuple[T, Usage]:
            messages, usage, problem = first, Usage(), ""
            for _ in range(2):
                try:
                    text, paid, cut = await self._ask(target, messages, max_tokens, form)
                except MODEL_ERRORS as error:
                    raise charge(error, usage) from error
                usage += paid
                try:
                    answer = await llm_prompts.read(text, schema, verify)
                except UnfitAnswerError as error:
                    problem = f"{cut} {error}".strip()
                else:
                    await self._keep(target, messages, max_tokens, form, text, paid)
                    return answer, usage
                logger.info("model answer sent back for repair", extra={"model": self.name, "schema": schema.__name__})
                messages = messages + llm_prompts.to_repair(text, problem)
            detail = f"The language model {target.name!r} gave no usable answer, twice: {problem[:500]}"
            raise charge(ModelAnswerError(detail), usage)

        (answer, usage), gone = await self._first_that_can(ask)
        return answer, gone + usage

    async def stream(self, prompt: str, *, system: str = "", max_tokens: int = 1024) -> AsyncGenerator[str | Usage]:
        """Yield the pieces of the answer as they come, then its usage. An answer that was cut says so at its end.

        Before the first piece the role's next model may take over; a stream that breaks off later raises
        ModelUnavailableError after the pieces that came. Raises: one of MODEL_ERRORS.
        """
        messages = self._messages(prompt, system)
        began = perf_counter()

        async def begin(target: Target) -> tuple[Target, int, AsyncGenerator[str | Reply], str | Reply]:
            tokens = self._purse.affordable(target.price, llm_prompts.chars(messages), max_tokens)
            pieces = llm_prompts.spoken(target.stream(messages, tokens))
            try:
                piece = await anext(pieces)
                while isinstance(piece, str) and not piece.strip():
                    piece = await anext(pieces)
                if isinstance(piece, Reply):
                    raise charge(_empty(target, piece, tokens), self._usage(target, piece, began))
            except BaseException:
                await pieces.aclose()
                raise
            return target, tokens, pieces, piece

        (target, tokens, pieces, piece), gone = await self._first_that_can(begin)
        async with aclosing(pieces):
            while isinstance(piece, str):
                yield piece
                piece = await anext(pieces)
        if cut := _cut(target, piece, tokens):
            yield _mark(cut)
        usage = self._usage(target, piece, began)
        self._purse.pay(usage)
        yield gone + usage

    async def _first_that_can(self, ask: Callable[[Target], Awaitable[R]]) -> tuple[R, Usage]:
        """Return what the first model answers that can, and what those before it cost.

        Raises: what the last one raised, charged with what all cost.
        """
        gone = Usage()
        targets = self._models.in_order(self._targets)
        for number, target in enumerate(targets, 1):
            try:
                await target.ready()
                answer = await ask(target)
            except MODEL_ERRORS as error:
                if isinstance(error, ModelUnavailableError):
                    self._models.rest(target)
                if number == len(targets) or isinstance(error, ModelBudgetError):
                    raise charge(error, gone) from error
                gone += spent(error)
                logger.warning("model failed, the next is asked", extra={"model": target.full_name, "why": str(error)})
            else:
                self._used = target
                return answer, gone
        raise AssertionError("a role has at least one model")

    async def _ask(
        self, target: Target, messages: list[Message], max_tokens: int, form: dict[str, JsonValue] | None
    ) -> tuple[str, Usage, str]:
        """Return the answer's text, what it cost, and why it ends in the middle, where it does."""
        began = perf_counter()
        if self._models.cache is not None:
            kept = await self._models.cache.find(llm_cache.key_of(target.full_name, messages, max_tokens, form))
            if kept is not None:
                latency_ms = (perf_counter() - began) * 1000
                call = ModelCall(
                    target.full_name, self.role, saved_usd=kept.cost_usd, latency_ms=latency_ms, cached=True
                )
                return kept.text, Usage(calls=(call,)), ""
        tokens = self._purse.affordable(target.price, llm_prompts.chars(messages), max_tokens)
        reply = await target.ask(messages, tokens, form)
        usage = self._usage(target, reply, began)
        self._purse.pay(usage)
        text = llm_prompts.without_thoughts(reply.text)
        if not text.strip():
            raise charge(_empty(target, reply, tokens), usage)
        return text, usage, _cut(target, reply, tokens)

    async def _keep(
        self,
        target: Target,
        messages: list[Message],
        max_tokens: int,
        form: dict[str, JsonValue] | None,
        text: str,
        usage: Usage,
    ) -> None:
        """Keep an answer that could be used, unless it came from there."""
        if self._models.cache is not None and usage.llm_calls:
            key = llm_cache.key_of(target.full_name, messages, max_tokens, form)
            await self._models.cache.keep(key, Kept(text, usage.cost_usd))

    def _messages(self, prompt: str, system: str) -> list[Message]:
        chars = len(prompt) + len(system)
        if chars > self._settings.llm_max_input_chars:
            raise ModelRefusedError(
                f"The prompt has {chars:,} characters; at most {self._settings.llm_max_input_chars:,} are sent to the "
                "model (LLM_MAX_INPUT_CHARS)."
            )
        return llm_prompts.to_messages(prompt, system)

    def _usage(self, target: Target, reply: Reply, began: float) -> Usage:
        cost_usd = target.price.of(reply)
        read, written = reply.input_tokens, reply.output_tokens
        latency_ms = (perf_counter() - began) * 1000
        call = ModelCall(
            target.full_name, self.role, read, written, reply.cached_tokens, cost_usd, latency_ms=latency_ms
        )
        return Usage(read, written, cost_usd, 1, (call,))


@asynccontextmanager
async def open_models(settings: FederationSettings, *, in_graph: bool = False) -> AsyncGenerator[Models]:
    """Open what the settings name; nothing is sent before the first call. `in_graph`: for a graph of LangGraph."""
    async with llm_cache.open_cache(settings) as cache, AsyncExitStack() as stack:
        models = Models(settings, cache, in_graph=in_graph)
        stack.push_async_callback(models.close)
        yield models


@asynccontextmanager
async def open_model(settings: FederationSettings, role: Role = "summarize") -> AsyncGenerator[Model | None]:
    """Open the models of one role, or None where none is configured."""
    async with open_models(settings) as models:
        yield models.of(role)


@lru_cache(maxsize=64)
def _form_of(schema: type[BaseModel]) -> dict[str, JsonValue]:
    """Return a type's JSON schema, to be read only: to make it takes longer than the rest of a call."""
    return schema.model_json_schema()


def _cut(target: Target, reply: Reply, max_tokens: int) -> str:
    """Return why an answer ends in the middle; nothing, if it does not."""
    if reply.finish_reason != "length":
        return ""
    return f"The answer of the language model {target.name!r} was cut off after its {max_tokens:,} tokens."


def _mark(cut: str) -> str:
    return f"\n\n*({cut})*"


def _empty(target: Target, reply: Reply, max_tokens: int) -> ModelAnswerError:
    match reply.finish_reason:
        case "length":
            why = f"used up all of its {max_tokens} tokens before it said anything; choose another LLM_MODEL"
        case "content_filter":
            why = "withheld its answer (content filter)"
        case _:
            why = "gave an empty answer"
    return ModelAnswerError(f"The language model {target.name!r} {why}.")
