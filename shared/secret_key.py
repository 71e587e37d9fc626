"""The installation's secret, from which keys are made, one per purpose: `FEDERATION_SECRET_KEY`, else a file.

The file is `secret.key` in `DATA_DIR`, made on first use, readable by its owner only. Services on several machines
need the same secret: set it there.
"""

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from shared.errors import InvalidSettingError
from shared.settings import FederationSettings


def read(settings: FederationSettings) -> bytes:
    """Return the secret; make it if there is none yet. Raises: InvalidSettingError, when it cannot be kept or read."""
    chosen = settings.federation_secret_key
    if chosen is not None:
        return chosen.get_secret_value().encode()
    path = settings.data_dir.resolve() / "secret.key"
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _make(path)
        return path.read_bytes()
    except OSError as error:
        raise InvalidSettingError(
            f"The secret of this installation cannot be kept in {path} ({error.strerror}). Make that writable, set "
            "DATA_DIR to another folder, or set FEDERATION_SECRET_KEY."
        ) from error


def derive(secret: bytes, purpose: str) -> bytes:
    """Return the key for one purpose, of 32 bytes."""
    return hmac.digest(secret, purpose.encode(), hashlib.sha256)


def _make(path: Path) -> None:
    """Write a new secret; if another process does so at the same time, the first one's stands."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_hex(32).encode())
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()
