"""Checks an agent card against the A2A specification: every finding, with its severity, its place and its clause.

Pure: no I/O, and no JSON value makes it raise. A card without an error is one that `shared.agent_card` reads.
Source: https://a2a-protocol.org/v1.0.0/specification/ (sections by number) and https://a2a-protocol.org/v0.3.0/
"""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from typing import Final, cast
from urllib.parse import urlsplit

import orjson
from pydantic import JsonValue

from orchestrator_service.verification.findings import Finding, Severity, errors
from shared.agent import JsonObject
from shared.agent_card import parse_card
from shared.errors import AgentCardInvalidError
from shared.http import origin_of

_CARD: Final = "A2A 1.0, 4.4.1"
_SKILL: Final = "A2A 1.0, 4.4.5"
_INTERFACE: Final = "A2A 1.0, 4.4.6"
_SIGNATURE: Final = "A2A 1.0, 8.4.2"
_REQUIRED: Final = "A2A 1.0, 5.7"
_OLDER: Final = "A2A 0.3, 5.5"
_OURS: Final = "docs/registry.md, findings"

_BINDINGS: Final = frozenset({"JSONRPC", "GRPC", "HTTP+JSON"})
_MEDIA_TYPE: Final = re.compile(r"[\w.+-]+/[\w.+*-]+(\s*;.*)?")
_HIDDEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_MAX_FINDINGS: Final = 100


def check(card: JsonValue, origin: str | None = None) -> list[Finding]:
    """Return all that is to be said about the card, the worst first; at most a hundred findings.

    `origin` is where the card came from (`https://host:port`): an interface elsewhere is worth a warning.
    """
    if not isinstance(card, dict):
        return [Finding("error", "", "is not a JSON object", _CARD)]
    checker = _Checker(card, origin)
    checker.run()
    try:
        parse_card(card)
    except AgentCardInvalidError as error:
        if not errors(checker.found):
            where = str(error.facts.get("pointer") or "")
            checker.add("error", where, error.detail.removeprefix("The agent card is not valid: ").rstrip("."), _CARD)
    order: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}
    return sorted(checker.found, key=lambda finding: order[finding.severity])[:_MAX_FINDINGS]


class _Checker:
    def __init__(self, card: JsonObject, origin: str | None) -> None:
        self.found: list[Finding] = []
        self._card = card
        self._origin = origin
        self._is_older = "supportedInterfaces" not in card and isinstance(card.get("url"), str)

    def add(self, severity: Severity, where: str, text: str, clause: str) -> None:
        self.found.append(Finding(severity, where, text, clause))

    def run(self) -> None:
        card = self._card
        clause = _OLDER if self._is_older else _CARD
        for field in ("name", "description", "version"):
            self._text(card, field, "", clause)
        if self._is_older:
            self._older()
        else:
            self._interfaces()
        self._capabilities()
        for field in ("defaultInputModes", "defaultOutputModes"):
            self._modes(field, clause)
        self._skills()
        self._provider()
        self._security()
        self._signatures()
        self._hidden(card, "")

    def _text(self, fields: JsonObject, field: str, where: str, clause: str) -> None:
        value = fields.get(field)
        where = f"{where}/{field}"
        if value is None:
            self.add("error", where, "is missing", clause)
        elif not isinstance(value, str):
            self.add("error", where, "must be a string", clause)
        elif not value.strip():
            self.add("warning" if field == "description" else "error", where, "is empty", clause)

    def _older(self) -> None:
        self.add("note", "/protocolVersion", "says A2A 0.3 or is missing: the agent speaks the older dialect", _OLDER)
        url = self._card.get("url")
        self._url(url if isinstance(url, str) else "", "/url", _OLDER)
        if "preferredTransport" not in self._card:
            self.add("note", "/preferredTransport", "is missing; JSONRPC is assumed", "A2A 0.3, 5.6.1")

    def _interfaces(self) -> None:
        interfaces = self._card.get("supportedInterfaces")
        where = "/supportedInterfaces"
        if interfaces is None:
            self.add("error", where, "is missing: it says where and how the agent answers", "A2A 1.0, 8.3.1")
            return
        if not isinstance(interfaces, list):
            self.add("error", where, "must be a list", _CARD)
            return
        if not interfaces:
            self.add("error", where, "is empty", _REQUIRED)
        seen: set[tuple[str, ...]] = set()
        for index, interface in enumerate(interfaces):
            self._interface(interface, f"{where}/{index}", seen)

    def _interface(self, interface: JsonValue, where: str, seen: set[tuple[str, ...]]) -> None:
        if not isinstance(interface, dict):
            self.add("error", where, "must be an object", _INTERFACE)
            return
        before = len(errors(self.found))
        for field in ("url", "protocolBinding", "protocolVersion"):
            self._text(interface, field, where, _INTERFACE)
        if len(errors(self.found)) > before:
            return
        url, binding, version = (str(interface[field]) for field in ("url", "protocolBinding", "protocolVersion"))
        is_web = url.lower().startswith(("http:", "https:"))
        if binding.upper() in {"JSONRPC", "HTTP+JSON"} or (is_web and binding != "GRPC"):
            self._url(url, f"{where}/url", _INTERFACE)
        if binding not in _BINDINGS and ":" not in binding:
            self.add("note", f"{where}/protocolBinding", "is neither a binding of A2A nor a URI", "A2A 1.0, 5.8")
        if version.count(".") != 1:
            self.add("note", f"{where}/protocolVersion", "should be Major.Minor, such as 1.0", "A2A 1.0, 3.6")
        same = (url, binding, version, str(interface.get("tenant") or ""))
        if same in seen:
            self.add("note", where, "repeats an interface", "A2A 1.0, 8.3.1")
        seen.add(same)

    def _url(self, url: str, where: str, clause: str) -> None:
        try:
            parts = urlsplit(url.strip())
            host, _ = parts.hostname or "", parts.port  # which may be no number
        except ValueError:
            self.add("warning", where, "is not a URL", clause)
            return
        if parts.scheme.lower() not in {"http", "https"} or not host:
            if url.lower().startswith(("http://", "https://")):
                self.add("warning", where, "has no host", clause)
            else:
                self.add("error", where, "must be an absolute http or https URL", clause)
            return
        if parts.scheme.lower() == "http" and host not in _LOOPBACK:
            self.add("note", where, "is not encrypted; production needs https", "A2A 1.0, 7.1")
        if self._origin is not None and origin_of(url.strip()) != self._origin:
            self.add("warning", where, f"is at another origin than the card, which came from {self._origin}", _OURS)

    def _capabilities(self) -> None:
        capabilities = self._card.get("capabilities")
        if capabilities is None and "capabilities" not in self._card:
            self.add("warning", "/capabilities", "is missing; an agent without any gives an empty object", _CARD)

    def _modes(self, field: str, clause: str) -> None:
        modes = self._card.get(field)
        if field not in self._card or modes == []:
            self.add("warning", f"/{field}", "is missing; text/plain is assumed", clause)
        for index, mode in enumerate(_list(modes)):
            if isinstance(mode, str) and not _MEDIA_TYPE.fullmatch(mode):
                self.add("note", f"/{field}/{index}", "is not a media type", clause)

    def _skills(self) -> None:
        skills = self._card.get("skills")
        if skills is None:
            self.add("error", "/skills", "is missing", _CARD)
        elif not isinstance(skills, list):
            self.add("error", "/skills", "must be a list", _CARD)
        elif not skills:
            self.add("warning", "/skills", "is empty: nothing can be found in this agent", _REQUIRED)
        ids: set[str] = set()
        for index, skill in enumerate(_list(skills)):
            where = f"/skills/{index}"
            if not isinstance(skill, dict):
                self.add("error", where, "must be an object", _SKILL)
                continue
            for field in ("id", "name", "description"):
                self._text(skill, field, where, _SKILL)
            skill_id = skill.get("id")
            if isinstance(skill_id, str):
                if skill_id in ids:
                    self.add("error", f"{where}/id", "repeats the id of an earlier skill", _SKILL)
                ids.add(skill_id)
            if not skill.get("tags"):
                self.add("warning", f"{where}/tags", "is missing or empty", _SKILL)
            if not skill.get("examples"):
                self.add("note", f"{where}/examples", "is missing: requests find the skill by them", _SKILL)

    def _provider(self) -> None:
        provider = self._card.get("provider")
        if provider is None:
            self.add("note", "/provider", "is missing: nobody says who runs the agent", _CARD)
        elif isinstance(provider, dict):
            for field in ("organization", "url"):
                if not provider.get(field):
                    self.add("warning", f"/provider/{field}", "is missing", "A2A 1.0, 4.4.2")

    def _security(self) -> None:
        schemes = self._card.get("securitySchemes")
        known = set(schemes) if isinstance(schemes, dict) else set[str]()
        for field in ("securityRequirements", "security"):
            for index, requirement in enumerate(_list(self._card.get(field))):
                named = requirement.get("schemes", requirement) if isinstance(requirement, dict) else None
                for name in named if isinstance(named, dict) else ():
                    if name not in known:
                        where = f"/{field}/{index}"
                        self.add("warning", where, f"names {name[:60]!r}, which is not declared", "A2A 1.0, 4.5")

    def _signatures(self) -> None:
        for index, signature in enumerate(_list(self._card.get("signatures"))):
            header = protected_header(signature)
            where = f"/signatures/{index}/protected"
            if header is None:
                self.add("warning", where, "is not base64url-encoded JSON", _SIGNATURE)
                continue
            for field in ("alg", "kid"):
                if not isinstance(header.get(field), str):
                    self.add("warning", where, f"has no {field}", _SIGNATURE)

    def _hidden(self, value: JsonValue, where: str) -> None:
        """Report texts with characters that cannot be seen: they are taken out before anything is shown."""
        for at, item in _items(value, where):
            match item:
                case str():
                    if _HIDDEN.search(item):
                        self.add("warning", at, "has hidden control characters", _OURS)
                case dict() | list():
                    self._hidden(item, at)
                case _:
                    pass


def protected_header(signature: JsonValue) -> JsonObject | None:
    """Return the protected header of a card's signature; None if it is not one."""
    encoded = signature.get("protected") if isinstance(signature, dict) else None
    if not isinstance(encoded, str):
        return None
    try:
        header = orjson.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (binascii.Error, ValueError):
        return None
    return cast("JsonObject", header) if isinstance(header, dict) else None


def _items(value: JsonValue, where: str) -> Iterable[tuple[str, JsonValue]]:
    if isinstance(value, dict):
        return [(f"{where}/{key.replace('~', '~0').replace('/', '~1')}", item) for key, item in value.items()]
    if isinstance(value, list):
        return [(f"{where}/{index}", item) for index, item in enumerate(value)]
    return []


def _list(value: JsonValue) -> Sequence[JsonValue]:
    return value if isinstance(value, list) else ()
