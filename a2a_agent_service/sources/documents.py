"""The folder of documents: by words, and by meaning where an embedding model is configured."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from a2a_agent_service.index import DocumentIndex
from a2a_agent_service.outcome import Problem
from a2a_agent_service.settings import Settings
from a2a_agent_service.sources.source import Found
from a2a_agent_service.vectors import Needs
from shared import http
from shared.background import background
from shared.embeddings import Embeddings, open_embeddings
from shared.errors import FederationError

logger = logging.getLogger(__name__)

_BATCH: Final = 64
_AFTER_FAILURE_S: Final = 30.0


class Documents:
    """The documents of one folder; its index is brought up to date before each search."""

    def __init__(self, index: DocumentIndex, meaning: "Meaning | None" = None) -> None:
        self.index = index
        self._meaning = meaning
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
            needs = None if self._meaning is None else await self._meaning.of(queries)
            passages = await asyncio.to_thread(self.index.search, queries, needs)
        except FederationError as error:
            return Found(problems=[Problem("", error.detail, error.retryable)])
        finally:
            stop.set()  # the thread outlives a task that is cancelled
        folder = self.index.folder
        problems = [Problem(str(folder / name), reason) for name, reason in there.problems.items()]
        number = f"{there.files} document{'s' * (there.files != 1)}"
        return Found(passages, searched=[f"{number} in {folder}"], problems=problems)


class Meaning:
    """Has the passages' vectors made, in the background, and those of queries. Words do while the model is away."""

    def __init__(self, index: DocumentIndex, embeddings: Embeddings, wait_s: float) -> None:
        self._index = index
        self._embeddings = embeddings
        self._wait_s = wait_s
        self._wanted = asyncio.Event()
        self._has_all = asyncio.Event()
        self._rests_until = 0.0

    async def of(self, queries: Sequence[str]) -> Needs | None:
        """Return the vectors of the queries, when those of the passages are there, or as many as were made in time.

        None: the model does not answer.
        """
        if time.monotonic() < self._rests_until:
            return None
        self._has_all.clear()
        self._wanted.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._wait_s):
                await self._has_all.wait()
        if time.monotonic() < self._rests_until:
            return None
        try:
            made = await self._embeddings.embed(queries)
        except FederationError as error:
            self._rest(error)
            return None
        return Needs(self._embeddings.model, dict(zip(queries, made, strict=True)))

    async def make_for_ever(self) -> None:
        """Make the vectors that are missing, whenever some are wanted."""
        model = self._embeddings.model
        has_new = True
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                while missing := await asyncio.to_thread(self._index.without_vector, model, _BATCH):
                    made = await self._embeddings.embed([*missing.values()])
                    await asyncio.to_thread(self._index.keep_vectors, model, dict(zip(missing, made, strict=True)))
                    has_new = True
                if has_new:
                    await asyncio.to_thread(self._index.forget_vectors, model)
                has_new = False
            except FederationError as error:
                self._rest(error)
            self._has_all.set()

    def _rest(self, error: FederationError) -> None:
        logger.warning("documents are searched by their words alone", extra={"reason": error.detail})
        self._rests_until = time.monotonic() + _AFTER_FAILURE_S


@asynccontextmanager
async def open_documents(settings: Settings, client: http.Client, index: DocumentIndex) -> AsyncGenerator[Documents]:
    """Open the folder, with vectors made beside it where an embedding model is configured."""
    embeddings = open_embeddings(settings, client)
    if embeddings is None:
        yield Documents(index)
        return
    meaning = Meaning(index, embeddings, settings.embedding_timeout_s)
    async with background("vectors of documents", meaning.make_for_ever()):
        yield Documents(index, meaning)
