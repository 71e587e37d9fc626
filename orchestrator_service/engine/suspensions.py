"""The calls under way, by agent: those of an agent that is suspended end at once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from shared.errors import FederationError


class AgentSuspendedError(FederationError):
    """The agent was stopped while it had the step."""

    slug = "agent-suspended"
    title = "The agent was suspended"
    status = 409

    def __init__(self, agent_name: str) -> None:
        super().__init__(f"The agent {agent_name!r} was suspended; resume it, or let another one do the step.")


class Suspensions:
    """The calls of this process."""

    def __init__(self) -> None:
        self._calls: dict[str, set[asyncio.Timeout]] = {}

    def called(self) -> list[str]:
        """Return the ids of the agents that are being called."""
        return list(self._calls)

    def suspend(self, agent_id: str) -> None:
        """End the calls of the agent, if there are any here."""
        for call in self._calls.get(agent_id, ()):
            if not call.expired():  # once is enough
                call.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def calling(self, agent_id: str, agent_name: str) -> AsyncGenerator[None]:
        """Keep while the agent is called. Raises: AgentSuspendedError, as soon as it is suspended."""
        call = asyncio.timeout(None)
        calls = self._calls.setdefault(agent_id, set())
        try:
            async with call:
                calls.add(call)
                yield
        except TimeoutError as error:
            if not call.expired():
                raise
            raise AgentSuspendedError(agent_name) from error
        finally:
            calls.discard(call)
            if not calls and self._calls.get(agent_id) is calls:
                del self._calls[agent_id]
