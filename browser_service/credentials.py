"""Secrets that the service fills in itself: named, bound to web origins, encrypted at rest, never shown to anybody.

A session may use those that its request names. What is asked for on a page of another origin is refused, so a page that
looks like another gets nothing; a model and its prompts only ever see the name.
"""

import base64
import json
import os
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, InvalidToken
from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, field_validator

from browser_service.settings import Settings
from shared import secret_key
from shared.errors import FederationError, InvalidRequestError, NotFoundError

_PORTS = {"http": 80, "https": 443}


class CredentialRefusedError(FederationError):
    """A credential is not for this session, or not for the page that is open."""

    slug = "credential-refused"
    title = "The credential may not be used here"
    status = 403


class NewCredential(BaseModel):
    """A secret to keep, and the origins of the pages that it may be filled in on."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"secret": "correct horse", "origins": ["https://shop.example"]}]},
    )

    secret: Annotated[SecretStr, Field(min_length=1, max_length=10_000)]
    origins: Annotated[list[str], Field(min_length=1, max_length=50)]

    @field_validator("origins")
    @classmethod
    def _check_origins(cls, origins: list[str]) -> list[str]:
        for each in origins:
            if origin(each) is None or urlsplit(each).path not in {"", "/"}:
                raise ValueError(f"{each[:100]!r} is not an origin; write it like https://shop.example")
        return [str(origin(each)) for each in origins]


class CredentialInfo(BaseModel):
    """What is told of a credential: never the secret."""

    name: str
    origins: list[str]
    created_at: datetime


class _Kept(CredentialInfo):
    secret: str


_ALL: TypeAdapter[dict[str, _Kept]] = TypeAdapter(dict[str, _Kept])


class Credentials:
    """The credentials of this installation, in DATA_DIR/browser/credentials, encrypted. Its methods block."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path: Path = settings.data_dir / "browser" / "credentials"

    def put(self, name: str, new: NewCredential) -> CredentialInfo:
        """Keep a secret under a name; one that has it already is replaced."""
        kept = _Kept(name=name, origins=new.origins, created_at=datetime.now(UTC), secret=new.secret.get_secret_value())
        self._write({**self._read(), name: kept})
        return CredentialInfo(name=name, origins=kept.origins, created_at=kept.created_at)

    def list(self) -> list[CredentialInfo]:
        """Return what there is, without the secrets."""
        return [CredentialInfo(**each.model_dump(exclude={"secret"})) for each in self._read().values()]

    def remove(self, name: str) -> None:
        """Forget a secret. Raises: NotFoundError."""
        kept = self._read()
        if name not in kept:
            raise NotFoundError(f"There is no credential {name[:100]!r}.")
        del kept[name]
        self._write(kept)

    def give(self, name: str, url: str, granted: Collection[str]) -> str:
        """Return the secret `name` for a page at `url`. Raises: CredentialRefusedError, NotFoundError."""
        if name not in granted:
            raise CredentialRefusedError(
                f"This session may not use the credential {name[:100]!r}; name it in the request's `credentials`."
            )
        kept = self._read().get(name)
        if kept is None:
            raise NotFoundError(f"There is no credential {name[:100]!r}.")
        if (here := origin(url)) not in kept.origins:
            raise CredentialRefusedError(
                f"The credential {name!r} is for {', '.join(kept.origins)}; this page is of {here or 'no origin'}."
            )
        return kept.secret

    def _read(self) -> dict[str, _Kept]:
        try:
            return _ALL.validate_json(self._box().decrypt(self._path.read_bytes()))
        except FileNotFoundError:
            return {}
        except (InvalidToken, ValueError) as error:
            raise InvalidRequestError(
                f"{self._path} was written with another FEDERATION_SECRET_KEY; remove it, and set the credentials anew."
            ) from error

    def _write(self, kept: dict[str, _Kept]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(f".{os.getpid()}")
        sealed = self._box().encrypt(json.dumps(_ALL.dump_python(kept, mode="json")).encode())
        draft.touch(mode=0o600)
        draft.write_bytes(sealed)
        draft.replace(self._path)

    def _box(self) -> Fernet:
        key = secret_key.derive(secret_key.read(self._settings), "browser credentials")
        return Fernet(base64.urlsafe_b64encode(key))


def origin(url: str) -> str | None:
    """Return the origin of an http(s) address as it is written: `https://shop.example`, with a port that is unusual."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in {None, _PORTS[parts.scheme]} else "")
