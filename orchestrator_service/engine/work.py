"""What passes between the database and a task that runs: the run, the work of a step, and what is to be done next."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pydantic import JsonValue

from orchestrator_service.budgets import Amount
from orchestrator_service.engine.consensus import Given
from orchestrator_service.events import Draft
from orchestrator_service.planning.plan import Plan, PlanStep, Reference
from shared.agent import File, JsonObject, Usage
from shared.errors import FederationError
from shared.telemetry import SAMPLED

Remote = tuple[str, str]
"""A remote task: its id and its context's."""


class StaleRunError(FederationError):
    """Another worker has the task by now, or it is over: this run must not write, and stops."""

    slug = "stale-run"
    title = "The task is another worker's"
    status = 409


@dataclass(frozen=True, slots=True)
class Run:
    """A task as its worker knows it. `number` is its fencing token; `plan` is None until there is one.

    `trace_id` is the trace of whoever submitted it, empty if there was none; `trace_flags` are that trace's.
    """

    task_id: str
    number: int
    tenant_id: str
    description: str
    session_id: str | None
    request: JsonObject
    deadline_at: datetime
    ancestry: JsonObject | None
    root_task_id: str | None
    trace_id: str = ""
    trace_flags: str = SAMPLED
    plan: Plan | None = None


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """A try that has begun. The message id is the same however often the message is sent again.

    `may_have_begun`: an earlier life of this step may have sent the message already.
    """

    number: int
    agent_id: str
    agent_name: str
    endpoint: str
    card_hash: str
    credentials: bytes | None
    max_concurrency: int | None
    message_id: str
    remote_task_id: str | None = None
    remote_context_id: str | None = None
    granted: Amount | None = None
    may_have_begun: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """A person's answer that goes to the remote task that asked; or `refusal`: why there is none to send."""

    input_id: str
    text: str
    data: JsonValue
    refusal: FederationError | None = None


@dataclass(frozen=True, slots=True)
class Settling:
    """What is to be decided on the answers of a round. `task` is what was asked, `silent` tells who did not answer.

    `may_ask`: a model may be asked, with what was granted for it.
    """

    step: PlanStep
    round: int
    task: str
    answers: tuple[Given, ...]
    silent: tuple[str, ...]
    may_ask: bool
    granted: Amount | None


@dataclass(frozen=True, slots=True)
class StepWork:
    """A step to perform. `attempt` is None when no agent could take it now; `refusal` says why.

    `values` fill its references; `metadata` is what the message says of where it comes from and what may be spent.

    `canceling`: it is only to be stopped, wherever it was. `settling`: no agent is asked, something is decided.
    """

    run: Run
    step: PlanStep
    attempt: OpenAttempt | None
    refusal: FederationError | None = None
    reply: Reply | None = None
    values: dict[Reference, str] = field(default_factory=dict[Reference, str])
    files: tuple[File, ...] = ()
    metadata: JsonObject = field(default_factory=dict[str, JsonValue])
    canceling: bool = False
    settling: Settling | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """What a step brought: text for people, JSON, files."""

    text: str
    data: tuple[JsonValue, ...] = ()
    files: tuple[File, ...] = ()
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class StepEnd:
    """How a step ended, to be recorded: what it brought, or an error, or that it was canceled.

    `is_left`: the remote task is still to be told. `drafts` are events that are not written yet.
    """

    work: StepWork
    output: Output | None = None
    error: JsonObject | None = None
    canceled: bool = False
    is_left: bool = False
    remote: Remote | None = None
    drafts: Sequence[Draft] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """What a transition leads to: steps to perform now, and what a model is to be asked for, if anything.

    "plan" and "revise": a plan is wanted; "summarize": all is done but the summary; "evaluate": all is done, if it is
    good enough; "park": it waits for a person; "ended": the task is over; None: the steps go on by themselves.
    """

    run: Run
    begun: tuple[StepWork, ...] = ()
    then: Literal["plan", "revise", "summarize", "evaluate", "park", "ended"] | None = None

    @property
    def only_calls(self) -> bool:
        """Whether all that follows is to call agents: that can be made ready before the transition is committed."""
        return self.then is None and bool(self.begun) and all(work.attempt is not None for work in self.begun)
