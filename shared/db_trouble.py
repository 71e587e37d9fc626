"""Which errors of a database pass by themselves, or once a person has freed space; and how to say so."""

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

_LOCKED: Final = "The database is locked by another process. Nothing was stored; try again in a moment."
_FULL: Final = "The database has no room left on its disk. Nothing was stored; free some space and try again."
_READ_ONLY: Final = "The database can only be read now. Nothing was stored; let it be written, and try again."
_FORBIDDEN: Final = "The database's user may not do this. Nothing was stored; give it the right, and try again."
_DAMAGED: Final = "The database's file is damaged, or is none. Nothing was stored; put a backup in its place."
_NO_CONNECTION: Final = "The database gives no more connections. Nothing was stored; try again in a moment."
_AWAY: Final = "The database does not answer. Try again in a moment, with the same Idempotency-Key if there was one."

_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_PROTOCOL: _LOCKED,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_IOERR: _AWAY,
    sqlite3.SQLITE_CANTOPEN: _AWAY,
    sqlite3.SQLITE_NOMEM: _AWAY,
}
# By class or code. Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRESQL: Final = {
    "53100": _FULL,
    "53300": _NO_CONNECTION,
    "55P03": _LOCKED,
    "25006": _READ_ONLY,
    "42501": _FORBIDDEN,
    "08": _AWAY,  # the connection broke
    "40": _LOCKED,  # a lost race for locks
    "53": _AWAY,  # out of memory, and the like
    "57P": _AWAY,  # the server starts or stops
    "58": _AWAY,  # its disk fails
    "25P03": _AWAY,  # the transaction stood still for too long
}
_REFUSALS: Final = ("authentication failed", "does not exist", "pg_hba.conf", "permission denied")
_MASK: Final = 0xFF  # SQLite's extended codes hold the plain one in their lowest byte


class NoAnswerError(Exception):
    """The database has done nothing at all for as long as the caller would wait; `cause` is what it said to others."""

    def __init__(self, cause: BaseException | None) -> None:
        super().__init__()
        self.cause = cause


def explain(error: BaseException) -> str | None:
    """Return what is wrong, as a sentence for the caller, if it will pass; None for every other error."""
    if isinstance(error, NoAnswerError):
        return (error.cause and explain(error.cause)) or _AWAY
    driver_error = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(error, PoolTimeoutError):
        return _NO_CONNECTION
    if isinstance(driver_error, sqlite3.Error):
        return _SQLITE.get(getattr(driver_error, "sqlite_errorcode", 0) & _MASK)
    state: str | None = getattr(driver_error, "sqlstate", None)
    if state is None:
        return _explain_unnumbered(error, str(driver_error))
    return next((_POSTGRESQL[state[:size]] for size in (5, 3, 2) if state[:size] in _POSTGRESQL), None)


def passes_soon(error: BaseException) -> bool:
    """Tell whether trouble may be over in a moment, as when a server starts; else a person has something to correct."""
    reason = explain(error)
    if isinstance(error, DBAPIError) and isinstance(error.orig, sqlite3.Error):
        return reason == _LOCKED
    return reason in {_AWAY, _LOCKED, _NO_CONNECTION} and not any(each in first_line(error) for each in _REFUSALS)


def first_line(error: BaseException) -> str:
    """Return what the driver says, in one line."""
    return str(error.__cause__ or error).strip().partition("\n")[0]


def _explain_unnumbered(error: BaseException, text: str) -> str | None:
    """PostgreSQL's driver gives no code when there is no connection, or no more of them."""
    if "too many" in text or "remaining connection slots" in text:
        return _NO_CONNECTION
    is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return _AWAY if is_lost or type(error).__name__ in {"OperationalError", "InterfaceError"} else None
