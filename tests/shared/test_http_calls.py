"""The short way out, for calls to agents: it has the same guards as the long one."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from shared.errors import AddressRefusedError, InvalidRequestError, TooLargeError
from shared.http import AddressInfo, Answer, Client, open_client
from shared.settings import FederationSettings
from tests.support.serving import serve


async def _endless() -> AsyncIterator[bytes]:
    for _ in range(100_000):
        yield b"x" * 100


class Web:
    """A server that answers what the path says. `seen` has the headers of each request, `clients` who asked."""

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []
        self.clients: set[int] = set()
        self.url = ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    async def answer(self, request: Request) -> Response:
        self.seen.append(dict(request.headers))
        assert request.client is not None
        self.clients.add(request.client.port)
        match request.path_params["what"]:
            case "redirect":
                return RedirectResponse("http://169.254.169.254/")
            case "packed":
                return Response(gzip.compress(b"hello"), headers={"content-encoding": "gzip"})
            case "large":
                return PlainTextResponse("x" * 1_001)
            case "endless":
                return StreamingResponse(_endless())
            case _:
                return PlainTextResponse(await request.body(), headers={"set-cookie": "a=b"})


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    web = Web()
    async with serve(Starlette(routes=[Route("/{what}", web.answer, methods=["POST"])])) as web.url:
        yield web


async def call(client: Client, url: str, body: bytes = b"hi") -> tuple[Answer, bytes]:
    answer = await client.calls.begin("POST", url, headers={"X-Own": "1"}, content=body, connect_s=5, max_bytes=1_000)
    content = b""
    while piece := await answer.read_some(asyncio.get_running_loop().time() + 5):
        content += piece
    return answer, content


async def test_a_call_is_made_without_cookies_proxies_or_encodings(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with open_client(configure()) as client:
        for _ in range(2):
            answer, content = await call(client, f"{web.url}/echo")
            assert (answer.status, content) == (200, b"hi")
    assert web.seen[1]["accept-encoding"] == "identity"
    assert web.seen[1]["x-own"] == "1"
    assert "cookie" not in web.seen[1]
    assert len(web.clients) == 1  # the connection is used again


async def test_an_answer_is_neither_followed_nor_unpacked_nor_read_beyond_its_limit(web: Web) -> None:
    async with open_client(configure()) as client:
        assert (await call(client, f"{web.url}/redirect"))[0].status == 307
        with pytest.raises(httpx.DecodingError):
            await call(client, f"{web.url}/packed")
        with pytest.raises(TooLargeError, match="1,000 bytes"):
            await call(client, f"{web.url}/large")
        with pytest.raises(TooLargeError, match="1,000 bytes"):
            await call(client, f"{web.url}/endless")


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/",
        "http://10.0.0.1/",
        "http://[::ffff:10.0.0.1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://user@127.0.0.1/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
    ],
)
async def test_a_refused_address_is_not_called_however_often_it_is_asked_for(url: str) -> None:
    async with open_client(configure()) as client:
        for _ in range(2):
            with pytest.raises(AddressRefusedError):
                await call(client, url)


async def test_what_is_not_a_url_is_refused() -> None:
    async with open_client(configure()) as client:
        for url in ("http://[v1.x]/", "http://127.0.0.1:99999/"):
            with pytest.raises((InvalidRequestError, AddressRefusedError)):
                await call(client, url)


async def test_loopback_is_closed_when_the_settings_close_it(web: Web) -> None:
    async with open_client(configure(egress_allow=f"127.0.0.1:{web.port + 1}")) as client:
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
            with pytest.raises(AddressRefusedError, match="EGRESS_ALLOW"):
                await call(client, f"http://{host}:{web.port}/echo")
    assert web.seen == []


async def test_only_checked_addresses_of_a_name_are_connected_to(web: Web) -> None:
    addresses = {"good.test": ["127.0.0.1"], "mixed.test": ["10.0.0.1", "127.0.0.1"], "bad.test": ["169.254.169.254"]}

    def look_up(host: str, port: int, family: int, kind: int) -> Sequence[AddressInfo]:
        return [(family, kind, 6, "", (address, port)) for address in addresses[host]]

    async with open_client(configure(), look_up=look_up) as client:
        for name in ("good.test", "mixed.test"):
            assert (await call(client, f"http://{name}:{web.port}/echo"))[1] == b"hi"
        with pytest.raises(AddressRefusedError) as caught:
            await call(client, f"http://bad.test:{web.port}/echo")
    assert "169.254" not in caught.value.detail
    assert web.seen[0]["host"] == f"good.test:{web.port}"


async def test_a_server_that_is_not_there_was_not_reached() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with open_client(configure()) as client:
            with pytest.raises(httpx.ConnectError, match="refused"):
                await call(client, f"http://127.0.0.1:{unused.getsockname()[1]}/")


async def test_many_calls_at_once_get_their_own_answers_over_a_bounded_number_of_connections(web: Web) -> None:
    bodies = [str(number).encode() for number in range(400)]
    async with open_client(configure(connect_timeout_s=60)) as client:
        answers = await asyncio.gather(*(call(client, f"{web.url}/echo", body) for body in bodies))
    assert [content for _, content in answers] == bodies
    assert len(web.clients) <= 256


def configure(**values: object) -> FederationSettings:
    return FederationSettings.model_validate(values)
