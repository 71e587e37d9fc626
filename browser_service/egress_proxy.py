"""The only way out of the browser: a proxy of ours that every connection of every page goes through.

Each session has a door of its own, a SOCKS5 server on loopback (RFC 1928: it carries HTTP, HTTPS and WebSockets alike,
and is given names, not addresses). The door asks the session's rules and the egress policy, resolves the name once,
connects to the address that was checked, and from then on only carries bytes. Whatever finds a way around the door
finds no name server (`FLAGS`), and no direct connection.
Source: https://www.rfc-editor.org/rfc/rfc1928
"""

import asyncio
import ipaddress
import logging
import socket
import struct
from collections import OrderedDict
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from playwright.async_api import ProxySettings, Response

from browser_service import navigation
from shared.connections import LookUp
from shared.egress import EgressPolicy, unmapped
from shared.errors import AddressRefusedError, FederationError, InvalidRequestError
from shared.http import parse_url
from shared.settings import FederationSettings
from shared.tunnels import Tunnels

logger = logging.getLogger(__name__)

FLAGS = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--proxy-bypass-list=<-loopback>",
    "--disable-quic",
    "--dns-prefetch-disable",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--no-pings",
)
"""What Chromium is started with, beside `--proxy-server`: nothing but TCP through the proxy, no names of its own."""

_VERSION, _CONNECT, _NO_AUTH, _NOT_ACCEPTED = 5, 1, 0, 0xFF
_IPV4, _NAME, _IPV6 = 1, 3, 4
_DONE, _NOT_ALLOWED, _UNREACHABLE, _REFUSED = 0, 2, 4, 5
_HANDSHAKE_S = 10.0
_CHUNK_BYTES = 65_536
_MAX_CONNECTIONS = 256
_MAX_REMEMBERED = 1_000
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class Rules:
    """Which hosts a session may reach, of those that the egress policy lets it: those of `allow` (empty: all) that are
    not of `deny`. An entry is `example.org`, `*.example.org` (with all below it), or one of these with `:PORT`."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    def refuse(self, host: str, port: int) -> None:
        """Raise AddressRefusedError unless `host` at `port` is within the rules."""
        self.refuse_any_of([host], host, port)
        if self.allow and not any(_fits(entry, host, port) for entry in self.allow):
            raise AddressRefusedError(f"This session may not reach {host}:{port}: it is not on its allow list.")

    def refuse_any_of(self, names: Collection[str], host: str, port: int) -> None:
        """Raise AddressRefusedError if one of the names or addresses of `host` is on the deny list."""
        if any(_fits(entry, name, port) for entry in self.deny for name in names):
            raise AddressRefusedError(f"This session may not reach {host}:{port}: it is on the session's deny list.")


class Door:
    """One session's way out. `rules` may be changed while it is open; they count for new connections."""

    def __init__(self, tunnels: Tunnels, proxy: "EgressProxy") -> None:
        self.rules = Rules()
        self._tunnels = tunnels
        self._proxy = proxy
        self._failures: OrderedDict[tuple[str, int], FederationError | OSError] = OrderedDict()
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def address(self) -> str:
        """Where it answers, as Chromium is told it."""
        return f"socks5://127.0.0.1:{self.port}"

    @property
    def settings(self) -> ProxySettings:
        """What Playwright is told."""
        return {"server": self.address}

    async def check(self, url: str) -> None:
        """Check that `url` may be reached. Raises: AddressRefusedError, InvalidRequestError, UnavailableError."""
        parsed = parse_url(url)
        if parsed.scheme not in {"http", "https"} or parsed.userinfo or not parsed.host:
            self._proxy.policy.check(parsed)  # says what is wrong with it
            raise InvalidRequestError(f"{url[:200]!r} is not an address of a page.")
        await self._find(parsed.raw_host.decode("ascii"), parsed.port or _PORTS[parsed.scheme])

    def refusal(self, url: str) -> FederationError | None:
        """Return why the last connection for `url` did not come about, if it did not."""
        try:
            parsed = parse_url(url)
        except InvalidRequestError:
            return None
        port = parsed.port or _PORTS.get(parsed.scheme, 0)
        failure = self._failures.get((parsed.raw_host.decode("ascii", "replace").lower(), port))
        if isinstance(failure, OSError):
            is_refused = isinstance(failure, ConnectionRefusedError)
            return navigation.explain_code(url, "ERR_CONNECTION_REFUSED" if is_refused else "ERR_ADDRESS_UNREACHABLE")
        return failure

    async def check_answer(self, response: Response) -> None:
        """Nothing is left to check: the answer came through here."""

    async def open(self) -> int:
        """Begin to serve; returns the port."""
        self._server = await asyncio.start_server(self._welcome, "127.0.0.1", 0, limit=_CHUNK_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    async def close(self) -> None:
        """Close it, and all that goes through it."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _find(self, host: str, port: int) -> None:
        self.rules.refuse(host, port)
        addresses = await self._tunnels.find(host, port)
        self.rules.refuse_any_of([str(address) for address in addresses], host, port)
        if port in self._proxy.ports and any(address.is_loopback for address in addresses):
            raise AddressRefusedError(f"{host}:{port} is a part of the browser service itself.")

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection in a task of ours: asyncio's own would log each that is cancelled as an error."""
        task = asyncio.create_task(self._accept(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if len(self._connections) <= _MAX_CONNECTIONS:
                await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            logger.debug("a connection through the proxy broke", extra={"why": str(error)})
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HANDSHAKE_S):
            asked = await _read_request(reader, writer)
        if asked is None:
            return
        host, port = asked
        try:
            await self._find(host, port)
            up_reader, up_writer = await self._tunnels.open(host, port)
        except FederationError as error:
            self._remember(host, port, error)
            logger.info("browser connection refused", extra={"host": host, "port": port, "why": error.detail})
            code = _NOT_ALLOWED if isinstance(error, AddressRefusedError) else _UNREACHABLE
            await _answer(writer, code)
            return
        except OSError as error:
            self._remember(host, port, error)
            await _answer(writer, _REFUSED)
            return
        try:
            self._failures.pop((host.lower(), port), None)
            await _answer(writer, _DONE)
            await _carry_both(reader, writer, up_reader, up_writer)
        finally:
            up_writer.close()

    def _remember(self, host: str, port: int, error: FederationError | OSError) -> None:
        self._failures[host.lower(), port] = error
        while len(self._failures) > _MAX_REMEMBERED:
            self._failures.popitem(last=False)


class Boundary(Protocol):
    """What stands between a session's pages and the network: its door, or a filter in a browser that is elsewhere."""

    async def check(self, url: str) -> None:
        """Check that `url` may be reached. Raises: AddressRefusedError, InvalidRequestError, UnavailableError."""
        ...

    def refusal(self, url: str) -> FederationError | None:
        """Return why nothing came from `url`, if it was stopped or could not be reached."""
        ...

    async def check_answer(self, response: Response) -> None:
        """Check where `response` came from. Raises: AddressRefusedError, playwright's Error."""
        ...


class EgressProxy:
    """Opens doors. `ports` are those of all that are open: no page reaches one through another."""

    def __init__(self, settings: FederationSettings, look_up: LookUp = socket.getaddrinfo) -> None:
        self.policy = EgressPolicy.from_settings(settings)
        self.ports: set[int] = set()
        self._connect_timeout_s = settings.connect_timeout_s
        self._look_up = look_up

    @asynccontextmanager
    async def open_door(self, rules: Rules | None = None) -> AsyncGenerator[Door]:
        """Open a door, which has its own memory of what names mean."""
        door = Door(Tunnels(self.policy, self._connect_timeout_s, self._look_up), self)
        door.rules = rules or Rules()
        port = await door.open()
        self.ports.add(port)
        try:
            yield door
        finally:
            self.ports.discard(port)
            await door.close()


async def _read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int] | None:
    """Return the host and port that the client wants to be connected to; None for what is not understood."""
    version, methods = await reader.readexactly(2)
    offered = await reader.readexactly(methods)
    if version != _VERSION or _NO_AUTH not in offered:
        writer.write(bytes((_VERSION, _NOT_ACCEPTED)))
        return None
    writer.write(bytes((_VERSION, _NO_AUTH)))
    version, command, _, kind = await reader.readexactly(4)
    if kind == _IPV4:
        host = str(ipaddress.IPv4Address(await reader.readexactly(4)))
    elif kind == _IPV6:
        host = str(ipaddress.IPv6Address(await reader.readexactly(16)))
    elif kind == _NAME:
        (length,) = await reader.readexactly(1)
        host = (await reader.readexactly(length)).decode("ascii", "replace").strip("[]")
    else:
        return None
    (port,) = struct.unpack("!H", await reader.readexactly(2))
    return (host, port) if version == _VERSION and command == _CONNECT else None


async def _answer(writer: asyncio.StreamWriter, code: int) -> None:
    writer.write(bytes((_VERSION, code, 0, _IPV4, 0, 0, 0, 0, 0, 0)))
    await writer.drain()


async def _carry_both(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    up_reader: asyncio.StreamReader,
    up_writer: asyncio.StreamWriter,
) -> None:
    async with asyncio.TaskGroup() as carrying:
        carrying.create_task(_carry(reader, up_writer))
        carrying.create_task(_carry(up_reader, writer))


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Carry bytes until one side has no more or is gone; the other is told."""
    with suppress(OSError):
        while piece := await source.read(_CHUNK_BYTES):
            target.write(piece)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()
            return
    target.close()


def _fits(entry: str, host: str, port: int) -> bool:
    name, _, wanted = entry.lower().rpartition(":") if entry.rpartition(":")[2].isdecimal() else (entry.lower(), "", "")
    if wanted and int(wanted) != port:
        return False
    host = _plain(host)
    if name.startswith("*."):
        return host == name[2:] or host.endswith(name[1:])
    return host == _plain(name)


def _plain(host: str) -> str:
    """Return a host in the one way in which it is compared, whichever way an address is written."""
    name = host.lower().rstrip(".").strip("[]")
    try:
        return str(unmapped(ipaddress.ip_address(name)))
    except ValueError:
        return name
