"""Reads agent cards: A2A 1.0 and 0.3, fetched or given, with errors that name what is wrong and where in the card."""

import re
from dataclasses import dataclass

import httpx
from a2a.types import AgentCard
from google.protobuf.json_format import ParseDict, ParseError
from pydantic import JsonValue

from shared import http, strict_json
from shared.agent import JsonObject
from shared.errors import AgentCardInvalidError, AgentUnavailableError, TimedOutError, TooLargeError, UnavailableError

MAX_CARD_BYTES = 256 * 1024
WELL_KNOWN_PATHS = ("/.well-known/agent-card.json", "/.well-known/agent.json")

_MAX_SKILLS = 500
_MAX_TEXT = 10_000
_MAX_NAME = 500
_MAX_URL = 2_000
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_NOT_THERE = frozenset({404, 405, 410})
_BINDINGS = frozenset({"JSONRPC", "HTTP+JSON"})
_EMPTY: tuple[JsonValue, ...] = (None, "", [], {})
_SCHEMES_0_3 = {
    "apiKey": "apiKeySecurityScheme",
    "http": "httpAuthSecurityScheme",
    "oauth2": "oauth2SecurityScheme",
    "openIdConnect": "openIdConnectSecurityScheme",
    "mutualTLS": "mtlsSecurityScheme",
}


@dataclass(frozen=True, slots=True)
class FetchedCard:
    """A card, the JSON it was read from (for its hash and signatures), and where that was."""

    card: AgentCard
    raw: JsonObject
    url: str


async def fetch_card(
    client: httpx.AsyncClient, url: str, *, timeout_s: float, max_bytes: int = MAX_CARD_BYTES
) -> FetchedCard:
    """Fetch the card of the agent at `url`: the card's own URL, or the base URL below which it is well known.

    Raises: AgentUnavailableError, AgentCardInvalidError, AddressRefusedError, InvalidRequestError (not a URL).
    """
    raw, found_at = await fetch_raw_card(client, url, timeout_s=timeout_s, max_bytes=max_bytes)
    return FetchedCard(parse_card(raw), raw, found_at)


async def fetch_raw_card(
    client: httpx.AsyncClient,
    url: str,
    *,
    timeout_s: float,
    max_bytes: int = MAX_CARD_BYTES,
    shown: http.Shown | None = None,
) -> tuple[JsonObject, str]:
    """Fetch what should be the card, and say where it was found; it is a JSON object, and not looked at further.

    `shown` goes to its own origin only. Raises: as `fetch_card`.
    """
    status = 0
    for candidate in _candidates(url):
        try:
            fetched = await http.fetch(client, candidate, timeout_s=timeout_s, max_bytes=max_bytes, shown=shown)
        except (UnavailableError, TimedOutError) as error:
            raise AgentUnavailableError(f"The agent card cannot be fetched. {error.detail}", url=candidate) from error
        except TooLargeError as error:
            raise AgentCardInvalidError(
                f"The agent card at {candidate} is larger than {max_bytes:,} bytes.", url=candidate
            ) from error
        if fetched.status == 200:
            return read_object(fetched.content), fetched.url
        status = status or fetched.status
        if fetched.status not in _NOT_THERE:
            break
    if status in _NOT_THERE:
        raise AgentCardInvalidError(
            f"There is no agent card at {url}. Give the agent's base URL, below which "
            f"{WELL_KNOWN_PATHS[0]} answers, or the card's own URL.",
            url=url,
        )
    raise AgentUnavailableError(f"The agent card at {url} cannot be fetched: HTTP {status}.", url=url)


def parse_card(raw: bytes | JsonObject) -> AgentCard:
    """Return the card that `raw` is; a 0.3 card's interfaces appear as `supported_interfaces` of version 0.3.

    Raises: AgentCardInvalidError, with a JSON pointer to what is missing or wrong.
    """
    given = raw if isinstance(raw, dict) else read_object(raw)
    found = to_1_0({key: _clean(value) for key, value in given.items()})
    _check(found)
    try:
        return ParseDict(found, AgentCard(), ignore_unknown_fields=True)
    except ParseError as error:
        raise AgentCardInvalidError(f"The agent card is not valid: {str(error)[:300]}") from error


def read_object(content: bytes) -> JsonObject:
    """Return the JSON object that should be a card. Raises: AgentCardInvalidError."""
    try:
        value = strict_json.parse(content)
    except strict_json.JsonError as error:
        raise AgentCardInvalidError(f"The agent card {error}.") from error
    if not isinstance(value, dict):
        raise AgentCardInvalidError("The agent card is not a JSON object.")
    return value


def to_1_0(raw: JsonObject) -> JsonObject:
    """Return a card in the words of 1.0, as it is read: what it says only in those of 0.3 is said in those of 1.0."""
    card = dict(raw)
    if "supportedInterfaces" not in card and isinstance(card.get("url"), str):
        version = card.get("protocolVersion") or "0.3.0"
        others = card.get("additionalInterfaces")
        listed = [item for item in others if isinstance(item, dict)] if isinstance(others, list) else []
        main: JsonObject = {"url": card["url"], "transport": card.get("preferredTransport") or "JSONRPC"}
        unique: dict[str, JsonValue] = {
            f"{item.get('url')} {item.get('transport')}": {
                "url": item.get("url"),
                "protocolBinding": item.get("transport"),
                "protocolVersion": version,
            }
            for item in [main, *listed]
        }
        card["supportedInterfaces"] = list(unique.values())
    schemes = card.get("securitySchemes")
    if isinstance(schemes, dict):
        card["securitySchemes"] = {name: _scheme_to_1_0(scheme) for name, scheme in schemes.items()}
    if "security" in card and "securityRequirements" not in card:
        card["securityRequirements"] = _requirements_to_1_0(card["security"])
    if card.get("supportsAuthenticatedExtendedCard") is True and isinstance(card.get("capabilities"), dict):
        card["capabilities"] = {"extendedAgentCard": True, **_object(card["capabilities"])}
    return card


def without_empty(value: JsonValue) -> JsonValue:
    """Return JSON without anything empty: what the official SDK makes of a card before it signs or checks it."""
    match value:
        case dict():
            items = {name: without_empty(item) for name, item in value.items()}
            return {name: item for name, item in items.items() if item not in _EMPTY}
        case list():
            return [item for item in map(without_empty, value) if item not in _EMPTY]
        case _:
            return value


def _candidates(url: str) -> list[str]:
    parsed = http.parse_url(url)
    if parsed.path.endswith(".json"):
        return [str(parsed)]
    base = str(parsed.copy_with(query=None, fragment=None)).rstrip("/")
    own = [str(parsed)] if parsed.path.strip("/") else []
    return [base + path for path in WELL_KNOWN_PATHS] + own


def _scheme_to_1_0(scheme: JsonValue) -> JsonValue:
    if not isinstance(scheme, dict) or not isinstance(scheme.get("type"), str):
        return scheme
    if not scheme.keys().isdisjoint(_SCHEMES_0_3.values()):
        return scheme
    inner = {("location" if key == "in" else key): value for key, value in scheme.items() if key != "type"}
    flows = inner.get("flows")
    if isinstance(flows, dict) and len(flows) > 1:  # 1.0 has one: the one that needs no person
        name = "clientCredentials" if "clientCredentials" in flows else next(iter(flows))
        inner["flows"] = {name: flows[name]}
    kind = _SCHEMES_0_3.get(str(scheme["type"]))
    return {kind: inner} if kind else scheme


def _requirements_to_1_0(security: JsonValue) -> JsonValue:
    if not isinstance(security, list):
        return security
    return [
        {"schemes": {name: {"list": scopes} for name, scopes in item.items()}}
        for item in security
        if isinstance(item, dict)
    ]


def _check(card: JsonObject) -> None:
    _check_text(card, "name", "", _MAX_NAME)
    for field in ("description", "version"):
        _check_text(card, field, "")
    _check_list(card, "supportedInterfaces", "", least=1, most=20)
    for index, interface in enumerate(_list(card["supportedInterfaces"])):
        where = f"/supportedInterfaces/{index}"
        fields = _check_object(interface, where)
        _check_text(fields, "url", where, _MAX_URL)
        for field in ("protocolBinding", "protocolVersion"):
            _check_text(fields, field, where)
        called = str(fields["protocolBinding"]).upper() in _BINDINGS  # others may have addresses of their own
        if called and not str(fields["url"]).lower().startswith(("http://", "https://")):
            raise _invalid(f"{where}/url", "must be an absolute http or https URL")
    # What follows may be missing: ProtoJSON leaves out what is empty.
    _check_object(card.get("capabilities", {}), "/capabilities")
    for field in ("defaultInputModes", "defaultOutputModes"):
        _check_list({field: [], **card}, field, "")
    _check_list(card, "skills", "", most=_MAX_SKILLS)
    ids: set[str] = set()
    for index, skill in enumerate(_list(card["skills"])):
        where = f"/skills/{index}"
        fields = _check_object(skill, where)
        for field in ("id", "name"):
            _check_text(fields, field, where, _MAX_NAME)
        _check_text(fields, "description", where)
        _check_list({"tags": [], **fields}, "tags", where)
        for place, tag in enumerate(_list(fields.get("tags"))):
            _check_length(tag, f"{where}/tags/{place}", _MAX_NAME)
        if fields["id"] in ids:
            raise _invalid(f"{where}/id", f"repeats the id {str(fields['id'])[:60]!r}")
        ids.add(str(fields["id"]))


def _check_text(fields: JsonObject, field: str, where: str, most: int = _MAX_TEXT) -> None:
    value = fields.get(field)
    if value is None:
        raise _invalid(f"{where}/{field}", "is missing")
    if not isinstance(value, str):
        raise _invalid(f"{where}/{field}", "must be a string")
    if not value.strip() and field != "description":
        raise _invalid(f"{where}/{field}", "is empty")
    _check_length(value, f"{where}/{field}", most)


def _check_length(value: JsonValue, where: str, most: int) -> None:
    """Check that a text is not too long; names, ids, tags and addresses go into indexes of the database."""
    if isinstance(value, str) and len(value) > most:
        raise _invalid(where, f"is longer than {most:,} characters")


def _check_list(fields: JsonObject, field: str, where: str, *, least: int = 0, most: int = 1_000) -> None:
    value = fields.get(field)
    if value is None:
        raise _invalid(f"{where}/{field}", "is missing")
    if not isinstance(value, list):
        raise _invalid(f"{where}/{field}", "must be a list")
    if not least <= len(value) <= most:
        raise _invalid(f"{where}/{field}", f"must have {least} to {most:,} entries, not {len(value):,}")


def _check_object(value: JsonValue, where: str) -> JsonObject:
    if value is None:
        raise _invalid(where, "is missing")
    if not isinstance(value, dict):
        raise _invalid(where, "must be an object")
    return value


def _invalid(pointer: str, problem: str) -> AgentCardInvalidError:
    return AgentCardInvalidError(f"The agent card is not valid: {pointer} {problem}.", pointer=pointer)


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _clean(value: JsonValue) -> JsonValue:
    match value:
        case str():
            return _CONTROL.sub("", value)
        case list():
            return [_clean(item) for item in value]
        case dict():
            return {key: _clean(item) for key, item in value.items()}
        case _:
            return value
