"""Talks to agents for the registry: fetches their cards when they register, and checks their health ever after."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final, cast

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from orchestrator_service import registry
from orchestrator_service.keys import Keys
from orchestrator_service.registry import AgentType, Registration
from orchestrator_service.settings import Settings
from shared import agent_client, http
from shared.agent import JsonObject
from shared.auth import Caller
from shared.background import background
from shared.db import Database, DatabaseUnavailableError, now
from shared.errors import AgentCardInvalidError, AgentUnavailableError, FederationError

logger = logging.getLogger(__name__)

_CHECKS_AT_ONCE: Final = 16
_WELL_KNOWN: Final = "/.well-known/"


class AgentUnreachableError(AgentUnavailableError):
    """The agent that is to be registered does not answer; nothing was stored."""

    slug = "agent-unreachable"
    title = "The agent cannot be reached"


@dataclass(frozen=True, slots=True)
class NewAgent:
    """What a client gives to register an agent: an address or a card, and what it wants to say otherwise."""

    endpoint: str | None = None
    card: JsonObject | None = None
    name: str | None = None
    description: str | None = None
    agent_type: AgentType | None = None
    capabilities: tuple[str, ...] | None = None
    config: JsonObject | None = None
    metadata: JsonObject | None = None
    headers: dict[str, str] | None = None


class Registrar:
    """Registers agents and keeps what is known of their health fresh, in the background while it is open."""

    def __init__(self, settings: Settings, database: Database, client: http.Client, keys: Keys) -> None:
        self._settings = settings
        self._database = database
        self._client = client
        self._keys = keys

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Check every agent's health again and again until closed."""
        async with background("health checks of agents", self._check_for_ever()):
            yield

    async def register(self, caller: Caller, new: NewAgent) -> tuple[str, bool]:
        """Fetch and validate the card, and store the agent; returns its id and whether it is new.

        Raises: AgentCardInvalidError, AgentUnreachableError, AddressRefusedError; nothing is stored then.
        """
        registration = await (self._read_card(new) if new.card is not None else self._fetch_card(new))
        return await self._database.write(
            registry.save,
            caller,
            replace(
                registration,
                name=new.name,
                description=new.description,
                agent_type=new.agent_type,
                capabilities=new.capabilities,
                config=new.config,
                metadata=new.metadata,
                credentials=None if new.headers is None else self._keys.seal(new.headers),
            ),
        )

    async def refresh(self, caller: Caller, agent_id: str) -> None:
        """Fetch the card again. Raises: as `register`, and NotFoundError."""
        agent = await self._database.read(registry.find, caller, agent_id)
        (address,) = await self._database.read(registry.addresses, agent_id)
        if address.card_url is None:
            raise AgentCardInvalidError("The agent was registered by its card alone; register the new card.")
        fetched = await self._fetch_card(NewAgent(endpoint=address.card_url))
        endpoint = cast("str", agent["endpoint"])
        await self._database.write(registry.save, caller, replace(fetched, endpoint=endpoint))

    async def check(self, agent_id: str) -> JsonObject:
        """Ask the agent how it is, keep the answer, and return it."""
        (address,) = await self._database.read(registry.addresses, agent_id)
        return await self._check(address)

    async def _fetch_card(self, new: NewAgent) -> Registration:
        endpoint = (new.endpoint or "").strip()
        began = monotonic()
        try:
            fetched = await agent_client.fetch_card(self._client, endpoint, timeout_s=self._settings.card_timeout_s)
        except AgentUnavailableError as error:
            raise AgentUnreachableError(error.detail, **error.facts) from error
        health = _healthy(began)
        agent_client.connect(self._client, fetched.card)  # an agent that cannot be called is not registered
        return Registration(
            endpoint=_base(endpoint), card=fetched.card, raw_card=fetched.raw, card_url=fetched.url, health=health
        )

    async def _read_card(self, new: NewAgent) -> Registration:
        card = agent_client.parse_card(new.card or {})
        url = agent_client.connect(self._client, card).endpoint.url
        health = await self._ask(url)
        if health["state"] != "healthy":
            raise AgentUnreachableError(f"The agent does not answer at {url}, where its card says: {health['error']}")
        raw = cast("JsonObject", MessageToDict(cast("Message", card)))
        return Registration(endpoint=_base(new.endpoint or url), card=card, raw_card=raw, card_url=None, health=health)

    async def _check_for_ever(self) -> None:
        places = asyncio.Semaphore(_CHECKS_AT_ONCE)

        async def check(address: registry.Address) -> None:
            async with places:
                await self._check(address)

        while True:
            await asyncio.sleep(self._settings.agent_check_interval_s)
            try:
                found = await self._database.read(registry.addresses)
                async with asyncio.TaskGroup() as group:
                    for address in found:
                        group.create_task(check(address))
            except* DatabaseUnavailableError:
                logger.warning("health checks are late: the database is away")

    async def _check(self, address: registry.Address) -> JsonObject:
        health = await self._ask(address.card_url or address.endpoint)
        was = await self._database.write(registry.record_health, address.agent_id, health)
        if was != health["state"]:
            logger.info(
                "an agent's health changed",
                extra={"agent": address.endpoint, "was": was, "is": health["state"], "error": health["error"]},
            )
        return health

    async def _ask(self, url: str) -> JsonObject:
        """GET the card, or whatever is at the agent's address: all but a server's failure is a sign of life."""
        began = monotonic()
        try:
            fetched = await http.fetch(
                self._client, url, timeout_s=self._settings.card_timeout_s, max_bytes=agent_client.MAX_CARD_BYTES
            )
        except FederationError as error:
            return _health("unreachable", began, error.detail)
        if fetched.status >= 500:
            return _health("unreachable", began, f"It answers HTTP {fetched.status}.")
        return _healthy(began)


def _healthy(began: float) -> JsonObject:
    return _health("healthy", began, None)


def _health(state: str, began: float, error: str | None) -> JsonObject:
    latency_ms = round((monotonic() - began) * 1000, 1) if error is None else None
    return {"state": state, "checked_at": now().isoformat(), "latency_ms": latency_ms, "error": error}


def _base(url: str) -> str:
    """Return the URL without the well-known path of a card, so that both forms name the same agent."""
    base, _, _ = url.partition(_WELL_KNOWN)
    return base.rstrip("/")
