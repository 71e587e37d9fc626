"""The one way out: an HTTP client that connects only to addresses that were checked, and reads only so much.

Names are resolved once; every address is judged by `shared.egress`, and the connection goes to an address that passed.
No proxies from the environment, no cookies, no redirects, no compressed answers unless they are asked for.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from ssl import SSLContext
from typing import TypeVar, cast

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from shared.connections import (
    HEADERS,
    AddressInfo,
    Answer,
    Calls,
    LookUp,
    check_headers,
    named,
    open_session,
    to_addresses,
    too_large,
)
from shared.content_codings import decoded
from shared.egress import EgressPolicy
from shared.errors import FederationError, InvalidRequestError, TimedOutError, TooLargeError, UnavailableError
from shared.settings import FederationSettings

__all__ = [
    "ALLOW_ENCODED",
    "MAX_BYTES",
    "AddressInfo",
    "Answer",
    "Calls",
    "Client",
    "Fetched",
    "LookUp",
    "Saved",
    "Shown",
    "check_url",
    "fetch",
    "fetch_to",
    "open_client",
    "origin_of",
    "parse_url",
    "translate",
]

T = TypeVar("T")

MAX_BYTES = "federation.max_bytes"
"""Request extension: the most bytes of body that are read; default 64 MiB."""
ALLOW_ENCODED = "federation.allow_encoded"
"""Request extension: true lets an answer with a Content-Encoding pass; whoever asks decodes it, capped."""

_DEFAULT_MAX_BYTES = 64 * 1024 * 1024
_RESOLVE_TIMEOUT_S = 10.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a GET brought. `url` is the last one after redirects; `media_type` is lower case, without parameters."""

    url: str
    status: int
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Saved:
    """What a GET brought into a file. The rest is as in `Fetched`."""

    url: str
    status: int
    media_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown to one origin, and to no other: headers, and a client certificate."""

    origin: str
    headers: Mapping[str, str]
    certificate: SSLContext | None


class Client(httpx.AsyncClient):
    """The outgoing client. `calls` is its short way, over the same connections, with the same checks."""

    def __init__(self, transport: httpx.AsyncBaseTransport, calls: Calls, timeout_s: float) -> None:
        super().__init__(
            transport=transport,
            timeout=timeout_s,
            trust_env=False,
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers=HEADERS,
        )
        self.calls = calls


@asynccontextmanager
async def open_client(
    settings: FederationSettings, *, timeout_s: float = 30.0, look_up: LookUp = socket.getaddrinfo
) -> AsyncGenerator[Client]:
    """Open the outgoing client. `timeout_s` is its default for connecting and for each wait for bytes.

    It raises `httpx` errors, `AddressRefusedError` before anything is sent, and `TooLargeError`; `translate` turns the
    former into ours. `httpx.ConnectError` and `httpx.ConnectTimeout` mean that nothing was sent.
    """
    policy = EgressPolicy.from_settings(settings)
    ssl_context = httpx.create_ssl_context()
    async with open_session(policy, ssl_context, look_up) as session:
        inner = AiohttpTransport(verify=ssl_context, trust_env=False, client=session)
        async with Client(_CheckedTransport(policy, inner), Calls(policy, session), timeout_s) as client:
            yield client


async def fetch(
    client: httpx.AsyncClient,
    url: str,
    *,
    timeout_s: float,
    max_bytes: int,
    max_redirects: int = 5,
    shown: Shown | None = None,
) -> Fetched:
    """GET `url`, following redirects, each hop checked. A status of 400 or more is returned, not raised.

    `timeout_s` is for everything together; `max_bytes` counts the decoded body; `shown` is seen by its own origin only.
    Raises: AddressRefusedError, InvalidRequestError (not a URL), TooLargeError, TimedOutError, UnavailableError.
    """

    async def get(target: httpx.URL) -> tuple[Fetched, str | None]:
        if shown is not None and isinstance(client, Client) and origin_of(str(target)) == shown.origin:
            return await _get_as(client, target, max_bytes, timeout_s, shown)
        return await _get(client, target, max_bytes)

    return await _following(url, get, timeout_s, max_redirects)


async def fetch_to(
    client: httpx.AsyncClient, url: str, path: Path, *, timeout_s: float, max_bytes: int, max_redirects: int = 5
) -> Saved:
    """GET `url` into the file `path`, never all of it in memory; the rest as in `fetch`, errors too."""

    async def get(target: httpx.URL) -> tuple[Saved, str | None]:
        return await _save(client, target, path, max_bytes)

    return await _following(url, get, timeout_s, max_redirects)


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
    policy.check_addresses(host, to_addresses(found), port)


def parse_url(url: str, relative_to: httpx.URL | None = None) -> httpx.URL:
    """Parse `url`. Raises: InvalidRequestError for what is not one."""
    try:
        parsed = relative_to.join(url) if relative_to is not None else httpx.URL(url.strip())
        _ = parsed.host  # an international name is decoded each time that it is asked for, which can fail
    except (httpx.InvalidURL, ValueError) as error:
        raise InvalidRequestError(f"{url[:200]!r} is not a URL.") from error
    return parsed


def origin_of(url: str) -> str | None:
    """Return scheme, host and port of a URL, the port only if it is not the scheme's own; None for what is not one."""
    try:
        parsed = parse_url(url)
    except InvalidRequestError:
        return None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        return None
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii').rpartition('@')[2]}"


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
        case httpx.UnsupportedProtocol():
            return UnavailableError(f"{where} redirects to something that is no address.")
        case httpx.DecodingError():
            return UnavailableError(f"{where} answered in an encoding that is not accepted: {error}.")
        case _:
            return UnavailableError(f"The connection to {where} broke before the answer was complete.")


async def _following(
    url: str, get: Callable[[httpx.URL], Awaitable[tuple[T, str | None]]], timeout_s: float, max_redirects: int
) -> T:
    """Return what the last of some redirects brings; `get` tells where the next one leads."""
    target = parse_url(url)
    try:
        async with asyncio.timeout(timeout_s):
            for _ in range(max_redirects + 1):
                found, location = await get(target)
                if location is None:
                    return found
                target = parse_url(location, target)
    except TimeoutError as error:
        raise TimedOutError(f"{target.host} did not send the whole answer within {timeout_s:g} s.") from error
    raise UnavailableError(f"{parse_url(url).host} redirects more than {max_redirects} times.")


async def _get(client: httpx.AsyncClient, url: httpx.URL, max_bytes: int) -> tuple[Fetched, str | None]:
    try:
        async with client.stream("GET", url, extensions={MAX_BYTES: max_bytes, ALLOW_ENCODED: True}) as response:
            location = _location(response.status_code, response.headers)
            content = b"" if location else b"".join([piece async for piece in decoded(response, max_bytes)])
            return Fetched(str(response.url), response.status_code, _media_type(response.headers), content), location
    except httpx.HTTPError as error:
        raise translate(error, url) from error


async def _save(client: httpx.AsyncClient, url: httpx.URL, path: Path, max_bytes: int) -> tuple[Saved, str | None]:
    size = 0
    try:
        async with client.stream("GET", url, extensions={MAX_BYTES: max_bytes, ALLOW_ENCODED: True}) as response:
            location = _location(response.status_code, response.headers)
            if location is None:
                with await asyncio.to_thread(path.open, "wb") as file:
                    async with aclosing(decoded(response, max_bytes)) as pieces:
                        async for piece in pieces:
                            size += await asyncio.to_thread(file.write, piece)
            return Saved(str(response.url), response.status_code, _media_type(response.headers), size), location
    except httpx.HTTPError as error:
        raise translate(error, url) from error


async def _get_as(
    client: Client, url: httpx.URL, max_bytes: int, timeout_s: float, shown: Shown
) -> tuple[Fetched, str | None]:
    until = asyncio.get_running_loop().time() + timeout_s
    try:
        answer = await client.calls.begin(
            "GET",
            str(url),
            headers=shown.headers,
            content=None,
            connect_s=timeout_s,
            max_bytes=max_bytes,
            certificate=shown.certificate,
        )
        try:
            location, content = _location(answer.status, answer.headers), b""
            while location is None and (piece := await answer.read_some(until)):
                content += piece
        finally:
            answer.close()
    except httpx.HTTPError as error:
        raise translate(error, url) from error
    return Fetched(str(url), answer.status, _media_type(answer.headers), content), location


def _location(status: int, headers: Mapping[str, str]) -> str | None:
    return headers.get("location") if status in _REDIRECTS else None


def _check_location(location: str | None) -> None:
    """See that httpx can read where a redirect leads, as it does though it does not follow.

    Raises: httpx.UnsupportedProtocol.
    """
    try:
        found = parse_url(location or "")
    except InvalidRequestError as error:
        raise httpx.UnsupportedProtocol("a redirect to what is no URL") from error
    if found.scheme and not found.host and found.path[:1] not in {"", "/"}:
        raise httpx.UnsupportedProtocol("a redirect to a URL that cannot have a host")


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


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
            raise named(error) from error
        body = cast("httpx.AsyncByteStream", response.stream)
        max_bytes = cast("int", request.extensions.get(MAX_BYTES, _DEFAULT_MAX_BYTES))
        try:
            check_headers(
                {} if request.method == "HEAD" else response.headers,
                request.url.host,
                max_bytes,
                allow_encoded=bool(request.extensions.get(ALLOW_ENCODED)),
            )
            _check_location(_location(response.status_code, response.headers))
        except (httpx.DecodingError, httpx.UnsupportedProtocol, TooLargeError):
            await body.aclose()
            raise
        response.stream = _CappedBody(body, request.url.host, max_bytes)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _CappedBody(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, host: str, max_bytes: int) -> None:
        self._inner = inner
        self._host = host
        self._max_bytes = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for chunk in self._inner:
                size += len(chunk)
                if size > self._max_bytes:
                    raise too_large(self._host, self._max_bytes)
                yield chunk
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            raise named(error) from error

    async def aclose(self) -> None:
        await self._inner.aclose()
