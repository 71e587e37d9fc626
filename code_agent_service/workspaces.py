"""The files of a session's jobs: one zip archive for each session, bounded, and gone when it is not used for a while.

A session is an A2A context. On the disk of this machine there is one file for it, named by a digest: no name, link or
permission that a program made ever exists there.
"""

import asyncio
import hashlib
import logging
import os
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from code_agent_service import archives
from code_agent_service.runs import WorkFile
from code_agent_service.settings import Settings
from shared.errors import FederationError

logger = logging.getLogger(__name__)

_MIB: Final = 1024 * 1024
_SWEEP_PAUSE_S: Final = 600.0


@dataclass(slots=True)
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Workspaces:
    """The workspaces of all sessions, in a folder."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.data_dir / "code" / "workspaces"
        self._most_bytes = settings.code_workspace_mb * _MIB
        self._most_bytes_in_all = settings.code_workspaces_mb * _MIB
        self._keep_s = settings.code_workspace_h * 3600
        self._label = f"CODE_WORKSPACE_MB ({settings.code_workspace_mb} MB)"
        self._turns: dict[str, _Turn] = {}

    def is_busy(self, session: str) -> bool:
        """Tell whether a job works in the session just now."""
        return session in self._turns

    @asynccontextmanager
    async def turn(self, session: str) -> AsyncGenerator[None]:
        """Wait until no other job works in the session, and keep others out."""
        turn = self._turns.setdefault(session, _Turn())
        turn.users += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[session]

    async def load(self, session: str) -> list[WorkFile]:
        """Return the session's files; none, when it has none, or has them no longer."""
        return await asyncio.to_thread(self._load, self.path_of(session))

    async def save(self, session: str, files: Sequence[WorkFile]) -> str:
        """Keep the session's files for its next job; return a sentence when they are too many to be kept, else ""."""
        if not files:
            return ""
        return await asyncio.to_thread(self._save, self.path_of(session), files)

    async def keep_tidy(self) -> None:
        """Delete what is too old or too much, now and every ten minutes, until cancelled."""
        while True:
            await asyncio.to_thread(self.sweep)
            await asyncio.sleep(_SWEEP_PAUSE_S)

    def sweep(self) -> None:
        """Delete what is too old, and the oldest where all is too much."""
        kept: list[tuple[float, int, Path]] = []
        oldest_s = time.time() - self._keep_s
        for path in self._folder.glob("*"):
            with suppress(FileNotFoundError):  # another process tidies up, too
                status = path.stat()
                kept.append((status.st_mtime, status.st_size, path))
        in_all = sum(size for _, size, _ in kept)
        for changed_s, size, path in sorted(kept):
            if changed_s >= oldest_s and in_all <= self._most_bytes_in_all:
                break
            path.unlink(missing_ok=True)
            in_all -= size

    def path_of(self, session: str) -> Path:
        """Return where the session's files are kept."""
        return self._folder / f"{hashlib.sha256(session.encode()).hexdigest()}.zip"

    def _load(self, path: Path) -> list[WorkFile]:
        try:
            content = path.read_bytes()
            return archives.unpack(WorkFile("workspace.zip", content), self._most_bytes)
        except FileNotFoundError:
            return []
        except OSError as error:
            logger.warning("workspace not read", extra={"problem": error.strerror})
            return []
        except FederationError as error:  # the disk was full, or someone else wrote there
            logger.warning("workspace dropped", extra={"problem": error.detail})
            path.unlink(missing_ok=True)
            return []

    def _save(self, path: Path, files: Sequence[WorkFile]) -> str:
        if sum(len(file.content) for file in files) > self._most_bytes:
            return f"The session's files are not kept for its next job: they are larger than {self._label}."
        if len(files) > archives.MAX_ENTRIES:
            return f"The session's files are not kept for its next job: they are more than {archives.MAX_ENTRIES}."
        unfinished = path.with_suffix(f".{os.getpid()}.new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            unfinished.write_bytes(archives.pack(files))
            unfinished.replace(path)
        except OSError as error:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            logger.warning("workspace not kept", extra={"problem": error.strerror})
            return f"The session's files are not kept for its next job: {error.strerror}."
        self.sweep()
        return ""
