"""Foreseen failures that only a browser has."""

from shared.errors import FederationError, TimedOutError, UnavailableError


class PageNotLoadedError(FederationError):
    """The page cannot be shown: no such name, a bad certificate, an error status, a download instead of a page."""

    slug = "page-not-loaded"
    title = "The page could not be loaded"
    status = 502


class PageEmptyError(FederationError):
    """The page came, and there is nothing on it that could be read."""

    slug = "page-empty"
    title = "The page is empty"
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


class AmbiguousTargetError(ElementNotFoundError):
    """Several things on the page are what was named, and it matters which is meant; the text lists them."""

    slug = "target-ambiguous"
    title = "More than one fits"


class StaleRefError(ElementNotFoundError):
    """A ref of an observation whose document is gone."""

    slug = "ref-stale"
    title = "The reference is of an earlier page"


class BusyError(FederationError):
    """All pages are in use and enough tasks wait already; try again after the time that is told."""

    slug = "browser-busy"
    title = "The browser is busy"
    status = 429
    retryable = True


class NotUnderstoodError(FederationError):
    """Words that neither say nor name anything that can be done on the page."""

    slug = "not-understood"
    title = "Not understood"
    status = 422


class BrowserGoneError(UnavailableError):
    """Chromium, or the process of the page, died in the middle of a task. What was done until then is done."""

    slug = "browser-gone"
    title = "The browser died"


class PageCrashedError(UnavailableError):
    """The page took its own process down. Another try may end alike."""

    slug = "page-crashed"
    title = "The page crashed"


class ModelLateError(TimedOutError):
    """The language model had not answered when the time of the browser task was over."""


class StuckError(FederationError):
    """The model does not get on with a step: it repeats itself, or used up what it may."""

    slug = "browser-stuck"
    title = "The step could not be done"
    status = 422
