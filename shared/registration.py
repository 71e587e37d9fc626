"""Keeps a bundled agent registered at the orchestrator: at start, and again whenever the orchestrator is a new one."""

import asyncio
import logging
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import httpx

from shared.errors import FederationError
from shared.http import open_client
from shared.settings import FederationSettings, ServiceName

logger = logging.getLogger(__name__)

_AGENT_TYPES: Final[dict[ServiceName, str]] = {
    "research": "langgraph",
    "api": "api",
    "browser": "browser",
    "code": "a2a_server",
}
_TIMEOUT_S: Final = 5.0
_QUICK_LOOK_S: Final = 0.3  # while the orchestrator is probably starting
_QUICK_LOOKS: Final = 100


@asynccontextmanager
async def keep_registered(settings: FederationSettings, service: ServiceName) -> AsyncGenerator[None]:
    """Keep `service` registered while this is open, unless FEDERATION_REGISTER is false. Never fails."""
    if not settings.federation_register or service not in _AGENT_TYPES:
        yield
        return
    async with open_client(settings, timeout_s=_TIMEOUT_S) as client, asyncio.TaskGroup() as group:
        keeping = group.create_task(_keep(client, settings, service))
        try:
            yield
        finally:
            keeping.cancel()


async def _keep(client: httpx.AsyncClient, settings: FederationSettings, service: ServiceName) -> None:
    known_to: str | None = None
    misses = 0
    said = ""
    while True:
        try:
            instance = await _instance_of(client, settings)
            if instance != known_to:
                await _register(client, settings, service)
            known_to, state = instance, "registered at the orchestrator"
        except (httpx.HTTPError, FederationError, ValueError) as error:
            known_to, state = None, f"not registered at the orchestrator: {error or type(error).__name__}"
        if state != said:
            logger.info(state, extra={"orchestrator": settings.url_of("orchestrator")})
            said = state
        misses = misses + 1 if known_to is None else 0
        is_starting = 0 < misses <= _QUICK_LOOKS
        await asyncio.sleep(min(_QUICK_LOOK_S if is_starting else math.inf, settings.register_interval_s))


async def _instance_of(client: httpx.AsyncClient, settings: FederationSettings) -> str:
    """Return what tells one process of the orchestrator from the next."""
    response = await client.get(f"{settings.url_of('orchestrator')}/health")
    response.raise_for_status()
    return str(response.json()["instance"])


async def _register(client: httpx.AsyncClient, settings: FederationSettings, service: ServiceName) -> None:
    response = await client.post(
        f"{settings.url_of('orchestrator')}/api/agents",
        json={"endpoint": settings.url_of(service), "agent_type": _AGENT_TYPES[service]},
    )
    if response.is_error:
        raise ValueError(f"it answered {response.status_code}: {response.text[:300]}")
