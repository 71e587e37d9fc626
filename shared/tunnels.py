"""TCP connections to addresses that were checked: a name is resolved once, and means the same addresses ever after.

`shared.http` speaks HTTP over connections of its own; these are for what only carries bytes, such as the proxy that the
browser is behind.
"""

import asyncio
import socket
from collections import OrderedDict

from shared.connections import LookUp, to_addresses
from shared.egress import Address, EgressPolicy
from shared.errors import FederationError, UnavailableError
from shared.http import parse_url

_RESOLVE_TIMEOUT_S = 10.0
_MAX_PINNED = 10_000


class Tunnels:
    """Opens connections that `policy` allows, to pinned addresses."""

    def __init__(self, policy: EgressPolicy, connect_timeout_s: float, look_up: LookUp = socket.getaddrinfo) -> None:
        self._policy = policy
        self._connect_timeout_s = connect_timeout_s
        self._look_up = look_up
        self._pinned: OrderedDict[tuple[str, int], asyncio.Future[list[Address]]] = OrderedDict()

    async def find(self, host: str, port: int) -> list[Address]:
        """Return the addresses that `host` is reached at, the same each time.

        Raises: AddressRefusedError when none may be reached; UnavailableError when the name does not resolve, which is
        looked up again the next time.
        """
        key = (host.lower().rstrip("."), port)
        known = self._pinned.get(key)
        if known is None:
            known = self._pinned[key] = asyncio.ensure_future(self._resolve(*key))
            while len(self._pinned) > _MAX_PINNED:
                self._pinned.popitem(last=False)
        try:
            return await asyncio.shield(known)
        except FederationError as error:
            if self._pinned.get(key) is known:
                del self._pinned[key]
            raise type(error)(error.detail) from error

    async def open(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to `host`. Raises: as `find`, and OSError when nothing there takes the connection."""
        failure: OSError = ConnectionRefusedError("nothing listens there")
        for address in await self.find(host, port):
            try:
                async with asyncio.timeout(self._connect_timeout_s):
                    return await asyncio.open_connection(str(address), port)
            except OSError as error:  # TimeoutError is one
                failure = error
        raise failure

    async def _resolve(self, host: str, port: int) -> list[Address]:
        bracketed = f"[{host}]" if ":" in host else host
        unresolved = self._policy.check(parse_url(f"http://{bracketed}:{port}/"))
        if unresolved is None:
            return to_addresses([(0, 0, 0, "", (host, port))])
        try:
            async with asyncio.timeout(_RESOLVE_TIMEOUT_S):
                found = await asyncio.to_thread(self._look_up, host, port, 0, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise UnavailableError(f"The name {host} cannot be resolved to an address.") from error
        return self._policy.check_addresses(host, to_addresses(found), port)
