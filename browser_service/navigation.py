"""Says in a sentence why a page did not load, from Chromium's own name for it."""

import re

import httpx
from playwright.async_api import Error

from browser_service.errors import PageNotLoadedError
from shared.errors import FederationError, UnavailableError

_NET_ERROR = re.compile(r"net::(ERR_[A-Z0-9_]+)")
_MAY_PASS = frozenset({429, 502, 503, 504})  # statuses after which another try can help


# Chromium's names: what they mean, and whether another try can help.
# Source: https://source.chromium.org/chromium/chromium/src/+/main:net/base/net_error_list.h
_CUT_OFF = ("{host} closed the connection without a whole answer", True)
_UNREACHABLE = ("{host} cannot be reached from here", True)
_MEANINGS = {
    "ERR_NAME_NOT_RESOLVED": ("the name {host} does not exist", False),
    "ERR_CONNECTION_REFUSED": ("nothing listens at {host}; start its server, or correct the address", False),
    "ERR_CONNECTION_RESET": _CUT_OFF,
    "ERR_CONNECTION_CLOSED": _CUT_OFF,
    "ERR_EMPTY_RESPONSE": _CUT_OFF,
    "ERR_INCOMPLETE_CHUNKED_ENCODING": _CUT_OFF,
    "ERR_CONTENT_LENGTH_MISMATCH": _CUT_OFF,
    "ERR_CONNECTION_TIMED_OUT": _UNREACHABLE,
    "ERR_TIMED_OUT": _UNREACHABLE,
    "ERR_ADDRESS_UNREACHABLE": _UNREACHABLE,
    "ERR_INTERNET_DISCONNECTED": _UNREACHABLE,
    "ERR_TOO_MANY_REDIRECTS": ("it redirects in a circle", False),
    "ERR_ABORTED": ("it is a download or has no content; only pages can be opened", False),
}


def explain(url: str, error: Error) -> FederationError:
    """Return what a failed navigation to `url` means to the caller."""
    match = _NET_ERROR.search(error.message)
    return explain_code(url, match[1] if match else "", error.message)


def explain_code(url: str, code: str, message: str = "") -> FederationError:
    """Return what a failure to load `url` means to the caller: by Chromium's name for it, else by its message."""
    if code in _MEANINGS:
        meaning, may_pass = _MEANINGS[code]
    elif code.startswith(("ERR_CERT_", "ERR_SSL_")):
        meaning, may_pass = f"its certificate or encryption is not valid ({code})", False
    elif "Download is starting" in message:
        meaning, may_pass = "it is a download, not a page; only pages can be opened", False
    else:
        meaning, may_pass = f"Chromium says {code or message.partition(chr(10))[0][:300]}", False
    host = httpx.URL(url).netloc.decode("ascii", "replace")
    sentence = f"{url} cannot be opened: {meaning.replace('{host}', host)}."
    return UnavailableError(sentence) if may_pass else PageNotLoadedError(sentence)


def explain_status(url: str, status: int) -> FederationError:
    """Return the failure that a document's error status (400 or more) is."""
    meaning = {401: "it asks for a login", 403: "access is forbidden", 404: "there is no such page"}
    why = meaning.get(status, "the server failed" if status >= 500 else "the request was refused")
    sentence = f"{url} answered with HTTP status {status}: {why}."
    return UnavailableError(sentence) if status in _MAY_PASS else PageNotLoadedError(sentence)
