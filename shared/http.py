"""The one way out: an HTTP client that connects only to addresses that were checked, and reads only so much.

Names are resolved once; every address is judged by `shared.egress`, and the connection goes to an address that passed.
No proxies from the environment, no cookies, no redirects, no compressed answers unless they are asked for.
"""

import asyncio
import ipaddress
import os
import socket
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TypeAlias, cast

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp import AiohttpTransport

from shared.egress import Address, EgressPolicy
from shared.errors import (
    FederationError,
    InvalidRequestError,
    TimedOutError,
    TooLargeError,
    UnavailableError,
)
from shared.settings import FederationSettings

AddressInfo: TypeAlias = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]
LookUp: TypeAlias = Callable[[str, int, int, int], Sequence[AddressInfo]]
"""From host, port, family and socket type to what `socket.getaddrinfo` gives."""

MAX_BYTES = "federation.max_bytes"
"""Request extension: the most bytes of body that are read; default 64 MiB."""
ALLOW_ENCODED = "federation.allow_encoded"
"""Request extension: true lets an answer with a Content-Encoding pass; whoever asks decodes it, capped."""

_DEFAULT_MAX_BYTES = 64 * 1024 * 1024
_MAX_CONNECTIONS = 512
_MAX_CONNECTIONS_PER_HOST = 256
_KEEP_ALIVE_S = 4.0  # below the 5 s after which uvicorn closes an idle connection
_RESOLVE_TIMEOUT_S = 10.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a GET brought. `url` is the last one after redirects; `media_type` is lower case, without parameters."""

    url: str
    status: int
    media_type: str
    content: bytes


@asynccontextmanager
async def open_client(
    settings: FederationSettings, *, timeout_s: float = 30.0, look_up: LookUp = socket.getaddrinfo
) -> AsyncGenerator[httpx.AsyncClient]:
    """Open the outgoing client. `timeout_s` is its default for connecting and for each wait for bytes.

    It raises `httpx` errors, `AddressRefusedError` before anything is sent, and `TooLargeError`; `translate` turns the
    former into ours. `httpx.ConnectError` and `httpx.ConnectTimeout` mean that nothing was sent.
    """
    policy = EgressPolicy.from_settings(settings)
    resolver = _CheckedResolver(policy, look_up)
    ssl_context = httpx.create_ssl_context()
    connector = aiohttp.TCPConnector(
        resolver=resolver,
        ssl=ssl_context,
        limit=_MAX_CONNECTIONS,
        limit_per_host=_MAX_CONNECTIONS_PER_HOST,
        keepalive_timeout=_KEEP_ALIVE_S,
    )
    session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
    transport = _CheckedTransport(policy, AiohttpTransport(verify=ssl_context, trust_env=False, client=session))
    try:
        async with httpx.AsyncClient(
            transport=transport,
            timeout=timeout_s,
            trust_env=False,
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers={"Accept-Encoding": "identity", "User-Agent": "agent-federation"},
        ) as client:
            yield client
    finally:
        await resolver.close()


async def fetch(
    client: httpx.AsyncClient, url: str, *, timeout_s: float, max_bytes: int, max_redirects: int = 5
) -> Fetched:
    """GET `url`, following redirects, each hop checked. A status of 400 or more is returned, not raised.

    `timeout_s` is for everything together; `max_bytes` counts the decoded body.
    Raises: AddressRefusedError, InvalidRequestError (not a URL), TooLargeError, TimedOutError, UnavailableError.
    """
    target = parse_url(url)
    try:
        async with asyncio.timeout(timeout_s):
            for _ in range(max_redirects + 1):
                fetched, location = await _get(client, target, max_bytes)
                if location is None:
                    return fetched
                target = parse_url(location, target)
    except TimeoutError as error:
        raise TimedOutError(f"{target.host} did not send the whole answer within {timeout_s:g} s.") from error
    raise UnavailableError(f"{parse_url(url).host} redirects more than {max_redirects} times.")


async def check_url(settings: FederationSettings, url: str) -> None:
    """Check that outgoing calls may reach `url`: its scheme, form and port, and at least one address of its host.

    Raises: AddressRefusedError, InvalidRequestError (not a URL), UnavailableError (the name does not resolve).
    """
    policy = EgressPolicy.from_settings(settings)
    unresolved = policy.check(parse_url(url))
    if unresolved is None:
        return
    host, port = unresolved
    try:
        async with asyncio.timeout(_RESOLVE_TIMEOUT_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
        raise UnavailableError(f"The name {host} cannot be resolved to an address.") from error
    policy.check_addresses(host, _addresses(found), port)


def parse_url(url: str, relative_to: httpx.URL | None = None) -> httpx.URL:
    """Parse `url`. Raises: InvalidRequestError for what is not one."""
    try:
        return relative_to.join(url) if relative_to is not None else httpx.URL(url.strip())
    except (httpx.InvalidURL, ValueError) as error:
        raise InvalidRequestError(f"{url[:200]!r} is not a URL.") from error


def translate(error: httpx.HTTPError, url: httpx.URL) -> FederationError:
    """Return what a failed call means to the caller."""
    where = f"{url.host}:{url.port}" if url.port else url.host
    match error:
        case httpx.ConnectTimeout():
            return UnavailableError(f"{where} did not accept a connection in time.")
        case httpx.ConnectError():
            return UnavailableError(f"Cannot connect to {where}: {error}.")
        case httpx.TimeoutException():
            return TimedOutError(f"{where} accepted the request, but did not answer in time.")
        case httpx.DecodingError():
            return UnavailableError(f"{where} answered in an encoding that is not accepted: {error}.")
        case _:
            return UnavailableError(f"The connection to {where} broke before the answer was complete.")


async def _get(client: httpx.AsyncClient, url: httpx.URL, max_bytes: int) -> tuple[Fetched, str | None]:
    try:
        async with client.stream("GET", url, extensions={MAX_BYTES: max_bytes, ALLOW_ENCODED: True}) as response:
            location = response.headers.get("location") if response.status_code in _REDIRECTS else None
            content = b"" if location else await _read_decoded(response, max_bytes)
            media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            return Fetched(str(response.url), response.status_code, media_type, content), location
    except httpx.HTTPError as error:
        raise translate(error, url) from error


async def _read_decoded(response: httpx.Response, max_bytes: int) -> bytes:
    """Read the body; what a server compressed without being asked is unpacked up to `max_bytes`."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    body = b"".join([chunk async for chunk in response.aiter_raw()])
    if encoding in {"identity", ""}:
        return body
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise httpx.DecodingError(encoding[:40])
    inflater = zlib.decompressobj(wbits=47 if encoding != "deflate" or body[:1] == b"\x78" else -15)
    try:
        content = inflater.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise httpx.DecodingError(f"broken {encoding}") from error
    if len(content) > max_bytes:
        raise _too_large(response.request.url, max_bytes)
    if not inflater.eof:
        raise httpx.DecodingError(f"incomplete {encoding}")
    return content


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
            for address in self._policy.check_addresses(host, _addresses(found), port)
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class _CheckedTransport(httpx.AsyncBaseTransport):
    """Checks each request's URL, caps each answer, and names failures by whether the request can have arrived."""

    def __init__(self, policy: EgressPolicy, inner: AiohttpTransport) -> None:
        self._policy = policy
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._policy.check(request.url)
        try:
            response = await self._inner.handle_async_request(request)
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            raise _named(error, request) from error
        body = cast("httpx.AsyncByteStream", response.stream)
        encoding = response.headers.get("content-encoding", "identity")
        max_bytes = cast("int", request.extensions.get(MAX_BYTES, _DEFAULT_MAX_BYTES))
        length = response.headers.get("content-length", "")
        try:
            if encoding not in {"identity", ""} and not request.extensions.get(ALLOW_ENCODED):
                raise httpx.DecodingError(f"Content-Encoding {encoding[:40]}", request=request)
            if request.method != "HEAD" and length.isdecimal() and int(length[:20]) > max_bytes:
                raise _too_large(request.url, max_bytes)
        except (httpx.DecodingError, TooLargeError):
            await body.aclose()
            raise
        response.stream = _CappedBody(body, request, max_bytes)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _CappedBody(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, request: httpx.Request, max_bytes: int) -> None:
        self._inner = inner
        self._request = request
        self._max_bytes = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for chunk in self._inner:
                size += len(chunk)
                if size > self._max_bytes:
                    raise _too_large(self._request.url, self._max_bytes)
                yield chunk
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            raise _named(error, self._request) from error

    async def aclose(self) -> None:
        await self._inner.aclose()


def _named(error: Exception, request: httpx.Request) -> httpx.HTTPError:
    """Return the httpx error for an error of aiohttp: httpx-aiohttp calls every lost connection a ConnectTimeout."""
    match error.__cause__ if isinstance(error, httpx.HTTPError) else error:
        case aiohttp.ClientConnectorError() as cause:
            return httpx.ConnectError(_why_not_connected(cause), request=request)
        case aiohttp.ConnectionTimeoutError():
            return httpx.ConnectTimeout("no connection in time", request=request)
        case TimeoutError():
            return httpx.ReadTimeout("no bytes in time", request=request)
        case aiohttp.ClientResponseError() as cause:
            return httpx.RemoteProtocolError(cause.message, request=request)
        case _:
            return httpx.ReadError("the connection broke", request=request)


def _why_not_connected(error: aiohttp.ClientConnectorError) -> str:
    match error:
        case aiohttp.ClientSSLError():
            return "its TLS certificate or handshake is not acceptable"
        case aiohttp.ClientConnectorDNSError():
            return "the name cannot be resolved"
        case _:
            number = error.os_error.errno
            return os.strerror(number).lower() if number else "the connection failed"


def _addresses(found: Sequence[AddressInfo]) -> list[Address]:
    unique = {str(sockaddr[0]).partition("%")[0]: None for *_, sockaddr in found}
    return [ipaddress.ip_address(text) for text in unique]


def _too_large(url: httpx.URL, max_bytes: int) -> TooLargeError:
    return TooLargeError(f"{url.host} answered with more than {max_bytes:,} bytes; that is the limit here.")
