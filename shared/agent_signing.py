"""Signs agent cards: JWS over RFC 8785's canonical JSON, with a P-256 key of the operator's (CARD_SIGNING_KEY).

Make a key, which this prints: python -m shared.agent_signing > card-key.pem
Source: https://a2a-protocol.org/v1.0.0/specification, section 8.4
"""

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import rfc8785
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from jwt import api_jws
from jwt.algorithms import ECAlgorithm
from jwt.utils import base64url_encode
from pydantic import JsonValue

from shared.agent import JsonObject
from shared.agent_card import without_empty
from shared.errors import InvalidSettingError

_ALGORITHM: Final = "ES256"
_PEM_BEGINS: Final = "-----BEGIN"


@dataclass(frozen=True, slots=True)
class CardKey:
    """The key of a service's card. `jwk` is its public half; `url` is where others find that."""

    private: EllipticCurvePrivateKey
    jwk: JsonObject
    url: str

    def sign(self, card: JsonObject) -> list[JsonValue]:
        """Return the signatures of `card`, the JSON that is served without them.

        One is of the card as it is, and one of what the official SDK makes of it, which is without anything empty.
        """
        forms = {rfc8785.dumps(form): None for form in (card, without_empty(card))}
        return [self._sign(form) for form in forms]

    def _sign(self, payload: bytes) -> JsonObject:
        headers: JsonObject = {"alg": _ALGORITHM, "typ": "JOSE", "kid": self.jwk["kid"], "jku": self.url}
        protected, _, signature = api_jws.encode(payload, self.private, _ALGORITHM, dict(headers)).split(".")
        return {"protected": protected, "signature": signature}


def read_key(setting: str, url: str) -> CardKey:
    """Return the key that CARD_SIGNING_KEY says: a PEM file's path or the PEM itself. Raises: InvalidSettingError."""
    private = _parse(_read(setting.strip()))
    jwk = cast("JsonObject", ECAlgorithm.to_jwk(private.public_key(), as_dict=True))
    public: JsonObject = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    thumbprint = base64url_encode(hashlib.sha256(rfc8785.dumps(public)).digest()).decode()  # RFC 7638
    named: JsonObject = {**public, "kid": thumbprint, "alg": _ALGORITHM, "use": "sig"}
    return CardKey(private, named, url)


def make_key() -> bytes:
    """Return a new private key as PEM."""
    return generate_private_key(SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _read(setting: str) -> bytes:
    if setting.startswith(_PEM_BEGINS):
        return setting.encode()
    try:
        return Path(setting).read_bytes()
    except OSError as error:
        raise InvalidSettingError(
            f"CARD_SIGNING_KEY names a file that cannot be read ({error.strerror}): {setting}."
        ) from error


def _parse(pem: bytes) -> EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: it is encrypted
        raise InvalidSettingError(
            "CARD_SIGNING_KEY is not an unencrypted private key in PEM. "
            "Make one: python -m shared.agent_signing > card-key.pem"
        ) from error
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise InvalidSettingError("CARD_SIGNING_KEY must be a key on the curve P-256 (ES256).")
    return key


if __name__ == "__main__":
    sys.stdout.write(make_key().decode())
