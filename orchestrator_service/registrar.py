"""Talks to agents for the registry: looks at them when they register, and checks their health and cards ever after."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final, Literal, cast, get_args

from a2a.types import AgentCard

from orchestrator_service import admission, registry, statistics
from orchestrator_service.admission import Alike, Registration
from orchestrator_service.credentials import Credentials, NewSecrets
from orchestrator_service.registry import AgentType
from orchestrator_service.settings import Settings
from orchestrator_service.verifier import Read, Verified, Verifier, read, read_given
from shared import agent_client, credential_binding, http
from shared.agent import JsonObject
from shared.agent_auth import load_certificate, show
from shared.agent_card import read_object
from shared.auth import Caller
from shared.background import background, foreseen
from shared.credentials import ClientCertificate, Secrets
from shared.db import Database, DatabaseUnavailableError, now
from shared.errors import AgentCardInvalidError, FederationError, InvalidRequestError, NotFoundError
from shared.settings import ServiceName

logger = logging.getLogger(__name__)

_CHECKS_AT_ONCE: Final = 16
_WELL_KNOWN: Final = "/.well-known/"


@dataclass(frozen=True, slots=True)
class NewAgent:
    """What a client gives to register an agent: an address or a card, and what it wants to say otherwise.

    `secrets` None leaves those as they are that are stored.
    """

    endpoint: str | None = None
    card: JsonObject | None = None
    name: str | None = None
    description: str | None = None
    agent_type: AgentType | None = None
    capabilities: tuple[str, ...] | None = None
    config: JsonObject | None = None
    metadata: JsonObject | None = None
    secrets: NewSecrets | None = None
    source: Literal["file", "template"] | None = None


class Registrar:
    """Registers agents and keeps what is known of them fresh, in the background while it is open.

    `stop` makes the steps that run at an agent end at once, wherever they run; `changed` is told of every new card.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        client: http.Client,
        credentials: Credentials,
        *,
        stop: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._database = database
        self._client = client
        self._credentials = credentials
        self._stop = stop
        self._changed = changed
        self._verifier = Verifier(settings, client)
        self._own = {base_of(settings.url_of(service)) for service in get_args(ServiceName)}
        self._made_from_templates = f"{base_of(settings.url_of('host'))}/agents/"
        self._seen: dict[str, bytes] = {}

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Check every agent's health again and again until closed."""
        async with background("health checks of agents", self._check_for_ever()):
            yield

    async def register(self, caller: Caller, new: NewAgent) -> tuple[str, bool]:
        """Look at the agent, and store it; returns its id and whether it is new.

        Raises: AgentCardInvalidError, AgentUnreachableError, AgentSpeaksNoA2aError, AddressRefusedError; nothing is
        stored then.
        """
        return await self._store(caller, await self._fetch(caller, new), endpoint_of(new), new)

    async def preview(self, caller: Caller, new: NewAgent) -> JsonObject:
        """Look at the agent as `register` does, and answer what was found; nothing is stored. Raises: as `register`."""
        found, endpoint = await self._fetch(caller, new), endpoint_of(new)
        alike = await self._named_alike(caller, found, endpoint, new)
        verified, _ = await self._verify(caller, found, endpoint, new, alike)
        return {
            "endpoint": endpoint,
            "name": new.name or found.card.name,
            "description": found.card.description,
            "card": found.raw,
            "verification": verified.verification,
        }

    async def refresh(self, caller: Caller, agent_id: str) -> None:
        """Fetch the card again. Raises: as `register`, and NotFoundError."""
        await self._database.read(registry.find, caller, agent_id)
        address = await self._address(agent_id)
        if address.card_url is None:
            raise AgentCardInvalidError("The agent was registered by its card alone; register the new card.")
        found = await self._verifier.fetch(address.card_url, self._unseal(address.credentials))
        await self._store(caller, found, address.endpoint, NewAgent(), agent_id)

    async def give(self, caller: Caller, agent_id: str, secrets: NewSecrets) -> None:
        """Replace what the agent is shown, and look at it again with that.

        What was given is taken back whatever comes of that look. Raises: as `register`, and NotFoundError.
        """
        if secrets.headers or secrets.credentials:
            await self._give(caller, agent_id, secrets)
            return
        await self._database.write(registry.forget_credentials, caller, agent_id)
        with suppress(FederationError):  # it may need them, or not be there
            await self._give(caller, agent_id, secrets)

    async def _give(self, caller: Caller, agent_id: str, secrets: NewSecrets) -> None:
        known = await self._database.read(registry.find, caller, agent_id)
        address = await self._address(agent_id)
        if address.card_url is not None:
            found = await self._verifier.fetch(address.card_url, await self._bind(secrets, None, address.endpoint))
        else:
            found = read(cast("JsonObject", known["card"]), None)
        await self._store(caller, found, address.endpoint, NewAgent(secrets=secrets), agent_id)

    async def suspend(self, caller: Caller, agent_id: str) -> None:
        """Stop the agent at once: it is not called any more, and its running steps end.

        Raises: NotFoundError, ConflictError.
        """
        await self._database.write(admission.suspend, caller, agent_id)
        self._stop(agent_id)

    async def check(self, agent_id: str) -> JsonObject:
        """Ask the agent how it is, keep the answer, and return it."""
        address = await self._address(agent_id)
        return await self._check(address)

    async def _address(self, agent_id: str) -> registry.Address:
        for address in await self._database.read(registry.addresses, agent_id):
            return address
        raise NotFoundError(f"There is no agent {agent_id!r}.")

    async def _store(
        self, caller: Caller, found: Read, endpoint: str, new: NewAgent, agent_id: str | None = None
    ) -> tuple[str, bool]:
        alike = await self._named_alike(caller, found, endpoint, new)
        verified, given = await self._verify(caller, found, endpoint, new, alike)
        registration = Registration(
            endpoint=endpoint,
            card=found.card,
            raw_card=found.raw,
            card_url=found.url,
            health=_health("healthy", found.took_ms or verified.latency_ms, None),
            verification=verified.verification,
            pinned_key=verified.key,
            is_own=found.url is not None and self._is_own(endpoint),
            name=new.name,
            description=new.description,
            agent_type=new.agent_type,
            capabilities=new.capabilities,
            config=new.config,
            metadata=new.metadata,
            credentials=None if given is None else self._credentials.seal(given),
            source=new.source,
            agent_id=agent_id,
        )
        needs_approval = self._settings.agent_admission == "approval"
        saved = await self._database.write(admission.save, caller, registration, needs_approval=needs_approval)
        if await self._named_alike(caller, found, endpoint, new) != alike:  # registered while this one was looked at
            with suppress(FederationError):  # it is stored, whatever comes of another look
                await self._store(caller, found, endpoint, new, saved[0])
        self._changed()
        return saved

    async def _fetch(self, caller: Caller, new: NewAgent) -> Read:
        endpoint = endpoint_of(new)
        if new.card is not None:
            found = read_given(new.card)
            if http.origin_of(endpoint) is None or http.parse_url(endpoint).userinfo:
                raise InvalidRequestError(f"{endpoint[:200]!r} is not an address that an agent can have.")
            return found
        if new.secrets is not None:
            return await self._verifier.fetch(new.endpoint or "", await self._bind(new.secrets, None, endpoint))
        _, sealed = await self._database.read(admission.known_at, caller, endpoint)
        return await self._verifier.fetch(new.endpoint or "", self._unseal(sealed))

    async def _verify(
        self, caller: Caller, found: Read, endpoint: str, new: NewAgent, alike: list[Alike]
    ) -> tuple[Verified, Secrets | None]:
        """Return what was found about the agent, and what is to be stored of what was given to be shown to it."""
        pinned, sealed = await self._database.read(admission.known_at, caller, endpoint)
        given = None if new.secrets is None else await self._bind(new.secrets, found.card, endpoint)
        secrets = given or self._unseal(sealed)
        auth = self._credentials.auth(secrets, found.card)
        verified = await self._verifier.verify(found, auth=auth, secrets=secrets, pinned=pinned, alike=alike)
        return verified, given

    async def _named_alike(self, caller: Caller, found: Read, endpoint: str, new: NewAgent) -> list[Alike]:
        return await self._database.read(admission.named_alike, caller, new.name or found.card.name, endpoint)

    def _is_own(self, endpoint: str) -> bool:
        return endpoint in self._own or endpoint.startswith(self._made_from_templates)

    def _unseal(self, sealed: bytes | None) -> Secrets | None:
        return None if sealed is None else self._credentials.unseal(sealed)

    async def _bind(self, new: NewSecrets, card: AgentCard | None, endpoint: str) -> Secrets:
        """Return what is to be stored; without a card, what is shown to get it. Raises: InvalidRequestError."""
        origin = http.origin_of(new.origin or endpoint)
        if origin is None:
            raise InvalidRequestError(
                f"{(new.origin or endpoint)[:200]!r} is not an origin such as https://example.com."
            )
        given = new.credentials if isinstance(new.credentials, dict) else {"": new.credentials}
        certificates = {name: each for name, each in given.items() if isinstance(each, ClientCertificate)}
        for certificate in certificates.values():
            await asyncio.to_thread(load_certificate, certificate)
        if card is None:
            return Secrets(origin=origin, headers=new.headers, credentials={**certificates})
        bound = {} if new.credentials is None else credential_binding.bind(new.credentials, card, origin)
        return Secrets(origin=origin, headers=new.headers, credentials=bound)

    async def _check_for_ever(self) -> None:
        places = asyncio.Semaphore(_CHECKS_AT_ONCE)

        async def check(address: registry.Address) -> None:
            async with places:
                try:
                    with foreseen(f"agent {address.agent_id}"):
                        await self._check(address)
                except DatabaseUnavailableError:
                    raise
                except FederationError as error:
                    logger.warning("an agent cannot be checked", extra={"agent": address.endpoint, "why": error.detail})

        while True:
            await asyncio.sleep(self._settings.agent_check_interval_s)
            try:
                if records := await self._database.read(statistics.collect):
                    await self._database.write(statistics.keep, records)
                found = await self._database.read(registry.addresses)
                known = {address.agent_id for address in found}
                self._seen = {agent_id: seen for agent_id, seen in self._seen.items() if agent_id in known}
                async with asyncio.TaskGroup() as group:
                    for address in found:
                        group.create_task(check(address))
            except* DatabaseUnavailableError:
                logger.warning("health checks are late: the database is away")

    async def _check(self, address: registry.Address) -> JsonObject:
        health, content = await self._ask(address)
        was = await self._database.write(registry.record_health, address.agent_id, health)
        if was != health["state"]:
            logger.info(
                "an agent's health changed",
                extra={"agent": address.endpoint, "was": was, "is": health["state"], "error": health["error"]},
            )
        if content is not None and address.card_url is not None:
            await self._compare(address, content, address.card_url)
        return health

    async def _ask(self, address: registry.Address) -> tuple[JsonObject, bytes | None]:
        """GET the card, or whatever is at the agent's address: all but a server's failure is a sign of life.

        Returns the agent's health, and what came if it was a success.
        """
        began = monotonic()
        try:
            secrets = self._unseal(address.credentials)
            fetched = await http.fetch(
                self._client,
                address.card_url or address.endpoint,
                timeout_s=self._settings.card_timeout_s,
                max_bytes=agent_client.MAX_CARD_BYTES,
                shown=None if secrets is None else await show(secrets),
            )
        except FederationError as error:
            return _health("unreachable", None, error.detail), None
        if fetched.status >= 500:
            return _health("unreachable", None, f"It answers HTTP {fetched.status}."), None
        latency_ms = round((monotonic() - began) * 1000, 1)
        return _health("healthy", latency_ms, None), fetched.content if fetched.status == 200 else None

    async def _compare(self, address: registry.Address, content: bytes, card_url: str) -> None:
        """See whether the card is the one that is known; look at a changed one until it is known what it is worth."""
        digest = hashlib.sha256(content).digest()
        if self._seen.get(address.agent_id) == digest:
            return
        try:
            raw = read_object(content)
            if registry.card_hash(raw) != address.card_hash:
                caller = Caller(address.tenant_id)
                await self._store(caller, read(raw, card_url), address.endpoint, NewAgent(), address.agent_id)
                logger.warning("an agent's card has changed", extra={"agent": address.endpoint})
        except DatabaseUnavailableError:
            raise
        except NotFoundError:
            return  # it was removed meanwhile
        except AgentCardInvalidError as error:
            logger.warning(
                "an agent's changed card cannot be used; the known one is kept",
                extra={"agent": address.endpoint, "reason": error.detail},
            )
        except FederationError as error:
            logger.warning(
                "an agent's changed card cannot be looked at now; the known one is kept",
                extra={"agent": address.endpoint, "reason": error.detail},
            )
            return
        self._seen[address.agent_id] = digest


def endpoint_of(new: NewAgent) -> str:
    """Return the endpoint that an agent is known by: the address given, else its card's first interface."""
    if new.endpoint is not None:
        return base_of(new.endpoint)
    interfaces = (new.card or {}).get("supportedInterfaces")
    first = interfaces[0] if isinstance(interfaces, list) and interfaces else new.card or {}
    return base_of(str(first.get("url") if isinstance(first, dict) else ""))


def base_of(url: str) -> str:
    """Return the one form of a URL that an agent is known by, however it is written.

    Without the well-known path of a card; scheme and host in lower case and without the port that follows from the
    scheme, as in RFC 3986, section 6.2. What is no URL stays as it is.
    """
    base, _, _ = url.strip().partition(_WELL_KNOWN)
    with suppress(InvalidRequestError):
        base = str(http.parse_url(base))
    return base.rstrip("/")


def _health(state: str, latency_ms: float | None, error: str | None) -> JsonObject:
    return {"state": state, "checked_at": now().isoformat(), "latency_ms": latency_ms, "error": error}
