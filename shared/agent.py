"""What an agent is here: an async generator from one request to updates.

`shared.agent_server` serves it over A2A; an agent's own code knows nothing of the protocol:

    async def summarize(request: AgentRequest) -> AsyncGenerator[Update]:
        yield Progress("reading")
        yield Answer("summary", await shorten(request.text))

It ends by returning (the task is completed), by raising a `FederationError` (the task failed, with that sentence), or
by yielding `InputRequired` last (the task waits; the answer calls the agent again with `request.history`).
On cancel its current await raises `CancelledError`; clean-up belongs in `finally`.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import TypeAlias

from pydantic import JsonValue

JsonObject: TypeAlias = dict[str, JsonValue]

METADATA_KEY = "urn:agent-federation:call"
"""Key of the federation's own object in a message's metadata: skill, task, step, hops, trail, what may be spent."""


@dataclass(frozen=True, slots=True)
class File:
    """A file part of a message or artifact: its bytes, or the URL it can be fetched from (never both)."""

    name: str
    media_type: str
    content: bytes | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier message of the same A2A task: `role` is "user" or "agent"; `key` is that of a question."""

    role: str
    text: str
    key: str = ""
    files: tuple[File, ...] = ()


@dataclass(frozen=True, slots=True)
class AgentRequest:
    """One message to an agent, taken apart.

    `text` joins the text parts with newlines, `data` holds the JSON parts, `files` the file parts. `skill` is the skill
    id the sender asked for, if any, now or earlier in the task. `history` has the earlier turns of the same task,
    oldest first. `context_id` is that of a conversation; tenants who name theirs alike do not share one. `caller` is
    "tenant/user", both quoted and "" where none is named: what is kept for one is not for another. `resumed`: it was
    asked this before, and is asked again after a restart, or because its question was answered elsewhere.
    """

    text: str
    task_id: str
    context_id: str
    message_id: str
    data: tuple[JsonValue, ...] = ()
    files: tuple[File, ...] = ()
    skill: str | None = None
    history: tuple[Turn, ...] = ()
    resumed: bool = field(default=False, compare=False)
    metadata: JsonObject = field(default_factory=dict)
    caller: str = "/"

    def onward(self, spent: "Usage | None" = None) -> JsonObject:
        """Return the metadata for a message that the agent sends to others for the sake of this request.

        With it the federation knows what belongs together: loops end, a cancel reaches all of it, and what is asked for
        is paid out of this request's budget. `spent` is what the agent itself has spent of that so far.
        """
        told = self.metadata.get(METADATA_KEY)
        call = told if isinstance(told, dict) else {}
        hops = call.get("hops")
        onward: JsonObject = {key: call[key] for key in ("task_id", "step_id", "trail", "models") if key in call}
        onward["root_task_id"] = call.get("root_task_id") or self.task_id
        onward["hops"] = hops + 1 if isinstance(hops, int) else 1
        if isinstance(budget := call.get("budget"), dict):
            gone = spent or Usage()
            used = {"cost_usd": gone.cost_usd, "tokens": gone.input_tokens + gone.output_tokens}
            left: JsonObject = dict(budget)
            for name, amount in used.items():
                limit = budget.get(name)
                if isinstance(limit, int | float) and not isinstance(limit, bool) and -inf < limit < inf:
                    left[name] = max(0, limit - amount)
            onward["budget"] = left
        return {METADATA_KEY: onward}


@dataclass(frozen=True, slots=True)
class Progress:
    """A sentence on what is being done now, for a person who waits."""

    text: str


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of an answer that is still being written; `Answer` with the same name completes it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer: text for people, and the same as JSON where that has a form. Becomes an artifact `name`."""

    name: str
    text: str
    data: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Produced:
    """A file the agent made. Becomes an artifact of its own, beside the answer."""

    file: File


@dataclass(frozen=True, slots=True)
class InputRequired:
    """The agent cannot go on without a person. `schema` is the JSON Schema of the answer, if it has a form.

    `key` is the agent's own name for the question; the turn that asked has it when the answer comes.
    """

    prompt: str
    schema: JsonObject | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call of a language model, or `count` alike ones: for what (`role`), to whom, at what price and how slow.

    `model` is written `provider:name`. Of the input tokens `cached_tokens` were read from the provider's own cache. A
    `cached` call was answered from ours: it cost nothing, and `saved_usd` is what it would have cost.
    """

    model: str
    role: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float = 0.0
    saved_usd: float = 0.0
    latency_ms: float = 0.0
    cached: bool = False
    count: int = 1


@dataclass(frozen=True, slots=True)
class Usage:
    """What was spent since the last `Usage`; updates add up. `calls` says on which calls, as far as it is known."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    llm_calls: int = 0
    calls: tuple[ModelCall, ...] = field(default=(), compare=False)

    def __add__(self, other: "Usage") -> "Usage":
        """Return both together."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_usd + other.cost_usd,
            self.llm_calls + other.llm_calls,
            (*self.calls, *other.calls),
        )

    def __bool__(self) -> bool:
        """Tell whether there is anything to tell: something was spent, or saved."""
        return self != Usage() or bool(self.calls)


Update: TypeAlias = Progress | Delta | Answer | Produced | InputRequired | Usage

Agent: TypeAlias = Callable[[AgentRequest], AsyncGenerator[Update]]


@dataclass(frozen=True, slots=True)
class OpenAgent:
    """An agent with its resources open. `problems` says what is missing now, in sentences; empty when all is well.

    `cancel` is called with a task's id when a client cancels it, before `answer` is cancelled (or instead, while the
    task waits for input): for work that goes on outside the generator. A stopping service does not call it. It raises
    ConflictError when the work ended elsewhere before: `answer` tells how.
    `retain` is called now and then with the ids of all tasks that are not over: what is kept for others can go.
    `gone_on` is called now and then with the ids of tasks that wait for input, and since when; those that it returns
    wait no more, for they were answered or ended elsewhere: `answer` is called for them again.
    """

    answer: Agent
    problems: Callable[[], list[str]] = list[str]
    cancel: Callable[[str], Awaitable[None]] | None = None
    retain: Callable[[Collection[str]], Awaitable[None]] | None = None
    gone_on: Callable[[Mapping[str, datetime]], Awaitable[Collection[str]]] | None = None
