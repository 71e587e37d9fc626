"""The folder of documents: by words, and by meaning where an embedding model is configured."""

import asyncio
import logging
import threading
from collections.abc import Sequence

from a2a_agent_service.index import DocumentIndex
from a2a_agent_service.outcome import Problem
from a2a_agent_service.sources.source import Found
from shared.errors import FederationError

logger = logging.getLogger(__name__)


class Documents:
    """The documents of one folder; its index is brought up to date before each search."""

    def __init__(self, index: DocumentIndex) -> None:
        self.index = index
        self._refreshing = asyncio.Lock()

    def announce(self, queries: Sequence[str]) -> str:
        """See `Source`."""
        return f"Searching the documents in {self.index.folder} for: {'; '.join(queries)}"

    async def find(self, queries: Sequence[str], question: str) -> Found:
        """See `Source`."""
        del question
        stop = threading.Event()
        try:
            async with self._refreshing:
                there = await asyncio.to_thread(self.index.refresh, stop)
            passages = await asyncio.to_thread(self.index.search, queries)
        except FederationError as error:
            return Found(problems=[Problem("", error.detail, error.retryable)])
        finally:
            stop.set()  # the thread outlives a task that is cancelled
        folder = self.index.folder
        problems = [Problem(str(folder / name), reason) for name, reason in there.problems.items()]
        number = f"{there.files} document{'s' * (there.files != 1)}"
        return Found(passages, searched=[f"{number} in {folder}"], problems=problems)
