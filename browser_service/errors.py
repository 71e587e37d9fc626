"""Foreseen failures that only a browser has."""

from shared.errors import FederationError, TimedOutError


class PageNotLoadedError(FederationError):
    """The page cannot be shown: no such name, a bad certificate, an error status, a download instead of a page."""

    slug = "page-not-loaded"
    title = "The page could not be loaded"
    status = 502


class PageTimedOutError(TimedOutError):
    """The page did not load in time. Another try waits as long for the same, so it is told at once."""

    slug = "page-timed-out"
    title = "The page took too long"
    retryable = False


class ElementNotFoundError(FederationError):
    """What was to be clicked, filled or waited for is not on the page; the text names what is there instead."""

    slug = "element-not-found"
    title = "Not found on the page"
    status = 422
