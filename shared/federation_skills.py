"""Skills of other agents: found in the orchestrator's registry, asked over A2A in the name of a request."""

from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Final, cast

import httpx

from shared import agent_client, http, strict_json
from shared.agent import METADATA_KEY, AgentRequest, JsonObject, Usage
from shared.agent_client import AgentConnection, Deadlines, Ended, OutgoingMessage
from shared.db import new_id
from shared.errors import AgentFailedError, FederationError, UnavailableError
from shared.settings import FederationSettings

_MOST_BYTES: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class FederationSkills:
    """The skills that are registered."""

    settings: FederationSettings
    client: http.Client

    async def ask(
        self,
        skill: str,
        text: str,
        request: AgentRequest,
        *,
        spent: Usage | None = None,
        timeout_s: float | None = None,
    ) -> Ended:
        """Ask an agent with the skill, and return its completed answer (peer text), with what that cost.

        It is asked in the name of the request: loops end, and it spends from the same budget, less what was `spent`.
        It gets `timeout_s`, else STEP_TIMEOUT_S, and is told to end when nobody waits any more.
        Raises: FederationError.
        """
        connection = await self._connect(skill)
        onward = cast("JsonObject", request.onward(spent)[METADATA_KEY])
        message = OutgoingMessage(new_id(), text, skill=skill, metadata=onward)
        ended: Ended | None = None
        remote_task_id = ""
        try:
            deadlines = Deadlines(total_s=timeout_s or self.settings.step_timeout_s)
            async with aclosing(connection.send(message, deadlines=deadlines)) as events:
                async for event in events:
                    if isinstance(event, agent_client.Started):
                        remote_task_id = event.remote_task_id
                    if isinstance(event, Ended):
                        ended = event
        finally:
            if ended is None and remote_task_id:
                with suppress(FederationError):
                    await connection.cancel(remote_task_id)
        if ended is None or ended.state != "completed":
            why = ended.error.detail if ended is not None and ended.error is not None else "it did not finish"
            raise AgentFailedError(f"The skill {skill} failed: {why}")
        return ended

    async def _connect(self, skill: str) -> AgentConnection:
        """Return a connection to an agent with the skill that is active. Raises: FederationError."""
        registry = f"{self.settings.url_of('orchestrator')}/api/agents"
        query = {"capability": skill, "status": "active", "limit": "1"}
        request = self.client.build_request("GET", registry, params=query, extensions={http.MAX_BYTES: _MOST_BYTES})
        try:
            response = await self.client.send(request)
            response.raise_for_status()
            found = strict_json.parse(response.content)
        except (httpx.HTTPError, strict_json.JsonError) as error:
            raise UnavailableError("The orchestrator's registry cannot be asked who has the skill.") from error
        listed = found.get("items") if isinstance(found, dict) else None
        agent = listed[0] if isinstance(listed, list) and listed else None
        card = agent.get("card") if isinstance(agent, dict) else None
        if not isinstance(card, dict):
            raise UnavailableError(f"No agent with the skill {skill} is registered and active.")
        return agent_client.connect(self.client, agent_client.parse_card(card))
