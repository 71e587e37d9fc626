"""The outgoing client: it reaches what it may, nothing else, and reads no more than it should."""

import asyncio
import gzip
import socket
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from shared import http
from shared.errors import (
    AddressRefusedError,
    InvalidRequestError,
    InvalidSettingError,
    TimedOutError,
    TooLargeError,
    UnavailableError,
)
from shared.http import AddressInfo, Fetched, Saved, fetch_to, open_client
from shared.settings import FederationSettings
from tests.support.serving import serve


def configure(**values: object) -> FederationSettings:
    return FederationSettings.model_validate(values)


class Web:
    """A server with one page, `/`, and some bad habits. `seen` has the headers of each request."""

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []
        self.release = asyncio.Event()
        self.url = ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    async def page(self, request: Request) -> Response:
        self.seen.append(dict(request.headers))
        return Response(
            "hello", headers={"set-cookie": "a=b", "content-type": "Text/HTML; charset=utf-8", "connection": "close"}
        )

    async def redirect(self, request: Request) -> Response:
        return RedirectResponse(request.query_params["to"])

    async def loop(self, _: Request) -> Response:
        return RedirectResponse("/loop", 302)

    async def echo(self, request: Request) -> Response:
        return PlainTextResponse(await request.body())

    async def compressed(self, request: Request) -> Response:
        content = b"hello " * int(request.query_params.get("times", "1"))
        how = request.query_params["how"]
        packed = {"gzip": gzip.compress, "deflate": zlib.compress, "br": bytes}[how](content)
        return Response(packed[: int(request.query_params.get("cut", len(packed)))], headers={"content-encoding": how})

    async def endless(self, _: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            while not self.release.is_set():
                yield b"x" * 1_000
                await asyncio.sleep(0)

        return StreamingResponse(pieces())

    async def hang(self, _: Request) -> Response:
        await self.release.wait()
        return Response()


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    web = Web()
    routes = [
        Route("/", web.page),
        Route("/redirect", web.redirect),
        Route("/loop", web.loop),
        Route("/echo", web.echo, methods=["POST"]),
        Route("/compressed", web.compressed),
        Route("/endless", web.endless),
        Route("/hang", web.hang),
    ]
    async with serve(Starlette(routes=routes)) as web.url:
        yield web
        web.release.set()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(configure()) as client:
        yield client


async def get(client: httpx.AsyncClient, url: str, *, timeout_s: float = 5, max_bytes: int = 10_000) -> Fetched:
    return await http.fetch(client, url, timeout_s=timeout_s, max_bytes=max_bytes)


async def test_an_answer_is_read_whatever_words_stand_beside_its_status() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 Succ\xe8s\r\nContent-Length: 5\r\n\r\nhello")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server, open_client(configure()) as client:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        found = await http.fetch(client, url, timeout_s=10, max_bytes=100)
    assert (found.status, found.content) == (200, b"hello")


async def test_a_page_is_fetched_without_cookies_proxies_or_encodings(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with open_client(configure()) as client:
        assert await get(client, web.url) == Fetched(web.url, 200, "text/html", b"hello")
        await get(client, web.url)
    assert "cookie" not in web.seen[1]
    assert web.seen[1]["accept-encoding"] == "identity"


async def test_localhost_is_reached_by_name(web: Web, client: httpx.AsyncClient) -> None:
    assert (await get(client, f"http://localhost:{web.port}/")).content == b"hello"


async def test_redirects_are_followed_hop_by_hop_for_pages_only(web: Web, client: httpx.AsyncClient) -> None:
    fetched = await get(client, f"{web.url}/redirect?to=/redirect%3Fto=/")
    assert (fetched.url, fetched.content) == (f"{web.url}/", b"hello")
    assert (await client.get(f"{web.url}/redirect?to=/")).status_code == 307


@pytest.mark.parametrize(
    "to",
    ["http://169.254.169.254/latest/meta-data", "http://10.0.0.1/", "file:///etc/passwd", "http://[::ffff:10.0.0.1]"],
)
async def test_a_redirect_to_a_refused_address_is_not_followed(web: Web, client: httpx.AsyncClient, to: str) -> None:
    with pytest.raises(AddressRefusedError):
        await get(client, f"{web.url}/redirect?to={to}")


@pytest.mark.parametrize("to", ["javascript:alert(1)", "http:nowhere", "http://xn--a/", "http://a:b/"])
async def test_a_redirect_to_what_is_no_address_is_an_answer_that_cannot_be_used(
    web: Web, client: httpx.AsyncClient, to: str
) -> None:
    with pytest.raises(UnavailableError, match="redirects to something that is no address"):
        await get(client, f"{web.url}/redirect?to={to}")


@pytest.mark.parametrize("url", ["http://xn--a/", "http://xn--/"])
async def test_a_name_that_cannot_be_read_is_no_url(client: httpx.AsyncClient, url: str) -> None:
    with pytest.raises(InvalidRequestError, match="is not a URL"):
        await get(client, url)
    assert http.origin_of(url) is None


async def test_endless_redirects_are_given_up(web: Web, client: httpx.AsyncClient) -> None:
    with pytest.raises(UnavailableError, match="more than 5 times"):
        await get(client, f"{web.url}/loop")


async def test_an_error_status_is_returned(web: Web, client: httpx.AsyncClient) -> None:
    assert (await get(client, f"{web.url}/nowhere")).status == 404


async def test_a_compressed_answer_is_unpacked_up_to_the_limit(web: Web, client: httpx.AsyncClient) -> None:
    for how in ("gzip", "deflate"):
        assert (await get(client, f"{web.url}/compressed?how={how}")).content == b"hello "
        with pytest.raises(TooLargeError, match="10,000 bytes"):
            await get(client, f"{web.url}/compressed?how={how}&times=1000000")
        with pytest.raises(UnavailableError, match="incomplete"):
            await get(client, f"{web.url}/compressed?how={how}&cut=10")
    with pytest.raises(UnavailableError, match="encoding that is not accepted"):
        await get(client, f"{web.url}/compressed?how=br")


async def test_a_body_goes_to_a_file_under_the_same_guards(web: Web, client: httpx.AsyncClient, tmp_path: Path) -> None:
    async def save(address: str) -> Saved:
        return await fetch_to(client, address, tmp_path / "body", timeout_s=5, max_bytes=10_000)

    found = await save(f"{web.url}/redirect?to={web.url}/")
    assert (found.url, found.media_type, found.size_bytes) == (f"{web.url}/", "text/html", 5)
    assert (tmp_path / "body").read_bytes() == b"hello"
    assert (await save(f"{web.url}/compressed?how=gzip&times=1000")).size_bytes == 6_000
    for path in ("compressed?how=gzip&times=1000000", "compressed?how=deflate&times=1000000", "endless"):
        with pytest.raises(TooLargeError, match="10,000 bytes"):
            await save(f"{web.url}/{path}")
    with pytest.raises(UnavailableError, match="incomplete"):
        await save(f"{web.url}/compressed?how=gzip&cut=10")
    with pytest.raises(AddressRefusedError):
        await save(f"{web.url}/redirect?to=http://169.254.169.254/latest/meta-data")


async def test_a_compressed_answer_is_refused_outside_of_fetch(web: Web, client: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.DecodingError):
        await client.get(f"{web.url}/compressed?how=gzip&times=1000000")


async def test_an_endless_answer_is_cut_off(web: Web, client: httpx.AsyncClient) -> None:
    with pytest.raises(TooLargeError, match="10,000 bytes"):
        await get(client, f"{web.url}/endless")


async def test_a_page_that_never_comes_is_given_up(web: Web, client: httpx.AsyncClient) -> None:
    with pytest.raises(TimedOutError, match=r"0\.2 s"):
        await get(client, f"{web.url}/hang", timeout_s=0.2)
    with pytest.raises(httpx.ReadTimeout):
        await client.get(f"{web.url}/hang", timeout=0.2)


async def test_a_server_that_is_not_there_was_not_reached(client: httpx.AsyncClient) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        with pytest.raises(UnavailableError, match="Cannot connect"):
            await get(client, url)
        with pytest.raises(httpx.ConnectError):
            await client.post(url)


async def test_a_connection_cut_after_sending_is_not_called_a_failure_to_connect(client: httpx.AsyncClient) -> None:
    async with cutting_server(b"") as url:
        with pytest.raises(httpx.ReadError):
            await client.post(url)
    async with cutting_server(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal") as url:
        with pytest.raises(UnavailableError, match="broke before the answer was complete"):
            await get(client, url)


async def test_many_requests_at_once_share_the_client(web: Web, client: httpx.AsyncClient) -> None:
    bodies = [str(number).encode() for number in range(40)]
    answers = await asyncio.gather(*(client.post(f"{web.url}/echo", content=body) for body in bodies))
    assert [answer.content for answer in answers] == bodies


@pytest.mark.parametrize("url", ["", "no url", "http://", "http://[v1.x]/", "//x", "http://xn--/"])
async def test_what_is_not_a_url_is_refused(client: httpx.AsyncClient, url: str) -> None:
    with pytest.raises((InvalidRequestError, AddressRefusedError)):
        await get(client, url)


async def test_loopback_is_closed_when_the_settings_close_it(web: Web) -> None:
    port = web.port
    for settings in (
        configure(federation_allow_private_agents=False),
        configure(federation_host="0.0.0.0"),
        configure(egress_allow="127.0.0.2"),
        configure(egress_allow=f"127.0.0.1:{port + 1}"),
        configure(egress_allow=f"127.0.0.1:{port + 1}", federation_allow_private_agents=True),
    ):
        async with open_client(settings) as client:
            for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
                with pytest.raises(AddressRefusedError, match="EGRESS_ALLOW"):
                    await get(client, f"http://{host}:{port}/")
                with pytest.raises(AddressRefusedError):
                    await http.check_url(settings, f"http://{host}:{port}/")


async def test_loopback_is_open_where_the_settings_open_it(web: Web) -> None:
    port = web.port
    for settings in (
        configure(),
        configure(federation_host="0.0.0.0", federation_allow_private_agents=True),
        configure(egress_allow=f"10.0.0.0/8,127.0.0.1:{port}"),
        configure(egress_allow=f"127.0.0.0/8:{port - 1}-{port + 1}"),
    ):
        async with open_client(settings) as client:
            assert (await get(client, web.url)).content == b"hello"
            await http.check_url(settings, web.url)


async def test_the_federations_own_services_are_always_reached(web: Web) -> None:
    for settings in (
        configure(egress_allow="10.9.9.9", browser_port=web.port),
        configure(egress_allow="10.9.9.9", code_agent_url=f"http://localhost:{web.port}"),
        configure(federation_host="0.0.0.0", orchestrator_port=web.port),
    ):
        async with open_client(settings) as client:
            assert (await get(client, f"http://localhost:{web.port}")).content == b"hello"


async def test_an_entry_that_cannot_be_read_is_said_at_the_start() -> None:
    for entry in (
        "localhost:80",
        "10.0.0.0/33",
        "127.0.0.1:99999",
        "127.0.0.1:9-8",
        "127.0.0.1:",
        "::1:x",
        "10.1.1.1/8",
    ):
        with pytest.raises(InvalidSettingError, match="EGRESS_ALLOW has the entry"):
            async with open_client(configure(egress_allow=(entry,))):
                pass


async def test_a_name_is_resolved_once_and_only_checked_addresses_are_connected_to(web: Web) -> None:
    names = Names(
        {
            "good.test": ["127.0.0.1"],
            "mixed.test": ["169.254.169.254", "127.0.0.1", "10.0.0.1"],
            "bad.test": ["169.254.169.254"],
            "six.test": ["::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "fe80::1%1"],
        }
    )
    async with open_client(configure(), look_up=names.look_up) as client:
        assert (await get(client, f"http://good.test:{web.port}/")).content == b"hello"
        assert (await get(client, f"http://mixed.test:{web.port}/")).content == b"hello"
        for name in ("bad.test", "six.test"):
            with pytest.raises(AddressRefusedError) as caught:
                await get(client, f"http://{name}:{web.port}/")
            assert "169.254" not in caught.value.detail
        with pytest.raises(UnavailableError, match="cannot be resolved"):
            await get(client, f"http://unknown.test:{web.port}/")
    assert names.asked == ["good.test", "mixed.test", "bad.test", "six.test", "unknown.test"]
    assert web.seen[0]["host"] == f"good.test:{web.port}"


async def test_a_name_that_changes_its_address_is_checked_again(web: Web) -> None:
    names = Names({"rebind.test": ["127.0.0.1"]})
    settings = configure(egress_allow=f"127.0.0.1:{web.port}")
    for expected in (b"hello", None):
        async with open_client(settings, look_up=names.look_up) as client:
            if expected is not None:
                assert (await get(client, f"http://rebind.test:{web.port}/")).content == expected
            else:
                with pytest.raises(AddressRefusedError):
                    await get(client, f"http://rebind.test:{web.port}/")
        names.addresses["rebind.test"] = ["192.168.0.1"]


class Names:
    """A name service that answers what a test says."""

    def __init__(self, addresses: dict[str, list[str]]) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    def look_up(self, host: str, port: int, family: int, kind: int) -> Sequence[AddressInfo]:
        self.asked.append(host)
        if host not in self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(family, kind, 6, "", (address, port)) for address in self.addresses[host]]


@asynccontextmanager
async def cutting_server(reply: bytes) -> AsyncGenerator[str]:
    """Read a request's head, send `reply`, cut the connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
