"""Whatever a page does, its requests reach only addresses that outgoing calls may reach."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from browser_service.agent import open_agent
from shared.agent import OpenAgent
from shared.errors import AddressRefusedError
from tests.browser.conftest import Site, ask, make_settings, open_site

# Everything by which the page /hostile reaches out, WebSockets aside.
WAYS_OUT = {"/image", "/frame", "/fetch", "/beacon", "/events", "/worker", "/shared-worker", "/redirected"}


@dataclass(frozen=True)
class Sites:
    """A site that may be reached, and one elsewhere that may not unless a test allows it."""

    allowed: Site
    elsewhere: Site
    agent: OpenAgent


@asynccontextmanager
async def open_sites(*, allow_elsewhere: bool = False) -> AsyncGenerator[Sites]:
    async with open_site() as elsewhere, open_site(elsewhere.url) as allowed:
        reachable = [allowed, elsewhere] if allow_elsewhere else [allowed]
        addresses = ",".join(site.url.removeprefix("http://") for site in reachable)
        settings = make_settings(egress_allow=addresses, browser_action_timeout_s=20)
        async with open_agent(settings) as agent:
            yield Sites(allowed, elsewhere, agent)


async def test_a_hostile_page_reaches_nothing_that_is_not_allowed() -> None:
    async with open_sites() as sites:
        await ask(sites.agent, f"open {sites.allowed.url}/hostile, wait for 'Tried everything' and get the heading")
        assert {"/to-elsewhere", "/worker.js", "/shared-worker.js"} <= set(sites.allowed.hits)
        assert sites.elsewhere.hits == []
        assert sites.elsewhere.websockets == []


async def test_the_hostile_page_would_reach_all_that_if_it_were_allowed() -> None:
    async with open_sites(allow_elsewhere=True) as sites:
        words = "wait for 'Tried everything', wait for 'Said by a socket' and get the heading"
        await ask(sites.agent, f"open {sites.allowed.url}/hostile, {words}")
        assert set(sites.elsewhere.hits) >= WAYS_OUT
        assert sites.elsewhere.websockets == ["/echo"]


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: list[bytes] = []

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002 - asyncio calls it so
        self.received.append(data)


async def test_webrtc_sends_nothing() -> None:
    loop = asyncio.get_running_loop()
    transport, datagrams = await loop.create_datagram_endpoint(_Datagrams, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    try:
        async with open_site() as site, open_agent(make_settings(browser_action_timeout_s=20)) as agent:
            url = f"{site.url}/webrtc?{port}"
            answered = await ask(agent, f"open {url}, wait for 'Gathered' and get the text")
    finally:
        transport.close()
    assert "Gathered nothing" in answered.text
    assert datagrams.received == []


@pytest.mark.parametrize("words", ["open {}/to-elsewhere", "open {}/moves-on", "open {}/leads-away and click 'Away'"])
async def test_a_page_that_leads_to_a_refused_address_is_refused(words: str) -> None:
    async with open_sites() as sites:
        with pytest.raises(AddressRefusedError, match=r"may not reach 127\.0\.0\.1"):
            await ask(sites.agent, words.format(sites.allowed.url))
        assert sites.elsewhere.hits == []


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254/latest", "http://[::ffff:127.0.0.1]/", "http://10.0.0.1/", "http://bob@example.com/"],
)
async def test_an_address_that_may_not_be_reached_is_refused(url: str) -> None:
    async with open_sites() as sites:
        with pytest.raises(AddressRefusedError):
            await ask(sites.agent, f"open {url}")
