"""Looks at agents before they are registered: fetches the card, checks it, asks what they speak, and grades them."""

import logging
from dataclasses import dataclass
from time import monotonic
from typing import Final

import orjson
from a2a.types import AgentCard
from pydantic import JsonValue

from orchestrator_service.admission import Alike
from orchestrator_service.settings import Settings
from orchestrator_service.verification import card_checker, grading, probing, signatures
from orchestrator_service.verification.findings import Finding, errors
from orchestrator_service.verification.signatures import Signature
from shared import credential_binding, http
from shared.agent import JsonObject
from shared.agent_auth import AgentAuth, show
from shared.agent_card import MAX_CARD_BYTES, fetch_raw_card, parse_card, read_object
from shared.credentials import Secrets
from shared.db import now
from shared.errors import AgentCardInvalidError, AgentUnavailableError, FederationError
from shared.strict_json import JsonError

logger = logging.getLogger(__name__)

_MAX_KEYS_BYTES: Final = 64 * 1024
_NAMES: Final = "docs/registry.md, names"
_CREDENTIALS: Final = "docs/agents.md, credentials"
_SECURITY: Final = "A2A 1.0, 4.5"


class AgentUnreachableError(AgentUnavailableError):
    """The agent that is to be registered does not answer; nothing was stored."""

    slug = "agent-unreachable"
    title = "The agent cannot be reached"


class AgentSpeaksNoA2aError(FederationError):
    """What answers where the card says does not speak A2A, in no dialect that is spoken here."""

    slug = "agent-speaks-no-a2a"
    title = "The agent does not speak A2A"
    status = 422


@dataclass(frozen=True, slots=True)
class Read:
    """A card without errors, as it was read; `url` is where, None if it was given."""

    card: AgentCard
    raw: JsonObject
    url: str | None
    findings: tuple[Finding, ...]
    took_ms: float | None


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found about an agent. `key` is the one its card is signed with, if it is to be pinned."""

    read: Read
    verification: JsonObject
    key: JsonObject | None
    latency_ms: float | None


class Verifier:
    """Looks at agents; keeps nothing."""

    def __init__(self, settings: Settings, client: http.Client) -> None:
        self._timeout_s = settings.card_timeout_s
        self._client = client
        self._trusted = signatures.load_trusted(settings.agent_trusted_keys)

    async def fetch(self, endpoint: str, secrets: Secrets | None) -> Read:
        """Fetch the card of the agent at `endpoint`. Raises: AgentCardInvalidError, AgentUnreachableError."""
        shown = None if secrets is None else await show(secrets)
        began = monotonic()
        try:
            raw, url = await fetch_raw_card(self._client, endpoint, timeout_s=self._timeout_s, shown=shown)
        except AgentUnavailableError as error:
            raise AgentUnreachableError(error.detail, **error.facts) from error
        return read(raw, url, round((monotonic() - began) * 1000, 1))

    async def verify(
        self,
        found: Read,
        *,
        auth: AgentAuth | None,
        secrets: Secrets | None,
        pinned: JsonObject | None,
        alike: list[Alike],
    ) -> Verified:
        """Ask the agent what it speaks and who signed its card.

        `auth` shows it who we are, by `secrets`; `alike` are agents with a name that looks the same.
        Raises: AgentUnreachableError (it answers nowhere), AgentSpeaksNoA2aError.
        """
        probes = await probing.probe(self._client, found.card, auth=auth, timeout_s=self._timeout_s)
        signature = await self._signature(found, pinned)
        of_signature = signature.finding()
        findings = [
            *found.findings,
            *([of_signature] if of_signature is not None else []),
            *(_of_name(other) for other in alike),
        ]
        of_probes = [finding for probe in probes for finding in probe.findings]
        asked = [probe for probe in probes if probe.get != "not asked"]
        if asked and all(probe.get == "away" for probe in asked):
            raise AgentUnreachableError(f"The agent does not answer where its card says: {of_probes[0]}.")
        if all(probe.get in {"not asked", "refused", "foreign"} for probe in probes):
            raise _speaks_nothing(found.card, of_probes)
        claims = grading.Claims(found.card.capabilities.streaming, found.card.capabilities.push_notifications)
        taken = [probe.latency_ms for probe in probes if probe.latency_ms is not None]
        verification: JsonObject = {
            "grade": grading.grade(findings, probes, claims).to_json(),
            "findings": [
                finding.to_json() for finding in (*findings, *_of_credentials(found.card, secrets), *of_probes)
            ],
            "probes": [probe.to_json() for probe in probes],
            "signature": signature.to_json(),
            "checked_at": now().isoformat(),
        }
        return Verified(found, verification, signature.key, min(taken, default=None))

    async def _signature(self, found: Read, pinned: JsonObject | None) -> Signature:
        origin = None if found.url is None else http.origin_of(found.url)
        address = None if origin is None or pinned is not None else signatures.key_address(found.raw, origin)
        offered: list[JsonObject] = []
        if address is not None:
            try:
                fetched = await http.fetch(
                    self._client, address, timeout_s=self._timeout_s, max_bytes=_MAX_KEYS_BYTES, max_redirects=0
                )
                offered = signatures.read_keys(fetched.content) if fetched.status == 200 else []
            except (FederationError, JsonError) as error:
                logger.info("a card's keys cannot be read", extra={"address": address, "reason": str(error)})
        return signatures.verify(found.raw, trusted=self._trusted, pinned=pinned, offered=offered)


def read(raw: JsonObject, url: str | None, took_ms: float | None = None) -> Read:
    """Check a card. Raises: AgentCardInvalidError, whose facts list everything that was found."""
    found = card_checker.check(raw, None if url is None else http.origin_of(url))
    if wrong := errors(found):
        more = f" There are {len(wrong) - 1} more errors." if len(wrong) > 1 else ""
        raise AgentCardInvalidError(
            f"The agent card is not valid: {wrong[0]}.{more}",
            pointer=wrong[0].where,
            findings=[finding.to_json() for finding in found],
        )
    return Read(parse_card(raw), raw, url, tuple(found), took_ms)


def read_given(card: JsonObject) -> Read:
    """Check a card that was given as JSON. Raises: AgentCardInvalidError."""
    try:
        content = orjson.dumps(card)
    except TypeError as error:
        raise AgentCardInvalidError(f"The agent card cannot be written as JSON: {error}.") from error
    if len(content) > MAX_CARD_BYTES:
        raise AgentCardInvalidError(f"The agent card is larger than {MAX_CARD_BYTES:,} bytes.")
    return read(read_object(content), None)


def _of_name(other: Alike) -> Finding:
    if other.is_imitated:
        return Finding("warning", "/name", f"looks like that of {other.name!r} at {other.endpoint}", _NAMES)
    return Finding("note", "/name", f"is also that of the agent at {other.endpoint}", _NAMES)


def _of_credentials(card: AgentCard, secrets: Secrets | None) -> list[Finding]:
    """Return what is to be said of what the agent asks for and gets. No grade counts it: others have to see to it."""
    findings = [
        Finding("warning", "/securityRequirements", credential_binding.explain(name, card), _SECURITY)
        for name in credential_binding.missing(card, secrets)
    ]
    if secrets is not None and secrets.origin is not None:
        findings += [
            Finding(
                "warning",
                f"/supportedInterfaces/{index}/url",
                f"is not at {secrets.origin}, where the credentials belong: they are not sent there. If it is right, "
                "give `credentials_origin` with them",
                _CREDENTIALS,
            )
            for index, interface in enumerate(card.supported_interfaces)
            if http.origin_of(interface.url) != secrets.origin
        ]
    return findings


def _speaks_nothing(card: AgentCard, findings: list[Finding]) -> AgentSpeaksNoA2aError:
    claimed = ", ".join(f"{each.protocol_binding} {each.protocol_version}" for each in card.supported_interfaces)
    listed: list[JsonValue] = [finding.to_json() for finding in findings]
    why = f" {findings[0]}." if findings else ""
    return AgentSpeaksNoA2aError(
        f"An agent must speak JSON-RPC or HTTP+JSON of A2A 1.0, or JSON-RPC of 0.3; the card says {claimed[:99]}.{why}",
        findings=listed,
    )
