"""Routes of the registry."""

from contextlib import aclosing
from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field, JsonValue

from orchestrator_service import admission, choosing, discovery, health, registry, statistics
from orchestrator_service.agent_fields import AgentFields
from orchestrator_service.api.agent_shapes import (
    AgentAnswer,
    AgentsAnswer,
    HealthAnswer,
    HistoryAnswer,
    MatchesAnswer,
    PreviewAnswer,
)
from orchestrator_service.api.body import Body
from orchestrator_service.api.parts import Cursor, Limit, OpenParts, WhoAsks, page
from orchestrator_service.credentials import SecretFields
from shared.agent import JsonObject
from shared.agent_client import Ended, OutgoingMessage, Started
from shared.db import new_id
from shared.errors import AgentProtocolError

router = APIRouter(prefix="/api/agents", tags=["agents"])


class AgentRegistration(AgentFields, Body):
    """An agent to register: its address, or its card."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"endpoint": "http://127.0.0.1:9900"}]})


class AgentChange(SecretFields, Body):
    """What to change of an agent; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "inactive"}]})

    name: str | None = Field(default=None, min_length=1, max_length=200)
    description: str | None = Field(default=None, max_length=10_000)
    status: Literal["active", "inactive"] | None = None
    config: dict[str, JsonValue] | None = None
    metadata: dict[str, JsonValue] | None = None


class Acceptance(Body):
    """Which card is accepted: `card_hash` of the agent, or of its quarantine, as it was looked at."""

    card_hash: str | None = Field(default=None, max_length=64, description="If another card waits by now: 409.")


class DirectMessage(Body):
    """A message straight to one agent."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "Compute 2 + 2."}]})

    text: str = Field(min_length=1, max_length=1_000_000)


@router.post("", status_code=201, summary="Register an agent", responses={200: {"description": "Brought up to date"}})
async def register(body: AgentRegistration, response: Response, parts: OpenParts, who: WhoAsks) -> AgentAnswer:
    """Fetch the agent's card, check it, and store the agent; the same endpoint again brings it up to date."""
    agent_id, is_new = await parts.registrar.register(who, body.to_new_agent())
    response.headers["Location"] = f"/api/agents/{agent_id}"
    if not is_new:
        response.status_code = 200
    return await parts.database.read(registry.find, who, agent_id)


@router.post("/preview", summary="Look at an agent without registering it")
async def preview(body: AgentRegistration, parts: OpenParts, who: WhoAsks) -> PreviewAnswer:
    """Fetch the card, check it and ask what the agent speaks, and answer what was found; nothing is stored."""
    return await parts.registrar.preview(who, body.to_new_agent())


@router.get("", summary="Registered agents")
async def search(
    parts: OpenParts,
    who: WhoAsks,
    capability: Annotated[str | None, Query(max_length=200, description="A skill id or tag.")] = None,
    status: Annotated[registry.AgentStatus | None, Query()] = None,
    q: Annotated[str | None, Query(max_length=1000, description="Words of what is needed.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> AgentsAnswer:
    """Answer the agents that fit every filter given."""
    filters = registry.Filters(capability, status, q, await parts.near(q))
    return page(await parts.database.read(registry.list_agents, who, filters, cursor, limit), limit)


@router.get("/discover", summary="Who can do this?")
async def discover(
    parts: OpenParts,
    who: WhoAsks,
    q: Annotated[str, Query(min_length=1, max_length=10_000, description="A need in plain words.")],
    limit: Annotated[int, Query(ge=1, le=50)] = 5,
) -> MatchesAnswer:
    """Answer skills ranked for a need in plain words, with the reason; agents that are not reachable are left out."""
    matches = await parts.database.read(discovery.rank, who, q, limit, await parts.near(q))
    items: list[JsonValue] = [
        {
            "agent": {"id": match.offer.agent_id, "name": match.offer.agent_name},
            "skill": match.offer.skill_id,
            "score": match.score,
            "why": match.why,
        }
        for match in matches
    ]
    return {"items": items, "next_cursor": None}


@router.get("/{agent_id}", summary="An agent")
async def find(agent_id: str, parts: OpenParts, who: WhoAsks) -> AgentAnswer:
    """Answer the agent."""
    return await parts.database.read(registry.find, who, agent_id)


@router.patch("/{agent_id}", summary="Change an agent")
async def change(agent_id: str, body: AgentChange, parts: OpenParts, who: WhoAsks) -> AgentAnswer:
    """Change what is given: `inactive` keeps it from being chosen; with new credentials it is looked at again."""
    if (secrets := body.to_secrets()) is not None:
        await parts.registrar.give(who, agent_id, secrets)
    changes = registry.Changes(body.name, body.description, body.status, body.config, body.metadata)
    await parts.database.write(registry.change, who, agent_id, changes)
    return await parts.database.read(registry.find, who, agent_id)


@router.delete("/{agent_id}", status_code=204, summary="Forget an agent")
async def remove(agent_id: str, parts: OpenParts, who: WhoAsks) -> None:
    """Remove it from the registry."""
    await parts.database.write(registry.remove, who, agent_id)


@router.get("/{agent_id}/health", summary="How an agent was lately")
async def lately(agent_id: str, parts: OpenParts, who: WhoAsks) -> HistoryAnswer:
    """Answer what health checks found, by quarters of an hour, for two days; and how its latest calls went."""
    await parts.database.read(registry.find, who, agent_id)
    items = await parts.database.read(health.of_agent, agent_id)
    record = (await parts.database.read(statistics.read, [agent_id])).get(agent_id)
    return {"items": [*items], "next_cursor": None, "record": None if record is None else statistics.to_json(record)}


@router.post("/{agent_id}/health", summary="Check an agent now")
async def check(agent_id: str, parts: OpenParts, who: WhoAsks) -> HealthAnswer:
    """Ask the agent how it is, and answer its health."""
    await parts.database.read(registry.find, who, agent_id)
    return await parts.registrar.check(agent_id)


@router.post("/{agent_id}/refresh", summary="Fetch an agent's card again")
async def refresh(agent_id: str, parts: OpenParts, who: WhoAsks) -> AgentAnswer:
    """Fetch and check the card, and answer the agent."""
    await parts.registrar.refresh(who, agent_id)
    return await parts.database.read(registry.find, who, agent_id)


@router.post("/{agent_id}/accept", summary="Accept a new agent, or a changed card")
async def accept(agent_id: str, parts: OpenParts, who: WhoAsks, body: Acceptance | None = None) -> AgentAnswer:
    """Let a pending agent in, or take over the changed card of a quarantined one, and answer the agent."""
    await parts.database.write(admission.accept, who, agent_id, None if body is None else body.card_hash)
    return await parts.database.read(registry.find, who, agent_id)


@router.post("/{agent_id}/suspend", summary="Stop an agent at once")
async def suspend(agent_id: str, parts: OpenParts, who: WhoAsks) -> AgentAnswer:
    """Call the agent no more, end the steps that run at it, and answer the agent."""
    await parts.registrar.suspend(who, agent_id)
    return await parts.database.read(registry.find, who, agent_id)


@router.post("/{agent_id}/resume", summary="Let a suspended agent work again")
async def resume(agent_id: str, parts: OpenParts, who: WhoAsks) -> AgentAnswer:
    """End the suspension, and answer the agent."""
    await parts.database.write(admission.resume, who, agent_id)
    return await parts.database.read(registry.find, who, agent_id)


@router.post("/{agent_id}/messages", summary="Send one message straight to an agent")
async def send(agent_id: str, body: DirectMessage, parts: OpenParts, who: WhoAsks) -> JsonObject:
    """Send the message, wait for its end, and answer the agent's A2A task."""
    await parts.database.read(registry.find, who, agent_id)
    agent = await parts.database.read(choosing.choose, who.tenant_id, None, agent_id, body.text)
    connection = await parts.connect(agent)
    remote: Started | None = None
    async with aclosing(connection.send(OutgoingMessage(new_id(), body.text))) as heard:
        async for event in heard:
            match event:
                case Started():
                    remote = event
                case Ended():
                    return _to_json(remote, event)
                case _:
                    continue
    raise AgentProtocolError("The agent's task neither ended nor asked for anything.")


def _to_json(remote: Started | None, ended: Ended) -> JsonObject:
    return {
        "id": None if remote is None else remote.remote_task_id,
        "context_id": None if remote is None else remote.context_id,
        "state": ended.state,
        "text": ended.text,
        "data": list(ended.data),
        "files": [{"name": file.name, "media_type": file.media_type} for file in ended.files],
        "error": None if ended.error is None else asdict(ended.error),
    }
