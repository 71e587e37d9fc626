"""The echo agent, built as the bundled agents are: on `shared.agent_server`, which stores each task before it answers.

API_AGENT_PORT=9100 python -m benchmarks.harness.bundled_agent NAME [SKILL]
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from benchmarks.harness.echo import DESCRIPTION, SKILL, pause_s
from shared import agent_server, cards, service
from shared.agent import AgentRequest, Answer, OpenAgent, Update
from shared.settings import FederationSettings


def create(settings: FederationSettings, name: str, skill: str = SKILL) -> FastAPI:
    """Return the agent's app."""
    skills = [cards.Skill(skill, skill, DESCRIPTION, (skill,))]
    card = cards.build(settings, "api", name=name, description=DESCRIPTION, skills=skills)
    return agent_server.create(settings, "api", card, _open)


@asynccontextmanager
async def _open() -> AsyncGenerator[OpenAgent]:
    yield OpenAgent(_answer)


async def _answer(request: AgentRequest) -> AsyncGenerator[Update]:
    await asyncio.sleep(pause_s(request.text))
    yield Answer("answer", request.text)


if __name__ == "__main__":
    own = FederationSettings()
    service.run(lambda: create(own, *sys.argv[1:]), own, "api")
