"""The calls under way, by agent: those of an agent that is suspended end at once."""

import asyncio
from collections.abc import Awaitable
from types import TracebackType

from shared.errors import FederationError


class AgentSuspendedError(FederationError):
    """The agent was stopped while it had the step."""

    slug = "agent-suspended"
    title = "The agent was suspended"
    status = 409

    def __init__(self, agent_name: str) -> None:
        detail = f"The agent {agent_name!r} was suspended; resume it, or let another one do the step."
        super().__init__(detail, reached=None)  # it may have got the step before


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

    def calling(self, agent_id: str, agent_name: str) -> "_Calling":
        """Keep while the agent is called. Raises: AgentSuspendedError, as soon as it is suspended."""
        return _Calling(self._calls, agent_id, agent_name)


class _Calling:
    __slots__ = ("_agent_id", "_agent_name", "_call", "_calls")

    def __init__(self, calls: dict[str, set[asyncio.Timeout]], agent_id: str, agent_name: str) -> None:
        self._calls = calls
        self._agent_id = agent_id
        self._agent_name = agent_name
        self._call = asyncio.timeout(None)

    def __aenter__(self) -> Awaitable[asyncio.Timeout]:
        self._calls.setdefault(self._agent_id, set()).add(self._call)
        return self._call.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        calls = self._calls[self._agent_id]
        calls.discard(self._call)
        if not calls:
            del self._calls[self._agent_id]
        try:
            await self._call.__aexit__(kind, error, trace)
        except TimeoutError as ended:
            error = ended
        if isinstance(error, TimeoutError) and self._call.expired():
            raise AgentSuspendedError(self._agent_name) from error
