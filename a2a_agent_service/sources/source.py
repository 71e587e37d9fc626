"""What every source of the research agent is: it is given queries, and finds passages and pages to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from a2a_agent_service.outcome import Problem
from a2a_agent_service.passages import Passage


@dataclass(frozen=True, slots=True)
class Found:
    """What a source found: passages, addresses of pages that are worth reading, and what could not be read.

    `searched` says for people where was looked; empty if nowhere.
    """

    passages: Sequence[Passage] = ()
    pages: Sequence[str] = ()
    searched: Sequence[str] = ()
    problems: Sequence[Problem] = ()


class Source(Protocol):
    """A place to look."""

    def announce(self, queries: Sequence[str]) -> str:
        """Return what to tell people who wait; empty: nothing."""
        ...

    async def find(self, queries: Sequence[str], question: str) -> Found:
        """Return what is found for the queries. What cannot be searched is told as a problem, not raised."""
        ...
