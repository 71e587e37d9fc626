"""Pages that show nothing without their scripts are read by whoever in the federation has the skill `extract-page`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from browser_service import main as browser
from shared.agent import AgentRequest, Answer, Update, Usage
from shared.errors import NotFoundError, UnavailableError
from tests.browser.conftest import make_settings as browser_settings
from tests.research_agent.asking import ask, make_settings
from tests.support.federation import TestAgent, federation, free_port
from tests.support.serving import serve

QUESTION = "What is the tidal range according to"
SAID = "The tidal range in the bay is 16 metres."
PAGE = f"""<html><head><title>Tides</title></head><body><div id="app"></div>
<script>document.getElementById("app").innerHTML = "<h1>Tides</h1><p>{SAID}</p>";</script></body></html>"""


@asynccontextmanager
async def scripted_page() -> AsyncGenerator[str]:
    async def show(_request: Request) -> HTMLResponse:
        return HTMLResponse(PAGE)

    async with serve(Starlette(routes=[Route("/", show)])) as url:
        yield f"{url}/"


async def test_a_page_made_by_scripts_is_read_by_the_federations_browser(tmp_path: Path) -> None:
    port = free_port()
    settings = browser_settings(data_dir=tmp_path / "browser", browser_port=port, federation_register=False)
    async with (
        scripted_page() as page,
        serve(browser.create(settings), port=port) as url,
        federation(tmp_path) as running,
    ):
        await running.post("/api/agents", {"endpoint": url}, 201)
        mine = make_settings(tmp_path, orchestrator_port=running.settings.orchestrator_port)
        outcome = await ask(mine, f"{QUESTION} {page}?")

    assert f"{SAID} [1]" in outcome.text
    assert (outcome.sources[0]["title"], outcome.sources[0]["url"]) == ("Tides", page)


async def test_what_the_browser_spends_is_counted_and_what_it_cannot_read_is_said(tmp_path: Path) -> None:
    readable = [True]

    async def read(_request: AgentRequest) -> AsyncGenerator[Update, None]:
        yield Usage(cost_usd=0.25)
        if not readable[0]:
            raise UnavailableError("The page wants a login.")
        yield Answer("page", SAID, {"title": "Tides"})

    async with scripted_page() as page, federation(tmp_path, TestAgent("Reader", read, ("extract-page",))) as running:
        mine = make_settings(tmp_path, orchestrator_port=running.settings.orchestrator_port)
        outcome = await ask(mine, f"{QUESTION} {page}?")
        readable[0] = False
        with pytest.raises(NotFoundError, match="The skill extract-page failed: The page wants a login"):
            await ask(mine, f"{QUESTION} {page}?")
        with pytest.raises(NotFoundError, match="It has no text"):
            await ask(mine.model_copy(update={"research_browser": False}), f"{QUESTION} {page}?")

    assert outcome.text.startswith(f"{SAID} [1]")
    assert sum(usage.cost_usd for usage in outcome.usage) == pytest.approx(0.25)
