"""Shows one agent who we are, as its card asks: with what is stored for that agent, at its own origin and nowhere else.

What the caller showed us is never among it.
"""

import asyncio
import base64
import os
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from ssl import SSLContext, SSLError
from typing import Final
from urllib.parse import quote

import httpx
from a2a.types import AgentCard

from shared import http
from shared.credentials import ApiKey, BasicLogin, BearerToken, ClientCertificate, OAuthClient, OpenIdClient, Secrets
from shared.errors import InvalidRequestError
from shared.oauth import Tokens

_KNOWN_CERTIFICATES: Final = 256


@dataclass(frozen=True, slots=True)
class Proof:
    """What one call shows: its address, headers and client certificate. `token`: what may be asked for anew."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    certificate: SSLContext | None = None
    token: str | None = None

    def __repr__(self) -> str:
        """Return nothing of it."""
        return "Proof(…)"


class AgentAuth:
    """The credentials for one agent, ready to be shown."""

    def __init__(self, secrets: Secrets, card: AgentCard, tokens: Tokens) -> None:
        self._origin = secrets.origin
        self._tokens = tokens
        self._login: OAuthClient | OpenIdClient | None = None
        self._certificate: ClientCertificate | None = None
        self._headers = {name: value.get_secret_value() for name, value in secrets.headers.items()}
        self._query = ""
        cookies: list[str] = []
        for credential in secrets.fitting(card):
            match credential:
                case ApiKey(location="query"):
                    self._query = _add(self._query, f"{credential.name}={quote(_value(credential), safe='')}", "&")
                case ApiKey(location="cookie"):
                    cookies.append(f"{credential.name}={_value(credential)}")
                case ApiKey():
                    self._headers[str(credential.name)] = _value(credential)
                case BearerToken():
                    self._headers["Authorization"] = f"Bearer {credential.token.get_secret_value()}"
                case BasicLogin():
                    pair = f"{credential.username}:{credential.password.get_secret_value()}".encode()
                    self._headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
                case OAuthClient() | OpenIdClient():
                    self._login = credential
                case ClientCertificate():
                    self._certificate = credential
        if cookies:
            self._headers["Cookie"] = "; ".join(cookies)

    @property
    def header_names(self) -> list[str]:
        """The names of the headers that it shows, without what stands in them."""
        names = {**self._headers, **({} if self._login is None else {"Authorization": ""})}
        return sorted(names)

    async def prove(self, url: str) -> Proof:
        """Return what a call to `url` shows: nothing at all, if that is not at the agent's origin.

        Raises: as `Tokens.get`.
        """
        if self._origin is not None and http.origin_of(url) != self._origin:
            return Proof(url)
        shown = _add(url, self._query, "&" if "?" in url else "?") if self._query else url
        headers, token = self._headers, None
        if self._login is not None:
            token = await self._tokens.get(self._login)
            headers = {**headers, "Authorization": f"Bearer {token}"}
        certificate = None
        if self._certificate is not None:
            certificate = await asyncio.to_thread(load_certificate, self._certificate)
        return Proof(shown, headers, certificate, token)

    def can_renew(self, refused: Proof) -> bool:
        """Take note that the agent refused this; return whether another try can be better."""
        if self._login is None or refused.token is None:
            return False
        self._tokens.forget(self._login, refused.token)
        return True


async def show(secrets: Secrets) -> http.Shown | None:
    """Return what is shown before the card is known, or only to see whether the agent is there; never a token.

    Raises: InvalidRequestError.
    """
    if secrets.origin is None:
        return None
    headers = {name: value.get_secret_value() for name, value in secrets.headers.items()}
    for credential in secrets.credentials.values():
        if isinstance(credential, ClientCertificate):
            certificate = await asyncio.to_thread(load_certificate, credential)
            return http.Shown(secrets.origin, headers, certificate)
    return http.Shown(secrets.origin, headers, None)


def load_certificate(given: ClientCertificate) -> SSLContext:
    """Return the TLS context that shows a client certificate. Raises: InvalidRequestError, if it cannot be used."""
    pem = f"{given.certificate.get_secret_value().strip()}\n{given.key.get_secret_value().strip()}\n"
    return _load(pem, None if given.ca is None else given.ca.get_secret_value())


@lru_cache(_KNOWN_CERTIFICATES)
def _load(pem: str, authority: str | None) -> SSLContext:
    context = httpx.create_ssl_context(trust_env=False)
    try:
        if authority is not None:
            context.load_verify_locations(cadata=authority)
        with _as_file(pem.encode()) as path:
            context.load_cert_chain(path, password=lambda: b"")
    except (SSLError, ValueError, OSError) as error:
        raise InvalidRequestError(
            "The client certificate cannot be used: give `certificate` and `key` that belong together, both PEM, the "
            "key without a password."
        ) from error
    return context


@contextmanager
def _as_file(content: bytes) -> Generator[str]:
    """Lend the content as a file, which OpenSSL wants: one in memory, or one that only its owner can read."""
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("certificate")
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{number}"
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name


def _value(key: ApiKey) -> str:
    return key.value.get_secret_value()


def _add(before: str, more: str, between: str) -> str:
    return f"{before}{between}{more}" if before else more
