"""What the peers on the official Python SDK share: cards, and routes in the dialect they are to speak."""

import sys

import httpx
from a2a.client import A2ACardResolver
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import InMemoryTaskStore
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from serving import DESCRIPTION, SKILL
from starlette.applications import Starlette


def dialect() -> str:
    """Return the dialect that was asked for, such as "JSONRPC 1.0"."""
    return sys.argv[1]


def card(name: str, url: str) -> AgentCard:
    """Return a card that offers that one dialect."""
    binding, version = dialect().split(" ")
    return AgentCard(
        name=name,
        description=DESCRIPTION,
        version="1.0.0",
        supported_interfaces=[AgentInterface(url=url, protocol_binding=binding, protocol_version=version)],
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[AgentSkill(id=SKILL, name=SKILL, description=DESCRIPTION, tags=[SKILL])],
    )


def app(name: str, url: str, executor: AgentExecutor) -> Starlette:
    """Return an app of the SDK's routes for `executor`."""
    own = card(name, url)
    handler = DefaultRequestHandler(agent_executor=executor, task_store=InMemoryTaskStore(), agent_card=own)
    routes = (
        create_rest_routes(handler)
        if dialect().startswith("HTTP+JSON")
        else create_jsonrpc_routes(handler, "/", enable_v0_3_compat=True)
    )
    return Starlette(routes=[*create_agent_card_routes(own), *routes])


async def card_of(url: str, wanted: str) -> AgentCard:
    """Return the card of the service at `url`, with no other interfaces than that of the dialect `wanted`."""
    async with httpx.AsyncClient() as http:
        found = await A2ACardResolver(http, url).get_agent_card()
    binding, version = wanted.split(" ")
    kept = [
        each
        for each in found.supported_interfaces
        if each.protocol_binding == binding and each.protocol_version.startswith(version)
    ]
    del found.supported_interfaces[:]
    found.supported_interfaces.extend(kept)
    return found
