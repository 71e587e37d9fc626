"""Work that goes ahead of a commit: what follows from a change is made ready while the disk is waited for.

It must have no effect before the change is there. So calls of agents (`shared.agent_wire`) and transactions
(`shared.db`) that are begun in such work wait for the commit; whoever began it cancels it if nothing came of that.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias, TypeVar

T = TypeVar("T")


class Ahead:
    """A commit that is yet to come."""

    __slots__ = ("_is_there",)

    def __init__(self) -> None:
        self._is_there = asyncio.Event()

    @contextmanager
    def going(self) -> Generator[None]:
        """Let what is begun in here, asyncio tasks too, go ahead of the commit."""
        token = _ahead.set(self)
        try:
            yield
        finally:
            _ahead.reset(token)

    @property
    def is_there(self) -> bool:
        """Whether the commit has come."""
        return self._is_there.is_set()

    def commit(self) -> None:
        """Say that it has come."""
        self._is_there.set()

    async def wait(self) -> None:
        """Return once it has come."""
        await self._is_there.wait()


GoAhead: TypeAlias = Callable[[T, Ahead], Callable[[], object]]
"""Begins what follows from a result, ahead of its commit. Returns what undoes that."""


async def committed() -> None:
    """Return once what the present work goes ahead of is there: at once, unless it is yet to come."""
    ahead = _ahead.get()
    if ahead is not None and not ahead.is_there:
        await ahead.wait()


async def may_call() -> None:
    """Return once the present work may have effects elsewhere: `committed`, and what is to be done `before_calls`."""
    await committed()
    if (do := _before_calls.get()) is not None:
        _before_calls.set(None)
        await do()


async def before_calls(do: Callable[[], Awaitable[None]]) -> None:
    """Do something now; in an asyncio task that goes ahead of a commit, between that and the task's first call."""
    ahead = _ahead.get()
    if ahead is None or ahead.is_there:
        await do()
    else:
        _before_calls.set(do)


_ahead: ContextVar[Ahead | None] = ContextVar("ahead of a commit", default=None)
_before_calls: ContextVar[Callable[[], Awaitable[None]] | None] = ContextVar("before calls", default=None)
