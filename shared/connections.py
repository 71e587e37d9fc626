"""Connections to addresses that were checked: names are resolved once, addresses judged, answers capped.

`shared.http` puts httpx over them. `Calls` is the short way, for what is called often: the same checks, little else.
"""

import asyncio
import ipaddress
import math
import os
import socket
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from ssl import SSLContext
from typing import Final, Self, TypeAlias

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from yarl import URL

from shared.egress import Address, EgressPolicy, unmapped
from shared.errors import AddressRefusedError, InvalidRequestError, TooLargeError

AddressInfo: TypeAlias = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]
LookUp: TypeAlias = Callable[[str, int, int, int], Sequence[AddressInfo]]
"""From host, port, family and socket type to what `socket.getaddrinfo` gives."""

_MAX_CONNECTIONS: Final = 512
_MAX_CONNECTIONS_PER_HOST: Final = 256
_KEEP_ALIVE_S: Final = 4.0  # below the 5 s after which uvicorn closes an idle connection
_LINGER_S: Final = 0.2
_KNOWN_URLS: Final = 1_024
HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": "agent-federation"}


class Answer:
    """An answer that has begun: status and headers are there, the body comes in pieces. Close it, or let it go."""

    __slots__ = ("_bytes_left", "_max_bytes", "_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse, max_bytes: int) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._max_bytes = self._bytes_left = max_bytes

    async def read_some(self, deadline: float) -> bytes:
        """Return what has come, as soon as something has; nothing at the end. `deadline` is a time of the loop.

        Raises: TimeoutError, TooLargeError, httpx.ReadError.
        """
        content = self._response.content
        try:
            piece = content.read_nowait()
            if not piece and not content.at_eof():
                async with asyncio.timeout_at(deadline):
                    piece = await content.readany()
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError) as error:
            raise named(error) from error
        self._bytes_left -= len(piece)
        if self._bytes_left < 0:
            raise too_large(self._response.url.host, self._max_bytes)
        return piece

    def let_go(self) -> None:
        """Want no more of it. Ends it by itself at once, its connection is used again, else it is closed."""
        if self._response.content.is_eof():
            return
        timer = asyncio.get_running_loop().call_later(_LINGER_S, self._response.close)
        self._response.content.on_eof(timer.cancel)

    def close(self) -> None:
        """Close it, and the connection if there is more to come."""
        self._response.close()


class Calls:
    """Makes requests to addresses that `policy` allows. No proxies, cookies, redirects or compressed answers."""

    def __init__(self, policy: EgressPolicy, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._check = lru_cache(_KNOWN_URLS)(partial(_checked, policy))

    async def begin(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None,
        connect_s: float,
        max_bytes: int,
        certificate: SSLContext | None = None,
    ) -> Answer:
        """Send a request and return the answer as soon as its headers have come.

        `certificate` has the client certificate that an https server is shown; connections with it are for it alone.
        Raises: AddressRefusedError, InvalidRequestError (not a URL), TooLargeError, and errors of httpx: after
        ConnectError and ConnectTimeout nothing was sent.
        """
        try:
            response = await self._session.request(
                method,
                self._check(url),
                headers=headers,
                data=content,
                allow_redirects=False,
                timeout=_timeout(connect_s),
                ssl=True if certificate is None else certificate,
            )
        except (aiohttp.ClientError, OSError) as error:
            raise named(error) from error
        try:
            check_headers(response.headers, response.url.host, max_bytes)
        except (httpx.DecodingError, TooLargeError):
            response.close()
            raise
        return Answer(response, max_bytes)

    async def upgrade(self, url: str, *, max_bytes: int) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket whose messages have at most `max_bytes`. Raises: AddressRefusedError, errors of aiohttp."""
        return await self._session.ws_connect(self._check(url), max_msg_size=max_bytes, autoping=True)


@asynccontextmanager
async def open_session(
    policy: EgressPolicy, ssl_context: SSLContext, look_up: LookUp
) -> AsyncGenerator[aiohttp.ClientSession]:
    """Open the pool of connections: bounded in all and per host."""
    resolver = _CheckedResolver(policy, look_up)
    connector = aiohttp.TCPConnector(
        resolver=resolver,
        ssl=ssl_context,
        limit=_MAX_CONNECTIONS,
        limit_per_host=_MAX_CONNECTIONS_PER_HOST,
        keepalive_timeout=_KEEP_ALIVE_S,
    )
    try:
        async with aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=HEADERS,
            trust_env=False,
            auto_decompress=False,
            response_class=_Response,
        ) as session:
            yield session
    finally:
        await resolver.close()


def check_headers(headers: Mapping[str, str], host: str | None, max_bytes: int, *, allow_encoded: bool = False) -> None:
    """Check what an answer's headers promise. Raises: httpx.DecodingError, TooLargeError."""
    encoding = headers.get("content-encoding", "identity")
    if encoding not in {"identity", ""} and not allow_encoded:
        raise httpx.DecodingError(f"Content-Encoding {encoding[:40]}")
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > max_bytes:
        raise too_large(host, max_bytes)


def named(error: Exception) -> httpx.HTTPError:
    """Return the httpx error for one of aiohttp: httpx-aiohttp calls every lost connection a ConnectTimeout."""
    match error.__cause__ if isinstance(error, httpx.HTTPError) else error:
        case aiohttp.ClientConnectorError() as cause:
            return httpx.ConnectError(_why_not_connected(cause))
        case aiohttp.ConnectionTimeoutError():
            return httpx.ConnectTimeout("no connection in time")
        case TimeoutError():
            return httpx.ReadTimeout("no bytes in time")
        case aiohttp.ClientResponseError() as cause:
            return httpx.RemoteProtocolError(cause.message)
        case _:
            return httpx.ReadError("the connection broke")


def too_large(host: str | None, max_bytes: int) -> TooLargeError:
    """Return the error for an answer that is larger than it may be."""
    return TooLargeError(f"{host} answered with more than {max_bytes:,} bytes; that is the limit here.")


def to_addresses(found: Sequence[AddressInfo]) -> list[Address]:
    """Return the addresses in what `getaddrinfo` gave, each once; an IPv4-mapped one as the IPv4 address that it is."""
    texts = [str(sockaddr[0]).partition("%")[0] for *_, sockaddr in found]
    return list(dict.fromkeys(unmapped(ipaddress.ip_address(text)) for text in texts))


class _Response(aiohttp.ClientResponse):
    """An answer without the words beside its status: nobody needs them, and httpx-aiohttp reads only UTF-8."""

    async def start(self, connection: Connection) -> Self:
        await super().start(connection)
        self.reason = None
        return self


class _CheckedResolver(AbstractResolver):
    """Resolves names and hands out only the addresses that may be reached."""

    def __init__(self, policy: EgressPolicy, look_up: LookUp) -> None:
        self._policy = policy
        self._look_up = look_up
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="resolve")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, self._look_up, host, port, family, socket.SOCK_STREAM)
        except UnicodeError as error:
            raise OSError(None, "not a name that can be resolved") from error
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in self._policy.check_addresses(host, to_addresses(found), port)
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _checked(policy: EgressPolicy, url: str) -> URL:
    """Return the URL as aiohttp takes it, once it is known that aiohttp reads the same host and port in it."""
    try:
        parsed = httpx.URL(url)
        target = URL(str(parsed))
    except (httpx.InvalidURL, ValueError) as error:
        raise InvalidRequestError(f"{url[:200]!r} is not a URL.") from error
    policy.check(parsed)
    default_port = 443 if parsed.scheme == "https" else 80
    if (target.raw_host, target.port) != (parsed.raw_host.decode("ascii").lower(), parsed.port or default_port):
        raise AddressRefusedError(f"It is not clear which host the address {url[:200]!r} means.")
    return target


@lru_cache(64)
def _timeout(connect_s: float) -> aiohttp.ClientTimeout:
    """Return the limit for the connection alone; without the threshold aiohttp would round it up to full seconds."""
    return aiohttp.ClientTimeout(connect=connect_s, sock_connect=connect_s, ceil_threshold=math.inf)


def _why_not_connected(error: aiohttp.ClientConnectorError) -> str:
    match error:
        case aiohttp.ClientSSLError():
            return "its TLS certificate or handshake is not acceptable"
        case aiohttp.ClientConnectorDNSError():
            return "the name cannot be resolved"
        case _:
            number = error.os_error.errno
            return os.strerror(number).lower() if number else "the connection failed"
