"""Checks who signed a card: JWS over the card in canonical JSON, against keys that are known or were seen first.

A key is known because the operator trusts it (`AGENT_TRUSTED_KEYS`), or because the agent's first signed card was
signed with it: that one is pinned. A first key is fetched only from the origin that the card came from.
Source: https://a2a-protocol.org/v1.0.0/specification/#84-agent-card-signing, RFC 7515, RFC 8785
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, cast

import rfc8785
from a2a.types import AgentCard
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from pydantic import JsonValue

from orchestrator_service.verification.card_checker import protected_header
from orchestrator_service.verification.findings import Finding
from shared import strict_json
from shared.agent import JsonObject
from shared.agent_card import to_1_0, without_empty
from shared.errors import InvalidSettingError
from shared.http import origin_of

State: TypeAlias = Literal["unsigned", "trusted", "pinned", "first", "unknown", "invalid"]

_ALGORITHMS: Final = ("ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA")
_PUBLIC: Final = frozenset({"kty", "kid", "alg", "use", "crv", "x", "y", "n", "e"})
_MOST_SIGNATURES: Final = 10
_CLAUSE: Final = "A2A 1.0, 8.4.3"


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed a card, as far as it is known.

    trusted: a key of the operator's; pinned: the key of the agent's first signed card; first: a key seen for the first
    time, `key`, to be pinned; unknown: nobody here knows the key; invalid: the card is not what was signed.
    """

    state: State
    kid: str | None = None
    key: JsonObject | None = None

    def to_json(self) -> JsonObject:
        """Return it as the API shows it."""
        return {"state": self.state, "kid": self.kid}

    def finding(self) -> Finding | None:
        """Return what is to be said about it, if anything."""
        match self.state:
            case "invalid":
                return Finding("warning", "/signatures", "do not fit the card: it was changed after signing", _CLAUSE)
            case "unknown":
                return Finding("note", "/signatures", "are of keys that are not known here", _CLAUSE)
            case _:
                return None


def verify(
    card: JsonObject, *, trusted: Sequence[JsonObject], pinned: JsonObject | None, offered: Sequence[JsonObject] = ()
) -> Signature:
    """Return who signed the card. The keys are JWKs; `offered` are those of the card's own origin.

    With a pinned key an offered one counts for nothing: whoever took over the origin could offer any.
    """
    signatures = card.get("signatures")
    given = [each for each in signatures if isinstance(each, dict)] if isinstance(signatures, list) else []
    if not given:
        return Signature("unsigned")
    payloads = list(_canonical(card))
    known: list[tuple[State, Sequence[JsonObject]]] = [("trusted", trusted)]
    known.append(("pinned", [pinned]) if pinned is not None else ("first", offered))
    is_known = False
    for signature in given[:_MOST_SIGNATURES]:
        header = protected_header(signature) or {}
        kid = header.get("kid")
        for state, keys in known:
            for key in keys:
                if key.get("kid") == kid:
                    is_known = True
                    if _fits(signature, header, key, payloads):
                        return Signature(state, str(kid), public(key) if state == "first" else None)
    return Signature("invalid" if is_known else "unknown")


def key_address(card: JsonObject, origin: str) -> str | None:
    """Return where the card says its keys are, if that is at the origin it came from; no other is ever asked."""
    signatures = card.get("signatures")
    for signature in signatures if isinstance(signatures, list) else ():
        address = (protected_header(signature) or {}).get("jku")
        if isinstance(address, str) and origin_of(address) == origin:
            return address
    return None


def read_keys(content: bytes) -> list[JsonObject]:
    """Return the keys of a JWK set, without any private part. Raises: JsonError."""
    value = strict_json.parse(content)
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list):
        raise strict_json.JsonError("is not a JWK set: an object with a list `keys`")
    return [public(key) for key in keys if isinstance(key, dict)]


def load_trusted(path: Path | None) -> list[JsonObject]:
    """Return the keys of the operator's file. Raises: InvalidSettingError."""
    if path is None:
        return []
    try:
        keys = read_keys(path.read_bytes())
    except OSError as error:
        raise InvalidSettingError(f"AGENT_TRUSTED_KEYS: the file {path} cannot be read: {error.strerror}.") from error
    except strict_json.JsonError as error:
        raise InvalidSettingError(f"AGENT_TRUSTED_KEYS: the file {path.name} cannot be used: it {error}.") from error
    nameless = [key for key in keys if not isinstance(key.get("kid"), str)]
    if nameless:
        raise InvalidSettingError(f"AGENT_TRUSTED_KEYS: keys in {path.name} have no `kid`; give each one.")
    return keys


def public(key: JsonObject) -> JsonObject:
    """Return the public part of a JWK."""
    return {name: value for name, value in key.items() if name in _PUBLIC}


def _fits(signature: JsonObject, header: JsonObject, key: JsonObject, payloads: Sequence[bytes]) -> bool:
    import jwt  # noqa: PLC0415 - most cards are not signed

    if header.get("alg") not in _ALGORITHMS or "crit" in header or "b64" in header:
        return False
    try:
        verifier = jwt.PyJWK(key, algorithm=str(header["alg"]))
    except (jwt.PyJWTError, ValueError, TypeError):
        return False
    for payload in payloads:
        encoded = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
        try:
            jwt.PyJWS().decode(
                f"{signature.get('protected')}.{encoded}.{signature.get('signature')}", verifier, list(_ALGORITHMS)
            )
        except (jwt.PyJWTError, ValueError):
            continue
        return True
    return False


def _canonical(card: JsonObject) -> Iterator[bytes]:
    """Yield the card's canonical forms: signers differ in which empty fields they leave out before they sign.

    As it is; as protobuf writes it (8.4.1, rule 1); and without anything empty, as the official SDK signs it.
    """
    plain: JsonObject = {field: value for field, value in card.items() if field != "signatures"}
    forms: list[JsonValue] = [plain]
    try:
        message = ParseDict(to_1_0(plain), AgentCard(), ignore_unknown_fields=True)
    except (ParseError, RecursionError):
        pass
    else:
        written = cast("JsonObject", MessageToDict(message))
        required = ("name", "description", "version", "skills", "defaultInputModes", "defaultOutputModes")
        forms.append({field: plain[field] for field in required if field in plain} | written)
        forms.append(without_empty(written))
    forms.append(without_empty(plain))
    seen: set[bytes] = set()
    for form in forms:
        try:
            payload = rfc8785.dumps(form)  # pyright: ignore[reportArgumentType] - it takes every JSON value
        except (rfc8785.CanonicalizationError, RecursionError):
            continue
        if payload not in seen:
            seen.add(payload)
            yield payload
