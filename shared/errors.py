"""Foreseen failures: what they are called, which HTTP status they have, whether a retry can help.

An error crosses every boundary in one form: RFC 9457 problem details over HTTP (`to_problem`), and the same facts in
the metadata of an A2A status message (`to_metadata`, `from_metadata`).
"""

import os
from typing import ClassVar

from pydantic import JsonValue


class FederationError(Exception):
    """A failure that was foreseen. `str(error)` is a sentence for the caller: what was wrong and what to do."""

    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str, **facts: JsonValue) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts

    @property
    def exit_code(self) -> int:
        """What a process that this ends says: 1, or EX_CONFIG (78) when another start cannot help."""
        return 1 if self.retryable else os.EX_CONFIG

    def to_problem(self) -> dict[str, JsonValue]:
        """Return the RFC 9457 body. Source: https://www.rfc-editor.org/rfc/rfc9457"""
        return {
            "type": f"urn:agent-federation:error:{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.facts,
        }

    def to_metadata(self) -> dict[str, JsonValue]:
        """Return the facts another service needs to judge this failure: slug, detail, whether a retry can help."""
        return {"type": self.slug, "title": self.title, "detail": self.detail, "retryable": self.retryable}


class InvalidRequestError(FederationError):
    """The request's content is wrong; the same request can never succeed."""

    slug = "invalid-request"
    title = "The request is not valid"
    status = 422


class NotFoundError(FederationError):
    """There is no such thing, or it is not the caller's."""

    slug = "not-found"
    title = "Not found"
    status = 404


class ConflictError(FederationError):
    """The thing is in a state that forbids this."""

    slug = "conflict"
    title = "Conflict"
    status = 409


class TooLargeError(FederationError):
    """Something exceeds a limit; the text names the limit and its setting."""

    slug = "too-large"
    title = "Too large"
    status = 413


class UnavailableError(FederationError):
    """A part that is needed is not there now. Later it may be."""

    slug = "unavailable"
    title = "Not available now"
    status = 503
    retryable = True


class NotInstalledError(FederationError):
    """A part that is needed is missing on this machine; the text says how to get it."""

    slug = "not-installed"
    title = "A needed part is not installed"
    status = 503


class TimedOutError(FederationError):
    """A deadline passed; the text names it and its setting."""

    slug = "timed-out"
    title = "Took too long"
    status = 504
    retryable = True


class InvalidSettingError(FederationError):
    """A setting has a value that cannot be used; the text names it and a right one."""

    slug = "invalid-setting"
    title = "A setting cannot be used"
    status = 500


class AddressRefusedError(FederationError):
    """An address that outgoing calls may not reach."""

    slug = "address-refused"
    title = "That address may not be reached"
    status = 422


class AgentCardInvalidError(FederationError):
    """An agent's card is not a valid A2A agent card; the text says what is wrong, and where in the card."""

    slug = "agent-card-invalid"
    title = "The agent card is not valid"
    status = 422


class AgentUnavailableError(FederationError):
    """An agent did not answer, or closed the connection."""

    slug = "agent-unavailable"
    title = "The agent is not available"
    status = 502
    retryable = True


class AgentProtocolError(FederationError):
    """An agent answered something that A2A does not allow."""

    slug = "agent-protocol"
    title = "The agent broke the A2A protocol"
    status = 502


class AgentFailedError(FederationError):
    """An agent did the task and reported a failure."""

    slug = "agent-failed"
    title = "The agent reported a failure"
    status = 502


class WorkCanceledError(FederationError):
    """What an agent works on was canceled by someone else than its client: its A2A task ends as canceled, too."""

    slug = "canceled"
    title = "The work was canceled"
    status = 409


class ModelUnavailableError(FederationError):
    """The language model did not answer: unreachable, overloaded, out of quota or timed out."""

    slug = "model-unavailable"
    title = "The language model is not available"
    status = 503
    retryable = True


class ModelRefusedError(FederationError):
    """The model's provider refused the call for good: wrong key, unknown model, request not accepted."""

    slug = "model-refused"
    title = "The language model refused the request"
    status = 502


class ModelAnswerError(FederationError):
    """The model's answer does not have the asked form."""

    slug = "model-answer"
    title = "The language model's answer could not be used"
    status = 502
    retryable = True


class ModelBudgetError(ModelRefusedError):
    """What the task may still spend is too little for this call of the model."""

    slug = "model-budget"
    title = "The budget is too small for the language model"
    status = 402
