"""A browser agent and a web site for it; skipped nowhere: a machine that runs these tests has a Chromium."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import pytest_asyncio
from starlette.applications import Starlette

from browser_service.agent import open_agent
from browser_service.settings import Settings
from shared.agent import AgentRequest, Answer, JsonObject, OpenAgent, Produced, Progress, Update, Usage
from tests.support import pages
from tests.support.serving import serve

QUICK = {"browser_settle_timeout_s": 3.0, "browser_action_timeout_s": 1.5, "browser_navigation_timeout_s": 10.0}


def make_settings(**changes: object) -> Settings:
    """Return settings that no environment or `.env` file changes."""
    return Settings.model_validate({"federation_host": "127.0.0.1", **QUICK, **changes})


@dataclass
class Answered:
    """What an agent yielded."""

    updates: list[Update] = field(default_factory=list[Update])

    @property
    def answer(self) -> Answer:
        [answer] = [update for update in self.updates if isinstance(update, Answer)]
        return answer

    @property
    def text(self) -> str:
        return self.answer.text

    @property
    def data(self) -> JsonObject:
        assert self.answer.data is not None
        return self.answer.data

    @property
    def files(self) -> list[Produced]:
        return [update for update in self.updates if isinstance(update, Produced)]

    @property
    def progress(self) -> list[str]:
        return [update.text for update in self.updates if isinstance(update, Progress)]

    @property
    def usage(self) -> list[Usage]:
        return [update for update in self.updates if isinstance(update, Usage)]


def request(text: str, skill: str | None = None, data: JsonObject | None = None) -> AgentRequest:
    """Return a message to the agent."""
    return AgentRequest(
        text, task_id="t", context_id="c", message_id="m", skill=skill, data=(data,) if data is not None else ()
    )


async def ask(agent: OpenAgent, text: str, skill: str | None = None, data: JsonObject | None = None) -> Answered:
    """Ask `agent`, and return all that it yields."""
    answered = Answered()
    async with aclosing(agent.answer(request(text, skill, data))) as updates:
        async for update in updates:
            answered.updates.append(update)
    return answered


@dataclass(frozen=True)
class Site:
    """A served web site."""

    url: str
    app: Starlette

    @property
    def hits(self) -> list[str]:
        return self.app.state.hits

    @property
    def websockets(self) -> list[str]:
        return self.app.state.websockets


@asynccontextmanager
async def open_site(elsewhere: str = "http://127.0.0.1:1") -> AsyncGenerator[Site]:
    app = pages.create(elsewhere)
    async with serve(app) as url:
        yield Site(url, app)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncGenerator[Site]:
    async with open_site() as served:
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agent() -> AsyncGenerator[OpenAgent]:
    """One agent with one Chromium for all tests of a module; each task has a context of its own anyway."""
    async with open_agent(make_settings()) as opened:
        yield opened
