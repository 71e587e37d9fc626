"""No page reaches an address that it may not reach, whatever way it tries; what it tries is the same when it may."""

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from browser_service.agent import open_agent
from browser_service.egress_proxy import Door, EgressProxy, Rules
from shared.connections import AddressInfo
from shared.errors import AddressRefusedError, FederationError, InvalidRequestError
from tests.browser import tested_site
from tests.browser.conftest import ask, make_settings, open_site
from tests.browser.forbidden import WAYS, listening, serve_trying
from tests.browser.test_browser import running_chromium
from tests.support.serving import serve


def port_of(url: str) -> str:
    return url.rpartition(":")[2]


async def test_no_page_reaches_a_forbidden_address_in_any_of_many_ways() -> None:
    assert len(WAYS) >= 30
    async with listening() as forbidden, serve_trying(forbidden.port) as site:
        settings = make_settings(egress_allow=f"127.0.0.1:{port_of(site)}")
        async with open_agent(settings) as agent:
            answered = await ask(agent, f"open {site}/, wait for 'Tried everything' and get the heading")
            assert answered.text == "Trying"
            for path in ("/moving", "/top"):
                with pytest.raises(FederationError):
                    await ask(agent, f"open {site}{path} and get the heading")
            for there in (f"127.0.0.1:{forbidden.port}", f"localhost:{forbidden.port}", f"[::1]:{forbidden.port}"):
                with pytest.raises(AddressRefusedError):
                    await ask(agent, f"open http://{there}/direct and get the heading")
        assert forbidden.came == []


async def test_the_same_ways_get_there_when_they_may() -> None:
    """Else the test above would show nothing."""
    async with listening() as allowed, serve_trying(allowed.port) as site:
        settings = make_settings(egress_allow="127.0.0.1,::1", browser_settle_timeout_s=6.0)
        async with open_agent(settings) as agent:
            await ask(agent, f"open {site}/, wait for 'Tried everything' and get the heading")
        assert len(allowed.ways & WAYS) >= 30, sorted(WAYS - allowed.ways)


async def test_a_chromium_that_runs_already_is_kept_in_by_the_proxy_too(tmp_path: Path) -> None:
    """What its pages send by UDP is a matter of the flags that it was started with."""
    async with listening() as forbidden, serve_trying(forbidden.port) as site, running_chromium(tmp_path) as address:
        settings = make_settings(egress_allow=f"127.0.0.1:{port_of(site)}", browser_cdp_url=address)
        async with open_agent(settings) as agent:
            answered = await ask(agent, f"open {site}/, wait for 'Tried everything' and get the heading")
            assert answered.text == "Trying"
        assert set(forbidden.came) <= {"a datagram"}


async def test_a_chromium_that_cannot_use_the_proxy_is_filtered_from_within(tmp_path: Path) -> None:
    """It is told by its address: one that is none of loopback's is on another machine, as far as can be known."""
    async with open_site() as elsewhere, open_site(elsewhere.url) as allowed, running_chromium(tmp_path) as address:
        remote = address.replace("127.0.0.1", "0.0.0.0").replace("localhost", "0.0.0.0")
        reachable = allowed.url.removeprefix("http://")
        settings = make_settings(egress_allow=reachable, browser_cdp_url=remote, browser_action_timeout_s=20)
        async with open_agent(settings) as agent:
            await ask(agent, f"open {allowed.url}/hostile, wait for 'Tried everything' and get the heading")
            assert {"/to-elsewhere", "/worker.js", "/shared-worker.js"} <= set(allowed.hits)
            assert (elsewhere.hits, elsewhere.websockets) == ([], [])
            with pytest.raises(InvalidRequestError, match="another machine"):
                await ask(agent, f"open {allowed.url}/", data={"session": {"deny": ["example.org"]}})


async def test_a_name_means_the_address_that_was_checked_whatever_it_is_later() -> None:
    """DNS rebinding: the name is public when it is looked up first, and loopback ever after."""
    async with listening() as forbidden:
        answers = iter(["93.184.215.14", *["127.0.0.1"] * 9])
        looked_up: list[str] = []

        def look_up(host: str, port: int, family: int, kind: int) -> Sequence[AddressInfo]:
            looked_up.append(host)
            return [(socket.AF_INET, kind, 6, "", (next(answers), port))]

        settings = make_settings(egress_allow="127.0.0.1:1", connect_timeout_s=0.2)
        async with EgressProxy(settings, look_up).open_door() as door:
            url = f"http://rebound.example:{forbidden.port}/"
            await door.check(url)
            for _ in range(3):
                assert await connect(door, "rebound.example", forbidden.port) != 0
                await door.check(url)
        async with EgressProxy(settings, look_up).open_door() as door:  # another session looks it up itself
            with pytest.raises(AddressRefusedError):
                await door.check(url)
            assert await connect(door, "rebound.example", forbidden.port) == 2
        assert forbidden.came == []
        assert looked_up.count("rebound.example") <= 4


@pytest.mark.parametrize(
    ("rules", "host", "reached"),
    [
        (Rules(), "127.0.0.1", True),
        (Rules(deny=("127.0.0.1",)), "127.0.0.1", False),
        (Rules(deny=("127.0.0.1",)), "[::ffff:127.0.0.1]", False),
        (Rules(deny=("[::ffff:7f00:1]",)), "127.0.0.1", False),
        (Rules(deny=("127.0.0.1",)), "localhost", False),
        (Rules(allow=("127.0.0.1",)), "[::ffff:7f00:1]", True),
        (Rules(allow=("other.test",)), "127.0.0.1", False),
        (Rules(allow=("localhost",)), "localhost", True),
        (Rules(allow=("*.localhost",)), "localhost", True),
        (Rules(allow=("127.0.0.1:1",)), "127.0.0.1", False),
        (Rules(allow=("127.0.0.1",), deny=("127.0.0.1",)), "127.0.0.1", False),
    ],
)
async def test_a_session_reaches_only_what_its_lists_let_it(rules: Rules, host: str, reached: bool) -> None:
    async with listening() as place, EgressProxy(make_settings()).open_door(rules) as door:
        assert (await connect(door, host, place.port) == 0) is reached
        if reached:
            await door.check(f"http://{host}:{place.port}/")
        else:
            with pytest.raises(AddressRefusedError):
                await door.check(f"http://{host}:{place.port}/")


async def test_one_session_cannot_use_the_door_of_another() -> None:
    proxy = EgressProxy(make_settings())
    async with proxy.open_door() as door, proxy.open_door(Rules(deny=("127.0.0.1",))) as other:
        other_port = other.port
        for host in ("127.0.0.1", "::ffff:127.0.0.1"):
            assert await connect(door, host, other_port) == 2


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "chrome://version", "view-source:http://a.test", "ftp://a.test/", "http:"]
)
async def test_only_addresses_of_pages_are_opened(url: str) -> None:
    async with EgressProxy(make_settings()).open_door() as door:
        with pytest.raises((AddressRefusedError, InvalidRequestError)):
            await door.check(url)


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\n\r\n", b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", b"\x05\x01\x02", b"\x05"]
)
async def test_what_speaks_no_socks_gets_nothing(sent: bytes) -> None:
    async with EgressProxy(make_settings()).open_door() as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(sent)
        writer.write_eof()
        async with asyncio.timeout(15):
            assert await reader.read() in {b"", b"\x05\xff"}
        writer.close()


async def test_text_that_nobody_sees_is_marked_and_kept_apart() -> None:
    async with serve(tested_site.create()) as site, open_agent(make_settings()) as agent:
        answered = await ask(agent, f"get the text of {site}/unseen")
        shown, _, hidden = answered.text.partition("Hidden")
        assert "Visible words" in shown
        for words in (
            "Transparent words",
            "Words outside",
            "Clipped words",
            "Words without size",
            "Words only for ears",
        ):
            assert words not in shown
            assert words in hidden


async def connect(door: Door, host: str, port: int) -> int:
    """Ask the door for a connection, and return what it answers: 0 when there is one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    try:
        writer.write(b"\x05\x01\x00\x05\x01\x00\x03" + bytes([len(host)]) + host.encode() + port.to_bytes(2))
        async with asyncio.timeout(15):
            await reader.readexactly(2)
            return (await reader.readexactly(10))[1]
    finally:
        writer.close()
