"""Foreseen failures that only a browser has."""

from shared.errors import FederationError


class PageNotLoadedError(FederationError):
    """The page cannot be shown: no such name, a bad certificate, an error status, a download instead of a page."""

    slug = "page-not-loaded"
    title = "The page could not be loaded"
    status = 502


class ElementNotFoundError(FederationError):
    """What was to be clicked, filled or waited for is not on the page; the text names what is there instead."""

    slug = "element-not-found"
    title = "Not found on the page"
    status = 422
