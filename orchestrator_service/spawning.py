"""Agents that are begun when a plan needs them: made from templates by the agent host, registered, and let go again.

What templates there are is asked of the host now and then; without a host there are none. An agent is begun by
registering the address that the host has for it, as often as anybody likes: several processes may do so at once.
"""

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Connection, select

from orchestrator_service import registry
from orchestrator_service.planning.plan import Offer
from orchestrator_service.registrar import NewAgent, Registrar, base_of
from orchestrator_service.registry_models import Agent
from orchestrator_service.settings import Settings
from shared import http, strict_json
from shared.auth import Caller
from shared.db import Database, DatabaseUnavailableError
from shared.errors import FederationError, NotFoundError

logger = logging.getLogger(__name__)

SOURCE: Final = "template"

_ASK_S: Final = 3.0
_MAX_BYTES: Final = 2_000_000
_FIRST_PAUSE_S: Final = 0.5
_PAUSE_S: Final = 10.0
_QUICK_LOOKS: Final = 40
_OFFER_ID: Final = "template:"


class _Skill(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    name: str
    description: str
    tags: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()


class _Template(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    title: str
    endpoint: str
    skills: tuple[_Skill, ...]
    is_idle: bool = True


class _Listing(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    items: tuple[_Template, ...] = Field(default=(), max_length=1_000)


@dataclass(frozen=True, slots=True)
class _Spawned:
    agent_id: str
    tenant_id: str
    endpoint: str


class Spawner:
    """Begins agents from templates."""

    def __init__(self, settings: Settings, client: http.Client, database: Database, registrar: Registrar) -> None:
        self._settings = settings
        self._client = client
        self._database = database
        self._registrar = registrar
        self._templates: tuple[_Template, ...] = ()

    @property
    def skills(self) -> frozenset[str]:
        """The skills that templates offer, as far as it is known."""
        return frozenset(skill.id for template in self._templates for skill in template.skills)

    def offers(self, known: Collection[str] = ()) -> list[Offer]:
        """Return the skills of templates beside those that registered agents have (`known`)."""
        return [
            Offer(_OFFER_ID + template.name, template.title, skill.id, skill.name, skill.description, skill.tags)
            for template in self._templates
            for skill in template.skills
            if skill.id not in known
        ]

    @staticmethod
    def is_offer(agent_id: str | None) -> bool:
        """Tell whether it stands for an agent that is not begun yet."""
        return agent_id is not None and agent_id.startswith(_OFFER_ID)

    async def spawn(self, tenant_id: str, skill: str) -> None:
        """Begin an agent with the skill and register it, unless that is done already.

        Raises: NotFoundError when no template has the skill; FederationError when the agent cannot be begun.
        """
        await self.look()
        template = next((each for each in self._templates if skill in {offered.id for offered in each.skills}), None)
        if template is None:
            raise NotFoundError(f"No agent template has the skill {skill!r}.")
        new = NewAgent(endpoint=template.endpoint, source=SOURCE)
        agent_id, is_new = await self._registrar.register(Caller(tenant_id), new)
        if is_new:
            logger.info("an agent was begun from a template", extra={"template": template.name, "agent_id": agent_id})

    async def follow(self) -> None:
        """Keep in mind which templates there are, and let agents go that nobody needs. Never returns."""
        looks = 0
        while True:
            is_there = False
            try:
                # Those that are registered before the host is asked had been begun by then.
                spawned = await self._database.read(_spawned)
                is_there = await self.look()
                if is_there:
                    await self._retire(spawned)
            except DatabaseUnavailableError:
                logger.info("agents from templates are kept: the database is away")
            looks += 1
            is_starting = not is_there and looks < _QUICK_LOOKS
            await asyncio.sleep(_FIRST_PAUSE_S if is_starting else min(_PAUSE_S, self._settings.agent_check_interval_s))

    async def look(self) -> bool:
        """Ask the host for its templates; False if it does not answer: what is known stays."""
        url = f"{self._settings.url_of('host')}/templates"
        try:
            fetched = await http.fetch(self._client, url, timeout_s=_ASK_S, max_bytes=_MAX_BYTES, max_redirects=0)
            if fetched.status != 200:
                return False
            listing = _Listing.model_validate(strict_json.parse(fetched.content))
        except (FederationError, ValidationError, strict_json.JsonError):
            return False
        self._templates = listing.items
        return True

    async def _retire(self, spawned: Sequence[_Spawned]) -> None:
        """Take agents out of the registry whose host says that nobody needs them, or that it does not know."""
        needed = {base_of(template.endpoint) for template in self._templates if not template.is_idle}
        for agent in spawned:
            if agent.endpoint not in needed:
                try:
                    await self._database.write(registry.remove, Caller(agent.tenant_id), agent.agent_id)
                except NotFoundError:
                    continue  # another process was quicker
                logger.info("an agent from a template was let go", extra={"agent": agent.endpoint})


def _spawned(connection: Connection) -> list[_Spawned]:
    query = select(Agent.id, Agent.tenant_id, Agent.endpoint).where(Agent.source == SOURCE)
    return [_Spawned(row.id, row.tenant_id, row.endpoint) for row in connection.execute(query)]
