"""A step under way: how far its tries are, and how it ends."""

from dataclasses import dataclass, replace
from time import monotonic
from typing import TypeAlias

from orchestrator_service.engine import retrying
from orchestrator_service.engine.work import Remote, StepWork
from orchestrator_service.events import Draft
from shared.agent import JsonObject
from shared.agent_client import Ended
from shared.errors import FederationError


@dataclass(frozen=True, slots=True)
class Answered:
    """The agent's task came to an end or asks for something; with what is not written yet of it."""

    work: StepWork
    ended: Ended
    remote: Remote | None
    drafts: list[Draft]


@dataclass(frozen=True, slots=True)
class Failed:
    """The step cannot be done."""

    work: StepWork
    error: FederationError


Ending: TypeAlias = Answered | Failed


@dataclass(slots=True)
class Trying:
    """How far the tries of a step are; kept outside of the wait that may end it at any point.

    `waited` counts failures since the agent was last heard of, which is no later than `away_since` (monotonic);
    `failed` those that are not waited out. `is_calling`: the agent is being called now, so that it may have got the
    message. `has_spawned`: an agent was begun for it.
    """

    work: StepWork
    waited: int = 0
    away_since: float | None = None
    failed: int = 0
    failures_of_try: int = 0
    remote: Remote | None = None
    is_calling: bool = False
    has_spawned: bool = False

    @property
    def remote_id(self) -> str | None:
        """The id of the agent's task, as far as it is known."""
        if self.remote is not None:
            return self.remote[0]
        return None if self.work.attempt is None else self.work.attempt.remote_task_id

    @property
    def may_have_begun(self) -> bool:
        """Whether the agent may have got the message of the try under way."""
        return self.is_calling or (self.work.attempt is not None and self.work.attempt.may_have_begun)

    def hear(self, remote: Remote) -> None:
        """Note that the agent has the task: what went wrong before is over."""
        self.remote = remote
        self.away_since = None
        self.waited = self.failures_of_try = 0

    def fail(self, error: FederationError) -> int:
        """Count a failure, and return how many of its sort there were."""
        may_have_got_it = self.is_calling and error.facts.get("reached", False) is None
        self.is_calling = False
        self.failures_of_try += 1
        attempt = self.work.attempt
        if attempt is not None and may_have_got_it:
            self.work = replace(self.work, attempt=replace(attempt, may_have_begun=True))
        if retrying.is_waited_out(error, has_begun=self.remote_id is not None):
            self.waited += 1
            self.away_since = monotonic() if self.away_since is None else self.away_since
            is_to_be_waited_for = monotonic() - self.away_since < retrying.PATIENCE_S
            return min(self.waited, retrying.MAX_RECONNECTS - 1) if is_to_be_waited_for else self.waited
        self.failed += 1
        return self.failed

    def told(self, error: FederationError) -> JsonObject:
        """Return the error as the step keeps it; it matters later whether the agent can have got the message."""
        never_got_it = error.facts.get("reached") is False and not self.may_have_begun
        return error.to_metadata() | ({"reached": False} if never_got_it else {})
