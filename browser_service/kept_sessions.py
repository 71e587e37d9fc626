"""What is kept of browser sessions, in DATA_DIR/browser/recordings/ID: their steps, thumbnails, trace and recording.

A folder without `session.json` is of a session that never came to its end, and is removed at the next start. What is
older than BROWSER_RECORDINGS_H, or more than BROWSER_RECORDINGS_MAX_BYTES together, is removed too, the oldest first.
"""

import logging
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from browser_service.settings import Settings
from shared.browser_sessions import SessionInfo
from shared.errors import NotFoundError

logger = logging.getLogger(__name__)


class KeptSessions:
    """The sessions that are over. Its methods block."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.data_dir / "browser" / "recordings"
        self._life = timedelta(hours=settings.browser_recordings_h)
        self._max_bytes = settings.browser_recordings_max_bytes

    def folder(self, session_id: str) -> Path:
        """Return where a session's files are; the folder is made."""
        folder = self._folder / session_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def keep(self, info: SessionInfo) -> SessionInfo:
        """Write down a session that is over, and make room. Returns it with the time it expires."""
        info = info.model_copy(update={"expires_at": datetime.now(UTC) + self._life})
        (self.folder(info.id) / "session.json").write_text(info.model_dump_json(), encoding="utf-8")
        self.make_room()
        return info

    def find(self, session_id: str) -> SessionInfo:
        """Return a session. Raises: NotFoundError."""
        try:
            return SessionInfo.model_validate_json((self._folder / session_id / "session.json").read_bytes())
        except (OSError, ValidationError) as error:
            raise NotFoundError(f"There is no browser session {session_id!r}.") from error

    def list(self) -> list[SessionInfo]:
        """Return the sessions, newest first."""
        found: list[SessionInfo] = []
        for place in sorted(self._folder.glob("*/session.json"), reverse=True):
            try:
                found.append(SessionInfo.model_validate_json(place.read_bytes()))
            except (OSError, ValidationError):  # removed meanwhile, or of an older version
                continue
        return found

    def file(self, session_id: str, name: str) -> Path:
        """Return a file of a session. Raises: NotFoundError."""
        path = self._folder / session_id / name
        if not path.is_file():
            raise NotFoundError(
                f"The browser session {session_id!r} has no {name.partition('.')[0]} (any more, or yet)."
            )
        return path

    def remove(self, session_id: str) -> None:
        """Forget a session."""
        shutil.rmtree(self._folder / session_id, ignore_errors=True)

    def remove_unfinished(self) -> None:
        """Remove what sessions left that never came to their end: the service died under them."""
        for folder in self._folder.glob("*"):
            if not (folder / "session.json").exists():
                shutil.rmtree(folder, ignore_errors=True)

    def make_room(self) -> None:
        """Remove what is too old, and the oldest while all is too much."""
        kept = self.list()
        sizes = {info.id: sum(file.stat().st_size for file in self._folder.glob(f"{info.id}/*")) for info in kept}
        total = sum(sizes.values())
        for info in reversed(kept):
            is_old = info.expires_at is not None and info.expires_at < datetime.now(UTC)
            if not is_old and total <= self._max_bytes:
                continue
            total -= sizes[info.id]
            self.remove(info.id)
            logger.info("a kept browser session was removed", extra={"session": info.id, "old": is_old})
