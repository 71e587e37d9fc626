"""Signs, checks and delivers webhooks as Standard Webhooks say. Source: https://www.standardwebhooks.com

Who delivers keeps the id over all tries, signs each try anew, and tries again after `pause_s` until `GIVE_UP_AFTER`.
"""

import asyncio
import base64
import hashlib
import hmac
import random
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

import httpx

from shared.errors import FederationError, InvalidSettingError, UnavailableError
from shared.http import ALLOW_ENCODED, MAX_BYTES, parse_url, translate

GIVE_UP_AFTER: Final = timedelta(days=1)
"""How long after its first try a webhook is still worth another."""

_TIMEOUT_S: Final = 15.0
_MAX_ANSWER_BYTES: Final = 16_384
_PAUSES_S: Final = (5.0, 30.0, 120.0, 600.0, 3_600.0, 7_200.0, 14_400.0)
_JITTER: Final = 0.2
_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = range(24, 65)


class WebhookRefusedError(FederationError):
    """A webhook's signature, time or headers are not right: it is not from who it says, or it is an old one again."""

    slug = "webhook-refused"
    title = "The webhook is not genuine"
    status = 401


def parse_secret(text: str) -> bytes:
    """Return the key in `whsec_BASE64` (24 to 64 bytes). Raises: InvalidSettingError."""
    try:
        secret = base64.b64decode(text.strip().removeprefix(_PREFIX), validate=True)
    except ValueError as error:  # binascii's, or one for what is not ASCII
        raise InvalidSettingError("WEBHOOK_SECRET is written whsec_ and then its bytes in base64.") from error
    if len(secret) not in _SECRET_BYTES:
        raise InvalidSettingError(f"WEBHOOK_SECRET has 24 to 64 bytes after whsec_; this one has {len(secret)}.")
    return secret


def write_secret(secret: bytes) -> str:
    """Return the key as receivers are given it: `parse_secret` reads it."""
    return _PREFIX + base64.b64encode(secret).decode()


def sign(secret: bytes, webhook_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the headers that show that `body` is ours: webhook-id, webhook-timestamp, webhook-signature."""
    timestamp = str(int(at.timestamp()))
    signature = f"v1,{_signature(secret, webhook_id, timestamp, body)}"
    return {"webhook-id": webhook_id, "webhook-timestamp": timestamp, "webhook-signature": signature}


def verify(secret: bytes, headers: Mapping[str, str], body: bytes, *, now: datetime, tolerance_s: float = 300) -> None:
    """Check that `body` was signed with `secret` at most `tolerance_s` ago. Raises: WebhookRefusedError."""
    given = {name.lower(): value for name, value in headers.items()}
    webhook_id, timestamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not webhook_id or not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 16):
        raise WebhookRefusedError("The headers webhook-id and webhook-timestamp (whole seconds) are needed.")
    if abs(now.timestamp() - int(timestamp)) > tolerance_s:
        raise WebhookRefusedError(f"The webhook's time is more than {tolerance_s:g} s from now; check both clocks.")
    expected = _signature(secret, webhook_id, timestamp, body).encode()
    for entry in given.get("webhook-signature", "").split():
        version, _, signature = entry.partition(",")
        if version == "v1" and hmac.compare_digest(expected, signature.encode()):
            return
    raise WebhookRefusedError("No signature in webhook-signature fits the body and this secret.")


def pause_s(attempt: int) -> float:
    """Return the pause after the `attempt`-th failed try (from 1), in seconds: 5 s to 4 h, with jitter."""
    pause = _PAUSES_S[min(max(attempt, 1), len(_PAUSES_S)) - 1]
    return pause * random.uniform(1 - _JITTER, 1 + _JITTER)


async def post(client: httpx.AsyncClient, url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Deliver `body` once, through the client of `shared.http`; any 2xx means that it arrived.

    Raises: UnavailableError with a sentence (with the fact `gone` when the receiver wants no more: 410);
    AddressRefusedError and InvalidRequestError for a URL that may not or cannot be called.
    """
    target = parse_url(url)
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            status = await _send(client, target, body, headers)
    except TimeoutError as error:
        raise UnavailableError(f"{target.host} did not take the webhook within {_TIMEOUT_S:g} s.") from error
    except httpx.HTTPError as error:
        raise UnavailableError(translate(error, target).detail) from error
    if status == HTTPStatus.GONE:
        raise UnavailableError(f"{target.host} answered 410: it wants no more webhooks.", gone=True)
    if not 200 <= status < 300:
        raise UnavailableError(f"{target.host} answered the webhook with {status}, not with 2xx.")


async def _send(client: httpx.AsyncClient, url: httpx.URL, body: bytes, headers: Mapping[str, str]) -> int:
    """Return the answer's status. A short answer is read, so that the connection can be used again; no other."""
    unread = {ALLOW_ENCODED: True, MAX_BYTES: sys.maxsize}
    request = client.build_request("POST", url, content=body, headers=headers, extensions=unread)
    request.headers.setdefault("content-type", "application/json")
    response = await client.send(request, stream=True)
    try:
        length = response.headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) <= _MAX_ANSWER_BYTES:
            async for _ in response.aiter_raw():
                pass
    finally:
        await response.aclose()
    return response.status_code


def _signature(secret: bytes, webhook_id: str, timestamp: str, body: bytes) -> str:
    signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
    return base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
