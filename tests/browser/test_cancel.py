"""A canceled task of the browser service leaves no page open."""

import asyncio
from pathlib import Path
from typing import cast

import httpx

from browser_service import main
from shared.agent import JsonObject
from tests.browser.conftest import make_settings, open_site
from tests.shared.scripted_agent import Caller, state_of
from tests.support.serving import serve


async def test_canceling_the_task_closes_its_page(tmp_path: Path, unused_tcp_port: int) -> None:
    port = unused_tcp_port
    settings = make_settings(data_dir=tmp_path, browser_port=port, browser_max_pages=1, federation_register=False)
    async with (
        open_site() as site,
        serve(main.create(settings), port=port) as url,
        httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as http,
    ):
        caller = Caller(http)
        task = await caller.send(f"open {site.url}/hang", at_once=True)
        await _until(site.hits, "/hang")
        assert state_of(await caller.call("CancelTask", {"id": task["id"]})) == "CANCELED"
        await _until(site.hits, "/hang left")
        told = await caller.send(f"get the title of {site.url}/")  # the one page that may be open is free again
        assert "Harbour Town" in str(cast("list[JsonObject]", told["artifacts"])[0]["parts"])


async def _until(hits: list[str], hit: str) -> None:
    async with asyncio.timeout(30):
        while hit not in hits:  # noqa: ASYNC110 - the site notes what it sees in a list
            await asyncio.sleep(0.02)
