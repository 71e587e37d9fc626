"""Failures of agents that others hear of, and the one place of an agent's process where unforeseen ones stop."""

import logging
from collections.abc import Generator
from contextlib import contextmanager

from shared.errors import FederationError, UnavailableError

logger = logging.getLogger(__name__)


class InterruptedRunError(UnavailableError):
    """The service stopped while the agent worked; the same request may succeed now."""

    slug = "interrupted"
    title = "Interrupted by a restart"


@contextmanager
def contained(where: str) -> Generator[list[FederationError]]:
    """Keep a failure inside: the list yielded then holds what may be said about it.

    Unforeseen ones are logged here with their stack, the one place that catches them; their texts go no further.
    """
    failures: list[FederationError] = []
    try:
        yield failures
    except FederationError as error:
        logger.info("failed", extra={"where": where, "error": error.slug, "detail": error.detail})
        failures.append(error)
    except Exception:
        logger.exception("failed unexpectedly", extra={"where": where})
        failures.append(FederationError(f"The agent failed unexpectedly; its log has the details under {where}."))
