"""What follows a failed try of a step: the same try again, another one, or the end. Pure."""

import random
from typing import Final, Literal

from orchestrator_service.choosing import AgentsAwayError
from orchestrator_service.engine.work import Output, StepWork
from shared.agent import JsonObject
from shared.agent_client import Ended
from shared.errors import FederationError
from shared.remote_parts import with_addresses

MAX_RECONNECTS: Final = 8
"""How often an agent that cannot be reached, or whose stream breaks, is tried again; more often, if that was soon."""

PATIENCE_S: Final = 60.0
"""For how long at least: it may be starting anew."""

_MAX_PAUSE_S: Final = 30.0

Next = Literal["give up", "same try", "another try"]


class RemoteFailureError(FederationError):
    """An agent ended its task as failed, and says whether to try again. `output` is what it brought all the same."""

    slug = "agent-failed"
    title = "The agent reported a failure"
    status = 502

    def __init__(self, ended: Ended) -> None:
        failure = ended.error
        detail = failure.detail if failure is not None else "The agent canceled the task itself."
        super().__init__(detail)
        self.output = output(ended)
        self.is_retryable = failure is not None and failure.retryable
        self._type = failure.type if failure is not None else self.slug
        self._title = failure.title if failure is not None else self.title

    def to_metadata(self) -> JsonObject:
        """Return what the agent said of its failure."""
        return {"type": self._type, "title": self._title, "detail": self.detail, "retryable": self.is_retryable}


def output(ended: Ended) -> Output:
    """Return what the step has brought; its text has the addresses of files that the agent did not send itself."""
    return Output(with_addresses(ended.text, ended.files), ended.data, ended.files, ended.usage)


def is_waited_out(error: FederationError, *, has_begun: bool) -> bool:
    """Tell whether the agent may just be starting anew, or be cut off for a moment: that is waited out longer."""
    if isinstance(error, RemoteFailureError) or error.facts.get("task_lost") is True:
        return False
    return has_begun or error.facts.get("reached") is False or isinstance(error, AgentsAwayError)


def following(
    work: StepWork, error: FederationError, *, failures: int, of_this_try: int, has_begun: bool, tries: int
) -> Next:
    """Decide what follows a failure. A message that an agent may have got is never sent anew blindly.

    `failures` counts those of its sort (`is_waited_out` or not), `of_this_try` those since its try began; `tries` is
    how often to try at all. Another agent gets the step only if the first never got it, said itself that it failed, or
    stays bad and the step may be done twice.
    """
    facts = error.facts
    can_help = error.is_retryable if isinstance(error, RemoteFailureError) else error.retryable
    is_patient = is_waited_out(error, has_begun=has_begun) and tries > 1
    if not can_help or failures >= (MAX_RECONNECTS if is_patient else tries):
        return "give up"
    if work.attempt is None or isinstance(error, RemoteFailureError):
        return "another try"
    if facts.get("task_lost") is True:
        return "another try" if work.step.idempotent else "give up"
    is_away = facts.get("reached") is False or isinstance(error, AgentsAwayError)
    never_got_it = is_away and not has_begun and not work.attempt.may_have_begun
    stays_bad = of_this_try >= min(tries, 2) and work.step.idempotent
    return "another try" if never_got_it or stays_bad else "same try"


def pause_s(error: FederationError, failures: int, *, is_affordable: bool) -> float:
    """Return the pause before the next try, in seconds: what the agent asks for, else full jitter.

    Where an agent's budget of retries is used up, the pause is about the longest one.
    Source: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
    """
    asked_s = error.facts.get("retry_after_s")
    if isinstance(asked_s, int | float):
        return min(float(asked_s), 2 * _MAX_PAUSE_S) + random.uniform(0, 0.25)
    if not is_affordable:
        return random.uniform(_MAX_PAUSE_S / 2, _MAX_PAUSE_S)
    return random.uniform(0.05, min(_MAX_PAUSE_S, 0.25 * 2**failures))
