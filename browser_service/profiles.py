"""Cookies and stored values that are kept between sessions under a name, encrypted at rest.

A session that names a profile begins with what the last one left, and leaves what it has itself. Two at once do not
mix: each has its own, and the one that ends last is kept.
"""

import asyncio
import base64
import json
import os
import re
import secrets
from pathlib import Path
from typing import cast

from cryptography.fernet import Fernet, InvalidToken
from playwright.async_api import BrowserContext, StorageState

from browser_service.settings import Settings
from shared import secret_key
from shared.errors import InvalidRequestError, NotFoundError, TooLargeError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MAX_BYTES = 5_000_000


class Profiles:
    """The profiles of this installation, in DATA_DIR/browser/profiles."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder: Path = settings.data_dir / "browser" / "profiles"

    async def load(self, name: str) -> StorageState | None:
        """Return what is kept under `name`; None before anything is. Raises: InvalidRequestError."""
        return await asyncio.to_thread(self._load, self._path(name))

    async def save(self, name: str, context: BrowserContext) -> None:
        """Keep what `context` has now. Raises: TooLargeError, playwright's Error."""
        state = json.dumps(await context.storage_state(indexed_db=True)).encode()
        if len(state) > _MAX_BYTES:
            raise TooLargeError(
                f"The profile {name!r} would have {len(state):,} bytes; at most {_MAX_BYTES:,} are kept."
            )
        await asyncio.to_thread(self._save, self._path(name), state)

    async def names(self) -> list[str]:
        """Return the names of what is kept."""
        return sorted(path.stem for path in await asyncio.to_thread(lambda: list(self._folder.glob("*.profile"))))

    async def remove(self, name: str) -> None:
        """Forget a profile. Raises: NotFoundError."""
        path = self._path(name)
        if not await asyncio.to_thread(path.exists):
            raise NotFoundError(f"There is no profile {name!r}.")
        await asyncio.to_thread(path.unlink, missing_ok=True)

    def _load(self, path: Path) -> StorageState | None:
        try:
            state = json.loads(self._lock().decrypt(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (InvalidToken, ValueError) as error:
            raise InvalidRequestError(
                f"The profile {path.stem!r} was encrypted with another secret (FEDERATION_SECRET_KEY); remove it."
            ) from error
        return cast("StorageState", state)

    def _save(self, path: Path, state: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(self._lock().encrypt(state))
        draft.replace(path)

    def _lock(self) -> Fernet:
        key = secret_key.derive(secret_key.read(self._settings), "browser-profiles")
        return Fernet(base64.urlsafe_b64encode(key))

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise InvalidRequestError(f"{name[:100]!r} is no name for a profile: use letters, digits, dots, - and _.")
        return self._folder / f"{name}.profile"
