"""The card that a service shows: to whom, how long it is good for, who signed it, and how callers prove themselves."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

import jwt
import pytest
import rfc8785
from a2a.client.card_resolver import parse_agent_card
from a2a.types import AgentCard
from a2a.utils.signing import InvalidSignaturesError, create_signature_verifier
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from shared import agent_signing
from shared.agent import JsonObject
from shared.errors import InvalidSettingError
from tests.shared.scripted_agent import Caller, ScriptedAgent, build_app, build_settings, serving

WELL_KNOWN = "/.well-known/agent-card.json"
SECURITY: JsonObject = {
    "securitySchemes": {"key": {"apiKeySecurityScheme": {"location": "header", "name": "X-API-Key"}}},
    "securityRequirements": [{"schemes": {"key": {"list": []}}}],
}


@pytest.fixture
def pem() -> str:
    return agent_signing.make_key().decode()


async def test_a_client_that_says_1_0_gets_its_card_and_others_find_0_3s_fields_too(caller: Caller) -> None:
    newer = await caller.http.get(WELL_KNOWN, headers={"A2A-Version": "1.0"})
    by_parameter = await caller.http.get(WELL_KNOWN, params={"A2A-Version": "1.0"})
    older = await caller.http.get(WELL_KNOWN)
    assert newer.json() == by_parameter.json()
    assert "url" not in newer.json()
    assert older.json()["url"] == newer.json()["supportedInterfaces"][0]["url"]
    assert newer.headers["vary"] == "A2A-Version"
    assert newer.headers["etag"] != older.headers["etag"]


async def test_a_card_may_be_kept_for_a_while_and_is_not_sent_again_unchanged(caller: Caller) -> None:
    card = await caller.http.get(WELL_KNOWN)
    assert "max-age=" in card.headers["cache-control"]
    assert card.headers["last-modified"].endswith(" GMT")
    for tags in (card.headers["etag"], f'"other", {card.headers["etag"].removeprefix("W/")}', "*"):
        again = await caller.http.get(WELL_KNOWN, headers={"If-None-Match": tags})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == card.headers["etag"]
    assert (await caller.http.get(WELL_KNOWN, headers={"If-None-Match": 'W/"other"'})).status_code == 200


async def test_the_card_and_the_health_can_be_asked_for_their_headers_alone(caller: Caller) -> None:
    for path in ("/.well-known/agent-card.json", "/health"):
        whole, head = await caller.http.get(path), await caller.http.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == whole.headers["content-type"]
        assert head.headers["content-length"] == whole.headers["content-length"]


async def test_a_card_says_what_the_service_is_and_can(caller: Caller) -> None:
    card = (await caller.http.get(WELL_KNOWN, headers={"A2A-Version": "1.0"})).json()
    assert card["provider"]["organization"]
    assert card["version"]
    assert card["skills"] == [
        {
            "id": "echo",
            "name": "Echo",
            "description": "Says what was said.",
            "tags": ["test"],
            "examples": ["echo hello"],
        }
    ]
    assert card["capabilities"]["streaming"]
    assert card["capabilities"]["pushNotifications"]
    assert card["capabilities"]["extendedAgentCard"]
    assert not {"securitySchemes", "securityRequirements", "signatures"} & card.keys()


@pytest.mark.parametrize("version", ["1.0", "0.3"])
@pytest.mark.parametrize("security", [None, json.dumps(SECURITY)], ids=["open", "secured"])
@pytest.mark.parametrize("is_file", [True, False], ids=["a file", "the PEM"])
async def test_a_card_is_signed_with_the_key_that_is_set(
    tmp_path: Path, pem: str, version: str, security: str | None, *, is_file: bool
) -> None:
    file = tmp_path / "card-key.pem"
    file.write_text(pem)
    settings = build_settings(tmp_path, card_signing_key=str(file) if is_file else pem, card_security=security)
    async with serving(ScriptedAgent(), settings) as caller:
        sent: JsonObject = (await caller.http.get(WELL_KNOWN, headers={"A2A-Version": version})).json()
        keys = (await caller.http.get("/.well-known/jwks.json")).json()["keys"]
        extended = await caller.call("GetExtendedAgentCard", {})

    header = _header(sent)
    assert (header["alg"], header["typ"]) == ("ES256", "JOSE")
    assert header["kid"] == keys[0]["kid"]
    assert header["jku"] == f"{settings.url_of('api')}/.well-known/jwks.json"
    assert "d" not in keys[0]

    assert _is_signed_over_what_was_sent(sent, keys[0])
    verify = _verifier(keys[0])
    verify(parse_agent_card(dict(sent)))
    verify(parse_agent_card(dict(extended)))
    with pytest.raises(InvalidSignaturesError):
        verify(parse_agent_card({**sent, "name": "Another"}))
    with pytest.raises(InvalidSignaturesError):
        _verifier(_public(agent_signing.make_key()))(parse_agent_card(dict(sent)))


async def test_without_a_key_there_is_none_to_show(caller: Caller) -> None:
    assert (await caller.http.get("/.well-known/jwks.json")).json() == {"keys": []}


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("not-there.pem", "names a file that cannot be read"),
        ("-----BEGIN PRIVATE KEY-----\nbm8=\n-----END PRIVATE KEY-----", "is not an unencrypted private key"),
        ("rsa", "must be a key on the curve P-256"),
    ],
)
def test_a_key_that_cannot_be_used_is_said_at_the_start(tmp_path: Path, key: str, sentence: str) -> None:
    if key == "rsa":
        key = _make_rsa_key()
    with pytest.raises(InvalidSettingError, match=sentence):
        build_app(build_settings(tmp_path, card_signing_key=key), ScriptedAgent())


async def test_a_card_says_how_callers_prove_who_they_are(tmp_path: Path) -> None:
    async with serving(ScriptedAgent(), build_settings(tmp_path, card_security=json.dumps(SECURITY))) as caller:
        newer = (await caller.http.get(WELL_KNOWN, headers={"A2A-Version": "1.0"})).json()
        older = (await caller.http.get(WELL_KNOWN)).json()
    assert newer["securitySchemes"] == SECURITY["securitySchemes"]
    assert newer["securityRequirements"][0]["schemes"].keys() == {"key"}
    assert older["security"] == [{"key": []}]


@pytest.mark.parametrize(
    "security",
    [
        "not json",
        "[]",
        "{}",
        '{"name": "Mine"}',
        '{"securitySchemes": {"key": {"unheardOf": {}}}}',
        '{"securityRequirements": [{"schemes": {"key": {"list": []}}}]}',
        '{"securitySchemes": {"a": {"mtlsSecurityScheme": {}}}, "securityRequirements": [{"schemes": {"b": {}}}]}',
    ],
)
def test_security_that_no_card_can_hold_is_said_at_the_start(tmp_path: Path, security: str) -> None:
    with pytest.raises(InvalidSettingError, match="CARD_SECURITY"):
        build_app(build_settings(tmp_path, card_security=security), ScriptedAgent())


async def test_the_extended_card_is_the_public_one_in_every_binding_and_version(caller: Caller) -> None:
    public = (await caller.http.get(WELL_KNOWN, headers={"A2A-Version": "1.0"})).json()
    assert await caller.call("GetExtendedAgentCard", {}) == public
    assert (await caller.http.get("/extendedAgentCard", headers={"A2A-Version": "1.0"})).json() == public
    old = await caller.rpc("agent/getAuthenticatedExtendedCard", {}, **{"A2A-Version": "0.3"})
    assert cast("JsonObject", old["result"])["name"] == public["name"]


async def test_the_extended_card_is_signed(tmp_path: Path, pem: str) -> None:
    async with serving(ScriptedAgent(), build_settings(tmp_path, card_signing_key=pem)) as caller:
        key = (await caller.http.get("/.well-known/jwks.json")).json()["keys"][0]
        _verifier(key)(parse_agent_card(dict(await caller.call("GetExtendedAgentCard", {}))))


def _header(card: JsonObject) -> JsonObject:
    [signature, *_] = cast("list[JsonObject]", card["signatures"])
    return json.loads(_decode(cast("str", signature["protected"])))


def _is_signed_over_what_was_sent(card: JsonObject, key: JsonObject) -> bool:
    """Verify as one does who knows nothing of protobuf: over the JSON as it came, without its signatures."""
    plain = {name: value for name, value in card.items() if name != "signatures"}
    payload = base64.urlsafe_b64encode(rfc8785.dumps(plain)).rstrip(b"=").decode()  # pyright: ignore[reportArgumentType]
    for signature in cast("list[JsonObject]", card["signatures"]):
        try:
            jws = f"{signature['protected']}.{payload}.{signature['signature']}"
            jwt.PyJWS().decode(jws, jwt.PyJWK(key), ["ES256"])
        except jwt.InvalidSignatureError:
            continue
        return True
    return False


def _verifier(key: JsonObject) -> Callable[[AgentCard], None]:
    def find(kid: str | None, jku: str | None) -> jwt.PyJWK:
        return jwt.PyJWK(key)

    return create_signature_verifier(find, ["ES256"])


def _public(pem: bytes) -> JsonObject:
    return agent_signing.read_key(pem.decode(), "http://127.0.0.1/keys").jwk


def _make_rsa_key() -> str:
    key = generate_private_key(65537, 2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
