"""Serves a service's agent card: for clients of A2A 1.0, and with 0.3's fields in it for those that do not say.

Who asks without a version is to be taken for a client of 0.3 (section 3.6.2), which looks for fields that 1.0 does not
have; clients of 1.0 ignore them, or ask with `A2A-Version: 1.0` and do not get them.
"""

import hashlib
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final, cast

import orjson
from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.types import AgentCard
from a2a.utils.constants import AGENT_CARD_WELL_KNOWN_PATH, PROTOCOL_VERSION_1_0, VERSION_HEADER
from fastapi import FastAPI
from google.protobuf.json_format import MessageToDict, ParseDict
from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.agent import JsonObject
from shared.settings import FederationSettings, ServiceName

if TYPE_CHECKING:
    from shared.agent_signing import CardKey

_KEYS_PATH: Final = "/.well-known/jwks.json"
_CACHE_CONTROL: Final = "public, max-age=60"


def read_key(settings: FederationSettings, service: ServiceName) -> "CardKey | None":
    """Return the key that signs the card of `service`; None if none is set. Raises: InvalidSettingError."""
    if settings.card_signing_key is None:
        return None
    from shared import agent_signing  # noqa: PLC0415 - most cards are not signed

    return agent_signing.read_key(settings.card_signing_key.get_secret_value(), settings.url_of(service) + _KEYS_PATH)


def sign(card: AgentCard, key: "CardKey | None") -> AgentCard:
    """Return `card` with signatures, if there is a key."""
    if key is None:
        return card
    content = cast("JsonObject", MessageToDict(card))
    return ParseDict({**content, "signatures": key.sign(content)}, AgentCard())


def build(card: AgentCard, key: "CardKey | None", *, only_1_0: bool) -> list[Route]:
    """Return the route of a card, signed if there is a key. `only_1_0`: whoever asks gets the card of 1.0."""
    signed = sign(card, key)
    kid = None if key is None else key.jwk["kid"]
    newer = _Page(cast("JsonObject", MessageToDict(signed)), kid)
    older = newer if only_1_0 else _Page(_with_0_3(signed, key), kid)

    async def get_agent_card(request: Request) -> Response:
        """Return the agent's card."""
        version = request.headers.get(VERSION_HEADER) or request.query_params.get(VERSION_HEADER)
        return (newer if version == PROTOCOL_VERSION_1_0 else older).answer(request)

    return [Route(AGENT_CARD_WELL_KNOWN_PATH, get_agent_card)]


def add_keys(app: FastAPI, key: "CardKey | None") -> None:
    """Serve the public half of the key that signs the card; an empty list without one."""

    @app.get(_KEYS_PATH, tags=["a2a"], summary="The key that signs the card", response_class=_KeySet)
    async def get_keys() -> Response:  # pyright: ignore[reportUnusedFunction] - the decorator keeps it
        return _KeySet({"keys": [] if key is None else [key.jwk]}, headers={"Cache-Control": _CACHE_CONTROL})


class _KeySet(JSONResponse):
    media_type = "application/jwk-set+json"


class _Page:
    """A card as it is sent.

    Its tag is weak and has the key's id in it instead of the signatures, which differ from replica to replica.
    """

    def __init__(self, content: JsonObject, kid: JsonValue) -> None:
        unsigned: JsonObject = {**content, "signatures": kid}
        digest = hashlib.sha256(orjson.dumps(unsigned, option=orjson.OPT_SORT_KEYS)).hexdigest()
        self._body = orjson.dumps(content)
        self._tag = digest
        self._headers = {
            "Cache-Control": _CACHE_CONTROL,
            "ETag": f'W/"{digest}"',
            "Last-Modified": format_datetime(datetime.now(UTC), usegmt=True),
            "Vary": VERSION_HEADER,
        }

    def answer(self, request: Request) -> Response:
        """Return the card, or that it is still the one that the client has."""
        known = [
            each.strip().removeprefix("W/").strip('"') for each in request.headers.get("if-none-match", "").split(",")
        ]
        if self._tag in known or "*" in known:
            return Response(status_code=304, headers=self._headers)
        return Response(self._body, headers=self._headers, media_type="application/json")


def _with_0_3(signed: AgentCard, key: "CardKey | None") -> JsonObject:
    """Return the card with 0.3's fields in it, and besides its own signatures those of all that is served."""
    content = cast("JsonObject", agent_card_to_dict(signed))
    if key is None:
        return content
    signatures = content.pop("signatures")
    own = signatures if isinstance(signatures, list) else []
    return {**content, "signatures": [*own, *key.sign(content)]}
